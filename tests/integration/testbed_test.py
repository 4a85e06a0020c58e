#!/usr/bin/python3
"""The test bed itself, against plain OpenSSH: what the other tests build on holds."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import testbed
from testbed import processes

SSH = ["ssh", "-o", "BatchMode=no", "-o", "NumberOfPasswordPrompts=1", "-o", "LogLevel=ERROR"]


class Login(testbed.TestCase):
    def ssh(self, local, port, account, *command, options=()):
        return local.run(*SSH, "-p", port, *options, "-i", local.home / ".ssh/id_bed", f"{account}@127.0.0.1", *command)

    def test_every_login_shell_takes_the_key_and_the_password(self):
        remote = self.full_remote()
        local = self.local(remote)
        for account, (shell, password) in testbed.ACCOUNTS.items():
            with self.subTest(account=account):
                pid = "$fish_pid" if account == "fin" else "$$"
                done = self.assert_ok(self.ssh(local, remote.port, account, f"ps -p {pid} -o comm=; pwd; hostname"))
                self.assertEqual(done.out.split(), [shell.rpartition("/")[2], f"/home/{account}", "re-testbed"])
                no_key = ["-o", "PubkeyAuthentication=no"]
                by_password = [*SSH, *no_key, "-p", remote.port, f"{account}@127.0.0.1", "true"]
                self.assert_ok(local.run("sshpass", "-p", password, *by_password))
                wrong = local.run("sshpass", "-p", "wrong", *by_password)
                self.assertEqual(wrong.code, 255, str(wrong))

    def test_noise_and_banner_come_out_where_real_ones_do(self):
        remote = self.full_remote("Banner /run/host/etc/banner")
        remote.set_banner("Authorized use only\n")
        local = self.local(remote)
        for account in testbed.ACCOUNTS:
            remote.make_noisy(account, "noise of the day")
            done = local.run("ssh", "-p", remote.port, "-i", remote.key, f"{account}@127.0.0.1", "echo result")
            self.assertIn("Authorized use only", done.err)
            noise = [] if account == "dan" else ["noise of the day"]
            self.assertEqual(done.out.splitlines(), [*noise, "result"], f"{account}: {done}")

    def test_a_terminal_works(self):
        remote = self.remote()
        local = self.local(remote)
        with local.terminal(*SSH, "-tt", "-p", remote.port, "-i", remote.key, f"{remote.account}@127.0.0.1",
                            "stty size; echo ready; read x; echo got $x") as terminal:
            terminal.expect("24 80")
            terminal.expect("ready")
            terminal.send("hello\n")
            terminal.expect("got hello")
            self.assertEqual(terminal.wait(), 0)
            self.assertTrue(terminal.is_restored())

    def test_answers_are_typed_when_they_are_asked_for(self):
        remote = self.full_remote()
        local = self.local(remote)
        done = local.run_pty(*SSH, "-o", "PubkeyAuthentication=no", "-p", remote.port, "alice@127.0.0.1", "echo in",
                             answers=[("password:", testbed.ACCOUNTS["alice"][1] + "\n")])
        self.assertEqual(done.code, 0, str(done))
        self.assertIn("in\r\n", done.out)
        self.assertNotIn("canary", done.out)

    def test_a_changed_host_key_is_refused(self):
        remote = self.remote()
        testbed.need(remote.mode != "plain", "namespaces, to restart sshd")
        local = self.local(remote)
        self.assert_ok(self.ssh(local, remote.port, remote.account, "true"))
        remote.change_host_key()
        done = self.ssh(local, remote.port, remote.account, "true")
        self.assertEqual(done.code, 255)
        self.assertIn("Host key verification failed", done.err)


class Isolation(testbed.TestCase):
    def test_nothing_of_the_real_homes_is_seen_and_nothing_written_comes_out(self):
        remote = self.remote()
        testbed.need(remote.mode != "plain", "namespaces")
        local = self.local(remote)
        mark = f"re-mark-{os.getpid()}"
        done = self.assert_ok(local.run(*SSH, "-p", remote.port, "-i", remote.key, f"{remote.account}@127.0.0.1",
                                        f"ls -A ~; touch ~/{mark} /tmp/{mark} /var/tmp/{mark}"))
        self.assertEqual(done.out.split(), [".ssh"])
        self.assertTrue((remote.home() / mark).exists())
        for folder in ("/tmp", "/var/tmp", os.path.expanduser("~")):
            self.assertFalse(os.path.exists(f"{folder}/{mark}"), folder)

    def test_the_client_sees_its_own_home_only(self):
        local = self.local()
        done = self.assert_ok(local.run("sh", "-c", "echo ~ $HOME; getent passwd $(id -u) | cut -d: -f6"))
        self.assertEqual(set(done.out.split()), {str(local.home)})
        local.configure_ssh("gpu", HostName="127.0.0.1", Port=4711)
        self.assertIn("port 4711", local.run("ssh", "-G", "gpu").out)

    def test_a_program_that_does_not_end_is_ended_with_its_children(self):
        local = self.local()
        with self.assertRaisesRegex(AssertionError, "no end after 0.5 s"):
            local.run("sh", "-c", "echo started; sleep 4711 & wait", timeout=0.5)
        testbed.wait_for(lambda: not any("sleep 4711" == processes.command_of(pid) for pid in processes.all_pids()),
                         "its child is gone", 10)


class Wire(testbed.TestCase):
    def setUp(self):
        self.bed = self.remote()
        self.wire = self.proxy(self.bed)
        self.me = self.local()
        self.me.trust(self.bed, self.wire.port)

    def count(self, lines):
        """A remote command that prints the numbers up to LINES, on a line each, slowly."""
        return self.me.spawn(*SSH, "-o", "ServerAliveInterval=0", "-p", self.wire.port, "-i", self.bed.key,
                             f"{self.bed.account}@127.0.0.1",
                             f"sh -c 'i=0; while test $i -lt {lines}; do i=`expr $i + 1`; echo $i; sleep 0.01; done'",
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)

    def test_a_blackhole_delays_and_loses_nothing(self):
        process = self.count(100)
        process.stdout.readline()
        self.wire.blackhole()
        before = self.wire.bytes_passed
        time.sleep(1)  # the length of the outage
        self.assertLessEqual(self.wire.bytes_passed - before, 2 * 65536)
        self.assertIsNone(process.poll())
        self.wire.restore()
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out.split()), (0, [str(n).encode() for n in range(2, 101)]), err)

    def test_a_cut_ends_the_connection_and_refuses_new_ones_until_it_is_restored(self):
        process = self.count(100000)
        process.stdout.readline()
        self.wire.cut()
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 255)
        again = [*SSH, "-p", self.wire.port, "-i", self.bed.key, f"{self.bed.account}@127.0.0.1", "true"]
        self.assertEqual(self.me.run(*again).code, 255)
        self.wire.restore()
        self.assert_ok(self.me.run(*again))

    def test_a_wire_can_be_cut_after_so_many_bytes(self):
        self.wire.cut_after(20000)
        process = self.me.spawn(*SSH, "-p", self.wire.port, "-i", self.bed.key, f"{self.bed.account}@127.0.0.1",
                                "head -c 10000000 /dev/zero", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 255)
        self.assertLess(len(out), 10000000)

    def test_a_delay_is_paid_on_every_round_trip(self):
        self.wire.delay = 0.05
        self.assertGreater(self.me.run(*SSH, "-p", self.wire.port, "-i", self.bed.key,
                                       f"{self.bed.account}@127.0.0.1", "true").seconds, 4 * 0.1)

    def test_killed_sessions_are_connection_failures_and_the_machine_goes_on(self):
        process = self.count(100000)
        process.stdout.readline()
        self.assertEqual(self.bed.kill_sessions(), 1)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 255)
        self.assertTrue(self.bed.answers())


class Cleanup(testbed.TestCase):
    def traces(self, directory, namespace):
        mounts = pathlib.Path("/proc/self/mountinfo").read_text()
        return ([pid for pid in processes.all_pids() if namespace and processes.namespace_of(pid) == namespace],
                str(directory) in mounts, directory.exists())

    def test_a_closed_remote_leaves_no_process_no_mount_and_no_file(self):
        remote = self.remote()
        testbed.need(remote.mode != "plain", "namespaces")
        local = self.local(remote)
        self.assert_ok(local.run(*SSH, "-p", remote.port, "-i", remote.key, f"{remote.account}@127.0.0.1",
                                 "sh -c 'trap \"\" TERM HUP; setsid sleep 1000 </dev/null >/dev/null 2>&1 &'"))
        namespace, directory = remote.namespace, remote.directory.parent
        testbed.wait_for(lambda: any("sleep 1000" in command for _, command in remote.processes()), "the job runs")
        remote.close()
        testbed.wait_for(lambda: self.traces(directory, namespace) == ([], False, False), "nothing is left", 20)

    def test_a_killed_test_leaves_nothing_either(self):
        script = ("import sys; sys.path.insert(0, sys.argv[1])\nfrom testbed import Remote\nr = Remote()\n"
                  "print(r.directory.parent, r.namespace, r.mode, flush=True)\nimport time\ntime.sleep(1000)\n")
        victim = subprocess.Popen([sys.executable, "-c", script, os.path.dirname(os.path.abspath(__file__))],
                                  stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(victim.stdout.close)
        self.addCleanup(victim.kill)
        name, namespace, mode = victim.stdout.readline().split()
        testbed.need(mode != "plain", "namespaces")
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        testbed.wait_for(lambda: self.traces(pathlib.Path(name), namespace) == ([], False, False), "nothing is left", 20)

    def test_power_off_keeps_the_disk(self):
        remote = self.remote()
        testbed.need(remote.mode != "plain", "namespaces")
        remote.write(remote.account, "kept/file", "content")
        remote.power_off()
        self.assertFalse(remote.answers())
        remote.power_on()
        local = self.local(remote)
        done = local.run(*SSH, "-p", remote.port, "-i", remote.key, f"{remote.account}@127.0.0.1", "cat kept/file")
        self.assertEqual(done.out, "content", str(done))


class Skips(unittest.TestCase):
    def test_what_ci_promises_fails_where_it_is_missing(self):
        before = os.environ.get("CI")
        self.addCleanup(lambda: os.environ.__setitem__("CI", before) if before else os.environ.pop("CI", None))
        os.environ["CI"] = "true"
        self.assertRaisesRegex(AssertionError, "lacks: a GPU", testbed.need, False, "a GPU")
        os.environ["CI"] = ""
        self.assertRaises(unittest.SkipTest, testbed.need, False, "a GPU")


if __name__ == "__main__":
    testbed.main()
