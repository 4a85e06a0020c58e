"""One real sshd behind lines of several lengths, an isolated client, and a meter for what runs in it."""

import json
import os
import pathlib
import select
import signal
import subprocess
from dataclasses import dataclass

import testbed
from testbed import processes

# The exchange that a hurried user would choose: OpenSSH's default one costs ten times the CPU of all the rest.
KEX = "curve25519-sha256"
ROUND_TRIPS = (0, 25, 100)
_SSHD_OPTIONS = ("MaxStartups 4096", "MaxSessions 1024", "PasswordAuthentication no", "LogLevel INFO",
                 "LoginGraceTime 300")
_COMMAND_DEADLINE = 600

# Eight idle GPUs, in shell builtins: what a host does for an answer shall cost next to nothing.
_NVIDIA_SMI = r"""#!/bin/sh
query='' unit=' MiB'
for word; do
  case $word in
    --query-gpu=*) query=${word#*=} ;;
    --query-compute-apps=*) exit 0 ;;
    *nounits*) unit='' ;;
  esac
done
[ -n "$query" ] || exit 2
for gpu in 0 1 2 3 4 5 6 7; do
  line='' fields=$query,
  while [ -n "$fields" ]; do
    case ${fields%%,*} in
      index) value=$gpu ;;
      name) value='Test GPU' ;;
      uuid | gpu_uuid) value=GPU-00000000-0000-0000-0000-00000000000$gpu ;;
      memory.total) value=81559$unit ;;
      memory.used) value=${gpu}00$unit ;;
      memory.free) value=80000$unit ;;
      utilization.gpu) value=0 ;;
      temperature.gpu) value=40 ;;
      *) value='[N/A]' ;;
    esac
    line="$line${line:+, }$value" fields=${fields#*,}
  done
  echo "$line"
done
"""


@dataclass
class Cost:
    """One run: wall and CPU time in seconds, memory in kB; `tree` is 0 unless memory was sampled."""

    code: int
    wall: float
    cpu: float
    peak: int
    tree: int
    out: str
    err: str
    helper: float = 0.0  # CPU of the background process that served the command


class Meter:
    """The program `meter`, in the client's environment."""

    def __init__(self, local, program):
        self._local = local
        self._process = local.spawn(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._files = [local.directory / "tmp" / name for name in ("stdout", "stderr")]

    def run(self, *command, cwd=None, sample_ms=0):
        words = [str(word) for word in command]
        if words[0] == "re":
            words[0] = str(self._local.binary)
        fields = [str(sample_ms), str(cwd or self._local.project), *map(str, self._files), *words]
        self._process.stdin.write("\x1f".join(fields).encode() + b"\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], _COMMAND_DEADLINE)[0]:
            raise RuntimeError(f"no end after {_COMMAND_DEADLINE} s: {' '.join(words)}")
        reply = self._process.stdout.readline().split()
        if not reply:
            raise RuntimeError("the meter has ended")
        code, wall, cpu, peak, tree = map(int, reply)
        out, err = (path.read_text(errors="replace") for path in self._files)
        return Cost(code, wall / 1e6, cpu / 1e6, peak, tree, out, err)


class Line:
    """A delay_proxy: `port` on each of the addresses leads to the sshd, `round_trip` milliseconds away."""

    def __init__(self, program, target_port, round_trip, addresses=("127.0.0.1",)):
        self.round_trip = round_trip
        for _ in range(20):
            self._process = subprocess.Popen([str(program), str(target_port), str(round_trip / 2), *addresses],
                                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                             preexec_fn=processes.end_with_parent())
            port = self._process.stdout.readline()
            if port:
                self.port = int(port)
                return
            self.close()  # the port that one address gave is taken at another
        raise RuntimeError("the delaying proxy does not start")

    def close(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def cpu_of(pid):
    """Seconds of CPU that all threads of a process have used, to the nanosecond; 0 where it is gone."""
    total = 0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            total += int(pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        return total / 1e9 + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


def memory_of(pid):
    """The most memory in kB that a process has had resident at once; 0 where it is gone."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


class Bed:
    """`lines` are by round trip in milliseconds. Instance `rttN` of re and host alias `rttN` of ssh lead over line N."""

    def __init__(self, build):
        self._closers = []
        self._masters = {}
        self._warm_re = None
        try:
            self._start(pathlib.Path(build).resolve())
        except BaseException:
            self.close()
            raise

    def _start(self, build):
        self._tools = build / "tests/bench"
        self.remote = self._keep(testbed.Remote(_SSHD_OPTIONS))
        self.remote.install("nvidia-smi", _NVIDIA_SMI)
        self.local = self._keep(testbed.Local(build / "re"))
        self.key = self.local.take_key(self.remote)
        self._ssh_config = self.local.home / ".ssh/config"
        self._known_hosts = self.local.home / ".ssh/known_hosts"
        self.lines = {}
        for milliseconds in ROUND_TRIPS:
            line = self.lines[milliseconds] = self._keep(self.line(milliseconds))
            self.local.add_remote(self.remote, name=f"rtt{milliseconds}", port=line.port)
            self.local.configure_ssh(f"rtt{milliseconds}", HostName="127.0.0.1", Port=line.port)
        with open(self._ssh_config, "a") as file:
            file.write("".join(f"{key} {value}\n" for key, value in self._common_ssh_options().items()))
        self.meter = Meter(self.local, self._tools / "meter")

    def _common_ssh_options(self):
        return {"Host": "*", "User": self.remote.account, "IdentityFile": self.key, "IdentitiesOnly": "yes",
                "UserKnownHostsFile": self._known_hosts, "GlobalKnownHostsFile": "/dev/null",
                "StrictHostKeyChecking": "yes", "BatchMode": "yes", "LogLevel": "ERROR", "KexAlgorithms": KEX,
                "ControlPath": "none"}

    def _keep(self, thing):
        self._closers.append(thing.close)
        return thing

    def line(self, round_trip, addresses=("127.0.0.1",), port=None):
        return Line(self._tools / "delay_proxy", port or self.remote.port, round_trip, addresses)

    # Many hosts

    def fleet(self, count):
        """COUNT addresses that lead to the sshd without delay. Each is a host with a home of its own, as what a program
        locks or writes there is its alone on real ones. Gives the addresses, the port and the configuration for re."""
        addresses = [f"127.0.{1 + index // 250}.{1 + index % 250}" for index in range(count)]
        line = self._keep(self.line(0, addresses))
        sections, known = [], []
        account = self.remote.account
        self.remote.write(account, ".bashrc", 'address=${SSH_CONNECTION%% *}\n'
                          '[ ! -d "$HOME/$address" ] || export HOME="$HOME/$address"\n')
        for number, address in enumerate(addresses, 1):
            self.remote.write(account, f"{address}/.profile", "")
            known.append(f"[{address}]:{line.port} {self.remote.host_key()}\n")
            sections.append(f"[instance {number}]\nname = fleet{number}\nusername = {self.remote.account}\n"
                            f"host = {address}\nport = {line.port}\nidentity_file = {self.key}\n\n")
        configuration = self.local.home / "fleet.conf"
        configuration.write_text("".join(sections))
        configuration.chmod(0o600)
        with open(self._known_hosts, "a") as file:
            file.write("".join(known))
        # The first value of an option wins, so this stands before `Host *`.
        self._ssh_config.write_text(f"Host 127.0.*\n  Port {line.port}\n" + self._ssh_config.read_text())
        return addresses, line.port, configuration

    # What stays in the background

    def control_path(self, round_trip):
        """The socket of a running ControlMaster over that line."""
        path = self.local.directory / "run" / f"control{round_trip}"
        if round_trip not in self._masters:
            master = self.local.spawn("ssh", "-MN", "-o", f"ControlPath={path}", f"rtt{round_trip}",
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            testbed.wait_for(path.exists, "the ControlMaster's socket")
            self._masters[round_trip] = master.pid
        return path

    def control_master(self, round_trip):
        """The pid of the ControlMaster: local.spawn's first process may have become it by exec."""
        return self._masters.get(round_trip)

    def re_master(self):
        """The pid of re's connection master; None where none runs."""
        if not self._warm_re or not os.path.exists(f"/proc/{self._warm_re}"):
            done = self.local.run("re", "master", "status", "--json")
            self._warm_re = json.loads(done.out).get("pid") if done.out else None
        return self._warm_re

    def stop_re_master(self):
        self.local.run("re", "master", "stop")
        self._warm_re = None

    def served(self, pid, *command, **options):
        """Runs a command; what the background process PID used meanwhile is its `helper` cost."""
        before = cpu_of(pid) if pid else 0.0
        cost = self.meter.run(*command, **options)
        cost.helper = cpu_of(pid) - before if pid else 0.0
        return cost

    def re(self, *arguments, **options):
        """A warm re: served by its connection master."""
        return self.served(self.re_master(), "re", *arguments, **options)

    # Projects and files

    def project(self, name, round_trip, files):
        """A project of FILES (name -> text), made known to the host behind that line. Gives its directory."""
        directory = self.local.directory / name
        for file, text in files.items():
            path = directory / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        made = self.local.run("re", "init", "-i", f"rtt{round_trip}", cwd=directory)
        if made.code != 0:
            raise RuntimeError(f"re init: {made}")
        return directory

    def close(self):
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_number, signal.SIG_IGN)  # cleaning up is not to be interrupted
        if getattr(self, "local", None):
            try:
                self.stop_re_master()
            except (AssertionError, OSError, ValueError):
                pass  # it ends by itself with its directory
        for closer in reversed(self._closers):
            closer()
        self._closers.clear()
