"""The main job, as a user types it: init, async, log, list, kill, push, pull, sync and probe against a real sshd."""

import json
import re
import signal
import time

import testbed
from testbed import wait_for


def write(local, name, text):
    path = local.project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def json_of(local, *arguments):
    done = local.run("re", *arguments, "--json")
    assert done.code == 0, str(done)
    return json.loads(done.out)


class Workflow(testbed.TestCase):
    def project(self, *remotes, **options):
        local = self.local(*remotes, **options)
        write(local, "train.py", "import pathlib, helper\npathlib.Path('bin').mkdir(exist_ok=True)\n"
                                 "for step in range(3):\n    print('loss', helper.loss(step))\n"
                                 "open('bin/model.bin', 'wb').write(bytes(range(256)))\n")
        write(local, "helper.py", "def loss(step):\n    return 1 / (step + 1)\n")
        self.assert_ok(local.run("re", "init"))
        return local

    def test_four_commands_bring_the_results(self):
        local = self.project(self.remote())
        self.assertIn("0 copied", self.assert_ok(local.run("re", "init")).out)
        started = self.assert_ok(local.run("re", "async", "python3 train.py"))
        self.assertRegex(started.out, r"^job 1 \(runner\) ")
        log = self.assert_ok(local.run("re", "log", "--follow", "--exit-code"))
        self.assertEqual(log.out, "loss 1.0\nloss 0.5\nloss 0.3333333333333333\n")
        self.assert_ok(local.run("re", "pull", "bin/ ./bin/"))
        self.assertEqual((local.project / "bin/model.bin").read_bytes(), bytes(range(256)))

    def test_every_login_shell_with_noise_and_a_banner_and_a_password(self):
        remote = self.full_remote()
        remote.set_banner("Authorised use only.\n")
        for account, (_, password) in testbed.ACCOUNTS.items():
            with self.subTest(account):
                remote.make_noisy(account)
                use_password = account in ("zed", "dan")
                local = self.project(remote, account=account, key=not use_password,
                                     password=password if use_password else None)
                done = self.assert_ok(local.run("re", "sync", "echo out; echo err >&2; python3 train.py"))
                self.assertTrue(done.out.startswith("out\nloss 1.0\n"), done.out)
                self.assertTrue(done.err.endswith("err\n"), done.err)
                self.assert_ok(local.run("re", "pull", "bin/", "here/"))
                self.assertEqual((local.project / "here/model.bin").read_bytes(), bytes(range(256)))

    def test_the_key_may_be_in_an_agent_only(self):
        remote = self.remote()
        local = self.local()
        socket = local.directory / "agent"
        agent = local.spawn("ssh-agent", "-D", "-a", str(socket), stdout=-3, stderr=-3, stdin=-3)
        wait_for(socket.exists, "the agent listens")
        key = local.take_key(remote, "carried")
        self.assert_ok(local.run("ssh-add", str(key), env={"SSH_AUTH_SOCK": str(socket)}))
        key.unlink()
        write(local, "train.py", "print('loss 1.0')\n")
        for transport in ("ssh2", "openssh"):
            with self.subTest(transport):
                local.add_remote(remote, name=transport, key=False, transport=transport)
                refused = local.run("re", "init", "-i", transport)
                self.assertEqual(refused.code, 255, str(refused))
                local.environment["SSH_AUTH_SOCK"] = str(socket)
                self.assert_ok(local.run("re", "init", "-i", transport))
                self.assertEqual(self.assert_ok(local.run("re", "sync", "python3 train.py")).out, "loss 1.0\n")
                del local.environment["SSH_AUTH_SOCK"]
        agent.terminate()

    def test_a_job_keeps_the_code_it_was_started_with(self):
        local = self.project(self.remote())
        write(local, "show.py", "print('old')\n")
        self.assert_ok(local.run("re", "async", "sleep 2; python3 show.py"))
        write(local, "show.py", "print('new')\n")
        self.assertEqual(self.assert_ok(local.run("re", "sync", "python3 show.py")).out, "new\n")
        self.assertEqual(self.assert_ok(local.run("re", "log", "1", "--follow")).out, "old\n")

    def test_a_few_edited_files_travel_with_the_launch(self):
        local = self.project(self.remote())
        self.assert_ok(local.run("re", "sync", "python3 train.py"))
        broken = local.directory / "broken"
        broken.mkdir()
        (broken / "rsync").write_text("#!/bin/sh\necho no rsync here >&2\nexit 1\n")
        (broken / "rsync").chmod(0o755)
        without_rsync = {"PATH": f"{broken}:{local.environment['PATH']}"}
        write(local, "helper.py", "import new.part\n\ndef loss(step):\n    return new.part.value\n")
        write(local, "new/part.py", "value = 'it\\'s new'\n")
        write(local, "new/__init__.py", "")
        started = local.run("re", "async", "python3 train.py", env=without_rsync)
        self.assertRegex(self.assert_ok(started).out, r"^job 2 ")
        log = self.assert_ok(local.run("re", "log", "2", "--follow", "--exit-code"))
        self.assertEqual(log.out, "loss it's new\n" * 3)
        done = self.assert_ok(local.run("re", "sync", "--live", "cat new/part.py"))
        self.assertEqual(done.out, "value = 'it\\'s new'\n")
        (local.project / "new/part.py").unlink()
        write(local, "helper.py", "def loss(step):\n    return 0\n")
        done = self.assert_ok(local.run("re", "sync", "ls new; python3 train.py", env=without_rsync))
        self.assertEqual(done.out, "__init__.py\n" + "loss 0\n" * 3)
        self.assertIn("delete new/part.py", self.assert_ok(local.run("re", "rsync", "--delete", "--dry-run")).out)
        # What does not travel in a message needs rsync.
        write(local, "big.py", "value = 0\n" * 100000)
        self.assertNotEqual(local.run("re", "sync", "true", env=without_rsync).code, 0)
        self.assert_ok(local.run("re", "sync", "python3 big.py"))

    def test_parallel_jobs_have_outputs_of_their_own_and_share_data(self):
        local = self.project(self.remote())
        for number in (1, 2):
            self.assert_ok(local.run("re", "async", f"mkdir -p bin; echo {number} > bin/result; echo {number} > data/{number}"))
        for number in (1, 2):
            self.assert_ok(local.run("re", "log", str(number), "--follow", "--exit-code"))
        for number in (1, 2):
            self.assert_ok(local.run("re", "pull", "--job", str(number), "bin/", f"from{number}/"))
            self.assertEqual((local.project / f"from{number}/result").read_text(), f"{number}\n")
        self.assert_ok(local.run("re", "pull", "data/", "data/"))
        self.assertEqual((local.project / "data/1").read_text(), "1\n")
        continued = self.assert_ok(local.run("re", "sync", "--continue", "1", "cat bin/result"))
        self.assertEqual(continued.out, "1\n")
        live = self.assert_ok(local.run("re", "sync", "--live", "ls; echo live > kept"))
        self.assertIn("train.py", live.out)
        self.assertEqual(self.assert_ok(local.run("re", "sync", "--live", "cat kept")).out, "live\n")

    def test_sync_passes_streams_input_and_exit_code(self):
        local = self.project(self.remote())
        done = local.run("re", "sync", "cat; echo err >&2; exit 7", stdin=b"some input\n")
        self.assertEqual((done.code, done.out), (7, "some input\n"), str(done))
        self.assertEqual(done.err, "err\n")
        self.assertEqual(local.run("re", "sync", "kill -9 $$").code, 137)
        words = self.assert_ok(local.run("re", "sync", "printf", "[%s]", "a b", "$HOME", "it's"))
        self.assertEqual(words.out, "[a b][$HOME][it's]")
        self.assertEqual(local.run("re", "log", "--exit-code", "2").code, 137)

    def test_signals_reach_the_job_and_its_code_comes_back(self):
        local = self.project(self.remote())
        running = local.spawn("re", "sync", "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.1; done",
                              stdout=-1, stderr=-1, stdin=-3, bufsize=0)
        self.assertEqual(running.stdout.readline(), b"ready\n")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
        self.assertEqual((running.returncode, out), (5, b"caught\n"), err)

    def test_a_killed_client_loses_nothing(self):
        local = self.project(self.remote())
        running = local.spawn("re", "sync", "echo one; sleep 2; echo two; exit 3", stdout=-1, stderr=-1, stdin=-3, bufsize=0)
        self.assertEqual(running.stdout.readline(), b"one\n")
        running.kill()
        done = local.run("re", "log", "--follow", "--exit-code")
        self.assertEqual((done.code, done.out), (3, "one\ntwo\n"), str(done))

    def test_a_cut_connection_ends_sync_with_255_and_the_job_goes_on(self):
        remote = self.remote()
        wire = self.proxy(remote)
        local = self.project(remote, port=wire.port)
        running = local.spawn("re", "sync", "echo one; sleep 3; echo two; exit 3", stdout=-1, stderr=-1, stdin=-3, bufsize=0)
        self.assertEqual(running.stdout.readline(), b"one\n")
        wire.cut()
        _, err = running.communicate(timeout=90)
        self.assertEqual(running.returncode, 255, err)
        self.assertIn(b"re log --follow", err)
        wire.restore()
        done = local.run("re", "log", "--follow", "--exit-code")
        self.assertEqual((done.code, done.out), (3, "one\ntwo\n"), str(done))

    def test_a_terminal_job_has_a_terminal_and_ours_is_restored(self):
        local = self.project(self.remote())
        with local.terminal("re", "sync", "-t", "stty size; printf 'name? '; read name; echo hello $name; stty size; exit 6",
                            columns=100, rows=30) as terminal:
            terminal.expect("30 100")
            terminal.expect(r"name\? ")
            terminal.resize(70, 20)
            terminal.process.send_signal(signal.SIGWINCH)
            time.sleep(0.5)
            terminal.send("ann\r")
            terminal.expect("hello ann")
            terminal.expect("20 70")
            self.assertEqual(terminal.wait(), 6, terminal.text)
            self.assertTrue(terminal.is_restored())
        [job] = json_of(local, "list", "--all")["jobs"]
        self.assertEqual((job["state"], job["exit_code"]), ("done", 6))

    def test_a_terminal_job_ends_with_its_connection(self):
        remote = self.remote()
        local = self.project(remote)
        with local.terminal("re", "sync", "-t", "echo ready; sleep 1000") as terminal:
            terminal.expect("ready")
            remote.kill_sessions()
            self.assertEqual(terminal.wait(), 255, terminal.text)
            self.assertTrue(terminal.is_restored())
        wait_for(lambda: json_of(local, "list")["jobs"] == [], "the end of the job")

    def test_log_follows_over_a_cut_and_repeats_no_byte(self):
        remote = self.remote()
        wire = self.proxy(remote)
        local = self.project(remote, port=wire.port)
        self.assert_ok(local.run("re", "async", "for i in $(seq 1 60); do echo line $i; sleep 0.1; done"))
        following = local.spawn("re", "log", "--follow", stdout=-1, stderr=-1, stdin=-3, bufsize=0)
        self.assertEqual(following.stdout.readline(), b"line 1\n")
        wire.cut()
        time.sleep(1)
        wire.restore()
        out, err = following.communicate(timeout=120)
        self.assertEqual(following.returncode, 0, err)
        self.assertEqual(out.decode(), "".join(f"line {i}\n" for i in range(2, 61)))

    def test_log_tails_filters_and_loops(self):
        local = self.project(self.remote())
        self.assert_ok(local.run("re", "async", "--name", "counter", "for i in 1 2 3 4 5; do echo line $i; sleep 0.3; done"))
        looped = self.assert_ok(local.run("re", "log", "counter", "--loop=1", "--filter=[135]$"))
        self.assertEqual(looped.out, "line 1\nline 3\nline 5\n")
        self.assertEqual(self.assert_ok(local.run("re", "log", "1", "--tail", "2")).out, "line 4\nline 5\n")
        again = self.assert_ok(local.run("re", "log"))
        self.assertEqual(again.out, "".join(f"line {i}\n" for i in range(1, 6)))
        bad = local.run("re", "log", "--filter", "[")
        self.assertEqual(bad.code, 2, str(bad))

    def test_log_loops_to_the_end_of_a_job_that_prints_eof_and_fails(self):
        local = self.project(self.remote())
        self.assert_ok(local.run("re", "async", "echo EOF; sleep 2; echo behind it; exit 3"))
        looped = local.run("re", "log", "--loop=1", "--exit-code")
        self.assertEqual((looped.code, looped.out), (3, "EOF\nbehind it\n"))

    def test_list_kill_and_purge(self):
        local = self.project(self.remote())
        self.assert_ok(local.run("re", "async", "--name", "stubborn",
                                 "trap '' TERM; setsid sleep 1000 & while :; do sleep 1; done"))
        self.assert_ok(local.run("re", "async", "sleep 1000"))
        self.assert_ok(local.run("re", "async", "true"))
        wait_for(lambda: len(json_of(local, "list")["jobs"]) == 2, "two live jobs")
        listing = self.assert_ok(local.run("re", "list"))
        self.assertRegex(listing.out, r"(?m)^ +1 +stubborn +\d+ +host1 +running ")
        ended = self.assert_ok(local.run("re", "kill", "--idx=1", "--grace=1s"))
        self.assertIn("job 1 (stubborn) ended", ended.out)
        self.assertEqual([job["index"] for job in json_of(local, "list")["jobs"]], [2])
        refused = local.run("re", "purge")
        self.assertEqual(refused.code, 2, str(refused))
        self.assert_ok(local.run("re", "purge", "--yes"))
        self.assertEqual(json_of(local, "list")["jobs"], [])
        self.assertEqual(len(json_of(local, "list", "--all")["jobs"]), 3)
        unknown = local.run("re", "kill", "17")
        self.assertEqual(unknown.code, 4, str(unknown))

    def test_clean_shows_what_goes_asks_and_leaves_what_lives(self):
        remote = self.remote()
        local = self.project(remote)
        # Of a file that is just being written back ext4 may say that it has no blocks.
        self.assert_ok(local.run("re", "sync", "head -c 3000000 /dev/zero > out; sync out"))
        write(local, "x.py", "print('edited')\n")
        self.assert_ok(local.run("re", "sync", "--name", "second", "true"))
        self.assert_ok(local.run("re", "async", "sleep 1000"))
        young = self.assert_ok(local.run("re", "clean", "--yes"))
        self.assertEqual((young.out, young.err), ("", "re: nothing to remove\n"))
        refused = local.run("re", "clean", "--keep", "0")
        self.assertEqual(refused.code, 2, str(refused))
        preview = self.assert_ok(local.run("re", "clean", "--keep", "1", "--dry-run"))
        self.assertRegex(preview.out, r"(?m)^ +1 +runner +host1 +done \(exit 0\) ")
        self.assertRegex(preview.out, r"(?m)^host1: 1 job and 1 snapshot, 2\.\d+ MiB$")
        live = local.run("re", "clean", "3", "--yes")
        self.assertIn("re: job 3 has not ended (it is running)", live.err, str(live))
        with local.terminal("re", "clean", "--keep", "1") as terminal:
            terminal.expect(r"Remove 1 job and 1 snapshot \(2\.\d+ MiB\)")
            terminal.send("n\n")
            self.assertEqual(terminal.wait(), 130)
        with local.terminal("re", "clean", "--keep", "1") as terminal:
            terminal.expect(r"Remove 1 job and 1 snapshot")
            terminal.send("y\n")
            terminal.expect("host1: removed 1 job and 1 snapshot")
            self.assertEqual(terminal.wait(), 0)
        self.assertEqual([job["index"] for job in json_of(local, "list", "--all")["jobs"]], [2, 3])
        self.assertEqual(local.run("re", "log", "1").code, 4)
        self.assert_ok(local.run("re", "clean", "second", "--yes"))
        self.assertEqual([(job["index"], job["state"]) for job in json_of(local, "list", "--all")["jobs"]],
                         [(3, "running")])
        self.assertEqual(self.assert_ok(local.run("re", "sync", "--no-rsync", "python3 x.py")).out, "edited\n")

    def test_interactive_kill_shows_the_table_and_asks(self):
        local = self.project(self.remote())
        self.assert_ok(local.run("re", "async", "sleep 1000"))
        with local.terminal("re", "kill") as terminal:
            terminal.expect(r"Process to kill \(index\) : ")
            terminal.send("1\x03")
            self.assertEqual(terminal.wait(), 130)
            self.assertTrue(terminal.is_restored())
            self.assertTrue(terminal.text.endswith("\r\nre: no answer was given\r\n"), terminal.text)
        with local.terminal("re", "kill") as terminal:
            terminal.expect(r"0\s+all")
            terminal.expect(r"Process to kill \(index\) : ")
            terminal.send("1\n")
            terminal.expect(r"job 1 \(runner\) ended")
            self.assertEqual(terminal.wait(), 0)
            self.assertTrue(terminal.is_restored())

    def test_jobs_from_another_machine_are_seen_and_the_registry_is_rebuilt(self):
        remote = self.remote()
        local = self.project(remote)
        self.assert_ok(local.run("re", "async", "--name", "mine", "sleep 1000"))
        (local.home / ".local/state/re/registry.db").unlink()
        jobs = json_of(local, "list")["jobs"]
        self.assertEqual([(job["index"], job["name"]) for job in jobs], [(1, "mine")])
        self.assert_ok(local.run("re", "kill", "mine"))

    def test_a_batch_starts_a_job_for_each_line(self):
        local = self.project(self.remote())
        write(local, "main.py", "hello = 1\n")
        write(local, "list", "# a sweep\n\ncat main.py; echo 1\nexit 3\n")
        entries = json_of(local, "async", "--batch", "list", "--name", "sweep")
        self.assertEqual([(entry["index"], entry["name"]) for entry in entries], [(1, "sweep"), (2, "sweep")])

        def ended():
            jobs = json_of(local, "list", "--all")["jobs"]
            return sorted((job["index"], job["state"], job["exit_code"]) for job in jobs)
        wait_for(lambda: ended() == [(1, "done", 0), (2, "done", 3)], "the jobs of the batch")
        self.assertEqual(self.assert_ok(local.run("re", "log", "1")).out, "hello = 1\n1\n")
        self.assert_ok(local.run("re", "async", "--batch", "-", stdin=b"true\n"))
        self.assertEqual(local.run("re", "async", "--batch", "-", stdin=b"# none\n").code, 2)
        self.assertEqual(local.run("re", "async", "--batch", "list", "true").code, 2)

    def test_of_a_batch_that_fails_in_the_middle_the_accepted_jobs_stay(self):
        local = self.project(self.remote())
        write(local, "list", "".join(f"echo {i} >> $HOME/ran # {'x' * 90_000}\n" for i in range(10)))  # two messages
        # The first message tells that the snapshot is missing.
        failed = local.run("re", "async", "--batch", "list", env={"RE_FAULT": "submit.launch:3:eio"})
        self.assertEqual(failed.code, 1, str(failed))
        self.assertRegex(failed.err, r"cannot start [1-9] of 10 jobs on host1")

        def done():
            jobs = json_of(local, "list", "--all")["jobs"]
            return {job["index"] for job in jobs} if all(job["state"] == "done" for job in jobs) else None
        indices = wait_for(done, "the jobs that were accepted")
        self.assertEqual(indices, set(range(1, 11 - int(re.search(r"start (\d)", failed.err).group(1)))))

    def test_unreachable_is_never_dead(self):
        remote = self.remote()
        local = self.project(remote)
        self.assert_ok(local.run("re", "async", "sleep 1000"))
        remote.stop_sshd()
        self.assert_ok(local.run("re", "master", "stop"))
        listing = local.run("re", "list", "--deadline", "10s")
        self.assertEqual(listing.code, 255, str(listing))
        self.assertIn("unreachable", listing.out)
        remote.start_sshd()
        self.assertIn("running", self.assert_ok(local.run("re", "list")).out)

    def test_push_and_pull_keep_odd_names(self):
        local = self.project(self.remote())
        names = ["with blank", "quote'd", "dollar $HOME", "-dash", "new\nline", "star*"]
        for name in names:
            write(local, f"in/{name}", name)
        self.assert_ok(local.run("re", "push", "in/", "data/odd/"))
        self.assert_ok(local.run("re", "pull", "data/odd/", "out/"))
        self.assertEqual({path.name for path in (local.project / "out").iterdir()}, set(names))
        one = self.assert_ok(local.run("re", "push", "in/with blank"))
        self.assert_ok(local.run("re", "pull", "data/with blank", "back/"))
        self.assertEqual((local.project / "back/with blank").read_text(), "with blank", str(one))
        missing = local.run("re", "pull", "nothing-there")
        self.assertEqual(missing.code, 4, str(missing))

    def test_what_left_the_project_is_deleted_only_when_asked(self):
        local = self.project(self.remote())
        write(local, "old.py", "")
        self.assert_ok(local.run("re", "rsync"))
        (local.project / "old.py").unlink()
        self.assert_ok(local.run("re", "rsync"))
        self.assertIn("old.py", self.assert_ok(local.run("re", "sync", "--live", "ls")).out)
        self.assertIn("delete old.py", self.assert_ok(local.run("re", "rsync", "--delete", "--dry-run")).out)
        self.assertIn("old.py", self.assert_ok(local.run("re", "sync", "--live", "ls")).out)
        self.assert_ok(local.run("re", "rsync", "--delete", "--yes"))
        self.assertNotIn("old.py", self.assert_ok(local.run("re", "sync", "--live", "ls")).out)

    def test_two_projects_of_one_name_are_not_mixed(self):
        remote = self.remote()
        self.project(remote)
        other = self.local(remote)
        done = other.run("re", "init")
        self.assertEqual(done.code, 5, str(done))
        self.assertIn("another project", done.err)


class Setup(testbed.TestCase):
    def test_a_fresh_machine_needs_no_configuration(self):
        local = self.local()
        write(local, "x.py", "print('hello')\n")
        self.assert_ok(local.run("re", "init"))
        self.assertEqual(self.assert_ok(local.run("re", "sync", "python3 x.py")).out, "hello\n")
        self.assertIn("local", self.assert_ok(local.run("re", "probe")).out)

    def test_sshadd_tries_the_machine_and_appends_it(self):
        remote = self.full_remote()
        local = self.local()
        local.trust(remote)
        key = local.take_key(remote)
        place = f"alice@127.0.0.1:{remote.port}"
        added = self.assert_ok(local.run("re", "sshadd", f"--instance={place}", "--identity", key, "--name", "box"))
        self.assertIn("added instance 0", added.out)
        self.assertIn("active", self.assert_ok(local.run("re", "probe", "-i", "box")).out)
        again = local.run("re", "sshadd", place, "--identity", key)
        self.assertEqual(again.code, 5, str(again))
        refused = local.run("re", "sshadd", "alice@127.0.0.1:1")
        self.assertEqual(refused.code, 255, str(refused))

    def test_sshadd_asks_for_a_password_and_writes_it_only_when_told(self):
        remote = self.full_remote()
        password = testbed.ACCOUNTS["alice"][1]
        for option in ([], ["--save-password"]):
            with self.subTest(option):
                local = self.local()
                local.trust(remote)
                done = local.run_pty("re", "sshadd", f"alice@127.0.0.1:{remote.port}", *option,
                                     answers=[("password", password + "\n")])
                self.assertEqual(done.code, 0, str(done))
                self.assertNotIn(password, done.out)
                text = (local.home / ".config/re/re.conf").read_text()
                self.assertEqual(password in text, bool(option), text)

    def test_recomputes_configuration_is_read_as_it_is(self):
        remote = self.full_remote()
        local = self.local()
        local.trust(remote)
        (local.home / ".config/re/re.conf").unlink()
        configuration = local.home / ".recompute.conf"
        configuration.write_text("[general]\ninstance = 0\nremote_home = projects/\n\n[instance 0]\nusername = alice\n"
                                 f"host = 127.0.0.1\npassword = {testbed.ACCOUNTS['alice'][1]}\nport = {remote.port}\n")
        configuration.chmod(0o644)
        refused = local.run("re", "probe")
        self.assertEqual(refused.code, 3, str(refused))
        self.assertIn("chmod 600", refused.err)
        configuration.chmod(0o600)
        self.assertIn("active", self.assert_ok(local.run("re", "probe")).out)

    def test_the_wrong_password_and_a_changed_host_key_are_told_apart(self):
        remote = self.full_remote()
        local = self.local()
        local.add_remote(remote, name="wrong", account="alice", key=False, password="nonsense")
        local.add_remote(remote, name="right", account="alice")
        listing = json.loads(self.assert_ok(local.run("re", "probe", "--json")).out)
        self.assertEqual({entry["instance"]: entry["status"] for entry in listing},
                         {"wrong": "auth failed", "right": "active"})
        remote.change_host_key()
        self.assertIn("active", self.assert_ok(local.run("re", "probe", "-i", "right")).out)  # the connection stands
        self.assert_ok(local.run("re", "master", "stop"))
        done = local.run("re", "probe", "-i", "right")
        self.assertEqual(done.code, 255, str(done))
        self.assertIn("host key refused", done.out)
        self.assertIn("ssh-keygen -R", done.err)

    def test_a_mistake_gets_one_clear_line(self):
        local = self.local()
        for words, code, text in ((["lsit"], 2, "did you mean list?"), (["list", "--al"], 2, "--all"),
                                  (["log"], 4, ""), (["async"], 2, "no command"), (["-i", "nowhere", "probe"], 4, "nowhere")):
            with self.subTest(words):
                done = local.run("re", *words)
                self.assertEqual(done.code, code, str(done))
                self.assertEqual(done.err.count("\n"), 1, done.err)
                self.assertIn(text, done.err)


if __name__ == "__main__":
    testbed.main()
