#!/usr/bin/python3
"""No test is forgotten: every test that stands in a source file is one that ctest runs.

A file that no target compiles, a script that no add_test names, a TEST_P without an instantiation, a disabled test and a
binary that was not built all look like success otherwise.
"""

import json
import pathlib
import re
import subprocess
import sys

import common

TEST = re.compile(r"^\s*(TEST|TEST_F|TEST_P|TYPED_TEST|TYPED_TEST_P)\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)


def compiled_sources(build):
    commands = json.loads((build / "compile_commands.json").read_text())
    return {pathlib.Path(entry["directory"], entry["file"]).resolve() for entry in commands}


def registered_tests(build):
    """name -> command of every test that ctest knows in BUILD."""
    listed = subprocess.run(["ctest", "--test-dir", str(build), "--show-only=json-v1"], check=True,
                            stdout=subprocess.PIPE).stdout
    return {test["name"]: test.get("command", []) for test in json.loads(listed)["tests"]}


def is_registered(kind, suite, name, module, registered):
    """Whether ctest knows the test under the names that googletest gives to this kind."""
    if kind in ("TEST", "TEST_F"):
        return f"unit.{module}.{suite}.{name}" in registered
    if kind == "TEST_P":
        pattern = re.compile(rf"unit\.{module}\.(?:.*/)?{suite}\.{name}/.*")
    else:
        pattern = re.compile(rf"unit\.{module}\.(?:.*/)?{suite}/.*\.{name}(?:<.*)?")
    return any(pattern.fullmatch(known) for known in registered)


def unit_complaints(root, path, compiled, registered):
    module = path.parts[2]
    if (root / path).resolve() not in compiled:
        return [f"{path}: no target compiles it"]
    if f"{module}_test_NOT_BUILT" in registered:
        return [f"{path}: {module}_test is not built"]
    complaints = []
    for kind, suite, name in TEST.findall((root / path).read_text()):
        if "DISABLED_" in suite + name:
            complaints.append(f"{path}: {suite}.{name} is disabled; mend it or remove it")
        elif not is_registered(kind, suite, name, module, registered):
            complaints.append(f"{path}: ctest does not know {suite}.{name}")
    return complaints


def table_complaints(root, registered):
    """The tests that tests/README.md names are there."""
    readme = root / "tests/README.md"
    if not readme.exists():
        return []
    complaints = []
    for suite, name in re.findall(r"`(\w+)\.(\w+)`", readme.read_text()):
        if suite.endswith("_test"):
            script = root / f"tests/integration/{suite}.py"
            is_there = script.exists() and f"def {name}(" in script.read_text()
        elif suite == "golden":
            is_there = f"golden.{name}" in registered
        else:
            is_there = any(f".{suite}.{name}" in known or f"/{suite}.{name}" in known for known in registered)
        if not is_there:
            complaints.append(f"tests/README.md: there is no test {suite}.{name}")
    return complaints


def complaints_of(root, build):
    compiled, registered = compiled_sources(build), registered_tests(build)
    scripts = {str(pathlib.Path(word).resolve()) for command in registered.values() for word in command}
    complaints = table_complaints(root, registered)
    for path in common.files_of(root):
        if path.parts[0] != "tests":
            continue
        if path.name.endswith("_test.cpp"):
            if path.parts[1] == "unit" and len(path.parts) > 3:
                complaints += unit_complaints(root, path, compiled, registered)
            elif (root / path).resolve() not in compiled:
                complaints.append(f"{path}: no target compiles it")
        elif path.name.endswith("_test.py") and str((root / path).resolve()) not in scripts:
            complaints.append(f"{path}: no test of ctest runs it")
        elif path.parts[1] == "lint" and path.suffix == ".py" and path.name != "common.py" \
                and str((root / path).resolve()) not in scripts:
            complaints.append(f"{path}: no test of ctest runs it")
    return complaints


if __name__ == "__main__":
    options = common.parser(__doc__.split("\n")[0])
    options.add_argument("--build", type=pathlib.Path, required=True, help="a configured and built folder")
    arguments = options.parse_args()
    sys.exit(common.report(complaints_of(arguments.root.resolve(), arguments.build.resolve())))
