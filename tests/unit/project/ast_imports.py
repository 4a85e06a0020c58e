"""The oracle of the import scanner: what CPython's own ast sees.

Reads file names from a list (one a line) and prints one JSON object a line:
{"path": ..., "imports": [[module, [names], level, line, guarded, type_checking], ...]}, or "imports": null where
Python itself does not parse the file.
"""

import ast
import json
import sys
import warnings

TOLERANT = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


def catches_import_errors(handler):
    if handler.type is None:
        return True
    for node in ast.walk(handler.type):
        if isinstance(node, ast.Name) and node.id in TOLERANT:
            return True
        if isinstance(node, ast.Attribute) and node.attr in TOLERANT:
            return True
    return False


def is_type_checking(test):
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def collect(tree):
    found = []
    pending = [(tree, False, False)]
    while pending:
        node, guarded, checking = pending.pop()

        def descend(children, guarded, checking):
            pending.extend((child, guarded, checking) for child in children)

        if isinstance(node, ast.Import):
            for alias in node.names:
                found.append((node.lineno, node.col_offset, [alias.name, [], 0, node.lineno, guarded, checking]))
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            entry = [node.module or "", names, node.level, node.lineno, guarded, checking]
            found.append((node.lineno, node.col_offset, entry))
        elif isinstance(node, (ast.Try, ast.TryStar)):
            tolerant = guarded or any(catches_import_errors(handler) for handler in node.handlers)
            descend(node.body, tolerant, checking)
            descend(node.handlers, tolerant, checking)
            descend(node.orelse, guarded, checking)
            descend(node.finalbody, guarded, checking)
        elif isinstance(node, ast.If):
            descend(node.body, guarded, checking or is_type_checking(node.test))
            descend(node.orelse, guarded, checking)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            descend(node.body, False, checking)
        elif isinstance(node, (ast.stmt, ast.mod, ast.ExceptHandler, ast.match_case)):
            descend(ast.iter_child_nodes(node), guarded, checking)
    found.sort(key=lambda item: item[:2])  # stable: the aliases of one statement keep their order
    return [entry for _, _, entry in found]


def main():
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(10000)
    with open(sys.argv[1], encoding="utf-8", errors="surrogateescape") as names:
        paths = names.read().splitlines()
    for path in paths:
        try:
            with open(path, "rb") as source:
                imports = collect(ast.parse(source.read(), path))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            imports = None
        print(json.dumps({"path": path, "imports": imports}))


main()
