"""Completion: re __complete by itself, and what the Tab key does in real interactive bash, zsh and fish."""

import pathlib
import re
import shutil
import socket

import testbed
from testbed import need

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# What a shell needs before the first line is typed; Ctrl-X p then shows the line as it stands and empties it.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], f"""
PS1='ready> '
bind 'set enable-bracketed-paste off'
bind 'set bell-style none'
bind 'set show-all-if-ambiguous on'
bind 'set completion-query-items 0'
bind 'set page-completions off'
show() {{ printf '\\nLINE<%s>\\n' "$READLINE_LINE"; READLINE_LINE=; }}
bind -x '"\\C-xp": show'
. '{ROOT}/completions/re.bash'
"""),
    "zsh": (["zsh", "-f", "-i"], f"""
PS1='ready> '
fpath=('{ROOT}/completions' $fpath)
autoload -Uz compinit
compinit -D
LISTMAX=1000
show() {{ printf '\\nLINE<%s>\\n' "$BUFFER"; BUFFER=; zle reset-prompt; }}
zle -N show
bindkey -e
bindkey '^Xp' show
"""),
    "fish": (["fish", "--no-config", "-i"], f"""
function fish_prompt; echo 'ready> '; end
function show; printf '\\nLINE<%s>\\n' (commandline); commandline ''; end
bind \\cxp show
source '{ROOT}/completions/re.fish'
"""),
}


def tree(directory):
    """Every path below the directory with what changes when it is written to. ThreadSanitizer's runtime has a file in $TMPDIR
    for a moment."""
    return {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in directory.rglob("*") if path.name != "tmp"}


class Typist:
    """An interactive shell that knows the completion."""

    def __init__(self, local, shell):
        words, setup = SHELLS[shell]
        setup_file = local.directory / f"setup.{shell}"
        setup_file.write_text(setup)
        self.terminal = local.terminal(*words, columns=200)
        self.terminal.send(f". '{setup_file}'; printf 'set''up'\n" if shell != "fish" else
                           f"source '{setup_file}'; printf 'set''up'\n")
        self.terminal.expect("setup\n?.*ready> ")

    def tab(self, line):
        """The line after typing it and the Tab key."""
        self.terminal.send(line + "\t")
        self.terminal.send("\x18p")
        return self.terminal.expect(r"LINE<([^\n]*)>\r?\n").group(1)


    def offered(self, line):
        """The options that the Tab key shows."""
        self.terminal.send(line + "\t")
        self.terminal.send("\x18p")
        return set(re.findall(r"--[a-z-]+", self.terminal.expect(r"(?s)(.*)LINE<[^\n]*>\r?\n").group(1)))


class Completion(testbed.TestCase):
    def project(self):
        """A project with an ended job "big box" on this machine, which left a directory and a name with a blank."""
        local = self.local()
        (local.home / ".config/re/re.conf").write_text(
            "[instance 0]\nname = here-it-is\ntransport = local\n\n[instance 3]\nname = gpu1\nhost = gpubox\n")
        (local.project / "train.py").write_text("print()\n")
        (local.project / "my local file").write_text("")
        self.assert_ok(local.run("re", "init"))
        self.assert_ok(local.run("re", "sync", "--name", "big box",
                                 "mkdir results results/one && touch 'results/two words' 'that $file'"))
        return local

    def complete(self, local, *words, **options):
        done = local.run("re", "__complete", *words, **options)
        self.assertEqual((done.code, done.err), (0, ""), str(done))
        return [line.split("\t")[0] or line for line in done.out.splitlines()]

    def test_nothing_is_made_and_nothing_is_said(self):
        local = self.project()
        before = tree(local.directory)
        for words in (("",), ("log", ""), ("log", "-i", ""), ("pull", ""), ("kill", ""), ("--config", ""), ("push", ""),
                      ("async", "--continue", ""), ("nonsense", ""), ()):
            self.complete(local, *words)
        self.assertEqual(tree(local.directory), before)

    def test_a_user_who_has_nothing_gets_no_error_and_no_file(self):
        local = self.local()
        shutil.rmtree(local.home)
        local.home.mkdir()
        self.assertEqual(self.complete(local, "log", ""), [])
        self.assertEqual(self.complete(local, "pull", ""), [])
        self.assertEqual(self.complete(local, "sync", "-i", ""), ["local", "all"])
        self.assertEqual(self.complete(local, "lis", env={"HOME": "/nonexistent"}), ["list"])
        self.assertEqual(list(local.home.iterdir()), [])

    def test_a_broken_configuration_and_a_damaged_registry_are_silence(self):
        local = self.project()
        registry = local.home / ".local/state/re/registry.db"
        for path in registry.parent.glob("registry.db*"):
            path.unlink()
        registry.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
        before = tree(local.directory)
        self.assertEqual(self.complete(local, "log", ""), [])
        self.assertEqual(tree(local.directory), before)
        (local.home / ".config/re/re.conf").write_text("[instance 0]\nhots = x\n")
        self.assertEqual(self.complete(local, "log", "-i", ""), [])

    def test_paths_of_a_remote_come_over_ssh(self):
        local = self.local(self.remote())
        (local.project / "train.py").write_text("print()\n")
        self.assert_ok(local.run("re", "init"))
        self.assert_ok(local.run("re", "sync", "mkdir out out/deep; touch 'out/a b' out/.hidden"))
        # A machine under load may not make the two seconds, which is then nothing, as promised.
        found = testbed.wait_for(lambda: self.complete(local, "pull", "ou"), "the host answers in time")
        self.assertEqual(found, ["out/"])
        found = testbed.wait_for(lambda: self.complete(local, "pull", "out/"), "the host answers in time")
        self.assertEqual(found, ["out/a b", "out/deep/"])

    def test_a_host_that_is_silent_or_unknown_gives_nothing(self):
        remote = self.remote()
        local = self.local(remote)
        (local.project / "train.py").write_text("print()\n")
        self.assert_ok(local.run("re", "init"))
        hosts = local.home / ".ssh/known_hosts"
        known = hosts.read_text()
        hosts.write_text("")
        self.assertEqual(self.complete(local, "pull", ""), [])
        self.assertEqual(hosts.read_text(), "")
        hosts.write_text(known)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            conf = local.home / ".config/re/re.conf"
            conf.write_text(conf.read_text().replace(f"port = {remote.port}", f"port = {silent.getsockname()[1]}"))
            self.assertEqual(self.complete(local, "pull", ""), [])

    def typist(self, local, shell):
        typist = Typist(local, shell)
        self.addCleanup(typist.terminal.__exit__)
        return typist

    def check(self, shell, cases):
        need(shutil.which(shell), shell)
        typist = self.typist(self.project(), shell)
        for typed, wanted in cases:
            with self.subTest(shell=shell, typed=typed):
                self.assertEqual(typist.tab(typed), wanted)

    def options(self, local):
        """command -> its long options, as its help tells them."""
        commands = self.complete(local, "")
        self.assertGreater(len(commands), 20)
        helps = {command: self.assert_ok(local.run("re", command, "--help")).out for command in commands if command != "help"}
        return {command: set(re.findall(r"(?m)^ {2}(?: {4}|-\w, )(--[a-z-]+)", text)) for command, text in helps.items()}

    def test_every_option_of_every_command_is_known_to_every_shell(self):
        local = self.project()
        options = self.options(local)
        for command, wanted in options.items():
            self.assertIn("--help", wanted)
            self.assertEqual(set(self.complete(local, command, "--")), wanted, command)
        for shell in ("bash", "zsh"):
            need(shutil.which(shell), shell)
            typist = self.typist(local, shell)
            for command, wanted in options.items():
                with self.subTest(shell=shell, command=command):
                    self.assertEqual(wanted - typist.offered(f"re {command} --"), set())
        need(shutil.which("fish"), "fish")
        asks = "".join(f"echo == {command}; complete -C 're {command} --'\n" for command in options)
        out = self.assert_ok(local.run("fish", "--no-config", "-c", f"source '{ROOT}/completions/re.fish'\n{asks}")).out
        shown = {part.split("\n", 1)[0]: set(re.findall(r"(?m)^--[a-z-]+", part)) for part in out.split("== ")[1:]}
        self.assertEqual(shown, options)

    COMMON = (
        ("re asy", "re async "),
        ("re log --foll", "re log --follow "),
        ("re -i gp", "re -i gpu1 "),
        ("re log --instance=gp", "re log --instance=gpu1 "),
        ("re list --color=nev", "re list --color=never "),
        ("re push my", "re push my\\ local\\ file "),
        ("re --config=my", "re --config=my\\ local\\ file "),
        ("re log bi", "re log big\\ box "),
        ("re log big\\ b", "re log big\\ box "),
        ("re pull resu", "re pull results/"),
        ("re pull results/tw", "re pull results/two\\ words "),
        ("re pull tha", "re pull that\\ \\$file "),
        ("re kill bi", "re kill bi"),
        ("re nonsense x", "re nonsense x"),
    )

    def test_bash(self):
        self.check("bash", (*self.COMMON, ('re log "bi', 're log "big box" '), ("re pull 'tha", "re pull 'that $file' "),
                            ('re pull "that \\$f', 're pull "that \\$file" ')))

    def test_zsh(self):
        self.check("zsh", (*self.COMMON, ('re log "bi', 're log "big box" '), ("re pull 'tha", "re pull 'that $file' ")))

    def test_fish(self):
        self.check("fish", (*self.COMMON, ('re log "bi', 're log "big box" '), ("re pull 'tha", "re pull 'that $file' ")))

    def test_no_text_of_the_line_is_run(self):
        for shell in SHELLS:
            with self.subTest(shell=shell):
                need(shutil.which(shell), shell)
                local = self.project()
                typist = self.typist(local, shell)
                for typed in ("re log '$(touch made)", 're log \\$\\(touch made', "re log '`touch made`'"):
                    typist.tab(typed)
                    self.assertFalse((local.project / "made").exists(), typed)


if __name__ == "__main__":
    testbed.main()
