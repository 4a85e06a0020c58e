#!/usr/bin/python3
"""Each lint passes a sound tree and finds each fault that it is for."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import completeness
import format as format_lint
import layers
import shell
import text

FLOORS = "re_module(base DEPS LIBS dep_boost)\nre_module(sys DEPS base)\nre_module(cli DEPS base\n  sys LIBS dep_fmt)\n"
SOUND = {
    "cmake/ReFloors.cmake": FLOORS,
    "include/re/base/error.hpp": "#pragma once\n",
    "include/re/sys/file.hpp": '#pragma once\n#include "re/base/error.hpp"\n',
    "include/re/cli/run.hpp": "#pragma once\n",
    "src/base/error.cpp": '#include "re/base/error.hpp"\n',
    "src/sys/file.cpp": '#include "re/sys/file.hpp"\n#include "sys/private.hpp"\n#include <vector>\n',
    "src/sys/private.hpp": "#pragma once\n",
    "src/cli/run.cpp": '#include "re/cli/run.hpp"\n#include "re/sys/file.hpp"\n',
    "src/main.cpp": '#include "re/cli/run.hpp"\n',
}


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="re-lint-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()

    def write(self, files):
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def assert_one(self, complaints, pattern):
        self.assertEqual(len(complaints), 1, complaints)
        self.assertRegex(complaints[0], pattern)


class Layers(Tree):
    def after(self, **changes):
        self.write(SOUND)
        self.write({name.replace("__", "/").replace("_hpp", ".hpp").replace("_cpp", ".cpp"): content
                    for name, content in changes.items()})
        return layers.complaints_of(self.root)

    def test_a_sound_tree_passes(self):
        self.assertEqual(self.after(), [])

    def test_an_upward_include_is_found(self):
        self.assert_one(self.after(src__base__error_cpp='#include "re/sys/file.hpp"\n'), "base may not include re/sys/")

    def test_an_upward_include_in_angle_brackets_is_found(self):
        self.assert_one(self.after(src__base__error_cpp="#  include <re/sys/file.hpp>\n"), "base may not include re/sys/")

    def test_the_private_header_of_another_module_is_found(self):
        self.assert_one(self.after(src__cli__run_cpp='#include "re/sys/file.hpp"\n#include "sys/private.hpp"\n'),
                        "sys/private.hpp is private to sys")

    def test_a_thread_above_sys_is_found(self):
        self.assert_one(self.after(src__cli__run_cpp='#include "re/cli/run.hpp"\n#include "re/sys/file.hpp"\n#include <thread>\n'),
                        "<thread> is for sys alone")

    def test_a_thread_in_sys_or_in_a_test_passes(self):
        self.assertEqual(self.after(src__sys__private_hpp="#pragma once\n#include <thread>\n",
                                    tests__unit__cli__x_cpp="#include <thread>\n"), [])

    def test_a_relative_include_is_found(self):
        self.assert_one(self.after(src__sys__file_cpp='#include "private.hpp"\n'), 'write "sys/private.hpp"')

    def test_a_unit_test_may_include_the_fixture_beside_it(self):
        self.assertEqual(self.after(tests__unit__sys__x_cpp='#include "fixture.hpp"\n#include "sys/private.hpp"\n'), [])

    def test_a_public_header_that_nobody_needs_is_found(self):
        self.assert_one(self.after(include__re__sys__spare_hpp="#pragma once\n"), "spare.hpp: no other module includes it")

    def test_a_public_header_needed_only_by_a_public_header_that_is_needed_passes(self):
        self.assertEqual(self.after(include__re__sys__file_hpp='#include "re/base/error.hpp"\n#include "re/sys/part.hpp"\n',
                                    include__re__sys__part_hpp="#pragma once\n"), [])

    def test_main_stands_on_cli_alone(self):
        self.assert_one(self.after(src__main_cpp='#include "re/cli/run.hpp"\n#include "re/sys/file.hpp"\n'), "main.cpp may")

    def test_a_module_without_a_floor_is_found(self):
        self.assert_one(self.after(src__other__x_cpp="\n"), "other is no module")

    def test_a_unit_test_above_its_floor_is_found(self):
        self.assert_one(self.after(tests__unit__base__x_cpp='#include "re/sys/file.hpp"\n'), "base may not include")

    def test_a_table_that_points_upward_is_found(self):
        self.write({"cmake/ReFloors.cmake": "re_module(base DEPS sys)\nre_module(sys DEPS base)\n"})
        self.assert_one(layers.complaints_of(self.root), "base depends on sys")


class Text(Tree):
    def complaints(self, files):
        self.write(files)
        return text.complaints_of(self.root)

    def test_sound_text_passes(self):
        self.assertEqual(self.complaints({"src/a.cpp": "int a;\n" * 500}), [])

    def test_a_file_of_501_lines_is_found(self):
        self.assert_one(self.complaints({"src/a.cpp": "int a;\n" * 501}), "501 lines, 500 at most")

    def test_tabs_and_blanks_and_a_missing_last_newline_are_found(self):
        self.assert_one(self.complaints({"src/a.cpp": "\tint a;\n"}), "src/a.cpp:1: a tab")
        self.assert_one(self.complaints({"src/a.cpp": "int a; \n"}), "blanks at the end")
        self.assert_one(self.complaints({"src/a.cpp": "int a;"}), "no newline at the end")

    def test_a_mark_for_later_is_found_in_the_sources_only(self):
        mark = "// TO" + "DO: later\n"
        self.assert_one(self.complaints({"src/a.cpp": mark, "CONTRIBUTING.md": mark}), "src/a.cpp:1: a mark")

    def test_a_path_of_this_machine_is_found(self):
        self.assert_one(self.complaints({"scripts/x.sh": f"cd {self.root}/build\n"}), "a path of this machine")

    def test_golden_output_may_hold_anything(self):
        self.assertEqual(self.complaints({"tests/golden/list/stdout": "a\tb \n"}), [])


class Format(Tree):
    def test_ill_formed_code_is_found_and_well_formed_passes(self):
        self.write({".clang-format": "BasedOnStyle: Google\n", "src/a.cpp": "int  a ;\n"})
        self.assert_one(format_lint.complaints_of(self.root), "clang-format-violations")
        self.write({"src/a.cpp": "int a;\n"})
        self.assertEqual(format_lint.complaints_of(self.root), [])


class Shell(Tree):
    def complaints(self, script):
        self.write({"src/remote/scripts/x.sh": script})
        return shell.complaints_of(self.root)

    def test_posix_sh_passes(self):
        self.assertEqual(self.complaints("#!/bin/sh\nx=1\necho \"$x\"\ncommand exec 7<file || exit 1\n"
                                         "exec 7<&-\ntrue || exit 1\n"), [])

    def test_a_bashism_in_a_remote_script_is_found(self):
        self.assert_one(self.complaints("#!/bin/sh\n[[ -n $1 ]] && echo yes\n"), "SC3010")

    def test_an_exec_that_ends_dash_is_found(self):
        self.assert_one(self.complaints("#!/bin/sh\nexec 7<file || exit 1\n"), "command exec")

    def test_bash_is_allowed_in_our_own_scripts(self):
        self.write({"scripts/x": "#!/usr/bin/env bash\n[[ -n $1 ]] && echo yes\n"})
        self.assertEqual(shell.complaints_of(self.root), [])


class Completeness(Tree):
    """A build folder that says what a build would: ctest reads its test file, compile_commands.json is ours."""

    def complaints(self, registered, files, compiled=None):
        self.write(files)
        build = self.root / "build"
        build.mkdir(exist_ok=True)
        (build / "CTestTestfile.cmake").write_text(
            "".join(f"add_test([=[{name}]=] {command})\n" for name, command in registered.items()))
        sources = compiled if compiled is not None else [name for name in files if name.endswith(".cpp")]
        (build / "compile_commands.json").write_text(json.dumps(
            [{"directory": str(self.root), "file": str(self.root / name), "command": "c++"} for name in sources]))
        return completeness.complaints_of(self.root, build)

    def test_registered_tests_of_every_kind_pass(self):
        source = "TEST(A, one) {}\nTEST_F(B, two) {}\nTEST_P(C, three) {}\nTYPED_TEST(D, four) {}\n"
        self.assertEqual(self.complaints({"unit.base.A.one": "/bin/true", "unit.base.B.two": "/bin/true",
                                          "unit.base.All/C.three/ssh2": "/bin/true", "unit.base.D/0.four": "/bin/true"},
                                         {"tests/unit/base/a_test.cpp": source}), [])

    def test_a_test_that_only_the_table_has_is_found(self):
        table = "| `A.one` | `x_test.test_y` |\n"
        files = {"tests/README.md": table, "tests/integration/x_test.py": "def test_y(self): pass\n"}
        script = f"/usr/bin/python3 {self.root}/tests/integration/x_test.py"
        self.assertEqual(self.complaints({"unit.base.A.one": "/bin/true", "x": script}, files), [])
        files["tests/README.md"] = "| `A.two` |\n"
        self.assert_one(self.complaints({"unit.base.A.one": "/bin/true", "x": script}, files), "no test A.two")

    def test_a_source_that_no_target_compiles_is_found(self):
        self.assert_one(self.complaints({}, {"tests/unit/base/a_test.cpp": "TEST(A, one) {}\n"}, compiled=[]),
                        "no target compiles it")

    def test_a_test_that_ctest_does_not_know_is_found(self):
        self.assert_one(self.complaints({"unit.base.A.one": "/bin/true"},
                                        {"tests/unit/base/a_test.cpp": "TEST(A, one) {}\nTEST_P(A, two) {}\n"}),
                        "does not know A.two")

    def test_a_disabled_test_and_a_binary_that_is_not_built_are_found(self):
        files = {"tests/unit/base/a_test.cpp": "TEST(A, DISABLED_one) {}\n"}
        self.assert_one(self.complaints({}, files), "is disabled")
        self.assert_one(self.complaints({"base_test_NOT_BUILT": "base_test"}, files), "base_test is not built")

    def test_a_script_that_no_test_runs_is_found(self):
        files = {"tests/integration/x_test.py": "\n", "tests/lint/new.py": "\n"}
        self.assertEqual(len(self.complaints({}, files)), 2)
        self.assertEqual(self.complaints({"integration.x": f'"/usr/bin/python3" "{self.root}/tests/integration/x_test.py"',
                                          "lint.new": f'"/usr/bin/python3" "{self.root}/tests/lint/new.py"'}, files), [])


class Program(Tree):
    def test_a_lint_ends_with_1_and_names_the_place(self):
        self.write({"src/a.cpp": "int a;"})
        done = subprocess.run([sys.executable, text.__file__, "--root", str(self.root)], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stdout), (1, "src/a.cpp: no newline at the end\n"))


if __name__ == "__main__":
    unittest.main()
