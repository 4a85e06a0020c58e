"""Processes that cannot outlive the test, and a directory that cannot either."""

import ctypes
import os
import pathlib
import signal
import subprocess
import tempfile

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def end_with_parent(signal_number=signal.SIGKILL):
    """For preexec_fn: the process gets SIGNAL_NUMBER when this one dies, however it dies. See prctl(2)."""
    parent = os.getpid()

    def prepare():
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal_number))
        if os.getppid() != parent:
            os._exit(1)

    return prepare


# A snapshot's directories are read-only, which stops everybody but root.
_REMOVE = 'find "$1" -xdev -type d ! -perm -200 -exec chmod u+w {} +; rm -rf --one-file-system "$1"'


class Directory:
    """A temporary directory that is removed by close(), or by a guard when this process dies first."""

    def __init__(self, prefix):
        # Short, for the sake of unix sockets (108 bytes); not TMPDIR, which a build machine may set to anything.
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", 'trap "" INT TERM HUP; read -r _; sleep 0.2; ' + _REMOVE, "guard", str(self.path)],
            stdin=subprocess.PIPE, start_new_session=True)

    def close(self):
        subprocess.run(["/bin/sh", "-c", _REMOVE, "remove", str(self.path)], stderr=subprocess.DEVNULL, check=False)
        if self._guard.poll() is None:
            self._guard.kill()
        self._guard.stdin.close()
        self._guard.wait()


def namespace_of(pid, kind="pid"):
    """The id of a namespace of a process, None where the process is gone or not ours."""
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return None


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def command_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
