"""Bytes of any kind: to the host they arrive unchanged through six login shells; on a terminal they come out harmless."""

import json
import os
import random
import re

import testbed
from testbed import wait_for

# The suite sends a few; RE_STRINGS=100000 is the long run.
STRINGS = int(os.environ.get("RE_STRINGS", "6000"))
PER_CALL = 700
SHELLS = ("alice", "zed", "fin", "tess", "dan", "cora")  # bash, zsh, fish, tcsh, dash, csh

SHOW = r"""
import os, sys
write = lambda text: sys.stdout.buffer.write(text + b"\0")
for word in sys.argv[1:]: write(os.fsencode(word))
for name in sorted(name for name in os.environb if name.startswith(b"RE_TEST_")): write(os.environb[name])
"""


class Strings(testbed.TestCase):
    """Seeded; RE_SEED repeats one."""

    def setUp(self):
        self.seed = int(os.environ.get("RE_SEED", random.randrange(1 << 30)))
        print(f"seed {self.seed}")
        self.chance = random.Random(self.seed)
        self.machine = self.full_remote()

    def string(self, least=0, most=40, without=b""):
        """Bytes but NUL; half of them such as mean something to a shell."""
        special = b" \t\n\r'\"\\$`!*?[]{}()<>|&;#~=%^-+,:@/\x1b\x7f\x80\xff0aE"
        letters = [self.chance.choice(special) if self.chance.random() < 0.5 else self.chance.randrange(1, 256)
                   for _ in range(self.chance.randint(least, most))]
        return bytes(byte for byte in letters if byte not in without) or b"x" * least

    def project(self, account, name="project"):
        local = self.local()
        local.add_remote(self.machine, account=account)
        local.project = local.directory / os.fsdecode(name)
        local.project.mkdir(exist_ok=True)
        (local.project / "show.py").write_text(SHOW)
        self.assert_ok(local.run("re", "init"))
        return local

    def output(self, local, *words):
        process = local.spawn("re", *words, stdin=-3, stdout=-1, stderr=-1)
        out, err = process.communicate(timeout=120)
        self.assertEqual((process.returncode, err), (0, b""), f"seed {self.seed}")
        return out

    def test_arguments_and_environment_arrive_unchanged(self):
        for account in SHELLS:
            with self.subTest(account):
                local = self.project(account)
                left = STRINGS // len(SHELLS)
                while left > 0:
                    count = min(left, PER_CALL)
                    left -= count
                    strings = [self.string() for _ in range(count)]
                    split = count * 9 // 10
                    words = []
                    for number, value in enumerate(strings[split:]):
                        words += ["--env", f"RE_TEST_{number:05}=" + os.fsdecode(value)]
                    words += ["--", "python3", "show.py", *map(os.fsdecode, strings[:split])]
                    arrived = self.output(local, "sync", *words).split(b"\0")[:-1]
                    wrong = [pair for pair in zip(strings, arrived) if pair[0] != pair[1]]
                    self.assertEqual((len(arrived), wrong[:3]), (count, []), f"seed {self.seed}")
                self.assert_ok(local.run("re", "master", "stop"))

    def test_names_of_directories_files_and_jobs_arrive_unchanged(self):
        for account in SHELLS:
            with self.subTest(account):
                # What a shell's $(…) would lose is there each time.
                directory = b"x" + self.string(1, 60, b"/") + b"\n"
                local = self.project(account, directory)
                name = "".join(letter for letter in self.string(1, 60).decode("latin-1") if letter.isprintable()) or "x"
                inside = self.output(local, "sync", "--name", name, "--live", "pwd")
                self.assertEqual(inside, os.fsencode(f"/home/{account}/projects/{local.project.name}\n"), f"seed {self.seed}")
                jobs = json.loads(self.assert_ok(local.run("re", "list", "--all", "--json")).out)["jobs"]
                self.assertEqual([job["name"] for job in jobs], [name], f"seed {self.seed}")
                # A hidden file is no part of the project.
                names = {entry for entry in (self.string(1, 60, b"/") for _ in range(100)) if not entry.startswith(b".")}
                for entry in names:
                    with open(os.fsencode(local.project) + b"/" + entry + b".py", "wb") as file:
                        file.write(entry)
                os.mkdir(os.fsencode(local.project) + b"/sub")
                for entry in names:
                    with open(os.fsencode(local.project) + b"/sub/" + entry, "wb") as file:
                        file.write(entry)
                out = self.output(local, "sync", "python3 -c 'import os, sys; sys.stdout.buffer.write(bytes(1).join(os.listdir(b\".\")))'")
                there = set(out.split(b"\0"))
                self.assertEqual({entry + b".py" for entry in names} - there, set(), f"seed {self.seed}")
                self.assert_ok(local.run("re", "push", "sub", "data/"))
                self.assert_ok(local.run("re", "pull", "data/sub", "back/"))
                back = os.fsencode(local.project) + b"/back/sub"
                came = {}
                for entry in os.listdir(back):
                    with open(back + b"/" + entry, "rb") as file:
                        came[entry] = file.read()
                self.assertEqual(came, {entry: entry for entry in names}, f"seed {self.seed}")
                one = min(names)
                self.assert_ok(local.run("re", "push", "./sub/" + os.fsdecode(one), "data/one/"))
                self.assert_ok(local.run("re", "pull", "data/one/" + os.fsdecode(one), "single/"))
                with open(os.fsencode(local.project) + b"/single/" + one, "rb") as file:
                    self.assertEqual(file.read(), one, f"seed {self.seed}")


# What terminals obey: titles, answers that are typed for the user, screens, colours, links, C1 controls, text that runs backwards.
CORPUS = ["\x1b]0;owned\x07", "\x1b]52;c;b3duZWQ=\x1b\\", "\x1b[2J\x1b[H", "\x1b[31m", "\x1bc", "\x1b[6n", "\x1b[?1049h", "\x1bP$qm\x1b\\",
          "\x1b]8;;http://evil/\x07x\x1b]8;;\x07", "\x1b[1A\x1b[K", "\x07", "\x08\x08", "\x0e", "\x7f", "\u009b2J", "\u0090q\u009c",
          "\u202egnp.exe", "\u2066x", "\x1b[38;2;1;2;3m", "\x1b#8", "\x1b[5i", "\x1b_x\x1b\\", "\x1b^x\x1b\\", "\rre: all is well"]
EVIL = "".join(CORPUS).replace("\r", "")
OURS = re.compile(r"\x1b\[(K|J|\d*A)|\r\n|\r|\n")  # the status line and the live table


class Escapes(testbed.TestCase):
    def assert_harmless(self, text, kept=""):
        """Nothing but what can be printed, and the moves of our own status line and live table."""
        rest = OURS.sub("", text)
        bad = sorted({letter for letter in rest if not letter.isprintable() and letter not in kept})
        self.assertEqual(bad, [], repr(text[-2000:]))

    def on_a_terminal(self, local, *words, code=0, kept="", columns=400):
        with local.terminal("re", *words, env={"NO_COLOR": "1"}, columns=columns) as terminal:
            ended = terminal.wait()
            self.assertIn(ended, code if isinstance(code, tuple) else (code,), terminal.text)
            self.assert_harmless(terminal.text, kept)
            return terminal.text

    def test_names_logs_hosts_and_errors_come_out_harmless(self):
        remote = self.full_remote()
        remote.set_banner("".join(f"{text}\r\n" for text in CORPUS))
        gpu = EVIL.replace("'", "'\\''").replace(",", "")
        remote.install("nvidia-smi", f"#!/bin/sh\ncase $* in *query-gpu*) printf '%s\\n' '0, {gpu}, GPU-1, 81920, 1, 1, 3, 4, 5' ;; esac\n")
        remote.inside("sh", "-c", 'printf %s "$0" >/proc/sys/kernel/hostname', EVIL[:60])
        me = self.project(remote, account="alice")
        self.on_a_terminal(me, "async", "--name", "evil\x1b[2Jname", f"printf '%s\\n' '{EVIL}'", code=(0, 2))
        started = json.loads(self.assert_ok(me.run("re", "async", "--json", f"printf '%s\\n' '{EVIL}'; sleep 1000 # {EVIL}")).out)
        index = str(started["index"])
        wait_for(lambda: "owned" in me.run("re", "log", index).out, "the log's line")
        for words in (["list"], ["list", "--all"], ["probe"], ["doctor"], ["master", "status"]):
            with self.subTest(words):
                self.on_a_terminal(me, *words, code=(0, 1))
        for words in (["log", index], ["log", index, "--tail", "5"], ["log", index, "--filter", "owned"]):
            with self.subTest(words):
                text = self.on_a_terminal(me, *words, kept="\t\b")
                self.assertIn("owned", text)
        with me.terminal("re", "log", index, env={"TERM": "xterm-256color"}) as terminal:
            self.assertEqual(terminal.wait(), 0)
            only = re.sub(r"\x1b\[[0-9;:]*m", "", terminal.text)
            self.assert_harmless(only, "\t\b")
            self.assertIn("\x1b[31m", terminal.text)
            self.assertTrue(terminal.text.rstrip().endswith("\x1b[0m"), terminal.text[-100:])
        self.on_a_terminal(me, "sync", f"printf '%s\\n' '{EVIL}'; printf '%s\\n' '{EVIL}' >&2", kept="\t\b")
        self.on_a_terminal(me, "kill", "--grace", "0s", index)
        # Each of a new login, whose banner is shown.
        for words in (["--no-master", "list"], ["--no-master", "probe"]):
            self.on_a_terminal(me, *words)

    def test_file_names_in_progress_previews_and_refusals_come_out_harmless(self):
        remote = self.full_remote()
        me = self.project(remote, account="alice")
        names = [text.replace("/", "_") for text in CORPUS]
        (me.project / "in").mkdir()
        for name in names:
            (me.project / "in" / name).write_text(name * 1000)
            (me.project / (name + ".py")).write_text("x = 1\n")
            (me.project / "in" / ("link" + name)).symlink_to("/etc/" + name)
        self.on_a_terminal(me, "rsync", "--dry-run")
        self.on_a_terminal(me, "rsync")
        self.on_a_terminal(me, "push", "--dry-run", "in", "data/")
        self.on_a_terminal(me, "push", "in", "data/")
        self.on_a_terminal(me, "pull", "--dry-run", "data/in", "out/")
        self.on_a_terminal(me, "pull", "data/in", "out/")
        for name in names:
            (me.project / (name + ".py")).unlink()
        self.on_a_terminal(me, "rsync", "--delete", "--dry-run")
        closed = remote.home("alice") / "projects/project/data/in" / names[0]
        closed.chmod(0)
        self.on_a_terminal(me, "pull", f"data/in/{names[0]}", "again/", code=1)
        for words in (["pull", "nothing" + EVIL], ["log", EVIL], ["kill", EVIL], ["probe", "-i", EVIL], [EVIL], ["list", "--" + EVIL],
                      ["push", "nothing" + EVIL], ["ssh", "--", "nothing" + EVIL]):
            with self.subTest(words):
                self.on_a_terminal(me, *words, code=(1, 2, 4, 127))

    def test_what_a_server_says_of_itself_comes_out_harmless(self):
        """Its name, the reason of a refusal, the words of its shell."""
        remote = self.full_remote()
        me = self.project(remote, account="alice")
        self.assert_ok(me.run("re", "master", "stop"))
        remote.install("mkdir", "#!/bin/sh\nprintf '%s' '" + EVIL.replace("'", "") + "' >&2\nexit 1\n")
        for words in (["async", "true"], ["sync", "true"], ["push", "x.py", "data/new/"]):
            with self.subTest(words):
                self.on_a_terminal(me, *words, code=(1, 255))
        remote.install("rsync", "#!/bin/sh\nprintf '%s' '" + EVIL.replace("'", "") + "' >&2\nexit 12\n")
        self.on_a_terminal(me, "pull", "~/.ssh/authorized_keys", "x/", code=(1, 255))
        remote.inside("sh", "-c", "sed 's|^alice:.*|alice:x:4001:4001::/home/alice:/run/host/bin/shell|' /run/host/etc/passwd > /etc/passwd")
        remote.install("shell", "#!/bin/sh\nprintf '%s' '" + EVIL.replace("'", "") + "'\nprintf '%s' '" + EVIL.replace("'", "") + "' >&2\n")
        self.on_a_terminal(me, "list", "--no-master", code=(1, 255))


if __name__ == "__main__":
    testbed.main()
