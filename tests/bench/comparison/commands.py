"""Scenarios of one command on one host."""

import json
import shutil

import testbed

from .bed import ROUND_TRIPS
from .contest import Contest, Outcome, Verdict, checked, ratio, slope


_PAUSE = 0.5  # between commands of a person, who reads what the last one printed


def _small(name):
    """A project that has no file in common with another: a host makes a snapshot of its own for it."""
    return {"main.py": f"print('{name}')\n"}


def _at(round_trip):
    return f"rtt{round_trip}"


def _ssh(bed, round_trip, *command):
    """OpenSSH over a ControlMaster."""
    return ("ssh", "-o", f"ControlPath={bed.control_path(round_trip)}", _at(round_trip), *command)


def _slope_of(outcome, label):
    rows = [(milliseconds, outcome.row(f"{label}, {milliseconds} ms")) for milliseconds in ROUND_TRIPS]
    if any(row is None for _, row in rows):
        return None
    return slope([(milliseconds / 1000, row.wall) for milliseconds, row in rows])


def warm(bed, options):
    """A command over a warm connection, at three round-trip times"""
    outcome = Outcome("warm", warm.__doc__)
    contest = Contest()
    for milliseconds in ROUND_TRIPS:
        project = bed.project(f"warm{milliseconds}", milliseconds, _small(f"warm{milliseconds}"))
        contest.add(f"re sync true, {milliseconds} ms", lambda at=_at(milliseconds), cwd=project: checked(
            bed.re("sync", "-i", at, "true", cwd=cwd)))
        contest.add(f"ssh over ControlMaster, {milliseconds} ms", lambda milliseconds=milliseconds: checked(
            bed.served(bed.control_master(milliseconds), *_ssh(bed, milliseconds, "true"))))
    contest.run(options.rounds, warm_ups=2, pause=_PAUSE)
    outcome.rows = contest.rows()
    mine, theirs = (outcome.row(f"{label}, 25 ms") for label in ("re sync true", "ssh over ControlMaster"))
    outcome.verdicts = [
        Verdict("re sync true: round trips (slope)", _slope_of(outcome, "re sync true"), 1.1),
        Verdict("wall at 25 ms / ControlMaster's", ratio(mine, theirs, "wall"), 0.6),
    ]
    their_slope = _slope_of(outcome, "ssh over ControlMaster")
    if their_slope is not None:
        outcome.notes.append(f"ssh over its ControlMaster: {their_slope:.2f} round trips.")
    return outcome


def cold(bed, options):
    """A command without any connection (curve25519 for all), at 0 and 25 ms"""
    outcome = Outcome("cold", cold.__doc__)
    contest = Contest()
    for milliseconds in (0, 25):
        project, at = bed.project(f"cold{milliseconds}", milliseconds, _small(f"cold{milliseconds}")), _at(milliseconds)
        checked(bed.meter.run("re", "sync", "-i", at, "true", cwd=project))
        for label, words in (("re sync true", ("sync", "true")), ("re sync --no-rsync true", ("sync", "--no-rsync", "true")),
                             ("re probe", ("probe",))):
            contest.add(f"{label}, {milliseconds} ms", lambda words=words, at=at, cwd=project: checked(
                bed.meter.run("re", words[0], "--no-master", "-i", at, *words[1:], cwd=cwd)))
        contest.add(f"ssh, {milliseconds} ms", lambda at=at: checked(bed.meter.run("ssh", at, "true")))
    contest.run(options.rounds, pause=_PAUSE)
    outcome.rows = contest.rows()
    for label in ("re sync true", "re probe"):
        mine, theirs = outcome.row(f"{label}, 25 ms"), outcome.row("ssh, 25 ms")
        outcome.verdicts += [Verdict(f"{label}: wall at 25 ms / ssh's", ratio(mine, theirs, "wall"), 0.85),
                             Verdict(f"{label}: CPU at 25 ms / ssh's", ratio(mine, theirs, "cpu"), 0.7)]
    outcome.notes.append("re runs with --no-master. The limit is for sync; probe is what costs re the least round trips: "
                         "one login, one script.")
    return outcome


def trips(bed, options):
    """Round trips of re's commands over a warm connection (no limits)"""
    outcome = Outcome("trips", trips.__doc__)
    contest = Contest()
    commands = (("sync",), ("sync", "--no-rsync"), ("async",), ("log",), ("list",), ("probe",), ("pull",))
    for milliseconds in ROUND_TRIPS:
        project, at = bed.project(f"trips{milliseconds}", milliseconds, _small(f"trips{milliseconds}")), _at(milliseconds)
        checked(bed.re("sync", "-i", at, "mkdir bin; echo x >bin/x", cwd=project))
        for words in commands:
            rest = {"sync": ("true",), "async": ("true",), "pull": ("main.py", "back/")}.get(words[0], ())
            contest.add(f"re {' '.join(words)}, {milliseconds} ms", lambda words=words, rest=rest, at=at, cwd=project:
                        checked(bed.re(*words, "-i", at, *rest, cwd=cwd)))
    contest.run(options.rounds, pause=_PAUSE)
    outcome.rows = contest.rows()
    for words in commands:
        label = f"re {' '.join(words)}"
        trips_of = _slope_of(outcome, label)
        if trips_of is not None:
            outcome.notes.append(f"{label}: {trips_of:.2f} round trips, "
                                 f"{outcome.row(f'{label}, 0 ms').wall * 1000:.1f} ms without any.")
    return outcome


def start(bed, options):
    """Starting the program"""
    outcome = Outcome("start", start.__doc__)
    contest = Contest()
    contest.add("re --version", lambda: checked(bed.meter.run("re", "--version"), "re "))
    if shutil.which("git"):
        contest.add("git --version", lambda: checked(bed.meter.run("git", "--version"), "git version"))
    else:
        contest.miss("git --version")
    contest.run(8 * options.rounds, warm_ups=3)
    outcome.rows = contest.rows()
    mine, theirs = outcome.row("re --version"), outcome.row("git --version")
    outcome.verdicts = [Verdict("wall / git's", ratio(mine, theirs, "wall"), 1.5)]
    return outcome


# A project of a thousand files

def _thousand_files():
    filler = "".join(f"    total = total + {number} * scale\n" for number in range(60))
    return {f"part{number // 50}/module{number}.py": f"# module {number}\ndef work(total, scale):\n{filler}    return total\n"
            for number in range(1000)}


class _Edits:
    """Each run starts a job that prints a file of the project, after an edit of that file or without one."""

    FILE = "part7/module377.py"

    def __init__(self, bed, round_trip):
        self._bed = bed
        self._at = _at(round_trip)
        self._round_trip = round_trip
        self._count = 0
        self._project = bed.project("thousand", round_trip, _thousand_files())
        self._text = (self._project / self.FILE).read_text()

    def edit(self):
        self._count += 1
        # rsync takes an edit of equal size within one second for none: so each is longer than the last.
        (self._project / self.FILE).write_text(f"{self._text}#{'.' * self._count}\n")

    def _await(self, log):
        wanted = (self._project / self.FILE).read_text()
        testbed.wait_for(lambda: log.exists() and log.read_text() == wanted, f"the edited file in {log}")

    def by_re(self):
        cost = checked(self._bed.re("async", "--json", "-i", self._at, f"cat {self.FILE}", cwd=self._project))
        self._await(self._bed.remote.home() / ".re/jobs" / json.loads(cost.out)["id"] / "log")
        return cost

    def by_rsync_and_ssh(self):
        control = f"ssh -o ControlPath={self._bed.control_path(self._round_trip)}"
        start_job = f'cd thousand && {{ rm -f ../log; setsid nohup cat {self.FILE} >../log 2>&1 </dev/null & }}'
        script = (f"rsync -a --exclude=.recompute -e '{control}' ./ {self._at}:thousand/ && "
                  f"exec {control} {self._at} '{start_job}'")
        cost = checked(self._bed.served(self._bed.control_master(self._round_trip), "sh", "-c", script, cwd=self._project))
        self._await(self._bed.remote.home() / "log")
        return cost

    def after_edit(self, work):
        def run():
            self.edit()
            return work()
        return run


def edited(bed, options):
    """Starting a job of a project of 1,000 files at 25 ms, warm"""
    outcome = Outcome("edited", edited.__doc__)
    if not shutil.which("rsync"):
        outcome.notes.append("Needs rsync, which is not installed.")
        return outcome
    edits = _Edits(bed, 25)
    # Not in turns: what one has edited for its run would be an edit for the other's unchanged one.
    for state, after in ("one file edited", edits.after_edit), ("unchanged", lambda work: work):
        contest = Contest()
        contest.add(f"re async, {state}", after(edits.by_re))
        contest.add(f"rsync + ssh, {state}", after(edits.by_rsync_and_ssh))
        contest.run(options.rounds, pause=_PAUSE)
        outcome.rows += contest.rows()
    mine, theirs = outcome.row("re async, one file edited"), outcome.row("rsync + ssh, one file edited")
    unchanged = outcome.row("re async, unchanged")
    outcome.verdicts = [
        Verdict("edited: wall / (rsync + ssh)'s", ratio(mine, theirs, "wall"), 1 / 3),
        Verdict("unchanged: wall (1.3 round trips + 15 ms)", unchanged and unchanged.wall * 1000, 47.5, unit=" ms"),
    ]
    outcome.notes.append("rsync and ssh both over one ControlMaster. Every run's log is compared with the edited file.")
    return outcome


def batch(bed, options):
    """A thousand jobs in one command"""
    outcome = Outcome("batch", batch.__doc__)
    help_text = bed.local.run("re", "async", "--help").out
    if "--batch" not in help_text:
        outcome.notes.append("This re async takes no list of commands.")
        return outcome
    project = bed.project("batch", 25, _small("batch"))
    (project / "list").write_text("true\n" * 1000)
    contest = Contest()
    contest.add("re async --batch, 1,000 jobs", lambda: checked(bed.re("async", "-i", _at(25), "--batch", "list", cwd=project)))
    contest.run(2, warm_ups=0)
    outcome.rows = contest.rows()
    row = outcome.rows[0]
    outcome.verdicts = [Verdict("wall of each of 1,000 launches", None if row.problem else row.wall, 3, unit=" ms")]
    return outcome
