"""`re install`: into the project's environment on the host, from wheels of our own (no index is asked)."""

import json
import subprocess
import zipfile

import testbed


def wheel(directory, name, version, text):
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as made:
        made.writestr(f"{name}.py", text)
        made.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{info}/RECORD", "")


class Install(testbed.TestCase):
    def setUp(self):
        made = subprocess.run(["/usr/bin/python3", "-c", "import ensurepip, venv"], capture_output=True)
        testbed.need(made.returncode == 0, "python3-venv")
        self.host = self.remote()
        account = self.host.account
        wheels = self.host.write(account, "wheels/README", "").parent
        for version in ("1.0", "2.0"):
            wheel(wheels, "tinything", version, f"VERSION = '{version}'\n")
        wheel(wheels, "otherthing", "1.0", "")
        home = "/root" if account == "root" else f"/home/{self.host.home().name}"
        self.host.write(account, ".config/pip/pip.conf", f"[install]\nno-index = true\nfind-links = {home}/wheels\n")
        self.client = self.local(self.host)
        self.root = self.host.home() / "projects" / self.client.project.name

    def write(self, name, text):
        (self.client.project / name).write_text(text)

    def run_ok(self, *arguments):
        return self.assert_ok(self.client.run("re", *arguments))

    def jobs(self):
        return json.loads(self.run_ok("list", "--all", "--json").out)["jobs"]

    def test_init_installs_what_is_imported_and_jobs_find_it(self):
        self.write("x.py", "import json\nimport tinything\nprint(tinything.VERSION)\n")
        self.run_ok("init")
        text = (self.client.project / "requirements.txt").read_text()
        self.assertEqual(text.splitlines()[1:], ["tinything"])
        self.assertEqual(self.run_ok("sync", "python x.py").out, "2.0\n")
        self.assertTrue((self.root / ".venv/bin/python").is_symlink())
        count = len(self.jobs())
        again = self.run_ok("install")
        self.assertIn("are installed", again.err)
        self.assertEqual(len(self.jobs()), count, "an unchanged set costs no job")
        self.assertRegex(self.run_ok("list", "--all").out, r"(?m)  install .*  re install$")
        self.write("y.py", "import otherthing\n")
        self.run_ok("install")
        self.assertEqual(self.run_ok("sync", "python -c 'import otherthing'").out, "")

    def test_a_requirements_file_that_a_person_wrote_stays_as_it_is(self):
        self.write("x.py", "import tinything\nprint(tinything.VERSION)\n")
        self.write("requirements.txt", "tinything==1.0\n")
        self.run_ok("init", "--no-install")
        self.assertFalse((self.root / ".venv").exists())
        self.run_ok("install")
        self.assertEqual((self.client.project / "requirements.txt").read_text(), "tinything==1.0\n")
        self.assertEqual(self.run_ok("sync", "python x.py").out, "1.0\n")
        self.run_ok("install", "tinything==2.0 otherthing")
        self.assertEqual(self.run_ok("sync", "python x.py").out, "2.0\n")

    def test_what_cannot_be_installed_is_pips_word_and_code_and_is_tried_again(self):
        self.write("x.py", "import tinything\n")
        self.write("requirements.txt", "absent-thing\n")
        failed = self.client.run("re", "init")
        self.assertEqual(failed.code, 1, str(failed))
        self.assertIn("No matching distribution found for absent-thing", failed.err)
        again = self.client.run("re", "install")
        self.assertEqual(again.code, 1, str(again))
        option = self.client.run("re", "install", "--", "-r/etc/passwd")
        self.assertEqual(option.code, 2, str(option))

    def test_a_configured_environment_is_used(self):
        self.write("x.py", "import tinything\nprint(tinything.VERSION)\n")
        configuration = self.client.home / ".config/re/re.conf"
        configuration.write_text(configuration.read_text() + "python = ~/envs/mine\n")
        failed = self.client.run("re", "init")
        self.assertIn("there is no interpreter", failed.err, str(failed))
        self.run_ok("sync", "--live", "/usr/bin/python3 -m venv ~/envs/mine")
        self.run_ok("install")
        self.assertEqual(self.run_ok("sync", "python x.py").out, "2.0\n")
        self.assertFalse((self.root / ".venv").exists())


if __name__ == "__main__":
    testbed.main()
