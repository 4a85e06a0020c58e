"""What comes from outside may lie: a sender of files, a cloned repository, a server before and after the login."""

import os
import pathlib
import re
import shlex
import socket
import threading
import time

import testbed
from testbed import wait_for

MEMORY = 256 << 10  # KiB: an answer may have 64 MiB; far less than what is sent


def tree(*roots):
    """Every path below, with what it is and holds."""
    found = {}
    for root in roots:
        for path in pathlib.Path(root).rglob("*"):
            about = path.lstat()
            content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            found[str(path)] = (about.st_mode, content)
    return found


class Hostile(testbed.TestCase):
    def measured(self, local, *words, deadline=60, **options):
        """(exit code, output, errors) of a program that must end by then, within MEMORY."""
        process = local.spawn(*words, stdin=-3, stdout=-1, stderr=-1, **options)
        ended = threading.Timer(deadline, process.kill)
        ended.start()
        texts = {}

        def read(name, stream):
            texts[name] = stream.read().decode(errors="replace")
        readers = [threading.Thread(target=read, args=pair) for pair in (("out", process.stdout), ("err", process.stderr))]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        _, status, usage = os.wait4(process.pid, 0)
        ended.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if not local.is_sanitized():
            self.assertLess(usage.ru_maxrss, MEMORY, words)
        return process.returncode, texts["out"], texts["err"]


class Sender(Hostile):
    """The far rsync, with another name in its stream for each that it should have sent."""

    LIAR = """#!/usr/bin/python3
import os, subprocess, sys
options = %r
child = subprocess.Popen(["/usr/bin/rsync", *sys.argv[1:-2], *options, *sys.argv[-2:]], stdout=subprocess.PIPE)
while True:
    data = os.read(child.stdout.fileno(), 65536)
    if not data: break
    for truth, lie in %r: data = data.replace(truth, lie)
    while data: data = data[os.write(1, data):]
sys.exit(child.wait())
"""

    def setUp(self):
        self.bed = self.full_remote()
        self.me = self.project(self.bed)
        home = self.bed.home() / "loot"
        self.assert_ok(self.me.run("re", "ssh", "--", "mkdir", "-p", str(pathlib.Path("/home/alice/loot/wanted_dir"))))
        for name in ("wanted_name", "wanted_dir/inner", "zz_name"):
            (home / name).write_text("evil")
            (home / name).chmod(0o6755)
        (home / "abs_link").symlink_to("/tmp")
        (home / "rel_link").symlink_to("../..")
        self.bed.inside("mknod", "/home/alice/loot/device_nm", "c", "1", "3")

    def lie(self, *pairs, options=()):
        self.bed.install("rsync", self.LIAR % (list(options), [(a.encode(), b.encode()) for a, b in pairs]))

    def test_what_a_lying_sender_sends_stays_in_the_directory_that_was_asked_for(self):
        me = self.me
        lies = [("wanted_name", lie) for lie in ("../evil_one", ".bash_login", "/tmp/re-evl", "a/b/c/d/e/f", "..//evil_on")]
        lies += [("wanted_dir/inner", "../../../xx/evil"), ("wanted_dir", "rel_link/."), ("zz_name", "abs_lin"),
                 ("wanted_dir", "abs_link"[:8] + "/."), ("wanted_dir", "../../evil")]
        before = tree(me.directory)
        for truth, lie in lies:
            for words in (["~/loot/wanted_name", "got/"], ["~/loot/", "got/"], ["~/loot", "got"]):
                with self.subTest(lie=lie, words=words):
                    self.assertEqual(len(truth), len(lie))
                    self.lie((truth, lie))
                    done = me.run("re", "pull", *words)
                    self.assertIn(done.code, (0, 1), str(done))
                    self.assertLessEqual(done.err.count("\n"), 5, str(done))
                    got = me.project / "got"
                    for path in got.rglob("*"):
                        self.assertFalse(path.is_symlink(), path)
                        self.assertFalse(path.lstat().st_mode & 0o6000, path)
                        self.assertTrue(path.is_dir() or path.is_file(), f"{path} is a device")
                    if words[1] == "got/" and "loot/w" in words[0] and truth == "wanted_name":
                        self.assertEqual(done.code, 1, "it was not what was asked for")
                    self.me.run("rm", "-rf", str(got))
                    now = tree(me.directory)
                    changed = [path for path in {*before, *now} if before.get(path) != now.get(path)
                               and "/.cache/re/" not in path and "/.local/state/re/" not in path]
                    self.assertEqual(changed, [])
                    self.assertFalse(os.path.exists("/tmp/re-evl"))

    def test_devices_and_endless_answers_of_a_sender_are_an_error(self):
        me = self.me
        for options in (["--devices", "--specials"], ["--copy-unsafe-links"], ["--relative"]):
            self.lie(options=options)
            done = me.run("re", "pull", "~/loot/", "got/")
            self.assertFalse([path for path in (me.project / "got").rglob("*") if not path.is_dir() and not path.is_file()])
            self.assertGreaterEqual(done.code, 0, str(done))
        for script in ("exec yes", "exec cat /dev/urandom", "exec head -c 100 /dev/zero", "head -c 300000000 /dev/zero >&2; exit 1"):
            self.bed.install("rsync", f"#!/bin/sh\n{script}\n")
            code, _, err = self.measured(me, "re", "--no-master", "pull", "~/loot/", "got/")
            self.assertIn((code, err.count("\n")), ((1, 1), (255, 1)), f"{script}: {err[:300]}")


class Repository(Hostile):
    KEYS = ("host = evil.example", "username = root", "port = 1", "password_command = touch {owned}", "identity_file = /x",
            "ssh_config = evil", "transport = local", "host_key = accept-new", "proxycommand = touch {owned}",
            "instance = evil.example", "remote_home = ../..", "name = ../x", "shared = ../../x", "python = x\0y")

    def setUp(self):
        self.bed = self.full_remote()
        self.me = self.project(self.bed)
        self.owned = self.me.directory / "owned"
        self.commands = (["init"], ["async", "true"], ["sync", "true"], ["rsync"], ["list"], ["log"], ["probe"],
                         ["doctor"], ["install"], ["clean", "--dry-run"])

    def run_all(self, *codes):
        for words in self.commands:
            done = self.me.run("re", *words, timeout=60)
            self.assertIn(done.code, codes, f"{words} {done}")
            self.assertFalse(self.owned.exists(), f"{words} ran a command of the repository")
            yield words, done

    def test_no_key_of_its_configuration_chooses_a_host_an_option_or_a_command(self):
        for key in self.KEYS:
            for section in ("[project]", "[general]", "[instance 1]"):
                (self.me.project / ".recompute/config").write_text(f"{section}\n{key.format(owned=self.owned)}\n")
                done = self.me.run("re", "async", "true")
                self.assertIn((done.code, done.err.count("\n")), ((3, 1), (4, 1)), f"{section} {key!r}: {done}")
                self.assertNotIn("cannot reach", done.err)
                self.assertFalse(self.owned.exists())

    def test_git_settings_hooks_and_file_names_run_nothing_here(self):
        me, trap = self.me, f"touch {self.owned};cat"
        for words in (["init", "-q"], ["add", "x.py"], ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "x"]):
            self.assert_ok(me.run("git", *words))
        hook = me.project / "hook"
        hook.write_text(f"#!/bin/sh\n{trap}\n")
        hook.chmod(0o755)
        with open(me.project / ".git/config", "a") as file:
            file.write("[include]\n path = ../more\n")
        (me.project / "more").write_text(
            f"[core]\n fsmonitor = {hook}\n hooksPath = {me.project}/hooks\n sshCommand = \"{trap}\"\n pager = \"{trap}\"\n"
            f" editor = \"{trap}\"\n attributesFile = {me.project}/attributes\n[diff]\n external = {hook}\n[diff \"evil\"]\n"
            f" command = {hook}\n textconv = {hook}\n[filter \"evil\"]\n clean = \"{trap}\"\n smudge = \"{trap}\"\n"
            f" process = \"{trap}\"\n required\n[submodule]\n recurse = true\n[alias]\n diff = !{hook}\n rev-parse = !{hook}\n"
            f"[extensions]\n partialClone = evil\n[remote \"evil\"]\n url = ext::sh -c \"{trap}\"\n promisor = true\n")
        (me.project / ".gitattributes").write_text("* filter=evil diff=evil\n")
        (me.project / "attributes").write_text("* filter=evil diff=evil\n")
        (me.project / ".gitmodules").write_text(f"[submodule \"s\"]\n path = s\n url = ext::sh -c \"{trap}\"\n update = !{hook}\n")
        (me.project / "hooks").mkdir()
        for name in ("post-index-change", "pre-commit", "post-checkout", "fsmonitor-watchman"):
            (me.project / "hooks" / name).write_text(hook.read_text())
            (me.project / "hooks" / name).chmod(0o755)
        quoted = shlex.quote(str(self.owned)).replace("/", "${HOME%%h*}")
        for name in ("-oProxyCommand=touch owned.py", "--rsh=touch owned.py", "-e.py", "$(touch owned).py", "`touch owned`.py",
                     "a;touch owned;.py", "a|touch owned|.py", "a\ntouch owned\n.py", "'; touch owned; '.py", "re:evil.py",
                     "evil::module.py", "* .py", "~root.py", f"$(touch {quoted}).py", "#x.py", ";x.py", "+ x.py", "- x.py"):
            (me.project / name).write_text("x = 1\n")
        for name in ("re.conf", ".recompute.conf", ".config/re/re.conf", ".ssh/config", ".popt", ".rsyncrc"):
            (me.project / name).parent.mkdir(parents=True, exist_ok=True)
            (me.project / name).write_text(f"[instance 0]\nhost = evil\npassword_command = {trap}\nHost *\n ProxyCommand {trap}\n")
        for name in ("sitecustomize.py", "usercustomize.py", "json.py", "os.py", "ast.py", "conftest.py", "setup.py"):
            (me.project / name).write_text(f"import subprocess\nsubprocess.run(['touch', '{self.owned}'])\n")
        for name in ("rsync", "ssh", "git", "python3", "uv"):
            (me.project / name).write_text(f"#!/bin/sh\n{trap}\n")
            (me.project / name).chmod(0o755)
        (me.project / "pyproject.toml").write_text("[build-system]\nrequires = []\nbuild-backend = 'setup'\nbackend-path = ['.']\n")
        (me.project / "x.py").write_text("print('edited')\n")
        for words, done in self.run_all(0, 1):
            self.assertLess(done.code, 128, f"{words} {done}")
        self.assertEqual(self.assert_ok(me.run("re", "sync", "python3 -I x.py")).out, "edited\n")
        there = {path.name for path in (self.bed.home() / "projects/project").iterdir()}
        self.assertIn("-oProxyCommand=touch owned.py", there)
        self.assertNotIn("owned", there)

    def test_pipes_devices_and_links_in_the_place_of_files_stop_nothing(self):
        me = self.me
        names = (".recompute/config", ".recompute/include", ".recompute/exclude", ".recompute/rsync.db", ".recompute/id",
                 ".gitignore", "requirements.txt", "pyproject.toml", "uv.lock", "environment.yml", "setup.py", "y.py", ".git")
        for name in names:
            path = me.project / name
            kept = path.read_bytes() if path.is_file() else None
            for kind in ("pipe", "endless", "loop", "directory"):
                with self.subTest(name=name, kind=kind):
                    path.unlink(missing_ok=True)
                    try:
                        self.make(path, kind)
                        for words in (["list"], ["async", "true"], ["install"]):
                            code, _, err = self.measured(me, "re", *words, deadline=30)
                            self.assertIn(code, (0, 1, 2, 3, 4, 5), f"{words} {err[:300]}")
                            self.assertLessEqual(err.count("\n"), 3, f"{words} {err[:500]}")
                    finally:
                        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
                        if kept is not None:
                            path.write_bytes(kept)

    def test_links_lead_no_writing_out_of_the_project(self):
        me = self.me
        outside = me.home / "outside"
        outside.mkdir()
        (outside / "precious").write_text("mine\n")
        (me.project / "y.py").write_text("import numpy\n")
        for name, target in ((".recompute/rsync.db", "precious"), ("requirements.txt", "absent"), (".recompute/exclude", "absent")):
            (me.project / name).unlink(missing_ok=True)
            (me.project / name).symlink_to(outside / target)
        for words in (["init"], ["install"], ["rsync", "--force"], ["async", "true"]):
            me.run("re", *words)
        (me.project / ".recompute").rename(outside / "settings")
        (me.project / ".recompute").symlink_to(outside / "settings")
        for words in (["init"], ["async", "true"]):
            refused = me.run("re", *words)
            self.assertEqual(refused.code, 3, str(refused))
            self.assertIn("symbolic link", refused.err)
        (outside / "settings").rename(me.project / "settings")
        self.assertEqual({path.name: path.read_text() for path in outside.iterdir()}, {"precious": "mine\n"})

    def make(self, path, kind):
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "directory":
            path.mkdir()
        else:
            path.symlink_to("/dev/zero" if kind == "endless" else path.name)


def endless(connection, piece, first=b""):
    connection.sendall(first)
    while True:
        connection.sendall(piece)


# A server before any key is agreed on: name -> what it does with a connection.
SERVERS = {
    "endless lines": lambda c: endless(c, b"welcome to a banner that goes on\r\n" * 100),
    "an endless line": lambda c: endless(c, b"x" * 65536),
    "an endless version": lambda c: endless(c, b"x" * 65536, b"SSH-2.0-"),
    "huge packets": lambda c: endless(c, b"\x7f" * 65536, b"SSH-2.0-evil\r\n\x7f\xff\xff\xff\x04"),
    "a packet of no length": lambda c: endless(c, b"\0" * 65536, b"SSH-2.0-evil\r\n"),
    "endless remarks": lambda c: endless(c, b"\0\0\x01\x0c\x0a\x02\0\0\0\xfc" + b"x" * 0xfc + b"\0" * 10, b"SSH-2.0-evil\r\n"),
    "noise": lambda c: endless(c, os.urandom(65536), b"SSH-2.0-evil\r\n"),
    "escapes": lambda c: (c.sendall(b"SSH-2.0-\x1b]0;owned\x07\x1b[2J\r\n\0\0\0\x0c\x04\x01\0\0\0\x02\0\0\0\0"), c.recv(1000)),
    "silence": lambda c: time.sleep(20),
}


class Server(Hostile):
    def listen(self, behave):
        """The port of a server that does this with every connection."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection):
            try:
                behave(connection)
            except OSError:
                pass
            connection.close()
        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    def test_a_server_that_talks_without_end_or_nonsense_is_left_in_time_and_little_memory(self):
        me = self.local()
        path = me.home / ".config/re/re.conf"
        names = []
        for number, behave in enumerate(SERVERS.values()):
            port = self.listen(behave)
            for transport in ("ssh2", "openssh"):
                names.append(f"{transport}{number}")
                with open(path, "a") as file:
                    file.write(f"[instance {len(names)}]\nname = {names[-1]}\nhost = 127.0.0.1\nport = {port}\nusername = a\n"
                               f"transport = {transport}\nconnect_timeout = 5s\n\n")
        for name in names:
            with self.subTest(f"{name} {list(SERVERS)[int(re.sub('[^0-9]', '', name[4:]))]}"):
                code, out, err = self.measured(me, "re", "list", "--no-master", "-i", name, "--deadline", "4s", deadline=30)
                self.assertEqual((code in (1, 255), "re: " in err), (True, True), err[:300])
                self.assertEqual(err.replace("re: no live jobs; re list --all shows the ended ones\n", "").count("\n"), 1, err[:300])
                self.assertNotIn("\x1b", out + err)

    # After the login: what stands in the place of the account's shell reads the nonce of our script, and then says this.
    SHELL = """#!/usr/bin/python3 -I
import os, sys
def say(text, fd=1):
    while text: text = text[os.write(fd, text):]
def for_ever(text, fd=1):
    while True: say(text, fd)
data = b""
while True:
    piece = os.read(0, 65536)
    data += piece
    at = data.find(b"re_nonce=")
    if not piece or at >= 0 and b"\\n" in data[at + 9:]: break
nonce = data[at + 9:].split(b"\\n")[0]
begin, end = (b"\\x1eRE1 " + nonce + word for word in (b" BEGIN\\n", b" END "))
mode = open("/tmp/mode").read()
if mode == "noise": for_ever(b"You have new mail.\\n" * 100)
if mode == "noise on stderr": for_ever(b"You have new mail.\\n" * 100, 2)
say(begin, 2)
say(begin)
if mode == "answer": for_ever(b"x" * 65536)
if mode == "errors": for_ever(b"x" * 65536, 2)
if mode == "after the end": say(end + b"0 STARTED 7\\n"); for_ever(b"x" * 65536)
if mode == "in the end": say(end); for_ever(b"x" * 65536)
if mode == "nonsense": say(os.urandom(5000)); say(end + b"7 \\xff\\x1b[2J 99999999999999999999 \\n"); say(end + b"7\\n", 2)
if mode == "lines": say(b"job \\x1b]0;x\\x07 running 1\\nspec\\nrun\\nlog\\nend\\n" * 1000); say(end + b"0 \\n"); say(end + b"0 \\n", 2)
if mode == "numbers": say(end + b"0 STARTED -99999999999999999999\\n"); say(end + b"0 \\n", 2)
if mode == "gone": sys.exit(0)
"""

    def test_a_host_that_answers_without_end_or_nonsense_is_left_in_time_and_little_memory(self):
        bed = self.full_remote()
        me = self.project(bed)
        self.assert_ok(me.run("re", "sync", "true"))
        self.assert_ok(me.run("re", "master", "stop"))
        bed.install("hostile", self.SHELL)
        bed.inside("sed", "-i", "/^alice:/s|[^:]*$|/run/host/bin/hostile|", "/run/host/etc/passwd")
        bed.inside("sh", "-c", "cat /run/host/etc/passwd > /etc/passwd")
        # With a deadline that can be chosen; what has none here waits a minute or two.
        words = (["list"], ["kill", "1"], ["async", "true"], ["probe"], ["sync", "true"], ["log"], ["pull", "x"], ["push", "x.py"])
        for mode in re.findall(r'if mode == "([^"]+)"', self.SHELL):
            bed.path("/tmp/mode").write_text(mode)
            for command in words if mode in ("nonsense", "lines", "numbers", "gone") else words[:3]:
                with self.subTest(mode=mode, command=command):
                    limits = ["--deadline", "3s"] if command[0] in ("list", "probe", "kill", "async", "sync") else []
                    code, out, err = self.measured(me, "re", command[0], "--no-master", *limits, *command[1:], deadline=100)
                    self.assertIn(code, (0, 1, 4, 5, 255), err[:300])
                    self.assertLessEqual(err.count("\n"), 5, err[:500])
                    self.assertNotIn("\x1b", out + err)


if __name__ == "__main__":
    testbed.main()
