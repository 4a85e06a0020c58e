#!/usr/bin/python3
"""The runner of the golden tests itself, on commands that are not re."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

RUNNER = pathlib.Path(__file__).resolve().parent / "run.py"


class Runner(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="re-golden-")
        self.addCleanup(folder.cleanup)
        self.case = pathlib.Path(folder.name) / "case"
        self.program = pathlib.Path(folder.name) / "re"
        self.program.write_text('#!/bin/sh\necho "re $*"; echo "warning: $1" >&2; exit 3\n')
        self.program.chmod(0o755)

    def write(self, **files):
        for name, content in files.items():
            path = self.case / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def run_case(self, update=False):
        environment = {**os.environ, "RE_BINARY": str(self.program), "RE_GOLDEN_UPDATE": "1" if update else ""}
        return subprocess.run([sys.executable, str(RUNNER), str(self.case)], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def assert_passes(self):
        done = self.run_case()
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_equal_output_and_exit_code_pass(self):
        self.write(cmd="re list --all\n", stdout="re list --all\n", stderr="warning: list\n", exit="3\n")
        self.assert_passes()

    def test_missing_files_mean_silence_and_success(self):
        self.write(cmd="true\n")
        self.assert_passes()

    def test_each_stream_and_the_exit_code_are_compared(self):
        good = {"cmd": "re x\n", "stdout": "re x\n", "stderr": "warning: x\n", "exit": "3\n"}
        for name, wrong in (("stdout", "re y\n"), ("stderr", ""), ("exit", "0\n")):
            with self.subTest(name=name):
                self.write(**{**good, name: wrong})
                done = self.run_case()
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"case/{name} (expected)", done.stdout)

    def test_the_script_ends_at_the_first_failing_command(self):
        self.write(cmd="re x\necho not reached\n", stdout="re x\n", stderr="warning: x\n", exit="3\n")
        self.assert_passes()

    def test_what_varies_is_replaced_and_the_rest_is_not(self):
        self.write(cmd='echo "$HOME/.config $PWD/x 2026-11-21 10:02:03 127.0.0.1:23456 pid 4711 0.25 s"\n'
                       'echo "job 01hv3x8ndk5zq9rw2cbt7m4e6f started"\n'
                       'echo "gpu 1, 8 jobs, exit 137"\n',
                   stdout="<HOME>/.config <PROJECT>/x <TIME> 127.0.0.1:<PORT> pid <PID> <DURATION>\n"
                          "job <JOB> started\n"
                          "gpu 1, 8 jobs, exit 137\n")
        self.assert_passes()

    def test_the_project_holds_the_files_of_in(self):
        self.write(cmd="cat train.py\n", in__train_py="print()\n")
        (self.case / "in/train_py").rename(self.case / "in/train.py")
        self.write(stdout="print()\n")
        self.assert_passes()

    def test_an_update_writes_what_is_not_the_default_and_then_passes(self):
        self.write(cmd="re new\n", stdout="old\n")
        self.assertEqual(self.run_case(update=True).returncode, 0)
        self.assertEqual((self.case / "stdout").read_text(), "re new\n")
        self.assertEqual((self.case / "exit").read_text(), "3\n")
        self.assert_passes()
        self.write(cmd="true\n")
        self.run_case(update=True)
        self.assertEqual([path.name for path in self.case.iterdir()], ["cmd"])


if __name__ == "__main__":
    unittest.main()
