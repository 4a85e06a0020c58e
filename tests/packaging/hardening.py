#!/usr/bin/python3
"""Whether a release binary has the hardening that the build asks for, as `hardening-check` and readelf see it.

    hardening.py BINARY
"""

import re
import subprocess
import sys


def readelf(binary, *options):
    return subprocess.run(["readelf", "-W", *options, binary], check=True, text=True, stdout=subprocess.PIPE).stdout


def complaints_of(binary):
    header, segments = readelf(binary, "-h"), readelf(binary, "-l")
    dynamic, symbols = readelf(binary, "-d"), readelf(binary, "--dyn-syms")
    expected = (
        ("a position-independent program", re.search(r"Type:\s+DYN", header) and re.search(r"FLAGS_1.*\bPIE\b", dynamic)),
        ("read-only relocations", "GNU_RELRO" in segments),
        ("all symbols bound at start", re.search(r"FLAGS_1.*\bNOW\b", dynamic) or "BIND_NOW" in dynamic),
        ("a stack that is not executable", re.search(r"GNU_STACK(\s+0x\w+){5}\s+RW\s", segments)),
        ("no segment both writable and executable", not re.search(r"LOAD.*\bRWE\b", segments)),
        ("stack protector", "__stack_chk_fail" in symbols),
        ("fortified functions of the C library", len(set(re.findall(r"\b(__\w+_chk)\b", symbols)) - {"__stack_chk_fail"}) > 3),
        ("no search path of its own", not re.search(r"\((RPATH|RUNPATH)\)", dynamic)),
        ("no debug information", "(no debug)" not in header and ".debug_info" not in readelf(binary, "-S")),
    )
    complaints = [f"{binary} lacks: {name}" for name, holds in expected if not holds]
    if "X86-64" in header:
        complaints += branch_complaints(binary)
    return complaints


def branch_complaints(binary):
    """Every function that can be called through a pointer begins with endbr64. The mark in the ELF notes, which asks the
    kernel to enforce that, needs all objects to have it, and Debian's static libraries of C code have not."""
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "--section=.text", binary], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    marks = code.count("endbr64")
    return [] if marks > 5000 else [f"{binary} lacks: branch protection ({marks} endbr64)"]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = complaints_of(sys.argv[1])
    print("\n".join(found) or f"{sys.argv[1]}: hardened")
    sys.exit(1 if found else 0)
