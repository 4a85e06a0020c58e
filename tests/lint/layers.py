#!/usr/bin/python3
"""The floors hold: every #include against the table in cmake/ReFloors.cmake.

- A module includes re/<other>/... only of the modules in its DEPS, which are floors below it.
- A header in src/<module>/ is private to its module; one in include/re/<module>/ is there because another module needs
  it: included there, or by a public header that is.
- Threads are made in sys alone: it is what scripts/test runs under ThreadSanitizer each time.
- main.cpp stands on cli alone. The unit tests of a module stand where the module stands.
"""

import re
import sys

import common

FLOOR = re.compile(r"^\s*re_module\(\s*(\w+)((?:[^()]|\n)*)\)", re.MULTILINE)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<(re/[^>]+)>)', re.MULTILINE)
THREADS = re.compile(r"thread|future|pthread\.h|boost/asio/(static_)?thread(_pool)?\.hpp")
SYSTEM_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*<([^>]+)>", re.MULTILINE)
SOURCES = (".cpp", ".hpp")


def floors(text):
    """module -> the modules that it may include, in the order of the table; and what is wrong with the table."""
    table, complaints = {}, []
    for name, rest in FLOOR.findall(text):
        words = rest.split()
        start = words.index("DEPS") + 1 if "DEPS" in words else len(words)
        deps = []
        for word in words[start:]:
            if word == "LIBS":
                break
            deps.append(word)
        complaints += [f"cmake/ReFloors.cmake: {name} depends on {dep}, which is no floor below it"
                       for dep in deps if dep not in table]
        table[name] = deps
    if not table:
        complaints.append("cmake/ReFloors.cmake: no re_module(...) found")
    return table, complaints


def place_of(path):
    """(module, kind) of a file: kind is private, public, test or main; None where the rules say nothing."""
    parts = path.parts
    if path.suffix not in SOURCES:
        return None
    if parts[0] == "src":
        return ("", "main") if len(parts) == 2 else (parts[1], "private")
    if parts[:2] == ("include", "re") and len(parts) > 3:
        return parts[2], "public"
    if parts[:2] == ("tests", "unit") and len(parts) > 3:
        return parts[2], "test"
    return None


def beneath(module, table):
    """All modules that a module stands on, directly or not."""
    found = set()
    frontier = [module]
    while frontier:
        new = set(table.get(frontier.pop(), [])) - found
        found |= new
        frontier += new
    return found


def check_include(path, place, include, table):
    """The complaint about one include, or None."""
    module, kind = place
    parts = include.split("/")
    if parts[0] == "re":
        owner = parts[1]
        if kind == "main":
            return None if owner == "cli" else f"{path}: main.cpp may include re/cli/ alone, not {include}"
        allowed = [module, *table.get(module, [])]
        if owner in allowed:
            return None
        return f"{path}: {module} may not include {include}; it stands on: {', '.join(table[module]) or 'nothing'}"
    if kind == "test" and len(parts) == 1:  # a fixture beside the test
        return None
    if len(parts) == 1 or ".." in parts:
        return f'{path}: write "{module}/{parts[-1]}" for "{include}"'
    if kind == "test" and parts[0] in beneath(module, table):  # a test may look inside of what it stands on
        return None
    if parts[0] in table and parts[0] != module:
        return f"{path}: {include} is private to {parts[0]}"
    return None


def needed_headers(includes):
    """Public headers that another module includes, directly or through another needed one."""
    needed = {name for path, (place, names) in includes.items() if place[1] in ("private", "public", "main")
              for name in names if name.startswith("re/") and name.split("/")[1] != place[0]}
    frontier = list(needed)
    by_name = {"/".join(path.parts[1:]): names for path, (place, names) in includes.items() if place[1] == "public"}
    while frontier:
        for name in by_name.get(frontier.pop(), []):
            if name.startswith("re/") and name not in needed:
                needed.add(name)
                frontier.append(name)
    return needed


def complaints_of(root):
    table, complaints = floors((root / "cmake" / "ReFloors.cmake").read_text())
    includes = {}
    for path in common.files_of(root):
        place = place_of(path)
        if place is None:
            continue
        if place[0] and place[0] not in table:
            complaints.append(f"{path}: {place[0]} is no module of cmake/ReFloors.cmake")
            continue
        content = (root / path).read_text()
        names = [quoted or angled for quoted, angled in INCLUDE.findall(content)]
        includes[path] = (place, names)
        complaints += filter(None, (check_include(path, place, name, table) for name in names))
        if place[1] != "test" and place[0] != "sys":
            complaints += [f"{path}: <{name}> is for sys alone: no other module makes threads"
                           for name in SYSTEM_INCLUDE.findall(content) if THREADS.fullmatch(name)]
    needed = needed_headers(includes)
    for path, (place, _) in includes.items():
        if place[1] == "public" and "/".join(path.parts[1:]) not in needed:
            complaints.append(f"{path}: no other module includes it; it belongs beside its source, in src/{place[0]}/")
    return complaints


if __name__ == "__main__":
    sys.exit(common.report(complaints_of(common.parser(__doc__.split("\n")[0]).parse_args().root.resolve())))
