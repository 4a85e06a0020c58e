"""The README's session is what the program prints: each of its commands runs here, on a terminal of 80 columns.

RE_README_UPDATE=1 writes the session anew.
"""

import os
import pathlib
import re
import shlex

import testbed

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
PROJECT = {
    "train.py": """import pathlib, time
import model

pathlib.Path("bin").mkdir(exist_ok=True)
for epoch in range(1, 4):
    time.sleep(1)
    print(f"epoch {epoch}: loss {model.loss(epoch):.2f}", flush=True)
pathlib.Path("bin/model.bin").write_bytes(bytes(4096))
""",
    "model.py": "def loss(epoch):\n    return 1 / epoch\n",
}


def shown(text):
    """What stays on the screen: progress erases itself, and colours are no text."""
    lines = [line.split("\x1b[K")[-1].split("\r")[-1] for line in text.replace("\r\n", "\n").split("\n")]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines)).strip("\n")


def constant(text):
    """Without what differs from run to run: ids, numbers, and the width of columns."""
    text = re.sub(r"\b[0-9a-hjkmnp-tv-z]{26}\b", "ID", text)
    text = re.sub(r"\d+", "N", text)
    return re.sub(r"[ \t]+", " ", text)


class Readme(testbed.TestCase):
    maxDiff = None

    def session(self, commands):
        remote = self.remote()
        local = self.local()
        local.add_remote(remote, "gpubox")
        local.project = local.project.rename(local.project.with_name("my-project"))
        for name, text in PROJECT.items():
            (local.project / name).write_text(text)
        for command in commands:
            with local.terminal(*shlex.split(command), columns=80) as terminal:
                self.assertEqual(terminal.wait(), 0, f"{command}: {terminal.text}")
                yield f"$ {command}\n{shown(terminal.text)}\n"

    def test_its_session_is_what_the_program_prints(self):
        text = README.read_text()
        before, start, rest = text.partition("```console\n")
        block, end, after = rest.partition("```\n")
        self.assertTrue(start and end, "the README has no session")
        commands = re.findall(r"^\$ (.+)$", block, re.MULTILINE)
        now = "\n".join(self.session(commands))
        if os.environ.get("RE_README_UPDATE"):
            README.write_text(before + start + now + end + after)
            return
        self.assertEqual(constant(now), constant(block), "RE_README_UPDATE=1 writes it anew")
        self.assertLessEqual(max(map(len, now.splitlines())), 80)


if __name__ == "__main__":
    testbed.main()
