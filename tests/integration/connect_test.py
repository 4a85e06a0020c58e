#!/usr/bin/python3
"""What ssh reaches, re reaches, by itself choosing the transport; what neither reaches gives one clear line.

Every server x condition x login is a cell. In each, ssh is the judge: it is tried first, in the same home with the same
configuration, once with the right key or password and once with a wrong one.
"""

import base64
import concurrent.futures
import hashlib
import hmac
import json
import os
import re
import signal
import struct
import subprocess
import time
from dataclasses import dataclass, field

import testbed
from testbed import need, processes, wait_for

AT_ONCE = 4  # groups of cells; what they wait for is not the processor alone
FAST = "^curve25519-sha256"  # the default, sntrup761, costs a small machine a quarter of a second a login
LIMIT = 60  # seconds for one login, on a loaded machine
SECRET = b"twenty random bytes!"  # of the one-time codes
PHRASE = "canary phrase 7d11"
TWO_FACTORS = "dan"  # asked for a password and a code, in two rounds; alice for a password alone

# pam_google_authenticator asks nothing of an account without a secret.
PAM_RULES = """\
auth requisite pam_unix.so nodelay
auth required pam_google_authenticator.so secret=/run/host/etc/codes/${USER} user=root no_increment_hotp nullok
account required pam_permit.so
session required pam_permit.so
"""
SSHD = ("UsePAM yes", "KbdInteractiveAuthentication yes", "TrustedUserCAKeys /run/host/etc/user_ca.pub",
        f"Match User {TWO_FACTORS}", "AuthenticationMethods keyboard-interactive",
        "Match User alice", "KbdInteractiveAuthentication no", "Match all")


@dataclass(frozen=True)
class Condition:
    """What is special about a server (`sshd`, `host_key`) or about the way there (`client`: options of ssh)."""

    sshd: tuple = ()
    host_key: str = "ed25519"
    client: dict = field(default_factory=dict)
    by_ssh2: bool = False  # libssh2 1.10 can do it


CONDITIONS = {
    "default": Condition(by_ssh2=True),
    "GCM only": Condition(("Ciphers aes128-gcm@openssh.com,aes256-gcm@openssh.com",)),
    "EtM only": Condition(("Ciphers aes128-ctr,aes256-ctr",
                           "MACs hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com")),
    "RSA host key only": Condition(host_key="rsa"),
    "post-quantum only": Condition(("KexAlgorithms sntrup761x25519-sha512@openssh.com",)),
    "ProxyJump twice": Condition(client={"ProxyJump": "bastion1,bastion2"}, by_ssh2=True),
    "ProxyCommand": Condition(client={"ProxyCommand": "ssh -W [%h]:%p bastion1"}),
    "MaxSessions 2": Condition(("MaxSessions 2",), by_ssh2=True),
    "MaxStartups 1:100:1": Condition(("MaxStartups 1:100:1",), by_ssh2=True),
}
# Of dropbear nothing can be configured but its keys.
FOR_DROPBEAR = ("default", "RSA host key only", "ProxyJump twice", "ProxyCommand")


@dataclass(frozen=True)
class Login:
    """How a user logs in. `key` and `agent` name keys of Keys, `answers` what is typed; `wrong` changes some of it."""

    account: str = "alice"
    key: str = ""
    agent: str = ""
    password: str = ""
    answers: dict = field(default_factory=dict)  # what a prompt holds: the answer
    wrong: dict = field(default_factory=dict)
    by_ssh2: bool = True
    not_by: tuple = ()  # servers' programs


def by_key(name, **options):
    return Login(key=name, wrong={"key": f"stranger-{name}"}, **options)


ALICE, DAN = (testbed.ACCOUNTS[name][1] for name in ("alice", TWO_FACTORS))
LOGINS = {
    "ed25519": by_key("ed25519"),
    "ecdsa": by_key("ecdsa"),
    "RSA": by_key("rsa", by_ssh2=False),
    "encrypted key": Login(key="encrypted", answers={"passphrase": PHRASE}, wrong={"answers": {"passphrase": "wrong"}}),
    "agent": Login(agent="agent", wrong={"agent": "stranger-agent"}),
    "password": Login(password=ALICE, wrong={"password": "wrong"}),
    "keyboard-interactive": Login(account=TWO_FACTORS, answers={"Password": DAN, "Verification code": "CODE"},
                                  wrong={"answers": {"Password": DAN, "Verification code": "000000"}}, not_by=("dropbear",)),
    "certificate": by_key("certified", by_ssh2=False, not_by=("dropbear",)),
}


def one_time_code(later=0):
    """RFC 6238, as pam_google_authenticator checks it: six digits of HMAC-SHA-1 over the half minute, LATER by so many."""
    digest = hmac.new(SECRET, struct.pack(">Q", int(time.time() / 30) + later), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1_000_000:06}"


class Keys:
    """The keys of all cells: made once, copied into the homes of those who use them."""

    TYPES = {"ed25519": "ed25519", "ecdsa": "ecdsa", "rsa": "rsa", "encrypted": "ed25519", "certified": "ed25519",
             "agent": "ed25519"}

    def __init__(self):
        self._directory = processes.Directory("re-keys-")
        self.path = self._directory.path
        self._agents = {}
        for name, kind in self.TYPES.items():
            for file in (name, f"stranger-{name}"):
                self._make(file, kind, PHRASE if name == "encrypted" else "")
        for authority, key in (("user_ca", "certified"), ("stranger_ca", "stranger-certified")):
            self._make(authority, "ed25519")
            subprocess.run(["ssh-keygen", "-q", "-s", self.path / authority, "-I", "id", "-n", "alice", "-V", "-1d:+1d",
                            self.path / f"{key}.pub"], check=True)
        for name in ("agent", "stranger-agent"):
            self._start_agent(name)

    def _make(self, name, kind, phrase=""):
        size = ["-b", "2048"] if kind == "rsa" else []
        subprocess.run(["ssh-keygen", "-q", "-t", kind, *size, "-N", phrase, "-C", name, "-f", self.path / name], check=True)

    def _start_agent(self, name):
        socket = self.path / f"{name}.socket"
        self._agents[name] = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL,
                                              preexec_fn=processes.end_with_parent(signal.SIGTERM))
        wait_for(socket.exists, "the agent listens")
        subprocess.run(["ssh-add", "-q", self.path / name], env={**os.environ, "SSH_AUTH_SOCK": str(socket)}, check=True)

    def authorized(self):
        """What alice's authorized_keys holds: all but the certified key."""
        return "".join((self.path / f"{name}.pub").read_text() for name in self.TYPES if name != "certified")

    def close(self):
        for agent in self._agents.values():
            agent.terminate()
            agent.wait(20)
        self._directory.close()


class Connect(testbed.TestCase):
    def setUp(self):
        need(os.getuid() == 0, "root, for servers with accounts")
        self.keys = Keys()
        self.addCleanup(self.keys.close)

    def make_remote(self, server, condition, code_options=""):
        """An sshd for the logins above. Without penalties for wrong ones, which would keep the next ones out."""
        lines = (*condition.sshd, *SSHD)
        if server.software:
            lines = ("PerSourcePenalties no", *lines)
        remote = testbed.Remote(lines, server=server, host_key_type=condition.host_key, pam_rules=PAM_RULES)
        try:
            etc = remote.directory / "disk/etc"
            (etc / "user_ca.pub").write_text((self.keys.path / "user_ca.pub").read_text())
            (etc / "codes").mkdir(mode=0o700)
            secret = etc / "codes" / TWO_FACTORS
            secret.write_text(base64.b32encode(SECRET).decode().rstrip("=") + f'\n" WINDOW_SIZE 17\n{code_options}" TOTP_AUTH\n')
            secret.chmod(0o400)
            remote.write("alice", ".ssh/authorized_keys", self.keys.authorized(), 0o600)
            remote.write(TWO_FACTORS, ".ssh/authorized_keys", "", 0o600)
        except BaseException:
            remote.close()
            raise
        return remote

    # The two sides of a cell

    def write_askpass(self, local, name, answers):
        """A program that answers prompts as ssh's askpass does, and notes that it was asked."""
        cases = "".join(f"  *'{part}'*) echo '{text}';;\n" for part, text in answers.items())
        program = local.directory / f"askpass-{name}"
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >>"$0.asked"\ncase $1 in\n{cases}  *) exit 1;;\nesac\n')
        program.chmod(0o700)
        return program

    def add_host(self, local, alias, remote, login, client, later=0):
        """The host ALIAS for ssh and an instance of that name for re; the environment for both, and for ssh alone."""
        options = {"HostName": "127.0.0.1", "Port": remote.port, "User": login.account, **client}
        common, for_ssh, settings = {}, {}, [f"name = {alias}", f"host = {alias}"]
        if login.key:
            for suffix in ("", ".pub", "-cert.pub"):
                source = self.keys.path / f"{login.key}{suffix}"
                if source.exists():
                    target = local.home / ".ssh" / f"{login.key}{suffix}"
                    target.write_text(source.read_text())
                    target.chmod(0o600)
            options["IdentityFile"] = f"~/.ssh/{login.key}"
        if login.agent:
            common["SSH_AUTH_SOCK"] = str(self.keys.path / f"{login.agent}.socket")
        if login.password:
            settings.append(f"password = {login.password}")
            for_ssh["SSH_ASKPASS"] = str(self.write_askpass(local, alias, {"password": login.password}))
        if login.answers:
            answers = {part: one_time_code(later) if text == "CODE" else text for part, text in login.answers.items()}
            common["SSH_ASKPASS"] = str(self.write_askpass(local, alias, answers))
        for environment in (common, for_ssh):
            if "SSH_ASKPASS" in environment:
                environment["SSH_ASKPASS_REQUIRE"] = "force"
        local.configure_ssh(alias, **options)
        with open(local.home / ".config/re/re.conf", "a") as file:
            file.write(f"[instance {len(self.section_numbers(local)) + 1}]\n" + "\n".join(settings) + "\n\n")
        return common, {**common, **for_ssh}

    @staticmethod
    def section_numbers(local):
        return re.findall(r"^\[instance \d+\]", (local.home / ".config/re/re.conf").read_text(), re.MULTILINE)

    def judge(self, local, alias, environment):
        batch = "no" if "SSH_ASKPASS" in environment else "yes"
        return local.run("ssh", "-o", f"BatchMode={batch}", "-o", "NumberOfPasswordPrompts=1",
                         "-o", f"KexAlgorithms={FAST}", alias, "echo reached", env=environment, timeout=LIMIT)

    def reach(self, local, alias, environment, *options):
        return local.run("re", "sync", "-i", alias, *options, "echo reached", env=environment, timeout=LIMIT)

    # One cell: complaints, none where all holds

    def complaints_of_reached(self, local, alias, done, by_ssh2):
        said = []
        if (done.code, done.out) != (0, "reached\n"):
            return [f"ssh reaches it, re does not: {done}"]
        status = json.loads(local.run("re", "master", "status", "--json").out)
        transports = [connection["transport"] for connection in status["connections"]]
        if by_ssh2 and transports != ["ssh2"]:
            said.append(f"libssh2 can do this, yet the transport is {transports}: {done}")
        return said

    def complaints_of_refused(self, done, pattern):
        lines = done.err.splitlines()
        said = []
        if done.code != 255:
            said.append(f"exit code {done.code}, not 255")
        if not re.search(pattern, done.err, re.IGNORECASE):
            said.append(f"stderr does not say /{pattern}/")
        if not 1 <= len(lines) <= 2 or done.out:
            said.append("not one clear line")
        return [f"{'; '.join(said)}: {done}"] if said else []

    def complaints_of(self, remote, bastions, server, condition, login):
        local = testbed.Local()
        (local.project / ".recompute").mkdir()
        try:
            return self.try_cell(local, remote, bastions, server, condition, login)
        finally:
            local.run("re", "master", "stop")
            local.close()

    def try_cell(self, local, remote, bastions, server, condition, login):
        local.trust(remote)
        for number, bastion in enumerate(bastions, 1):
            local.trust(bastion)
            local.configure_ssh(f"bastion{number}", HostName="127.0.0.1", Port=bastion.port, User="alice",
                                KexAlgorithms=FAST, IdentityFile=local.take_key(bastion, f"bastion{number}"))
        should_reach = server.program not in login.not_by
        complaints = []
        for alias, variant in (("right", login), ("wrong", Login(**{**vars(login), **login.wrong}))):
            common, for_ssh = self.add_host(local, alias, remote, variant, condition.client)
            self.wait_until_free(remote)
            judged = self.judge(local, alias, for_ssh)
            self.wait_until_free(remote)
            done = self.reach(local, alias, common)
            if (judged.code, judged.out) == (0, "reached\n"):
                if alias == "wrong" or not should_reach:
                    complaints.append(f"the bed: ssh gets in with {alias} credentials: {judged}")
                said = self.complaints_of_reached(local, alias, done, condition.by_ssh2 and login.by_ssh2)
            else:
                if alias == "right" and should_reach:
                    complaints.append(f"the bed: ssh does not get in: {judged}")
                said = self.complaints_of_refused(done, "permission denied")
            complaints += [f"{alias}: {text}" for text in said]
        return complaints

    @staticmethod
    def wait_until_free(remote):
        """ssh cannot know whose login is under way (MaxStartups), so it is not asked to."""
        if remote.server.program == "openssh":
            wait_for(remote.is_free, "no login is under way")

    # The product

    def run_group(self, server, name, bastions):
        """All logins under one condition: (cell, complaints)."""
        condition = CONDITIONS[name]
        remote = self.make_remote(server, condition)
        try:
            found = []
            for login_name, login in LOGINS.items():
                try:
                    complaints = self.complaints_of(remote, bastions, server, condition, login)
                except AssertionError as error:
                    complaints = [str(error)]
                if complaints:
                    complaints.append(f"--- the server's log\n{remote.log()[-2000:]}")
                found.append((f"{server.name}, {name}, {login_name}", complaints))
            return found
        finally:
            remote.close()

    def try_all(self, server, names):
        bastions = [self.full_remote() for _ in range(2)]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            groups = [pool.submit(self.run_group, server, name, bastions) for name in names]
            for group in groups:
                for cell, complaints in group.result():
                    with self.subTest(cell):
                        if complaints:
                            self.fail("\n".join(complaints))

    def test_openssh(self):
        self.try_all(testbed.OPENSSH, CONDITIONS)

    def test_openssh_of_backports(self):
        self.try_all(testbed.backports_openssh(), CONDITIONS)

    def test_dropbear(self):
        self.try_all(testbed.DROPBEAR, FOR_DROPBEAR)

    # What is not a cell

    def client(self, remote, login, transport="auto", later=0):
        """A client with the host `right`, and the environment for `re`."""
        local = self.local()
        (local.project / ".recompute").mkdir()
        local.trust(remote)
        environment, _ = self.add_host(local, "right", remote, login, {}, later)
        with open(local.home / ".config/re/re.conf", "a") as file:
            file.write(f"transport = {transport}\n")
        return local, environment

    def remote_for(self, server=testbed.OPENSSH, condition=CONDITIONS["default"], code_options=""):
        remote = self.make_remote(server, condition, code_options)
        self.addCleanup(remote.close)
        return remote

    def by_all_ways(self, remote, login, check):
        """Calls CHECK(local, environment, options of re): both transports, with and without the connection master."""
        ways = [(transport, options) for transport in ("ssh2", "openssh") for options in ((), ("--no-master",))]
        for number, (transport, options) in enumerate(ways):
            with self.subTest(transport, options=options):
                check(*self.client(remote, login, transport, later=number), options)

    def test_two_prompts_are_answered_on_a_terminal_also_after_a_wrong_code(self):
        def check(local, _, options):
            done = local.run_pty("re", "sync", "-i", "right", *options, "echo reached", answers=(
                (r"\(dan@\S+\) Password: ", DAN + "\n"), (r"\(dan@\S+\) Verification code: ", "000000\n"),
                (r"\(dan@\S+\) Password: ", DAN + "\n"), (r"Verification code: ", one_time_code() + "\n")))
            self.assertEqual(done.code, 0, str(done))
            self.assertRegex(done.out, r"reached\s*$")

        self.by_all_ways(self.remote_for(), LOGINS["keyboard-interactive"], check)

    def test_three_wrong_answers_end_it(self):
        def check(local, _, options):
            answers = [("alice@\\S+'s password: ", "wrong\n")] * 3
            done = local.run_pty("re", "sync", "-i", "right", *options, "echo reached", answers=answers)
            self.assertEqual((done.code, done.out.count("password: ")), (255, 3), str(done))
            self.assertRegex(done.out, "(?i)permission denied")

        self.by_all_ways(self.remote_for(), Login(), check)

    def test_a_one_time_code_is_sent_once(self):
        def check(local, environment, options):
            done = self.reach(local, "right", environment, *options)
            self.assertEqual((done.code, done.out), (0, "reached\n"), str(done))

        remote = self.remote_for(code_options='" DISALLOW_REUSE\n')
        self.by_all_ways(remote, LOGINS["keyboard-interactive"], check)

    def test_an_askpass_program_that_declines_is_said(self):
        def check(local, environment, options):
            done = self.reach(local, "right", environment, *options)
            self.assertFalse(self.complaints_of_refused(done, "permission denied"))

        self.by_all_ways(self.remote_for(), Login(answers={"nothing": "x"}), check)

    def test_a_changed_host_key_is_refused(self):
        remote = self.remote_for()
        other = " ".join((self.keys.path / "user_ca.pub").read_text().split()[:2])

        def check(local, environment, options):
            (local.home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{remote.port} {other}\n")
            done = self.reach(local, "right", environment, *options)
            self.assertFalse(self.complaints_of_refused(done, "host key of .* has changed"))
            self.assertNotIn("Accepted publickey", remote.log())

        self.by_all_ways(remote, LOGINS["ed25519"], check)

    def test_what_neither_can_speak_is_one_clear_line(self):
        algorithm = "mlkem768x25519-sha256"
        known = subprocess.run(["ssh", "-Q", "kex"], text=True, capture_output=True, check=True).stdout
        need(algorithm not in known.split(), f"an ssh without {algorithm}")
        remote = self.remote_for(testbed.backports_openssh(), Condition((f"KexAlgorithms {algorithm}",)))
        local, environment = self.client(remote, LOGINS["ed25519"])
        self.assertEqual(self.judge(local, "right", environment).code, 255)
        done = self.reach(local, "right", environment)
        self.assertFalse(self.complaints_of_refused(done, f"no matching.*{algorithm}"))


if __name__ == "__main__":
    testbed.main()
