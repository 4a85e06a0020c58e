"""Contestants that run in turn, and what comes of it."""

import statistics
import time
from dataclasses import asdict, dataclass, field


class Failed(Exception):
    """A contestant did not do its work."""


@dataclass
class Row:
    """Medians of one contestant: seconds, and kB of memory. `problem` says why there are none."""

    label: str
    runs: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    helper: float = 0.0
    memory: int = 0
    problem: str = ""
    walls: list = field(default_factory=list)


@dataclass
class Verdict:
    """A limit. `measured` is None where a contestant is missing."""

    what: str
    measured: float | None
    limit: float
    relation: str = "<="
    unit: str = ""

    @property
    def holds(self):
        if self.measured is None:
            return None
        return self.measured <= self.limit if self.relation == "<=" else self.measured >= self.limit


@dataclass
class Outcome:
    name: str
    title: str
    rows: list = field(default_factory=list)
    verdicts: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def row(self, label):
        """The row of that label, None where that contestant is missing or failed."""
        return next((row for row in self.rows if row.label == label and not row.problem), None)

    def as_json(self):
        verdicts = [{**asdict(verdict), "holds": verdict.holds} for verdict in self.verdicts]
        return {**asdict(self), "verdicts": verdicts}


def checked(cost, *wanted, code=0):
    """COST, if the program ended with CODE and printed all that is WANTED."""
    if cost.code != code:
        words = (cost.err or cost.out).strip().splitlines()
        raise Failed(f"exit code {cost.code}: {words[-1] if words else 'and not a word'}")
    for text in wanted:
        if text not in cost.out:
            raise Failed(f"did not print {text!r}")
    return cost


def ratio(mine, theirs, key):
    """How many times the other's KEY mine is; the helper's CPU counts as the command's. None where one is missing."""
    if mine is None or theirs is None:
        return None
    values = [row.cpu + row.helper if key == "cpu" else getattr(row, key) for row in (mine, theirs)]
    return values[0] / values[1] if values[1] else None


def slope(points):
    """The slope of the least-squares line through pairs (x, y)."""
    middle_x, middle_y = (statistics.fmean(values) for values in zip(*points))
    return (sum((x - middle_x) * (y - middle_y) for x, y in points)
            / sum((x - middle_x) ** 2 for x, _ in points))


class Contest:
    """Each contestant is a function that does the work once and gives its Cost, or raises Failed."""

    def __init__(self):
        self._functions = {}
        self._costs = {}
        self._problems = {}
        self._memory = {}

    def add(self, label, function):
        self._functions[label] = function
        self._costs[label] = []

    def miss(self, label, why="not installed"):
        self._functions[label] = None
        self._problems[label] = why

    def _try(self, label):
        """The Cost; None where the contestant is out."""
        if label in self._problems:
            return None
        try:
            return self._functions[label]()
        except Failed as problem:
            self._problems[label] = f"failed: {problem}"
            return None

    def run(self, rounds, warm_ups=1, pause=0.0):
        """ROUNDS rounds in which each takes its turn, so that what else the machine does hits all alike; the order
        turns round each time, so that nobody always follows the same. Warm-ups do not count. PAUSE seconds lie before
        each, in which the host, on this machine too, does what is left to do when a command has ended."""
        for number in range(-warm_ups, rounds):
            order = list(self._functions)
            for label in reversed(order) if number % 2 else order:
                time.sleep(pause)
                cost = self._try(label)
                if cost and number >= 0:
                    self._costs[label].append(cost)

    def note_memory(self, label, kilobytes):
        """Takes this for the contestant's memory, instead of its largest process."""
        self._memory[label] = kilobytes

    def measure_memory(self, label, function):
        """FUNCTION runs the contestant once more, with its memory sampled."""
        if label in self._problems:
            return
        try:
            self.note_memory(label, function().tree)
        except Failed as problem:
            self._problems[label] = f"failed: {problem}"

    def rows(self):
        return [self._row(label) for label in self._functions]

    def _row(self, label):
        if label in self._problems:
            return Row(label, problem=self._problems[label])
        costs = self._costs[label]
        median = lambda key: statistics.median(getattr(cost, key) for cost in costs)  # noqa: E731
        # The helper's clock ticks only every few milliseconds while it runs: the mean tells more than the median.
        return Row(label, len(costs), median("wall"), median("cpu"), statistics.fmean(cost.helper for cost in costs),
                   self._memory.get(label, int(median("peak"))), walls=[cost.wall for cost in costs])
