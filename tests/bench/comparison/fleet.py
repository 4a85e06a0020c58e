"""The scenario of many hosts."""

import json
import pathlib
import shutil
import subprocess

from .bed import KEX
from .contest import Contest, Failed, Outcome, Verdict, checked

# What the peers ask; re's own probe asks more (load, memory and disk of the host, processes and temperature of each GPU).
_QUESTION = "nvidia-smi --query-gpu=memory.free --format=csv,noheader,nounits"
_GPUS = 8
_SAMPLE_MS = 100
_PYTHON = "/usr/bin/python3"


class _Fleet:
    def __init__(self, bed, count, fan_out):
        self._bed = bed
        self._count = count
        self._fan_out = str(fan_out)
        self.addresses, self.port, self.configuration = bed.fleet(count)
        self.directory = bed.local.directory
        self.hosts = self.directory / "hosts"
        self.hosts.write_text("".join(f"{address}\n" for address in self.addresses))
        account, key = bed.remote.account, bed.key
        (self.directory / "inventory").write_text("".join(
            f"{address} ansible_port={self.port} ansible_user={account} ansible_ssh_private_key_file={key}\n"
            for address in self.addresses))

    def by_re(self, sample_ms=0):
        cost = checked(self._bed.meter.run("re", "probe", "--no-master", "--config", self.configuration, "-i", "all",
                                           "--json", sample_ms=sample_ms))
        active = sum(host["status"] == "active" for host in json.loads(cost.out))
        if active != self._count:
            raise Failed(f"{active} of {self._count} hosts are active")
        return cost

    def by(self, *command):
        def run(sample_ms=0):
            cost = checked(self._bed.meter.run(*command, sample_ms=sample_ms))
            answers = cost.out.count("80000")
            if answers != self._count * _GPUS:
                raise Failed(f"{answers} of {self._count * _GPUS} lines")
            return cost
        return run

    def peers(self):
        """(name, package, program or module, command)"""
        fan_out, hosts = self._fan_out, self.hosts
        config = self._bed.local.home / ".ssh/config"
        return (
            ("pdsh", "pdsh", ("env", "PDSH_RCMD_TYPE=ssh", "pdsh", "-f", fan_out, "-w", f"^{hosts}", _QUESTION)),
            ("clush", "clush", ("clush", "-q", "-f", fan_out, "--hostfile", hosts, _QUESTION)),
            ("parallel-ssh", "parallel-ssh", ("parallel-ssh", "-i", "-p", fan_out, "-t", "0", "-h", hosts, _QUESTION)),
            ("ansible -m raw", "ansible", ("env", "ANSIBLE_HOST_KEY_CHECKING=True", "ansible", "all", "-i", self.directory /
                                           "inventory", "-f", fan_out, "-m", "raw", "-o", "-a", _QUESTION,
                                           "--ssh-common-args", f"-F {config} -o ControlMaster=no")),
            ("asyncssh", None, (_PYTHON, pathlib.Path(__file__).with_name("asyncssh_run.py"), hosts, str(self.port),
                                self._bed.remote.account, self._bed.key, self._bed.local.home / ".ssh/known_hosts", KEX,
                                _QUESTION)),
        )


def _has_module(name):
    return subprocess.run([_PYTHON, "-c", f"import {name}"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def _best(rows, key):
    return min((row for row in rows if not row.problem and getattr(row, key)), key=lambda row: getattr(row, key), default=None)


def _ratio(mine, peer, key):
    return getattr(mine, key) / getattr(peer, key) if peer and getattr(peer, key) and not mine.problem else None


def fleet(bed, options):
    """What many hosts have free, without any connection"""
    hosts = _Fleet(bed, options.hosts, options.fan_out)
    outcome = Outcome("fleet", f"What {options.hosts} hosts have free, without any connection")
    contest, runs = Contest(), {"re probe": hosts.by_re}
    contest.add("re probe", hosts.by_re)
    for name, program, command in hosts.peers():
        if shutil.which(program) if program else _has_module("asyncssh"):
            runs[name] = hosts.by(*command)
            contest.add(name, runs[name])
        else:
            contest.miss(name)
    contest.run(max(2, options.rounds // 3), warm_ups=0)
    for name, run in runs.items():
        contest.measure_memory(name, lambda run=run: run(sample_ms=_SAMPLE_MS if name != "re probe" else 5))
    outcome.rows = contest.rows()
    mine, *peers = outcome.rows
    best = _best(peers, "cpu")
    outcome.verdicts = [
        Verdict("client CPU / best peer's", _ratio(mine, best, "cpu"), 0.1),
        Verdict("memory / the same peer's", _ratio(mine, best, "memory"), 1 / 3),
        Verdict("wall / fastest peer's", _ratio(mine, _best(peers, "wall"), "wall"), 1.0),
    ]
    to_leanest = _ratio(mine, _best(peers, "memory"), "memory")
    if to_leanest:
        outcome.notes.append(f"The best peer is who needs the least CPU. Memory / the leanest peer's: {to_leanest:.2f}.")
    outcome.notes.append(f"Memory: the largest sum of PSS over all processes of the client, sampled in a run of its own. "
                         f"Fan-out of the peers that have one: {options.fan_out}. One sshd answers on all addresses and "
                         "shares the machine: it bounds the wall time of all.")
    return outcome
