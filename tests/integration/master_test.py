"""The connection master: one login serves many commands, and whatever becomes of it, no command suffers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import testbed
from testbed import wait_for


class Master(testbed.TestCase):
    def status(self, local):
        return json.loads(local.run("re", "master", "status", "--json").out)

    def directory(self, local):
        return local.directory / "run" / "re"

    def logins(self, remote):
        return remote.log().count("Accepted publickey")

    def test_one_login_serves_many_commands(self):
        for transport in ("ssh2", "openssh"):
            with self.subTest(transport):
                remote = self.remote()
                local = self.project(remote, transport=transport)
                for _ in range(3):
                    self.assertEqual(self.assert_ok(local.run("re", "sync", "python3 x.py")).out, "x\n")
                self.assert_ok(local.run("re", "push", "x.py", "data/"))
                self.assertEqual(self.logins(remote), 1)
                [connection] = self.status(local)["connections"]
                self.assertEqual((connection["transport"], connection["channels"]), (transport, 0))
                self.assert_ok(local.run("re", "master", "stop"))
                wait_for(lambda: self.status(local)["pid"] is None, "the master's end")
                self.assert_ok(local.run("re", "sync", "true"))
                self.assertEqual(self.logins(remote), 2)

    def test_shells_started_ahead_hold_no_old_login_files(self):
        remote = self.remote()
        account = "alice" if remote.mode == "root" else remote.account
        local = self.project(remote, account=account)
        for text in ("one", "two", "three"):
            remote.write(account, ".bashrc", f"export RE_TEST_WORD={text}\n")
            for _ in range(3):
                self.assertEqual(self.assert_ok(local.run("re", "sync", "echo $RE_TEST_WORD")).out, text + "\n")
            # What is written in the moment between a shell's reading and its noting of the file is not seen (login.sh).
            self.await_places(remote, remote.home(account))
        home = remote.home(account)
        remote.write(account, "dotfiles/bashrc", "export RE_TEST_WORD=linked\n")
        os.utime(home / "dotfiles/bashrc", (1_000_000_000, 1_000_000_000))
        self.await_places(remote, home)
        (home / ".bashrc").unlink()
        (home / ".bashrc").symlink_to("dotfiles/bashrc")
        self.assertEqual(self.assert_ok(local.run("re", "sync", "echo $RE_TEST_WORD")).out, "linked\n")
        remote.write(account, "dotfiles/other", "export RE_TEST_WORD=older\n")
        os.utime(home / "dotfiles/other", (900_000_000, 900_000_000))
        self.await_places(remote, home)
        (home / "dotfiles/other").rename(home / "dotfiles/bashrc")
        self.assertEqual(self.assert_ok(local.run("re", "sync", "echo $RE_TEST_WORD")).out, "older\n")

    def await_places(self, remote, home):
        """Until shells wait, all with a place, and none has come for so long that none is just being started."""
        seen = (None, 0)

        def have_settled():
            nonlocal seen
            shells = sorted(self.shells(remote))
            made = [place for place in (home / ".re/jobs").glob(".new.*") if not (place / "go").exists()]
            if (shells, len(made)) != seen[0]:
                seen = ((shells, len(made)), time.monotonic())
            return 0 < len(shells) == len(made) and time.monotonic() - seen[1] > 1.5
        wait_for(have_settled, "shells that wait")

    def shells(self, remote):
        return [pid for pid, command in remote.processes() if command in ("/bin/sh -s", "sh -s")]

    def test_shells_started_ahead_give_way_and_end_with_the_master(self):
        remote = self.remote("MaxSessions 3")
        testbed.need(remote.mode != "plain", "a process namespace, to see its processes")
        local = self.project(remote)
        for _ in range(3):
            self.assert_ok(local.run("re", "sync", "true"))
        wait_for(lambda: self.shells(remote), "a shell that waits")
        running = [local.spawn("re", "sync", "echo ready; read line; echo $line", stdin=-1, stdout=-1, stderr=-1, bufsize=0)
                   for _ in range(3)]
        for process in running:
            self.assertEqual(process.stdout.readline(), b"ready\n")
        self.assertEqual(self.logins(remote), 1)
        for process in running:
            out, err = process.communicate(b"done\n", timeout=60)
            self.assertEqual((process.returncode, out), (0, b"done\n"), err)
        self.assert_ok(local.run("re", "master", "stop"))
        wait_for(lambda: not self.shells(remote), "the end of the shells")

    def test_a_host_that_went_silent_is_reached_anew(self):
        remote = self.remote()
        wire = self.proxy(remote)
        local = self.local()
        local.add_remote(remote, port=wire.port)
        (local.project / "x.py").write_text("print('x')\n")
        self.assert_ok(local.run("re", "init"))
        for command in (["list"], ["sync", "python3 x.py"]):
            with self.subTest(command):
                for _ in range(3):
                    self.assert_ok(local.run("re", "sync", "true"))
                before = wire.connections
                wire.strand()
                time.sleep(11)  # so long a silence is suspicious
                self.assert_ok(local.run("re", *command, timeout=30))
                self.assertGreater(wire.connections, before)

    def test_persist_0_does_without(self):
        remote = self.remote()
        local = self.local(remote)
        configuration = local.home / ".config/re/re.conf"
        configuration.write_text("[general]\npersist = 0\n\n" + configuration.read_text())
        self.assert_ok(local.run("re", "probe"))
        self.assertIsNone(self.status(local)["pid"])

    def test_a_killed_master_is_replaced_and_a_job_goes_on(self):
        local = self.project(self.remote())
        running = local.spawn("re", "sync", "echo one; sleep 3; echo two", stdout=-1, stderr=-1, stdin=-3, bufsize=0)
        self.assertEqual(running.stdout.readline(), b"one\n")
        following = local.spawn("re", "log", "--follow", stdout=-1, stderr=-1, stdin=-3, bufsize=0)
        self.assertEqual(following.stdout.readline(), b"one\n")
        pid = self.status(local)["pid"]
        os.kill(pid, signal.SIGKILL)
        _, err = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 255, err)
        self.assertIn(b"goes on", err)
        out, err = following.communicate(timeout=60)
        self.assertEqual((following.returncode, out), (0, b"two\n"), err)
        self.assertNotEqual(self.status(local)["pid"], pid)

    def test_a_frozen_master_is_passed_by(self):
        local = self.project(self.remote())
        pid = self.status(local)["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            self.assertEqual(self.assert_ok(local.run("re", "sync", "python3 x.py")).out, "x\n")
        finally:
            os.kill(pid, signal.SIGCONT)

    def test_many_at_once_start_one_master(self):
        remote = self.remote()
        local = self.local(remote)
        running = [local.spawn("re", "probe", "--json", stdout=-1, stderr=-1, stdin=-3) for _ in range(30)]
        for process in running:
            out, err = process.communicate(timeout=120)
            self.assertEqual((process.returncode, json.loads(out)[0]["status"]), (0, "active"), err)
        self.assertLess(self.logins(remote), 30)  # who waits too long for the start goes on directly
        pid = self.status(local)["pid"]
        ours = subprocess.run(["pgrep", "-f", f"__master {self.directory(local)} "], capture_output=True, text=True).stdout
        self.assertEqual([int(line) for line in ours.split()], [pid])

    def test_races_to_start_it_leave_one(self):
        """RE_RACES=1000 is the long run."""
        local = self.local(self.remote())
        races = int(os.environ.get("RE_RACES", "40"))
        for _ in range(races // 20):
            running = [local.spawn("re", "probe", stdout=-3, stderr=-1, stdin=-3) for _ in range(20)]
            for process in running:
                _, err = process.communicate(timeout=120)
                self.assertEqual((process.returncode, err), (0, b""))
            pid = self.status(local)["pid"]
            command = f"__master {self.directory(local)} "
            ours = subprocess.run(["pgrep", "-f", command], capture_output=True, text=True).stdout
            self.assertEqual([int(line) for line in ours.split()], [pid])
            self.assert_ok(local.run("re", "master", "stop"))
            wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the master's end")

    def test_more_channels_than_the_server_allows_take_a_connection_of_their_own(self):
        remote = self.remote("MaxSessions 2")
        local = self.project(remote)
        running = [local.spawn("re", "sync", "echo ready; read line; echo $line", stdin=-1, stdout=-1, stderr=-1, bufsize=0)
                   for _ in range(4)]
        for process in running:
            self.assertEqual(process.stdout.readline(), b"ready\n")
        for process in running:
            out, err = process.communicate(b"done\n", timeout=60)
            self.assertEqual((process.returncode, out), (0, b"done\n"), err)

    def test_it_ends_when_its_directory_goes_and_is_not_used_in_one_that_others_can_write(self):
        local = self.project(self.remote())
        pid = self.status(local)["pid"]
        self.directory(local).chmod(0o777)
        self.assertEqual(self.assert_ok(local.run("re", "sync", "python3 x.py")).out, "x\n")
        self.assertIsNone(self.status(local)["pid"])
        self.directory(local).chmod(0o700)
        (self.directory(local) / "master.sock").unlink()
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the master's end")
        self.assertEqual(self.assert_ok(local.run("re", "sync", "python3 x.py")).out, "x\n")

    def test_a_directory_or_a_socket_that_was_tampered_with_is_passed_by(self):
        local = self.project(self.remote())
        directory = self.directory(local)

        def works(with_master):
            self.assertEqual(self.assert_ok(local.run("re", "sync", "python3 x.py")).out, "x\n")
            self.assertEqual(self.status(local)["pid"] is not None, with_master)

        def end():
            pid = self.status(local)["pid"]
            self.assert_ok(local.run("re", "master", "stop"))
            wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the master's end")

        end()
        (directory / "master.sock").unlink(missing_ok=True)
        (directory / "master.sock").write_text("no socket")
        works(with_master=True)
        end()
        with socket.socket(socket.AF_UNIX) as dead:
            (directory / "master.sock").unlink(missing_ok=True)
            dead.bind(str(directory / "master.sock"))
        works(with_master=True)
        end()
        away = directory.with_name("elsewhere")
        directory.rename(away)
        directory.symlink_to(away)
        works(with_master=False)
        directory.unlink()
        away.rename(directory)
        if os.geteuid() == 0:
            os.chown(directory, 65534, 65534)
            works(with_master=False)
            os.chown(directory, 0, 0)
        works(with_master=True)

    def test_another_user_is_let_go(self):
        testbed.need(os.geteuid() == 0, "root, to become another user")
        local = self.project(self.remote())
        path = self.directory(local) / "master.sock"
        for entry in (path, *path.parents):
            if entry == local.directory.parent:
                break
            entry.chmod(0o777 if entry == path else 0o755)
        # It may hang up before, while or after the request is written: in no case does an answer come.
        script = ("import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
                  "try:\n    s.sendall(b'\\0\\0\\0\\1\\1')\n    print(s.recv(100))\n"
                  "except (BrokenPipeError, ConnectionResetError):\n    print(b'')\n")
        ran = subprocess.run([sys.executable, "-c", script, str(path)], user=65534, capture_output=True, text=True, timeout=20)
        self.assertEqual((ran.stdout, ran.stderr), ("b''\n", ""))

    def test_nonsense_on_its_socket_harms_nobody(self):
        local = self.project(self.remote())
        pid = self.status(local)["pid"]
        for data in (b"\0\0\0\0", b"\xff" * 100, b"\0\0\0\2\2x", b"\0\0\0\1\3", os.urandom(5000)):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(self.directory(local) / "master.sock"))
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                client.settimeout(20)
                try:
                    while client.recv(1000):
                        pass
                except ConnectionResetError:
                    pass
        self.assertEqual(self.status(local)["pid"], pid)
        self.assert_ok(local.run("re", "sync", "true"))


if __name__ == "__main__":
    testbed.main()
