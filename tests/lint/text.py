#!/usr/bin/python3
"""The text of the sources: file sizes, blanks, forgotten marks, paths of the machine they were written on."""

import re
import sys

import common

MAX_LINES = 500
CODE = (".cpp", ".hpp", ".sh", ".py", ".cmake")
# Written by programs, and compared byte by byte.
DATA = (("tests", "golden"), ("tests", "data"))
# In two halves, so that this file does not find itself.
MARKS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")


def is_data(path):
    return path.parts[:2] in DATA and path.suffix != ".py" and path.name != "CMakeLists.txt"


def is_code(path):
    return path.suffix in CODE or path.parts[0] == "scripts" and path.suffix == ""


def line_complaints(path, number, line, here):
    where = f"{path}:{number}"
    if "\t" in line:
        yield f"{where}: a tab"
    if line != line.rstrip():
        yield f"{where}: blanks at the end of the line"
    if path.parts[0] in ("src", "include") and MARKS.search(line):
        yield f"{where}: a mark for later; finish it or open an issue"
    if here.search(line):
        yield f"{where}: a path of this machine"


def complaints_of(root):
    # A path of the checkout; not a longer one that merely contains the same words.
    here = re.compile(rf"(?<![\w>/.$}}*-]){re.escape(str(root))}(?![\w-])")
    complaints = []
    for path in common.files_of(root):
        if is_data(path):
            continue
        try:
            text = (root / path).read_text()
        except UnicodeDecodeError:
            if is_code(path):
                complaints.append(f"{path}: not UTF-8")
            continue
        lines = text.split("\n")
        if text and lines[-1] != "":
            complaints.append(f"{path}: no newline at the end")
        if is_code(path) and len(lines) - 1 > MAX_LINES:
            complaints.append(f"{path}: {len(lines) - 1} lines, {MAX_LINES} at most")
        for number, line in enumerate(lines, 1):
            complaints += line_complaints(path, number, line, here)
    return complaints


if __name__ == "__main__":
    sys.exit(common.report(complaints_of(common.parser(__doc__.split("\n")[0]).parse_args().root.resolve())))
