"""What goes wrong in real life: killed clients, cut and silent wires, secrets that must not leak, logs without measure."""

import contextlib
import json
import os
import pathlib
import random
import resource
import signal
import socket
import sqlite3
import time

import testbed
from testbed import wait_for

# The suite tries a few; RE_SOAK=1000 is the long run.
SUBMISSIONS = int(os.environ.get("RE_SOAK", "24"))


class Faults(testbed.TestCase):
    def test_killed_clients_neither_lose_nor_double_a_job(self):
        """Each submission writes its number; the client is killed at a random moment, or its wire is cut, or left alone."""
        seed = int(os.environ.get("RE_SEED", random.randrange(1 << 30)))
        print(f"seed {seed}")
        chance = random.Random(seed)
        remote = self.remote()
        wire = self.proxy(remote)
        local = self.project(remote, port=wire.port)
        self.assert_ok(local.run("re", "sync", "--name", "n-1", "echo -1 >> $HOME/ran"))
        for number in range(SUBMISSIONS):
            fault = chance.choice(("kill", "kill", "cut", "none"))
            process = local.spawn("re", "async", "--name", f"n{number}",
                                  f"echo {number} >> $HOME/ran", stdout=-3, stderr=-3, stdin=-3)
            if fault != "none":
                time.sleep(chance.uniform(0, 0.4))
            if fault == "kill":
                process.send_signal(signal.SIGKILL)
            elif fault == "cut":
                wire.cut()
                time.sleep(0.1)
                wire.restore()
            process.wait(120)
        jobs = wait_for(lambda: self.settled(local), "the end of all jobs", 120)
        ran = [int(line) for line in (remote.home() / "ran").read_text().split()]
        self.assertEqual(len(ran), len(set(ran)), f"seed {seed}: a job ran twice: {sorted(ran)}")
        done = {int(job["name"][1:]) for job in jobs if job["state"] == "done"}
        self.assertEqual(done, set(ran), f"seed {seed}: what ran and what the list says differ")
        states = {job["state"] for job in jobs}
        self.assertLessEqual(states, {"done", "intent", "incomplete"}, f"seed {seed}: {jobs}")

    def test_at_every_step_of_the_client_a_job_runs_once_or_is_said_not_to(self):
        """A killed client may leave a job that runs; one that reports an error says whether the job was started."""
        remote = self.remote()
        local = self.project(remote)
        self.assert_ok(local.run("re", "sync", "true"))
        cases = [(step, fault) for step in ("registry.intent:1", "registry.intent:2", "submit.intent:1", "submit.launch:1",
                                            "submit.launched:1") for fault in ("kill", "eio", "enospc")]
        for number, (step, fault) in enumerate(cases):
            done = local.run("re", "async", "--name", f"n{number}", f"echo {number} >> $HOME/ran",
                             env={"RE_FAULT": f"{step}:{fault}"})
            self.assertEqual(done.code, -9 if fault == "kill" else 1, f"{step}:{fault} {done}")
            if fault != "kill":
                self.assertRegex(done.err, r"No space left|Input/output error")
                self.assertEqual(" started on " in done.err, step == "submit.launched:1", done.err)
        jobs = wait_for(lambda: self.settled(local), "the end of all jobs", 60)
        ran = sorted(int(line) for line in (remote.home() / "ran").read_text().split())
        self.assertEqual(ran, [number for number, (step, _) in enumerate(cases) if step == "submit.launched:1"])
        self.assertEqual(sorted(int(job["name"][1:]) for job in jobs if job["state"] == "done" and job["name"][0] == "n"), ran)
        self.assertLessEqual({job["state"] for job in jobs}, {"done", "intent"}, jobs)

    def settled(self, local):
        done = local.run("re", "list", "--all", "--json")
        if done.code != 0:
            return None
        jobs = json.loads(done.out)["jobs"]
        live = {"running", "committed", "unknown", "leftovers", "unsupervised"}
        return None if any(job["state"] in live for job in jobs) else jobs

    def test_a_minute_of_silence_loses_and_repeats_no_byte(self):
        remote = self.remote()
        wire = self.proxy(remote)
        local = self.project(remote, port=wire.port)
        self.assert_ok(local.run("re", "async", "for i in $(seq 1 1400); do echo line $i; sleep 0.05; done"))
        following = local.spawn("re", "log", "--follow", stdout=-1, stderr=-1, stdin=-3, bufsize=0)
        self.assertEqual(following.stdout.readline(), b"line 1\n")
        wire.blackhole()
        time.sleep(60)
        wire.restore()
        out, err = following.communicate(timeout=200)
        self.assertEqual(following.returncode, 0, err)
        self.assertEqual(out.decode(), "".join(f"line {i}\n" for i in range(2, 1401)))

    def test_a_minute_of_silence_in_any_operation_loses_and_doubles_nothing(self):
        """The wire goes silent while each is under way. It ends well, or says that it could not reach the host; then it works."""
        seed = int(os.environ.get("RE_SEED", random.randrange(1 << 30)))
        print(f"seed {seed}")
        chance = random.Random(seed)
        number = "echo 1 >> $HOME/ran"
        operations = [("sync", number), ("async", number), ("log", "1"), ("list", "--all"), ("probe",), ("kill", "2"),
                      ("push", "x.py"), ("pull", "--job", "1", "out"), ("rsync",)]
        beds = []
        for operation in operations:
            remote = self.remote()
            wire = self.proxy(remote)
            local = self.project(remote, port=wire.port)
            self.assert_ok(local.run("re", "sync", "seq 1000 | tee out"))
            self.assert_ok(local.run("re", "async", "sleep 1000"))
            (local.project / "x.py").write_text("print('edited')\n")
            beds.append((operation, remote, wire, local))
        running = []
        for operation, _, wire, local in beds:
            running.append(local.spawn("re", *operation, stdout=-1, stderr=-1, stdin=-3))
            time.sleep(chance.uniform(0, 0.15))
            wire.blackhole()
        time.sleep(60)
        for (operation, remote, wire, local), process in zip(beds, running):
            wire.restore()
            out, err = process.communicate(timeout=200)
            where = f"seed {seed}, re {' '.join(operation)}: {process.returncode} {out[-200:]} {err[-300:]}"
            self.assertIn(process.returncode, (0, 255), where)
            if process.returncode == 255:
                self.assertRegex(err + out, rb"reach|answer|connection|silent|took longer", where)
            again = operation if operation[0] not in ("sync", "async") else ("list",)
            self.assert_ok(local.run("re", *again))
            ran = remote.home() / "ran"
            if operation[0] in ("sync", "async"):
                jobs = [job for job in wait_for(lambda: self.settled_but(local, 2), "the end", 60) if job["index"] == 3]
                expected = 1 if jobs and jobs[0]["state"] == "done" else 0
                self.assertEqual(len(ran.read_text().split()) if ran.exists() else 0, expected, f"{where} {jobs}")
            if operation[0] == "pull":
                self.assertEqual((local.project / "out").read_text(), "".join(f"{i}\n" for i in range(1, 1001)), where)
            if operation[0] == "push":
                self.assertIn(b"edited", (remote.home() / "projects" / local.project.name / "data/x.py").read_bytes(), where)

    def settled_but(self, local, index):
        """The list once nothing but the job with this index is under way."""
        jobs = json.loads(self.assert_ok(local.run("re", "list", "--all", "--json")).out)["jobs"]
        live = {"running", "committed", "unknown", "leftovers", "unsupervised", "intent"}
        return None if any(job["state"] in live and job["index"] != index for job in jobs) else jobs

    def test_the_end_of_a_log_of_ten_gigabytes_takes_little_memory(self):
        remote = self.remote()
        local = self.project(remote)
        self.assert_ok(local.run("re", "async", "true"))
        wait_for(lambda: self.settled(local), "the job's end")
        [log] = (remote.home() / ".re/jobs").glob("[!.]*/log")
        with open(log, "r+b") as file:
            file.truncate(10 << 30)
            file.seek(0, os.SEEK_END)
            file.write(b"\n" + b"".join(b"line %d\n" % i for i in range(200)))
        process = local.spawn("re", "log", "--tail", "100", stdout=-1, stderr=-1, stdin=-3)
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0, process.stderr.read())
        self.assertEqual(out.decode(), "".join(f"line {i}\n" for i in range(100, 200)))
        if not local.is_sanitized():
            self.assertLess(usage.ru_maxrss, 64 << 10, "KiB of memory")

    def test_a_killed_push_of_a_large_file_goes_on_and_the_old_file_stands_until_then(self):
        remote = self.remote("MaxSessions 4")
        wire = self.proxy(remote)
        wire.delay = 0.03
        local = self.project(remote, port=wire.port)
        content = os.urandom(80 << 20)
        (local.project / "big.bin").write_bytes(content)
        (local.project / "big.bin").chmod(0o640)
        (local.project / "old").write_bytes(b"old")
        self.assert_ok(local.run("re", "push", "old", "data/big.bin"))
        there = next(remote.home().rglob("data/big.bin"))
        partial = lambda: sum(path.stat().st_blocks * 512 for path in there.parent.glob(".re-partial/*"))  # noqa: E731
        process = local.spawn("re", "push", "big.bin", "data/", stdout=-3, stderr=-3, stdin=-3)
        wait_for(lambda: partial() > (20 << 20), "a part has arrived")
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        self.assertEqual(there.read_bytes(), b"old")
        report = json.loads(self.assert_ok(local.run("re", "push", "--json", "big.bin", "data/")).out)
        self.assertEqual(there.read_bytes(), content)
        self.assertEqual(there.stat().st_mode & 0o7777, 0o640)
        self.assertEqual(there.stat().st_mtime, (local.project / "big.bin").stat().st_mtime)
        self.assertLess(report["bytes_sent"], len(content))
        self.assertFalse((there.parent / ".re-partial").exists())
        again = json.loads(self.assert_ok(local.run("re", "push", "--json", "big.bin", "data/")).out)
        self.assertEqual(again["files_transferred"], 0)

    def test_a_large_file_that_cannot_be_written_is_one_line_and_leaves_nothing(self):
        remote = self.remote()
        local = self.project(remote)
        (local.project / "big.bin").write_bytes(os.urandom(40 << 20))
        (local.project / "small").write_text("")
        self.assert_ok(local.run("re", "push", "small", "data/closed/"))
        self.assert_ok(local.run("re", "push", "small", "data/taken/big.bin/"))
        closed = next(remote.home().rglob("data/closed"))
        if remote.account != "root":
            closed.chmod(0o555)
            self.addCleanup(closed.chmod, 0o755)
            refused = local.run("re", "push", "big.bin", "data/closed/")
            self.assertEqual((refused.code, refused.err.count("\n")), (1, 1), str(refused))
            self.assertIn("Permission denied", refused.err)
        taken = local.run("re", "push", "big.bin", "data/taken/")
        self.assertEqual((taken.code, taken.err.count("\n")), (1, 1), str(taken))
        self.assertEqual(sorted(path.name for path in closed.parent.rglob("*")),
                         ["big.bin", "closed", "small", "small", "taken"])

    def test_a_broken_pipe_ends_the_log_quietly(self):
        local = self.project(self.remote())
        self.assert_ok(local.run("re", "sync", "seq 1 100000 > /dev/null; seq 1 100000"))
        done = local.run("sh", "-c", f"'{local.binary}' log | head -n 1")
        self.assertEqual((done.out, done.err), ("1\n", ""))

    def test_ctrl_c_before_the_host_has_answered_leaves_no_job_behind(self):
        remote, local = self.remote(), self.local()
        local.add_remote(remote)
        self.assert_ok(local.run("re", "init"))
        self.assert_ok(local.run("re", "master", "stop"))
        for name, options in (("mute", []), ("dumb", ["--no-master"])):
            # One of its own for each: the master, whose connection ends here, may make one more.
            with socket.create_server(("127.0.0.1", 0)) as silent:
                silent.settimeout(60)
                local.add_remote(remote, name=name, port=silent.getsockname()[1])
                running = local.spawn("re", "async", "-i", name, *options, "true", stdout=-1, stderr=-1)
                heard, _ = silent.accept()
                with heard:
                    running.send_signal(signal.SIGINT)
                    self.assertEqual(running.wait(60), 130, running.stderr.read())
        with contextlib.closing(sqlite3.connect(local.home / ".local/state/re/registry.db")) as registry:
            self.assertEqual(registry.execute("SELECT command, state FROM jobs").fetchall(), [])

    def test_ctrl_c_leaves_the_terminal_as_it_was(self):
        local = self.project(self.remote())
        self.assert_ok(local.run("re", "async", "echo ready; sleep 1000"))
        with local.terminal("re", "log", "--follow") as terminal:
            terminal.expect("ready")
            terminal.send("\x03")
            self.assertEqual(terminal.wait(), 130, terminal.text)
            self.assertTrue(terminal.is_restored())
        self.assertIn("running", self.assert_ok(local.run("re", "list")).out)
        self.assert_ok(local.run("re", "purge", "--yes"))


class Secrets(testbed.TestCase):
    def files_with(self, canary, *roots):
        found = []
        for root in roots:
            for path in pathlib.Path(root).rglob("*"):
                if path.is_file() and not path.is_symlink() and canary in path.read_bytes():
                    found.append(str(path))
        return found

    def processes_with(self, canary):
        """Those that have the password in their words; but what makes the accounts of another test's machine has all of them."""
        other = testbed.ACCOUNTS["dan"][1].encode()
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            for part in ("cmdline", "environ"):
                try:
                    text = (entry / part).read_bytes()
                    if canary in text and other not in text:
                        found.append(f"{entry.name}/{part}")
                except OSError:
                    pass
        return found

    def test_a_password_is_nowhere_but_in_the_configuration(self):
        password = testbed.ACCOUNTS["alice"][1]
        canary = password.encode()
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_CORE)[1])
                           if resource.getrlimit(resource.RLIMIT_CORE)[1] == resource.RLIM_INFINITY
                           else resource.getrlimit(resource.RLIMIT_CORE))
        for transport in ("ssh2", "openssh"):
            with self.subTest(transport):
                remote = self.full_remote()
                local = self.local()
                local.add_remote(remote, account="alice", password=password, key=False, transport=transport)
                (local.project / "x.py").write_text("print('x')\n")
                self.assert_ok(local.run("re", "init"))
                running = local.spawn("re", "sync", "echo ready; sleep 3", stdout=-1, stderr=-1, stdin=-3, bufsize=0)
                self.assertEqual(running.stdout.readline(), b"ready\n", running.stderr)
                self.assertEqual(self.processes_with(canary), [])
                running.send_signal(signal.SIGABRT)
                running.wait(60)
                self.assertEqual(self.files_with(canary, local.directory), [str(local.home / ".config/re/re.conf")])
                self.assertEqual(self.files_with(canary, remote.home("alice") / ".re"), [])


if __name__ == "__main__":
    testbed.main()
