"""The test bed: a throw-away remote machine, an isolated client and the wire between them.

    class Probe(testbed.TestCase):
        def test_something(self):
            remote = self.remote()                  # a private sshd with homes, accounts, /tmp, pids of its own
            local = self.local(remote)              # HOME, ssh keys, known_hosts, a re.conf with instance 1
            done = local.run("re", "probe")         # .code .out .err
            with local.terminal("re", "kill") as terminal:
                terminal.expect("which job")
                terminal.send("1\\n")
            wire = self.proxy(remote)               # a port on which the connection can be cut, stalled or slowed

Everything that is started ends with the test, also when the test process is killed. Standard library only; run by
/usr/bin/python3. What is under test is the program that RE_BINARY names.
"""

from .cases import TestCase, main, need, wait_for
from .local import Local, Result, Terminal
from .proxy import Proxy
from .remote import ACCOUNTS, Remote
from .servers import DROPBEAR, OPENSSH, Server, backports_openssh

__all__ = ["ACCOUNTS", "DROPBEAR", "Local", "OPENSSH", "Proxy", "Remote", "Result", "Server", "Terminal", "TestCase",
           "backports_openssh", "main", "need", "wait_for"]
