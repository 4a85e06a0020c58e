#!/usr/bin/python3
"""clang-format changes nothing."""

import subprocess
import sys

import common


def complaints_of(root):
    files = [str(root / path) for path in common.files_of(root) if path.suffix in (".cpp", ".hpp")]
    if not files:
        return ["no C++ source found"]
    done = subprocess.run(["clang-format-19", "--dry-run", "--Werror", "--ferror-limit=3", *files],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return [done.stdout.strip()] if done.returncode != 0 else []


if __name__ == "__main__":
    sys.exit(common.report(complaints_of(common.parser(__doc__.split("\n")[0]).parse_args().root.resolve())))
