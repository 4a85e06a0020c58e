#!/usr/bin/python3
"""shellcheck has nothing to say: what runs on a remote machine is POSIX sh, our own scripts are bash."""

import re
import subprocess
import sys

import common

SHEBANG = re.compile(r"#!(?:/usr/bin/env |/bin/|/usr/bin/)(bash|sh|dash)\b")
# Redirection errors of these end a POSIX shell; behind `command` they are an exit status (see dash(1), "exec").
BARE_EXEC = re.compile(r"^[^#\n]*(?<!command )\bexec [0-9]*[<>][^|\n]*\|\|", re.MULTILINE)


def dialect_of(root, path):
    """The shell a script is written for, or None where it is no shell script."""
    if path.parts[0] == "src":
        return "sh" if path.suffix == ".sh" else None
    if path.parts[0] == "completions":
        return "bash" if path.suffix == ".bash" else None
    if path.suffix not in (".sh", ""):
        return None
    with open(root / path, errors="replace") as file:
        first = file.readline()
    directive = re.match(r"# shellcheck shell=(\w+)", first)
    shebang = SHEBANG.match(first)
    return directive.group(1) if directive else shebang.group(1) if shebang else None


def complaints_of(root):
    complaints, checked = [], 0
    for path in common.files_of(root):
        dialect = dialect_of(root, path)
        if dialect is None:
            continue
        checked += 1
        done = subprocess.run(["shellcheck", "-x", "-P", "SCRIPTDIR", "-s", dialect, "-f", "gcc", str(path)], cwd=root,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            complaints.append(done.stdout.strip())
        if path.parts[0] == "src":
            complaints += [f"{path}: `exec FD<file ||` ends dash and busybox; write `command exec`: {found.group().strip()}"
                           for found in BARE_EXEC.finditer((root / path).read_text())]
    return complaints or ([] if checked else ["no shell script found"])


if __name__ == "__main__":
    sys.exit(common.report(complaints_of(common.parser(__doc__.split("\n")[0]).parse_args().root.resolve())))
