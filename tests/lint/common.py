"""What the lints share: the files of the project, and one way to report."""

import argparse
import pathlib
import subprocess
import sys


def project_root():
    return pathlib.Path(__file__).resolve().parent.parent.parent


def parser(purpose):
    """Every lint takes --root, so that lint_test.py can show it a tree with faults."""
    options = argparse.ArgumentParser(description=purpose)
    options.add_argument("--root", type=pathlib.Path, default=project_root(), help="the tree to read")
    return options


def files_of(root):
    """The project's files, relative to ROOT: what git tracks or would track, without git every file."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if listed.returncode == 0 and listed.stdout:
        names = [pathlib.Path(name) for name in listed.stdout.decode().split("\0") if name]
    else:
        names = [path.relative_to(root) for path in root.rglob("*")
                 if not any(part in (".git", "__pycache__") or part.startswith("build")
                            for part in path.relative_to(root).parts)]
    return sorted({name for name in names if (root / name).is_file() and not (root / name).is_symlink()})


def report(complaints):
    """Prints the complaints and gives the exit code of the lint."""
    for complaint in complaints:
        print(complaint)
    if complaints:
        print(f"{len(complaints)} complaint{'s' if len(complaints) > 1 else ''}", file=sys.stderr)
    return 1 if complaints else 0
