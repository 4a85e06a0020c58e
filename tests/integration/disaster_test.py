"""What happens to hosts, disks, clocks and laptops: what `re` says then, what it keeps, and what it never does."""

import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import time

import testbed
from testbed import wait_for

# How long the laptop sleeps; 90 s is what the keepalive of the usual servers does not outlive.
ASLEEP = float(os.environ.get("RE_ASLEEP", "8"))
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
WAIT = "until [ -e /tmp/go ]; do sleep 0.05; done"


class Disaster(testbed.TestCase):
    def jobs(self, local):
        """index -> job, as the list tells them."""
        return {job["index"]: job for job in json.loads(self.assert_ok(local.run("re", "list", "--all", "--json")).out)["jobs"]}

    def states(self, local):
        return {index: job["state"] for index, job in self.jobs(local).items()}

    def start(self, local, command, *options):
        """The index of a job that has begun to print."""
        started = json.loads(self.assert_ok(local.run("re", "async", "--json", *options, f"echo begun; {command}")).out)
        wait_for(lambda: local.run("re", "log", str(started["index"])).out.startswith("begun\n"), "the job's first line")
        return started["index"]

    def assert_refused(self, done, reason, code=1):
        """One clear line says why; nothing was started."""
        self.assertEqual((done.code, done.out, done.err.count("\n")), (code, "", 1), str(done))
        self.assertRegex(done.err, reason)


class Disk(Disaster):
    """The home of the account is a small file system of its own."""

    def setUp(self):
        self.bed = self.full_remote()
        self.home = f"/home/{self.bed.account}"
        try:
            self.bed.inside("sh", "-ec", "truncate -s 24M /run/host/image && mkfs.ext4 -q -F -m 0 /run/host/image")
            self.mount()
        except OSError:
            testbed.need(False, "ext4 on a loop device")
        self.bed.inside("cp", "-a", f"/run/host{self.home}/.", self.home)
        self.me = self.project(self.bed)

    def mount(self):
        self.bed.inside("sh", "-ec", f"mount -o loop,errors=remount-ro /run/host/image {self.home}; "
                        f"chown --reference=/run/host{self.home} {self.home}")

    def fill(self):
        self.bed.inside("sh", "-c", f"for size in 64k 1k; do cat /dev/zero | dd of={self.home}/filler.$size bs=$size; done "
                        f"2>/dev/null; sync; ! echo >{self.home}/more 2>/dev/null")

    def free(self):
        self.bed.inside("sh", "-c", f"rm {self.home}/filler.* {self.home}/more")

    def test_on_a_full_disk_nothing_is_started_and_it_works_when_there_is_room(self):
        me = self.me
        self.fill()
        for words in (["async", "echo ran >> /tmp/ran"], ["async", "--batch", "list"], ["sync", "echo ran >> /tmp/ran"]):
            (me.project / "list").write_text("echo ran >> /tmp/ran\n")
            self.assert_refused(me.run("re", *words), "No space left on device", 255 if words[0] == "sync" else 1)
        (me.project / "x.py").write_text("print('edited')\n")
        self.assert_refused(me.run("re", "async", "echo ran >> /tmp/ran"), "no space left on host1")
        (me.project / "large").write_bytes(os.urandom(12 << 20))
        for name in ("x.py", "large"):
            self.assert_refused(me.run("re", "push", name), "(?i)no space left")
        self.assertEqual(self.jobs(me), {})
        self.assertFalse(self.bed.path("/tmp/ran").exists())
        self.free()
        self.assertEqual(self.assert_ok(me.run("re", "sync", "python3 x.py")).out, "edited\n")

    def test_a_disk_that_fills_while_jobs_run_costs_output_and_nothing_else(self):
        me = self.me
        (me.project / "result").write_text("r")
        ends = self.start(me, f"{WAIT}; seq 100000; exit 7")
        stays = self.start(me, "sleep 1000")
        self.fill()
        self.bed.path("/tmp/go").touch()
        wait_for(lambda: self.states(me)[ends] == "done", "the job's end")
        job = self.jobs(me)[ends]
        self.assertEqual((job["state"], job["exit_code"], self.states(me)[stays]), ("done", 7, "running"))
        self.assertTrue(self.assert_ok(me.run("re", "log", str(ends))).out.startswith("begun\n"))
        self.assert_ok(me.run("re", "pull", "--job", str(ends), "x.py", "back/"))
        self.assertEqual((me.project / "back/x.py").read_text(), "print('x')\n")
        self.assertIn("ended", self.assert_ok(me.run("re", "kill", "--grace", "1s", str(stays))).out)
        self.assertEqual(self.states(me), {ends: "done", stays: "done"})
        self.assert_ok(me.run("re", "clean", "--keep", "0", "--yes"))
        self.assertEqual(self.jobs(me), {})
        self.free()
        self.assertEqual(self.assert_ok(me.run("re", "sync", "python3 x.py")).out, "x\n")

    def test_on_a_disk_that_became_read_only_jobs_are_seen_and_ended(self):
        me = self.me
        ended = self.start(me, "exit 3")
        stays = self.start(me, "trap '' TERM; while :; do sleep 0.1; done")
        self.bed.inside("sh", "-c", f"sync; mount -o remount,abort {self.home}")
        self.assert_refused(me.run("re", "async", "true"), "Read-only file system")
        self.assert_refused(me.run("re", "push", "x.py"), "Read-only file system")
        self.assertEqual(self.states(me), {ended: "done", stays: "running"})
        self.assertEqual(self.assert_ok(me.run("re", "log", str(stays))).out, "begun\n")
        killed = self.assert_ok(me.run("re", "kill", "--grace", "1s", str(stays)))
        self.assertEqual(killed.out, f"job {stays} (runner) ended\n")
        self.assertFalse([command for _, command in self.bed.processes() if "while :" in command])
        self.assertEqual(self.states(me), {ended: "done", stays: "lost"})  # its exit status could not be written
        self.bed.power_off()
        self.bed.power_on()
        self.mount()
        self.assertEqual(self.states(me), {ended: "done", stays: "rebooted"})
        self.assertEqual(self.assert_ok(me.run("re", "sync", "python3 x.py")).out, "x\n")


class Host(Disaster):
    def reboot(self, bed):
        bed.power_off()
        bed.power_on()

    def test_a_reboot_ends_jobs_and_their_pids_are_not_signalled_again(self):
        """A real reboot has another boot id; a container that is started again has the same, perhaps the same namespace number."""
        for is_container in (False, True):
            with self.subTest(is_container=is_container):
                bed = self.full_remote()
                if is_container:
                    bed.be_container()
                    self.reboot(bed)
                me = self.project(bed)
                index = self.start(me, "sleep 1000")
                pid = self.jobs(me)[index]["pid"]
                self.reboot(bed)
                self.assertEqual(self.states(me), {index: "rebooted"})
                self.strange(bed, pid)
                self.assertEqual(self.states(me), {index: "rebooted"})
                killed = self.assert_ok(me.run("re", "kill", str(index)))
                self.assertEqual(killed.out, f"job {index} (runner) had ended already\n")
                self.assertIn("sleep 4711", bed.inside("ps", "-o", "args=", "-p", str(pid)))
                log = self.assert_ok(me.run("re", "log", "--follow"))
                self.assertEqual((log.out, log.err), ("begun\n", "re: the job was ended by a reboot of its host\n"))
                self.assertEqual(self.assert_ok(me.run("re", "sync", "python3 x.py")).out, "x\n")

    def strange(self, bed, pid):
        """A process of the account that has nothing to do with `re` gets the pid."""
        home = bed.home().stat()
        bed.inside("sh", "-c", f"for attempt in 1 2 3 4 5 6 7 8 9; do echo {pid - 1} >/proc/sys/kernel/ns_last_pid; "
                   f"setpriv --reuid {home.st_uid} --regid {home.st_gid} --clear-groups setsid sleep 4711 </dev/null "
                   f">/dev/null 2>&1 & [ $! -ne {pid} ] || break; kill $!; done; [ $! -eq {pid} ]")
        wait_for(lambda: "sleep 4711" in bed.inside("sh", "-c", f"ps -o args= -p {pid} || :"), "the stranger")

    def test_jobs_whose_directory_was_deleted_are_seen_as_long_as_they_run_and_can_be_ended(self):
        bed = self.full_remote()
        me = self.project(bed)
        stays = self.start(me, "sleep 1000")
        ends = self.start(me, f"{WAIT}; echo ran >> $HOME/ran")
        # A shell that waits may just be making a place there.
        wait_for(lambda: subprocess.run(["rm", "-rf", bed.home() / ".re"], stderr=subprocess.DEVNULL).returncode == 0,
                 "the directory's end")
        self.assertEqual(self.states(me), {stays: "unsupervised", ends: "unsupervised"})
        gone = me.run("re", "log", str(stays))
        self.assertEqual((gone.code, gone.err.count("\n")), (4, 1), str(gone))
        bed.path("/tmp/go").touch()
        wait_for(lambda: self.states(me)[ends] == "lost", "the end of one")
        self.assertEqual((bed.home() / "ran").read_text(), "ran\n")
        self.assertEqual(self.assert_ok(me.run("re", "kill", "--grace", "1s", str(stays))).out,
                         f"job {stays} (runner) ended\n")
        self.assertFalse([command for _, command in bed.processes() if "sleep 1000" in command])
        self.assertEqual(self.states(me), {stays: "lost", ends: "lost"})
        self.assertEqual(self.assert_ok(me.run("re", "sync", "python3 x.py")).out, "x\n")
        self.assertEqual((bed.home() / "ran").read_text(), "ran\n")  # nothing ran twice

    def test_a_clock_that_is_a_day_off_changes_nothing(self):
        testbed.need(os.path.exists(FAKETIME), "libfaketime")
        for skew in ("+1d", "-1d"):
            with self.subTest(skew):
                path = "/run/host/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
                bed = self.full_remote(f"SetEnv PATH={path} LD_PRELOAD={FAKETIME} FAKETIME={skew} FAKETIME_DONT_FAKE_MONOTONIC=1")
                me = self.project(bed)
                there = float(self.assert_ok(me.run("re", "sync", "date +%s")).out)
                self.assertGreater(abs(there - time.time()), 80_000)
                ended = self.start(me, "exit 3")
                stays = self.start(me, "sleep 1000")
                jobs = self.jobs(me)
                self.assertEqual([jobs[index]["state"] for index in (ended, stays)], ["done", "running"])
                row = [line for line in me.run("re", "list").out.splitlines() if " running " in line][0]
                self.assertRegex(row, r" running +0:0\d ")
                for text in ("one", "two"):  # edits of equal size travel
                    (me.project / "x.py").write_text(f"print('{text}')\n")
                    self.assertEqual(self.assert_ok(me.run("re", "sync", "python3 x.py")).out, text + "\n")
                    self.assert_ok(me.run("re", "push", "x.py", "data/"))
                    self.assertEqual(self.assert_ok(me.run("re", "sync", "cat data/x.py")).out, f"print('{text}')\n")
                ages = self.assert_ok(me.run("re", "clean", "--keep", "0", "--dry-run")).out
                self.assertRegex(ages, r"(?m) done \(exit 3\) +0:\d\d ")
                young = self.assert_ok(me.run("re", "clean", "--older-than", "2h", "--yes"))
                self.assertEqual(young.err, "re: nothing to remove\n")
                self.assert_ok(me.run("re", "kill", str(stays)))

    def test_a_clock_that_was_set_back_here_does_not_change_which_job_is_the_newest(self):
        """The first job is given the id that it would have had with the clock a day ahead."""
        bed = self.full_remote()
        me = self.project(bed)
        self.start(me, "echo first")
        wait_for(lambda: self.states(me) == {1: "done"}, "the end of the first")
        [job] = (bed.home() / ".re/jobs").glob("[!.]*")
        digits = "0123456789abcdefghjkmnpqrstvwxyz"
        number = sum(digits.index(letter) << 5 * place for place, letter in enumerate(reversed(job.name[:10]))) + 86_400_000
        tomorrow = "".join(digits[number >> 5 * place & 31] for place in reversed(range(10))) + job.name[10:]
        for path in job.iterdir():
            if path.is_file():
                path.write_bytes(path.read_bytes().replace(job.name.encode(), tomorrow.encode()))
        job.rename(job.with_name(tomorrow))
        for path in (me.home / ".local/state/re").glob("registry.db*"):
            path.unlink()
        self.assertEqual(self.jobs(me)[1]["id"], tomorrow)
        self.assert_ok(me.run("re", "async", "echo second"))
        self.assertEqual(self.assert_ok(me.run("re", "log", "--follow")).out, "second\n")
        self.assertEqual(self.states(me), {1: "done", 2: "done"})


if __name__ == "__main__":
    testbed.main()
