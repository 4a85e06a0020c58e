"""The manual pages: mandoc has nothing to say, and re(1) is what the program makes."""

import pathlib
import re
import shutil
import subprocess

import testbed
from testbed import need

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "man/re.1", ROOT / "man/re.conf.5"]
OVERSTRIKE = re.compile(r".\x08")  # how bold and underlined letters are printed


class Manual(testbed.TestCase):
    def test_mandoc_has_no_complaint(self):
        need(shutil.which("mandoc"), "mandoc")
        done = subprocess.run(["mandoc", "-T", "lint", *PAGES], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        # Which pages are installed is this machine's affair.
        complaints = [line for line in done.stdout.splitlines() if "mandoc.db" not in line and "manual not found" not in line]
        self.assertEqual(complaints, [])

    def test_lines_of_examples_fit_a_terminal(self):
        need(shutil.which("mandoc"), "mandoc")
        for page in PAGES:
            text = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=78", page], check=True,
                                  stdout=subprocess.PIPE).stdout.decode()
            lines = [OVERSTRIKE.sub("", line) for line in text.splitlines()]
            self.assertEqual([line for line in lines if len(line) > 79], [])

    def test_the_page_is_what_the_program_makes(self):
        made = self.assert_ok(self.local().run("re", "__manual", ROOT / "man/re.1.in"))
        self.assertEqual(made.out, PAGES[0].read_text())


if __name__ == "__main__":
    testbed.main()
