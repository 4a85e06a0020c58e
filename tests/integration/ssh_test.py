"""re ssh: a shell or a command on the host, and our terminal as it was, whatever happens."""

import os
import signal

import testbed
from testbed import need, wait_for


class Ssh(testbed.TestCase):
    def bed(self, project=True, **options):
        remote = self.remote()
        local = self.local(remote, **options)
        if project:
            (local.project / "x.py").write_text("print('x')\n")
            self.assert_ok(local.run("re", "init"))
        return remote, local

    def prompt(self, terminal):
        """Waits for the shell, and gives it a prompt that cannot be mistaken."""
        terminal.send("PS1='rea''dy> '\n")
        terminal.expect("ready> ")

    def test_a_shell_in_the_projects_directory_with_our_window(self):
        for transport in ("ssh2", "openssh", "local"):
            for master in ([], ["--no-master"]):
                with self.subTest(transport, master=master):
                    remote, local = self.bed(transport=transport)
                    with local.terminal("re", "ssh", *master, columns=97, rows=31) as terminal:
                        self.prompt(terminal)
                        terminal.send("pwd; stty size; shopt login_shell\n")
                        terminal.expect(r"projects/project\s+31 97\s+login_shell\s+on")
                        terminal.resize(101, 40)
                        os.kill(terminal.process.pid, signal.SIGWINCH)
                        terminal.send("until [ $(stty size | cut -c1-2) = 40 ]; do :; done; stty size\n")
                        terminal.expect("40 101")
                        terminal.send("exit 7\n")
                        self.assertEqual(terminal.wait(), 7, terminal.text)
                        self.assertTrue(terminal.is_restored())

    def test_the_home_where_there_is_no_project_yet(self):
        remote, local = self.bed(project=False)
        done = self.assert_ok(local.run("re", "ssh", "--", "pwd"))
        self.assertEqual(done.err, "")
        home = done.out
        local.run("mkdir", ".recompute")
        done = self.assert_ok(local.run("re", "ssh", "--", "pwd"))
        self.assertEqual((done.out, done.err), (home, "re: projects/project is not there yet, this is the home directory\n"))

    def test_a_command_gets_arguments_input_and_code_as_they_are(self):
        for transport in ("ssh2", "openssh", "local"):
            with self.subTest(transport):
                _, local = self.bed(transport=transport)
                words = ["a b", "it's", '"', "$HOME", "*", "\n", "--json", "", "é\x01"]
                done = self.assert_ok(local.run("re", "ssh", "--", "printf", "[%s]", *words))
                self.assertEqual(done.out, "".join(f"[{word}]" for word in words))
                data = os.urandom(300_000)
                process = local.spawn("re", "ssh", "cat; exit 9", stdin=-1, stdout=-1, stderr=-1)
                out, err = process.communicate(data, timeout=60)
                self.assertEqual((out == data, err, process.returncode), (True, b"", 9))
                done = local.run("re", "ssh", "--", "sh", "-c", "echo out; echo err >&2; kill -9 $$")
                self.assertEqual((done.code, done.out, done.err[:4]), (137, "out\n", "err\n"))  # the shell says more
                self.assertEqual(local.run("re", "ssh", "no-such-command-there").code, 127)
                self.assertEqual(local.run("re", "list", "--all").out.count("\n"), local.run("re", "list").out.count("\n"))

    def test_a_shell_reads_its_commands_from_a_pipe(self):
        _, local = self.bed()
        done = local.run("re", "ssh", stdin="pwd\nexit 5\n")
        self.assertEqual((done.code, done.out.endswith("/projects/project\n")), (5, True), str(done))

    def test_a_command_has_a_terminal_where_we_have_one(self):
        for transport in ("ssh2", "openssh", "local"):
            with self.subTest(transport):
                _, local = self.bed(transport=transport)
                done = local.run_pty("re", "ssh", "tty; printf '[%s]' \"a'b\"; exit 3", columns=80)
                self.assertEqual(done.code, 3, done.out)
                self.assertRegex(done.out, r"/dev/pts/\d+\s+\[a'b\]$")

    def test_keys_pass_and_ctrl_c_is_the_hosts(self):
        _, local = self.bed()
        with local.terminal("re", "ssh") as terminal:
            self.prompt(terminal)
            terminal.send("sh -c 'echo be\"\"gun; exec sleep 1000'\n")
            terminal.expect("begun")
            terminal.send("\x03")
            terminal.expect("ready> ")
            terminal.send("echo still''there\n")
            terminal.expect("stillthere")
            terminal.expect("ready> ")  # a ^D before the shell edits the line is lost
            terminal.send("\x04")
            self.assertEqual(terminal.wait(), 0)
            self.assertTrue(terminal.is_restored())

    def test_tilde_dot_leaves_a_host_that_hangs(self):
        remote = self.remote()
        for master in ([], ["--no-master"]):
            wire = self.proxy(remote)
            local = self.local()
            local.add_remote(remote, port=wire.port)
            with local.terminal("re", "ssh", *master) as terminal:
                self.prompt(terminal)
                wire.blackhole()
                terminal.send("\r~.")
                self.assertEqual(terminal.wait(), 255)
                terminal.expect("you left the connection to host1")
                self.assertTrue(terminal.is_restored())

    def test_the_terminal_comes_back_after_a_lost_connection(self):
        for master in ([], ["--no-master"]):
            remote, local = self.bed()
            with local.terminal("re", "ssh", *master) as terminal:
                self.prompt(terminal)
                remote.kill_sessions()
                self.assertEqual(terminal.wait(), 255)
                self.assertTrue(terminal.is_restored())

    def test_the_terminal_comes_back_after_every_signal_that_can_be_caught(self):
        _, local = self.bed()
        for signal_number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT):
            with self.subTest(signal_number), local.terminal("re", "ssh") as terminal:
                self.prompt(terminal)
                self.assertFalse(terminal.is_restored())
                os.kill(terminal.process.pid, signal_number)
                terminal.wait()
                self.assertTrue(terminal.is_restored())

    def test_the_remote_shell_ends_with_us(self):
        remote, local = self.bed()
        need(remote.mode != "plain", "a process namespace, to see its processes")
        with local.terminal("re", "ssh") as terminal:
            self.prompt(terminal)
            terminal.send("exec -a its-mark sleep 1000\n")
            wait_for(lambda: any("its-mark" in command for _, command in remote.processes()), "the mark")
            os.kill(terminal.process.pid, signal.SIGKILL)
            wait_for(lambda: not any("its-mark" in command for _, command in remote.processes()), "its end")

    def test_an_instance_in_the_place_of_the_command_is_told(self):
        """As ssh takes it. With -i it is a command, and the host's shell says what it makes of it."""
        _, local = self.bed()
        for word in ("1", "host1"):
            done = local.run("re", "ssh", word, "--", "uname")
            self.assertEqual((done.code, done.out), (2, ""))
            self.assertIn(f"{word} is an instance, not a command", done.err)
            self.assertIn(f"re ssh -i {word}\n", done.err)
        done = local.run("re", "ssh", "127.0.0.1", "uname")
        self.assertEqual((done.code, done.out), (2, ""))
        self.assertIn("127.0.0.1 is an instance, not a command; re ssh -i 1\n", done.err)
        done = local.run("re", "ssh", "-i", "host1", "host1")
        self.assertEqual(done.code, 127)
        self.assertIn("host1: not found", done.err)

    def test_failures_of_ours_are_told_from_the_commands(self):
        remote, local = self.bed()
        remote.stop_sshd()
        done = local.run("re", "ssh", "--no-master", "true")
        self.assertEqual(done.code, 255)
        self.assertIn("cannot reach host1", done.err)


if __name__ == "__main__":
    testbed.main()
