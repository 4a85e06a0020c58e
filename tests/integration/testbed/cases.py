"""What every integration test stands on: clean-up, visible skips, waiting for a condition."""

import os
import sys
import time
import unittest


def wait_for(condition, what, timeout=60):
    """Returns what CONDITION gives as soon as it is true; fails with WHAT after TIMEOUT seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {timeout} s still not: {what}")
        time.sleep(0.02)


def need(condition, what):
    """Skips the test where CONDITION is false; where CI promises the component, it fails instead."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        raise AssertionError(f"this machine lacks: {what}")
    raise unittest.SkipTest(f"needs {what}")


class TestCase(unittest.TestCase):
    """Test beds made with remote(), local() and proxy() end with the test."""

    def remote(self, *sshd_options, **choices):
        from .remote import Remote
        remote = Remote(sshd_options, **choices)
        self.addCleanup(remote.close)
        return remote

    def full_remote(self, *sshd_options, **choices):
        """A remote with several accounts and passwords."""
        remote = self.remote(*sshd_options, **choices)
        need(remote.mode == "root", "root and namespaces, for accounts of its own")
        return remote

    def local(self, *remotes, **options):
        """An isolated client that knows these remotes as instances 1, 2, …"""
        from .local import Local
        local = Local()
        self.addCleanup(local.close)
        for remote in remotes:
            local.add_remote(remote, **options)
        return local

    def project(self, *remotes, **options):
        """Such a client in a project of one file that `re init` has seen."""
        local = self.local(*remotes, **options)
        (local.project / "x.py").write_text("print('x')\n")
        self.assert_ok(local.run("re", "init"))
        return local

    def proxy(self, remote):
        from .proxy import Proxy
        proxy = Proxy(remote.port)
        self.addCleanup(proxy.close)
        return proxy

    def assert_ok(self, result):
        self.assertEqual(result.code, 0, str(result))
        return result


def main():
    """Runs the tests of the file, names what was skipped, and ends with 77 where that was all."""
    program = unittest.main(module="__main__", exit=False, verbosity=2, buffer=False)
    for test, reason in program.result.skipped:
        print(f"SKIPPED: {test.id()}: {reason}")
    if not program.result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if program.result.testsRun and len(program.result.skipped) == program.result.testsRun else 0)
