#!/usr/bin/python3
"""Golden tests of the command line: what a command prints and how it ends, byte for byte, but for what must vary.

    run.py CASE...                  compares
    RE_GOLDEN_UPDATE=1 run.py CASE  writes down what it does now; read the diff before you commit it

A case is a directory:
    cmd     a script for /bin/sh -e; `re` in it is the program under test
    stdout  what it prints there; a missing file means nothing
    stderr  likewise
    exit    its exit code; a missing file means 0
    in/     optional: the files of the project directory that it runs in
    remote  optional, empty: a throw-away remote is instance 1, named gpu1

HOME and the XDG directories are fresh and empty. Before the comparison, what varies from run to run is replaced: see
NORMALISE.
"""

import difflib
import os
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import testbed  # noqa: E402

# (what, by what, why). In this order; the paths of the run itself come first (see normalised()).
NORMALISE = (
    (re.compile(r"\b[0-7][0-9a-hjkmnp-tv-z]{25}\b"), "<JOB>", "a job id (re/base/job_id.hpp)"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?"), "<TIME>", "a date with a time"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "<CLOCK>", "a time of the day, or an elapsed time"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<PORT>", "the port of the throw-away remote"),
    (re.compile(r"(?<=\bpid )\d+|(?<=\"pid\": )\d+|(?<=\"pid\":)\d+"), "<PID>", "a process id"),
    (re.compile(r"(?<=\bport )\d+|(?<=\"port\": )\d+|(?<=\"port\":)\d+"), "<PORT>", "a port"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s)\b"), "<DURATION>", "a measured duration"),
    (re.compile(r"\bSHA256:[A-Za-z0-9+/]{43}"), "SHA256:<KEY>", "the fingerprint of a host key"),
)
STREAMS = ("stdout", "stderr")


def normalised(text, places):
    """TEXT without what varies; PLACES are pairs of a path of this run and its name."""
    for path, name in places:
        text = text.replace(str(path), name)
    for pattern, replacement, _ in NORMALISE:
        text = pattern.sub(replacement, text)
    return text


def run_case(case):
    """What the case does now: {"stdout", "stderr", "exit"} as they stand in its files."""
    local = testbed.Local()
    remote = None
    try:
        if (case / "in").is_dir():
            shutil.copytree(case / "in", local.project, dirs_exist_ok=True)
        if (case / "remote").exists():
            remote = testbed.Remote()
            local.add_remote(remote, name="gpu1")
        done = local.run("/bin/sh", "-e", case / "cmd", stdin=b"")
        places = [(local.project, "<PROJECT>"), (local.home, "<HOME>"), (local.directory, "<LOCAL>")]
        return {"stdout": normalised(done.out, places), "stderr": normalised(done.err, places),
                "exit": f"{done.code}\n"}
    finally:
        if remote:
            remote.close()
        local.close()


def expected(case):
    def content(name, default):
        return (case / name).read_text() if (case / name).exists() else default

    return {"stdout": content("stdout", ""), "stderr": content("stderr", ""), "exit": content("exit", "0\n")}


def record(case, actual):
    """Writes the case's files; those that say what is so by default are left out."""
    for name, value in actual.items():
        if value == ("0\n" if name == "exit" else ""):
            (case / name).unlink(missing_ok=True)
        else:
            (case / name).write_text(value)


def differences(case, actual):
    wanted = expected(case)
    lines = []
    for name in (*STREAMS, "exit"):
        lines += difflib.unified_diff(wanted[name].splitlines(True), actual[name].splitlines(True),
                                      f"{case.name}/{name} (expected)", f"{case.name}/{name} (now)")
    return "".join(line if line.endswith("\n") else line + "\n(no newline at the end)\n" for line in lines)


def main(names):
    if not names:
        sys.exit(__doc__)
    failed = False
    for name in names:
        case = pathlib.Path(name).resolve()
        actual = run_case(case)
        if os.environ.get("RE_GOLDEN_UPDATE") == "1":
            record(case, actual)
            continue
        difference = differences(case, actual)
        if difference:
            failed = True
            print(difference, end="")
            print(f"If this is as it should be: RE_GOLDEN_UPDATE=1 {sys.argv[0]} {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
