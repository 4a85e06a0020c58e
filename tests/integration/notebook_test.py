"""re notebook: a real Jupyter on the host, for its owner only."""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import testbed
from testbed import need, wait_for


def get(url, path, token=None):
    """The status of a GET below the server's URL."""
    parts = urllib.parse.urlsplit(url)
    request = urllib.request.Request(f"{parts.scheme}://{parts.netloc}{parts.path}{path}")
    if token:
        request.add_header("Authorization", f"token {token}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Notebook(testbed.TestCase):
    def setUp(self):
        need(shutil.which("jupyter-notebook"), "jupyter-notebook")

    def bed(self, **options):
        remote = self.remote()
        local = self.local(remote, **options)
        (local.project / "x.py").write_text("print('x')\n")
        self.assert_ok(local.run("re", "init"))
        return remote, local

    def open(self, local, *arguments, **options):
        """A running `re notebook`: the process, its URL and its token."""
        process = local.spawn("re", "notebook", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        line = process.stdout.readline().decode()
        if not line:
            self.fail(process.stderr.read().decode())
        url = line.strip()
        token = re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=([0-9a-f]{32,})", url)
        self.assertTrue(token, url)
        return process, url, token[1]

    def states(self, local):
        return {job["index"]: job["state"] for job in json.loads(local.run("re", "list", "--all", "--json").out)["jobs"]}

    def assert_is_served(self, url, token):
        self.assertEqual(get(url, "api/contents", token), 200)
        self.assertEqual(get(url, "api/contents"), 403)
        with urllib.request.urlopen(url, timeout=60) as page:
            self.assertEqual(page.status, 200)

    def assert_is_secret(self, token, *locals):
        """In no list of arguments of any process, and in no file of ours that is kept."""
        for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.assertNotIn(token.encode(), file.read_bytes(), file)
            except OSError:
                pass
        for local in locals:
            for file in (local.home / ".local/state").rglob("*"):
                if file.is_file():
                    self.assertNotIn(token.encode(), file.read_bytes(), file)

    def test_two_notebooks_and_ctrl_c_ends_one(self):
        remote, local = self.bed()
        wrong = local.run("re", "notebook", "--port", "abc")
        self.assertEqual((wrong.code, wrong.out), (2, ""), str(wrong))
        self.assertEqual(self.states(local), {})
        first, url, token = self.open(local)
        second, other_url, other_token = self.open(local, "--no-master", "--name", "other")
        self.assertNotEqual(token, other_token)
        self.assert_is_served(url, token)
        self.assert_is_served(other_url, other_token)
        self.assertEqual(get(url, "api/contents", other_token), 403)
        self.assert_is_secret(token, local)
        self.assertEqual(self.states(local), {1: "running", 2: "running"})
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=60)
        self.assertEqual((first.returncode, out), (0, b"job 1 (notebook) ended\n"), err)
        self.assertIn(b"saves to projects/project on host1", err)
        self.assertEqual(self.states(local), {1: "done", 2: "running"})
        self.assert_is_served(other_url, other_token)
        self.assert_ok(local.run("re", "kill", "other"))
        self.assertIn(b"job 2 has ended", second.communicate(timeout=60)[1])
        self.assertEqual(second.returncode, 1)

    def test_one_that_is_left_is_opened_again_and_the_forward_survives_a_break(self):
        remote, local = self.bed(transport="ssh2")
        done = self.assert_ok(local.run("re", "notebook", "--run-async"))
        self.assertIn("open it with: re notebook 1", done.out)
        process, url, token = self.open(local, "1")
        self.assert_is_served(url, token)
        remote.kill_sessions()
        wait_for(lambda: self.answers(url, token), "the forward's return")
        process.send_signal(signal.SIGINT)
        self.assertIn(b"job 1 goes on; re kill 1 ends it", process.communicate(timeout=60)[1])
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.states(local), {1: "running"})
        self.assert_ok(local.run("re", "kill", "1"))
        self.assertEqual(local.run("re", "notebook", "1").code, 1)
        self.assert_ok(local.run("re", "async", "sleep 1000"))
        self.assertIn("this job is no notebook", local.run("re", "notebook", "2").err)

    @staticmethod
    def answers(url, token):
        try:
            return get(url, "api/contents", token) == 200
        except OSError:
            return False

    def test_what_is_saved_there_is_kept(self):
        remote, local = self.bed()
        self.assert_ok(local.run("re", "sync", "true"))
        home = remote.home()
        (home / "projects/project/x.py").write_text("print('edited there')\n")
        process, url, token = self.open(local)
        parts = urllib.parse.urlsplit(url)
        request = urllib.request.Request(f"{parts.scheme}://{parts.netloc}/api/contents/new.txt", method="PUT",
                                         data=json.dumps({"type": "file", "format": "text", "content": "saved"}).encode(),
                                         headers={"Authorization": f"token {token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.assertEqual(answer.status, 201)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual((home / "projects/project/new.txt").read_text(), "saved")
        self.assertEqual((home / "projects/project/x.py").read_text(), "print('edited there')\n")
        self.assert_ok(local.run("re", "pull", "new.txt"))
        self.assertEqual((local.project / "new.txt").read_text(), "saved")

    def test_a_browser_is_opened_without_the_token_in_its_arguments(self):
        _, local = self.bed()
        seen = local.directory / "seen"
        browser = local.directory / "browser"
        browser.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{seen}.new\ncat "${{1#file://}}" >>{seen}.new\nmv {seen}.new {seen}\n')
        browser.chmod(0o755)
        process, url, token = self.open(local, "--open", env={"BROWSER": str(browser)})
        wait_for(seen.exists, "the browser")
        argument, page = seen.read_text().split("\n", 1)
        self.assertNotIn(token, argument)
        self.assertIn(f"url={url}", page)
        file = pathlib.Path(argument.removeprefix("file://"))
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertFalse(file.exists())

    def test_the_virtual_environment_of_the_project_comes_first(self):
        remote, local = self.bed()
        program = remote.home() / "projects/project/.venv/bin/jupyter-lab"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\necho from the venv; exit 3\n")
        program.chmod(0o755)
        done = local.run("re", "notebook")
        self.assertEqual(done.code, 1)
        self.assertIn("the notebook server ended with exit code 3", done.err)
        self.assertEqual(local.run("re", "log", "1").out, "from the venv\n")

    def test_without_jupyter_nothing_is_started(self):
        remote = self.full_remote("SetEnv PATH=/run/host/tools")
        tools = remote.directory / "disk/tools"
        tools.mkdir()
        for program in pathlib.Path("/usr/bin").iterdir():
            if not program.name.startswith(("jupyter", "python")):
                (tools / program.name).symlink_to(program)
        local = self.local(remote)
        self.assert_ok(local.run("re", "init"))
        done = local.run("re", "notebook")
        self.assertEqual(done.code, 1)
        self.assertIn("host1 has no jupyter; python3 -m pip install jupyterlab", done.err)
        self.assertEqual(self.states(local), {})

    def test_a_server_that_takes_anyone_is_ended(self):
        remote, local = self.bed()
        remote.write(remote.account, ".jupyter/jupyter_notebook_config.py", "c.NotebookApp.token = ''\n")
        done = local.run("re", "notebook")
        self.assertEqual(done.code, 1)
        self.assertIn("serves whoever comes, without its token", done.err)
        self.assertEqual(self.states(local), {1: "done"})


if __name__ == "__main__":
    testbed.main()
