"""The client's side: an environment with nothing of the real user's, and programs run in it."""

import fcntl
import os
import pathlib
import pty
import pwd
import re
import select
import signal
import struct
import subprocess
import termios
import time
from dataclasses import dataclass

from . import processes

# A loaded machine with sanitizers is slow; what hangs is still found well before ctest's own limit.
DEADLINE = 120
_PASSED_ON = re.compile(r"(A|UB|L|T)SAN_OPTIONS|RE_FAULT.*")


@dataclass
class Result:
    """How a program ended: its exit code (negative: the signal), its outputs as text, and how long it took."""

    code: int
    out: str
    err: str
    seconds: float

    def __str__(self):
        return f"exit code {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}"


class Local:
    """A home directory with .ssh, re.conf and the XDG directories. Programs see it as the user's own, HOME and
    password database both, where namespaces allow that (mode plain: HOME alone)."""

    def __init__(self, binary=None):
        self._directory = processes.Directory("re-me-")
        self.directory = self._directory.path
        self.home = self.directory / "home"
        self.binary = pathlib.Path(binary or os.environ.get("RE_BINARY", "re"))
        for name in ("home/.ssh", "home/.config/re", "run", "tmp", "project"):
            (self.directory / name).mkdir(parents=True, mode=0o700)
        self.project = self.directory / "project"
        self._running = []
        self._instances = 0
        self._account = pwd.getpwuid(os.getuid())
        self._enclosure = self._find_enclosure()
        (self.home / ".config/re/re.conf").touch(0o600)
        (self.home / ".ssh/config").write_text("")
        self.environment = {
            "HOME": str(self.home), "USER": self._account.pw_name, "LOGNAME": self._account.pw_name,
            "PATH": f"{self.binary.parent}:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
            "TERM": "xterm-256color", "SHELL": "/bin/bash", "TMPDIR": str(self.directory / "tmp"),
            "XDG_CONFIG_HOME": str(self.home / ".config"), "XDG_STATE_HOME": str(self.home / ".local/state"),
            "XDG_CACHE_HOME": str(self.home / ".cache"), "XDG_DATA_HOME": str(self.home / ".local/share"),
            "XDG_RUNTIME_DIR": str(self.directory / "run"),
            **{name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)},
        }

    def _find_enclosure(self):
        """The words before a command that show it a password database in which our home is ours."""
        lines = pathlib.Path("/etc/passwd").read_text().splitlines()
        mine = f"{self._account.pw_name}:x:{os.getuid()}:{os.getgid()}::{self.home}:/bin/bash"
        database = self.directory / "passwd"
        database.write_text("\n".join([mine, *(line for line in lines if line.split(":")[0] != self._account.pw_name)]) + "\n")
        script = 'mount --bind "$0" /etc/passwd && exec "$@"'
        words = ["unshare", "--mount", "--propagation", "private"]
        if os.getuid() != 0:
            script = 'mount --bind "$0" /etc/passwd && exec setpriv --inh-caps=-all --ambient-caps=-all "$@"'
            words += ["--user", "--map-current-user", "--keep-caps"]
        words += ["/bin/sh", "-c", script, str(database)]
        tried = subprocess.run([*words, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return words if tried.returncode == 0 else []

    # What the user has configured

    def add_remote(self, remote, name=None, account=None, port=None, password=None, key=True, **settings):
        """The remote as the next [instance N], with its host key known; further SETTINGS go into the section."""
        self._instances += 1
        port = port or remote.port
        self.trust(remote, port)
        lines = [f"[instance {self._instances}]", f"name = {name or f'host{self._instances}'}",
                 f"username = {account or remote.account}", "host = 127.0.0.1", f"port = {port}"]
        if password:
            lines.append(f"password = {password}")
        if key:
            lines.append(f"identity_file = {self.take_key(remote)}")
        lines += [f"{key} = {value}" for key, value in settings.items()]
        with open(self.home / ".config/re/re.conf", "a") as file:
            file.write("\n".join(lines) + "\n\n")

    def trust(self, remote, port=None):
        """Writes the remote's host key into known_hosts, for this port of it."""
        with open(self.home / ".ssh/known_hosts", "a") as file:
            file.write(f"[127.0.0.1]:{port or remote.port} {remote.host_key()}\n")

    def take_key(self, remote, name="id_bed"):
        """The remote's key as a file of ours; no default name, so that only who names it uses it."""
        path = self.home / ".ssh" / name
        path.write_text(remote.key.read_text())
        path.chmod(0o600)
        return path

    def configure_ssh(self, alias, **options):
        """A Host section of ~/.ssh/config."""
        with open(self.home / ".ssh/config", "a") as file:
            file.write(f"Host {alias}\n" + "".join(f"  {key} {value}\n" for key, value in options.items()))

    # Programs

    def is_sanitized(self):
        """Whether the program was built with a sanitizer, which needs memory of its own."""
        content = self.binary.read_bytes()
        return b"__asan_init" in content or b"__tsan_init" in content

    def _command(self, arguments):
        words = [str(word) for word in arguments]
        return [*self._enclosure, str(self.binary) if words[0] == "re" else words[0], *words[1:]]

    def spawn(self, *arguments, env=None, cwd=None, **options):
        """A running program as a subprocess.Popen in a session of its own; killed with the test."""
        process = subprocess.Popen(self._command(arguments), env={**self.environment, **(env or {})},
                                   cwd=cwd or self.project, start_new_session=True,
                                   preexec_fn=processes.end_with_parent(), **options)
        self._running.append(process)
        return process

    def run(self, *arguments, stdin=b"", timeout=DEADLINE, env=None, cwd=None):
        """Runs a program to its end. `re` is the program under test. Past the deadline it is killed and the test fails."""
        started = time.monotonic()
        process = self.spawn(*arguments, env=env, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(stdin.encode() if isinstance(stdin, str) else stdin, timeout)
        except subprocess.TimeoutExpired:
            self._end(process)
            out, err = process.communicate()
            raise AssertionError(f"{' '.join(map(str, arguments))}: no end after {timeout} s\n--- stdout\n"
                                 f"{out.decode(errors='replace')}\n--- stderr\n{err.decode(errors='replace')}") from None
        return Result(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"),
                      time.monotonic() - started)

    def terminal(self, *arguments, columns=80, rows=24, env=None, cwd=None):
        """A program on a pseudo-terminal, to be talked to."""
        return Terminal(self, arguments, (columns, rows), env, cwd)

    def run_pty(self, *arguments, answers=(), timeout=DEADLINE, **options):
        """Runs a program on a terminal of 80x24; ANSWERS are pairs of what to wait for (a regex) and what to type."""
        started = time.monotonic()
        with self.terminal(*arguments, **options) as terminal:
            for question, answer in answers:
                terminal.expect(question, timeout)
                terminal.send(answer)
            code = terminal.wait(timeout)
            return Result(code, terminal.text, "", time.monotonic() - started)

    @staticmethod
    def _end(process):
        if process.poll() is None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait(20)

    def close(self):
        for process in self._running:
            self._end(process)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        self._directory.close()


class Terminal:
    """A program on a pseudo-terminal: `text` is all that it has written so far, as a terminal gets it."""

    def __init__(self, local, arguments, size, env, cwd):
        self._arguments = arguments
        self._master, self._slave = pty.openpty()
        self.text = ""
        self._seen = 0
        self.resize(*size)
        self.modes_before = termios.tcgetattr(self._slave)
        die_too = processes.end_with_parent()
        name = os.ttyname(self._slave)

        def prepare():
            die_too()
            os.close(os.open(name, os.O_RDWR))  # the first terminal that a session leader opens becomes its own

        self.process = subprocess.Popen(local._command(arguments), env={**local.environment, **(env or {})},
                                        cwd=cwd or local.project, stdin=self._slave, stdout=self._slave,
                                        stderr=self._slave, start_new_session=True, preexec_fn=prepare)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        Local._end(self.process)
        self.hang_up()
        os.close(self._slave)

    def hang_up(self):
        """Closes the window: nothing can be read or written any more, and its session gets SIGHUP."""
        if self._master is not None:
            os.close(self._master)
        self._master = None

    def resize(self, columns, rows):
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _pump(self, seconds):
        """Takes in what the program writes within SECONDS; False where there was nothing."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        self.text += os.read(self._master, 65536).decode(errors="replace")
        return True

    def expect(self, pattern, timeout=DEADLINE):
        """Waits until the program has written PATTERN, after what was expected before; gives the match."""
        end = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.text[self._seen:])
            if found:
                self._seen += found.end()
                return found
            if not self._pump(0.05) and (self.process.poll() is not None or time.monotonic() > end):
                raise AssertionError(f"{self._arguments}: did not write {pattern!r}; it wrote:\n{self.text}")

    def send(self, text):
        """Types TEXT; \\x03 is Ctrl-C."""
        os.write(self._master, text.encode())

    def wait(self, timeout=DEADLINE):
        """The exit code."""
        end = time.monotonic() + timeout
        while self.process.poll() is None:
            self._pump(0.05)
            if time.monotonic() > end:
                raise AssertionError(f"{self._arguments}: no end after {timeout} s; it wrote:\n{self.text}")
        while self._pump(0):
            pass
        return self.process.returncode

    def is_restored(self):
        """Whether the terminal is in the modes that the program found it in."""
        return termios.tcgetattr(self._slave) == self.modes_before
