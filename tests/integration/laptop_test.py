"""What happens to the user's own side: a laptop that sleeps, a terminal that is closed, Ctrl-C anywhere, damaged files."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import time

import testbed
from testbed import wait_for

# How long the laptop sleeps; the suite is in a hurry.
ASLEEP = float(os.environ.get("RE_ASLEEP", "6"))
CLIENT_STEPS = ("registry.intent:1", "registry.intent:2", "submit.intent:1", "submit.launch:1", "submit.launched:1")
HOST_STEPS = ("launch.mkdir", "launch.plan", "launch.streams", "launch.spec", "launch.commit", "launch.committed",
              "launch.start", "launch.started", "supervise.lock", "supervise.job", "work.plan", "claim.make", "claim.claimed",
              "work.make", "run.start", "run.record", "run.recorded")


class Laptop(testbed.TestCase):
    def jobs(self, local):
        return json.loads(self.assert_ok(local.run("re", "list", "--all", "--json")).out)["jobs"]

    def settled(self, local):
        jobs = self.jobs(local)
        live = {"running", "committed", "unknown", "leftovers", "unsupervised"}
        return None if any(job["state"] in live for job in jobs) else jobs


class Asleep(Laptop):
    def test_what_waits_goes_on_when_the_laptop_wakes_up(self):
        """Client and master stand still; the server has given up on them meanwhile. RE_ASLEEP=90 is the long sleep."""
        for case in ("log", "sync", "next"):
            with self.subTest(case):
                remote = self.remote("ClientAliveInterval 1", "ClientAliveCountMax 2")
                me = self.project(remote)
                numbers = f"seq 1 100; sleep {ASLEEP + 8}; seq 101 200"
                expected = "".join(f"{i}\n" for i in range(1, 201))
                if case != "sync":
                    self.assert_ok(me.run("re", "async", numbers))
                words = {"log": ["log", "--follow"], "sync": ["sync", numbers], "next": ["log", "--tail", "0", "--follow"]}[case]
                process = me.spawn("re", *words, stdout=-1, stderr=-1, stdin=-3, bufsize=0)
                first = process.stdout.readline() if case != "next" else b""
                if case == "next":
                    process.terminate()
                    process.communicate(timeout=60)
                before = remote.log().count("Timeout, client not responding")
                sleepers = [json.loads(me.run("re", "master", "status", "--json").out)["pid"]]
                sleepers += [process.pid] if case != "next" else []
                for pid in sleepers:
                    os.kill(pid, signal.SIGSTOP)
                time.sleep(ASLEEP)
                wait_for(lambda: remote.log().count("Timeout, client not responding") > before, "the server gives up")
                for pid in sleepers:
                    os.kill(pid, signal.SIGCONT)
                if case == "next":
                    done = me.run("re", "log", "--follow", timeout=40)
                    self.assertEqual((done.code, done.out), (0, expected), done.err)
                    continue
                out, err = process.communicate(timeout=100 + ASLEEP)
                if case == "sync":
                    self.assertEqual(process.returncode, 255, err)
                    self.assertIn(b"re log --follow", err)
                    done = self.assert_ok(me.run("re", "log", "--follow"))
                    self.assertEqual(done.out, expected)
                else:
                    self.assertEqual((process.returncode, (first + out).decode()), (0, expected), err)


class Terminals(Laptop):
    def test_a_terminal_that_is_closed_ends_the_command_and_not_the_job(self):
        remote = self.remote()
        me = self.project(remote)
        for words in (["sync", "echo ready; sleep 5; echo ran >> $HOME/ran"], ["log", "--follow"], ["probe", "-i", "hung"],
                      ["kill"]):
            with self.subTest(words):
                if words[0] == "log":
                    self.assert_ok(me.run("re", "async", "echo ready; sleep 5; echo ran >> $HOME/ran"))
                if words[0] == "probe":
                    wire = self.proxy(remote)
                    wire.blackhole()
                    me.add_remote(remote, name="hung", port=wire.port)
                if words[0] == "kill":
                    self.assert_ok(me.run("re", "async", "sleep 1000"))
                terminal = me.terminal("re", *words)
                terminal.expect({"probe": "asking|connecting|hung|probing", "kill": "to kill"}.get(words[0], "ready"))
                pid = terminal.process.pid
                terminal.hang_up()
                wait_for(lambda: terminal.process.poll() is not None, "the end of the command", 20)
                self.assertIn(terminal.process.returncode, (129, 130, -signal.SIGHUP, 1), f"pid {pid}")
        jobs = wait_for(lambda: [job for job in self.jobs(me) if job["state"] == "done"][1:] and self.jobs(me), "both ended")
        self.assertEqual([(job["state"], job["exit_code"]) for job in jobs], [("done", 0), ("done", 0), ("running", None)])
        self.assertEqual((remote.home() / "ran").read_text(), "ran\nran\n")
        self.assert_ok(me.run("re", "purge", "--yes"))

    def test_ctrl_c_at_every_step_here_leaves_a_job_that_ran_once_or_none(self):
        remote = self.remote()
        me = self.project(remote)
        self.assert_ok(me.run("re", "sync", "true"))
        for number, step in enumerate(CLIENT_STEPS):
            done = me.run("re", "async", "--name", f"n{number}", f"echo {number} >> $HOME/ran",
                          env={"RE_FAULT": f"{step}:interrupt"})
            if step == "submit.launched:1":  # nothing is left to interrupt
                self.assert_ok(done)
                continue
            self.assertEqual((done.code, done.out, done.err.count("\n")), (130, "", 1), f"{step} {done}")
            self.assertIn("interrupted by SIGINT", done.err)
        self.check(me, remote, len(CLIENT_STEPS))

    def check(self, me, remote, count):
        """What is said and what has run agree, and nothing has run twice."""
        jobs = wait_for(lambda: self.settled(me), "the end of all jobs", 60)
        names = [job["name"] for job in jobs if job["name"][0] == "n"]
        self.assertEqual(len(names), len(set(names)), names)
        self.assertLessEqual(len(names), count)
        ran_file = remote.home() / "ran"
        ran = sorted(int(line) for line in ran_file.read_text().split()) if ran_file.exists() else []
        done = sorted(int(job["name"][1:]) for job in jobs if job["state"] == "done" and job["name"][0] == "n"
                      and job["exit_code"] == 0)
        self.assertEqual(ran, done, jobs)
        self.assertLessEqual({job["state"] for job in jobs}, {"done", "intent", "incomplete"}, jobs)

    def test_ctrl_c_while_the_host_is_at_any_step_leaves_a_job_that_ran_once_or_none(self):
        """Each step on the host takes a second; Ctrl-C comes while it is at it, and may then say that it is not known."""
        remote = self.remote()
        me = self.project(remote)
        self.assert_ok(me.run("re", "sync", "true"))
        mark = remote.home() / ".re-fault"
        reached = 0
        for number, step in enumerate(HOST_STEPS):
            mark.unlink(missing_ok=True)
            process = me.spawn("re", "async", "--no-master", "--name", f"n{number}", f"echo {number} >> $HOME/ran",
                               stdout=-1, stderr=-1, stdin=-3, env={"RE_FAULT": f"{step}:1:slow"})
            wait_for(lambda: mark.exists() or process.poll() is not None, "the step")
            reached += mark.exists()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            self.assertIn((process.returncode, err.count(b"\n")), ((130, 1), (0, 0)), f"{step} {out} {err}")
            self.assertEqual(out == b"", process.returncode == 130, f"{step} {out} {err}")
        self.assertGreater(reached, len(HOST_STEPS) - 3, "the steps are those of the scripts")
        self.check(me, remote, len(HOST_STEPS))

    def test_who_presses_ctrl_c_again_and_again_leaves_a_command_that_hears_nothing(self):
        me = self.project(self.remote())
        process = me.spawn("re", "async", "true", stdout=-3, stderr=-1, stdin=-3, env={"RE_FAULT": "submit.intent:1:hang"})
        wait_for(lambda: self.jobs(me), "it has written down what it intends")

        def is_over():
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
            return process.poll() is not None
        wait_for(is_over, "the end")
        self.assertEqual(process.returncode, 130)
        self.assertEqual([job["state"] for job in self.jobs(me)], ["intent"])


class Files(Laptop):
    def test_a_damaged_registry_is_kept_aside_and_made_anew_from_all_hosts(self):
        remote = self.full_remote()
        me = self.local()
        for account in ("alice", "dan"):
            me.add_remote(remote, account=account)
        (me.project / "x.py").write_text("print('x')\n")
        for instance in ("host1", "host2"):
            self.assert_ok(me.run("re", "init", "-i", instance))
        self.assert_ok(me.run("re", "async", "-i", "host1", "--name", "one", "exit 3"))
        self.assert_ok(me.run("re", "async", "-i", "host2", "--name", "two", "sleep 1000"))
        seen = {(job["index"], job["name"], job["instance"]) for job in wait_for(
            lambda: [job for job in self.jobs(me) if job["state"] == "done"] and self.jobs(me), "the end of one")}
        registry = me.home / ".local/state/re/registry.db"
        with contextlib.closing(sqlite3.connect(registry)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        intact = registry.read_bytes()
        damages = {"garbage": b"no database\n" * 1000, "cut": intact[:len(intact) // 2], "empty": b"",
                   "overwritten": intact[:5000] + b"\xff" * 3000 + intact[8000:], "removed": None}
        for name, content in damages.items():
            with self.subTest(name):
                for path in registry.parent.glob("registry.db*"):
                    path.unlink()
                if content is not None:
                    registry.write_bytes(content)
                done = me.run("re", "list", "--all")
                self.assertEqual(done.code, 0, str(done))
                aside = [path for path in registry.parent.glob("registry.db.corrupt-*") if not path.name.endswith("-wal")]
                if name in ("garbage", "cut", "overwritten"):
                    self.assertEqual([path.read_bytes() for path in aside], [content])
                    self.assertRegex(done.err, r"^re: [^\n]*registry\.db\.corrupt-[^\n]*\n$")
                else:
                    self.assertEqual((aside, done.err), ([], ""))
                again = self.jobs(me)
                self.assertEqual({(job["index"], job["name"], job["instance"]) for job in again}, seen)
                self.assertEqual({job["name"]: job["state"] for job in again}, {"one": "done", "two": "running"})
        self.assertIn("job 2 (two) ended", self.assert_ok(me.run("re", "kill", "two")).out)

    def test_a_configuration_cut_at_any_byte_is_refused_or_names_no_other_host(self):
        me = self.local()
        password = "canary-of-a-password"
        text = ("[general]\ninstance = gpu1\nremote_home = projects/\n\n[instance 1]\nname = gpu1\nhost = 127.0.0.1\n"
                f"port = 12345\nusername = alice\npassword = {password}\n\n[instance 22]\nname = b\nhost = 127.0.0.22\n")
        configuration = me.home / ".config/re/re.conf"
        places = {"127.0.0.1", "127.0.0.22"}
        for size in range(len(text) + 1):
            configuration.write_text(text[:size])
            configuration.chmod(0o600)
            told = me.run("re", "probe", "-i", "nowhere")
            self.assertIn(told.code, (3, 4), f"cut at {size}: {told}")
            self.assertEqual(told.err.count("\n"), 1, f"cut at {size}: {told}")
            self.assertNotIn("canary", told.err)
            used = me.run("re", "probe", "--json", "--no-master", "--deadline", "1s") if size % 20 == 0 else None
            if used and used.code in (0, 255):
                named = set(re.findall(r"cannot connect to (\S+)", used.out + used.err))
                self.assertLessEqual(named, places | {""}, f"cut at {size}: {used}")


if __name__ == "__main__":
    testbed.main()
