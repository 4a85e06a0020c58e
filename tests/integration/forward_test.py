"""re forward: ports of a host as ports of this machine."""

import json
import os
import pathlib
import signal
import socket
import socketserver
import subprocess
import threading

import testbed


class Echo(socketserver.ThreadingTCPServer):
    """Sends back what it gets, and ends when its peer does."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 500

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            while data := self.request.recv(65536):
                self.request.sendall(data)

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


# Every transport, over the connection master and without.
WAYS = [(transport, *master) for transport in ("ssh2", "openssh", "local") for master in ((), ("--no-master",))]


class Forward(testbed.TestCase):
    def echo(self):
        server = Echo()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def forward(self, local, *arguments):
        """A running forward; gives the process and the local ports, as it says them."""
        process = local.spawn("re", "forward", "--json", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        text = b""
        while not text.endswith(b"]\n"):
            line = process.stdout.readline()
            if not line:
                self.fail(process.stderr.read())
            text += line
        return process, [entry["local_port"] for entry in json.loads(text)]

    def talk(self, port, data):
        """Sends DATA, then the end, and gives what comes back."""
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            sender = threading.Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
            sender.start()
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            sender.join()
            return answer

    def bed(self, transport, *master):
        local = self.local(self.remote(), transport=transport)
        return local, master

    def test_bytes_pass_both_ways_and_each_end_is_handed_on(self):
        echo = self.echo()
        for way in WAYS:
            with self.subTest(way):
                local, master = self.bed(*way)
                process, [port] = self.forward(local, *master, "host1", str(echo.port))
                data = os.urandom(3_000_000)
                self.assertTrue(self.talk(port, data) == data)
                self.assertEqual(self.talk(port, b""), b"")
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.wait(60), 130)

    def test_hundreds_of_connections_at_once(self):
        echo = self.echo()
        for way in WAYS:
            with self.subTest(way):
                local, master = self.bed(*way)
                _, [port] = self.forward(local, *master, "host1", f"0:127.0.0.1:{echo.port}")
                connections = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(200)]
                for number, connection in enumerate(connections):
                    connection.sendall(f"{number}".encode())
                for number, connection in enumerate(connections):
                    self.assertEqual(connection.recv(100), f"{number}".encode())
                    connection.close()

    def test_a_far_end_that_has_said_all_still_listens(self):
        for way in [way for way in WAYS if way[0] != "openssh"]:  # ssh -W has no such thing
            with self.subTest(way):
                local, master = self.bed(*way)
                with socket.create_server(("127.0.0.1", 0)) as server:
                    _, [port] = self.forward(local, *master, "host1", str(server.getsockname()[1]))
                    with socket.create_connection(("127.0.0.1", port), timeout=60) as near:
                        far, _ = server.accept()
                        far.settimeout(60)
                        far.sendall(b"that is all")
                        far.shutdown(socket.SHUT_WR)
                        self.assertEqual(near.recv(100), b"that is all")
                        self.assertEqual(near.recv(100), b"")
                        near.sendall(b"and yet")
                        near.shutdown(socket.SHUT_WR)
                        self.assertEqual(far.recv(100), b"and yet")
                        self.assertEqual(far.recv(100), b"")
                        far.close()

    def test_who_does_not_read_holds_the_sender_up(self):
        for way in WAYS:
            with self.subTest(way):
                local, master = self.bed(*way)
                with socket.create_server(("127.0.0.1", 0)) as server:
                    process, [port] = self.forward(local, *master, "host1", str(server.getsockname()[1]))
                    with socket.create_connection(("127.0.0.1", port), timeout=60) as near:
                        far, _ = server.accept()
                        far.settimeout(1)
                        sent = 0
                        try:
                            while sent < 200_000_000:
                                sent += far.send(b"x" * 65536)
                        except TimeoutError:
                            pass
                        self.assertLess(sent, 60_000_000)
                        pages = pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1]
                        if not any(name.endswith("SAN_OPTIONS") for name in os.environ):
                            self.assertLess(int(pages) * os.sysconf("SC_PAGESIZE"), 100_000_000)
                        far.close()
                        got = 0
                        while piece := near.recv(1 << 20):
                            got += len(piece)
                        self.assertEqual(got, sent)

    def test_a_refused_port_costs_one_connection_only(self):
        echo = self.echo()
        unheard = socket.socket()  # it has the port, so that nobody else gets it, and does not listen
        self.addCleanup(unheard.close)
        unheard.bind(("127.0.0.1", 0))
        closed = unheard.getsockname()[1]
        for way in WAYS:
            with self.subTest(way):
                local, master = self.bed(*way)
                process = local.spawn("re", "forward", *master, "host1", str(closed), str(echo.port),
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                lines = [process.stdout.readline().decode() for _ in range(2)]
                self.assertIn(f" leads to localhost:{closed} on host1\n", lines[0])
                ports = [int(line.split()[0].split(":")[1]) for line in lines]
                with socket.create_connection(("127.0.0.1", ports[1]), timeout=60) as other:
                    for _ in range(3):
                        self.assertEqual(self.talk(ports[0], b""), b"")
                    other.sendall(b"still here")
                    self.assertEqual(other.recv(100), b"still here")
                process.send_signal(signal.SIGTERM)
                error = process.communicate(timeout=60)[1].decode()
                self.assertEqual(error.count(f"no connection to localhost:{closed} on host1"), 1, error)
                self.assertNotIn("lost", error)

    def test_a_lost_connection_is_made_anew_and_the_port_stays(self):
        echo = self.echo()
        for master in ([], ["--no-master"]):
            for transport in ("ssh2", "openssh"):
                with self.subTest(transport, master=master):
                    remote = self.remote()
                    local = self.local(remote, transport=transport)
                    process = local.spawn("re", "forward", *master, "host1", str(echo.port), stdout=subprocess.PIPE,
                                          stderr=subprocess.PIPE)
                    port = int(process.stdout.readline().split()[0].split(b":")[1])
                    with socket.create_connection(("127.0.0.1", port), timeout=60) as old:
                        old.sendall(b"a")
                        self.assertEqual(old.recv(1), b"a")
                        remote.stop_sshd()
                        for pid, command in remote.processes():
                            if command.startswith("sshd:"):
                                os.kill(pid, signal.SIGKILL)
                        self.assertEqual(old.recv(1), b"")
                    with socket.create_connection(("127.0.0.1", port), timeout=60) as waiting:
                        waiting.sendall(b"b")
                        remote.start_sshd()
                        self.assertEqual(waiting.recv(1), b"b")
                    self.assertEqual(self.talk(port, b"c"), b"c")
                    process.send_signal(signal.SIGTERM)
                    error = process.communicate(timeout=60)[1].decode()
                    self.assertEqual((error.count("lost host1"), error.count("host1 is back")), (1, 1), error)

    def test_only_this_machine_can_connect_unless_told_otherwise(self):
        echo = self.echo()
        local = self.local()
        process, ports = self.forward(local, "local", str(echo.port), f"*:0:{echo.port}", f"127.0.0.9:0:{echo.port}")
        listening = subprocess.run(["ss", "-Hltn"], stdout=subprocess.PIPE, check=True).stdout.decode()
        found = [sorted(line.split()[3].rsplit(":", 1)[0] for line in listening.splitlines()
                        if line.split()[3].endswith(f":{port}")) for port in ports]
        self.assertEqual(found, [["127.0.0.1", "[::1]"], ["0.0.0.0", "[::]"], ["127.0.0.9"]])
        done = local.run("re", "forward", "local", f"{ports[0]}:{echo.port}")
        self.assertEqual(done.code, 1)
        self.assertIn(f"cannot listen on 127.0.0.1:{ports[0]}: Address already in use", done.err)

    def test_a_job_means_its_host(self):
        echo = self.echo()
        remote, other = self.remote(), self.remote()
        local = self.local(remote, other)
        (local.project / "x.py").write_text("print('x')\n")
        self.assert_ok(local.run("re", "init", "-i", "2"))
        self.assert_ok(local.run("re", "async", "-i", "2", "--name", "server", "sleep 1000"))
        for word in ("1", "server"):
            process = local.spawn("re", "forward", word, str(echo.port), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertIn(b" on host2\n", process.stdout.readline())
            process.send_signal(signal.SIGINT)
            process.wait(60)
        self.assert_ok(local.run("re", "kill", "1"))
        for arguments, code in ((("nowhere", "80"), 4), (("host1",), 2), (("host1", "80:x"), 2)):
            self.assertEqual(local.run("re", "forward", *arguments).code, code, arguments)


if __name__ == "__main__":
    testbed.main()
