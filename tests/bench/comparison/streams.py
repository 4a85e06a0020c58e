"""Scenarios in which bytes flow: a large upload, a log that is followed."""

import filecmp
import os
import select
import shutil
import socket
import statistics
import subprocess
import threading
import time

from .contest import Contest, Failed, Outcome, Row, Verdict, checked

_BLOCK = 1 << 20


def _sink():
    """A server that reads to the end and then says so in one byte."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            while True:
                connection, _ = server.accept()
                while connection.recv(_BLOCK):
                    pass
                connection.sendall(b".")
                connection.close()
        except OSError:
            pass  # closed

    threading.Thread(target=serve, daemon=True).start()
    return server


def _speed_of_line(bed, megabytes):
    """What the delaying proxy itself carries, in MB/s, at 25 ms."""
    sink = _sink()
    line = bed.line(25, port=sink.getsockname()[1])
    try:
        block = os.urandom(_BLOCK)
        with socket.create_connection(("127.0.0.1", line.port)) as connection:
            started = time.monotonic()
            for _ in range(megabytes):
                connection.sendall(block)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)
            return megabytes * 1.048576 / (time.monotonic() - started)
    finally:
        line.close()
        sink.close()


class _Upload:
    def __init__(self, bed, megabytes):
        self._bed = bed
        self._project = bed.project("upload", 25, {"main.py": ""})
        self._file = self._project / "big.bin"
        with open(self._file, "wb") as file:
            for _ in range(megabytes):
                file.write(os.urandom(_BLOCK))

    def _arrived(self, cost):
        found = [path for path in self._bed.remote.home().rglob("big.bin")]
        if len(found) != 1 or not filecmp.cmp(found[0], self._file, shallow=False):
            raise Failed("the file has not arrived as it was")
        found[0].unlink()
        return cost

    def by_re(self):
        return self._arrived(checked(self._bed.re("push", "-i", "rtt25", "big.bin", "data/", cwd=self._project)))

    def by_scp(self):
        return self._arrived(checked(self._bed.meter.run("scp", "-q", self._file, "rtt25:big.bin")))

    def by_rsync(self):
        control = f"ssh -o ControlPath={self._bed.control_path(25)}"
        return self._arrived(checked(self._bed.served(self._bed.control_master(25), "rsync", "-e", control, self._file,
                                                      "rtt25:big.bin")))


def push(bed, options):
    """A large upload at 25 ms"""
    outcome = Outcome("push", f"Uploading {options.size} MiB at 25 ms")
    contest, upload = Contest(), _Upload(bed, options.size)
    contest.add("re push", upload.by_re)
    contest.add("scp", upload.by_scp)
    if shutil.which("rsync"):
        contest.add("rsync over ControlMaster", upload.by_rsync)
    else:
        contest.miss("rsync over ControlMaster")
    contest.run(max(2, options.rounds // 2), warm_ups=0)
    outcome.rows = contest.rows()
    mine, theirs = outcome.row("re push"), outcome.row("scp")
    outcome.verdicts = [Verdict("speed / scp's", theirs.wall / mine.wall if mine and theirs else None, 2, ">=")]
    outcome.notes += [f"{row.label}: {options.size * 1.048576 / row.wall:.0f} MB/s." for row in outcome.rows if not row.problem]
    outcome.notes.append(f"The line itself carries {_speed_of_line(bed, 1024):.0f} MB/s of one plain connection.")
    return outcome


# Following a log

_LINES = 60
# Writes the time, in nanoseconds, at intervals that agree with no timer's.
_WRITER = """import random, time
random.seed(4)
time.sleep(1)
for _ in range(%d):
    print(time.time_ns(), flush=True)
    time.sleep(random.uniform(0.03, 0.3))
""" % _LINES


def _delays(process):
    """Seconds from the writing of each line to its arrival here."""
    delays, rest = [], b""
    while len(delays) < _LINES:
        if not select.select([process.stdout], [], [], 60)[0]:
            raise Failed("no line for 60 s")
        data = os.read(process.stdout.fileno(), 1 << 16)
        now = time.time_ns()
        if not data:
            raise Failed(f"ended after {len(delays)} of {_LINES} lines")
        *lines, rest = (rest + data).split(b"\n")
        delays += [(now - int(line)) / 1e9 for line in lines]
    return delays


def _follow(bed, *command, cwd=None):
    process = bed.local.spawn(*command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, bufsize=0)
    try:
        return _delays(process)
    finally:
        process.terminate()
        process.wait()


def _follow_by_re(bed):
    project = bed.project("follow", 25, {"writer.py": _WRITER})
    checked(bed.re("async", "-i", "rtt25", "python3 writer.py", cwd=project))
    return _follow(bed, "re", "log", "--follow", "-i", "rtt25", cwd=project)


def _follow_by_tail(bed):
    script = bed.remote.write(bed.remote.account, "writer.py", _WRITER)
    log = bed.remote.home() / "tail.log"
    control = f"ControlPath={bed.control_path(25)}"
    checked(bed.meter.run("ssh", "-o", control, "rtt25", f"setsid python3 {script.name} >{log.name} 2>&1 </dev/null &"))
    return _follow(bed, "ssh", "-o", control, "rtt25", f"exec tail -n +1 -f {log.name}")


def follow(bed, options):
    """From the writing of a line on the host to its showing here, at 25 ms"""
    outcome = Outcome("follow", follow.__doc__)
    typical = None
    for label, work in (("re log --follow", _follow_by_re), ("ssh tail -f over ControlMaster", _follow_by_tail)):
        try:
            delays = sorted(work(bed))
        except Failed as problem:
            outcome.rows.append(Row(label, problem=f"failed: {problem}"))
            continue
        middle, late = statistics.median(delays), delays[int(0.95 * len(delays))]
        outcome.rows.append(Row(label, len(delays), middle, walls=delays))
        outcome.notes.append(f"{label}: median {middle * 1000:.1f} ms, 95 of 100 within {late * 1000:.1f} ms, "
                             f"all within {delays[-1] * 1000:.1f} ms.")
        typical = middle if label == "re log --follow" else typical
    outcome.verdicts = [Verdict("median delay (one way + 5 ms)", typical and typical * 1000, 17.5, unit=" ms")]
    return outcome
