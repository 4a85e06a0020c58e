"""The throw-away remote machine; tests/support/host.sh makes and runs it."""

import os
import pathlib
import random
import signal
import socket
import subprocess

from . import processes
from .cases import wait_for
from .servers import OPENSSH

HOST = pathlib.Path(__file__).resolve().parents[2] / "support" / "host.sh"

# name -> (login shell, password). The canary in the passwords makes them easy to look for where they must not be.
ACCOUNTS = {
    "alice": ("/bin/bash", "canary-alice-5f1c"),
    "zed": ("/usr/bin/zsh", "canary-zed-81d0"),
    "fin": ("/usr/bin/fish", "canary-fin-c3a7"),
    "tess": ("/usr/bin/tcsh", "canary-tess-20be"),
    "dan": ("/bin/dash", "canary-dan-9e64"),
    "cora": ("/bin/bsd-csh", "canary-cora-7b12"),
}

# Where each login shell reads what it does before a command.
_STARTUP = {"/bin/bash": ".bashrc", "/usr/bin/zsh": ".zshenv", "/usr/bin/fish": ".config/fish/config.fish",
            "/usr/bin/tcsh": ".tcshrc", "/bin/bsd-csh": ".cshrc", "/bin/dash": None}


class Remote:
    """A running machine; `sshd_options` are lines of sshd_config that win over the defaults.

    `mode` is root (accounts alice, zed, fin, tess and dan with passwords), user or plain (the caller's own account by
    key); `account` is who logs in where a test does not care. Further servers, the type of the host key, and PAM_RULES
    (the machine's /etc/pam.d/sshd, for `UsePAM yes`) are for mode root.
    """

    def __init__(self, sshd_options=(), server=OPENSSH, host_key_type="ed25519", pam_rules=""):
        self._directory = processes.Directory("re-bed-")
        self.directory = self._directory.path / "host"
        self.server = server
        self._server = None
        try:
            accounts = [f"{name}:{shell}:{password}" for name, (shell, password) in ACCOUNTS.items()]
            choices = {"HOST_SERVER": server.program, "HOST_KEY_TYPE": host_key_type,
                       "HOST_SOFTWARE": str(server.software or "")}
            subprocess.run([str(HOST), "make", str(self.directory), *accounts], check=True, env={**os.environ, **choices})
            if pam_rules:
                (self.directory / "disk/etc/pam.sshd").write_text(pam_rules)
            self.mode = (self.directory / "mode").read_text().strip()
            self.account = (self.directory / "account").read_text().strip()
            self.set_sshd_options(*sshd_options)
            self._start()
        except BaseException:
            self.close()
            raise

    # The machine as a whole

    def _start(self, port=None):
        for _ in range(20):
            # Below the range from which the kernel gives ports to clients.
            self.port = port or random.randint(20000, 30000)
            self._log = open(self.directory / "log", "wb")
            death = signal.SIGTERM if self.mode == "plain" else signal.SIGKILL
            self._server = subprocess.Popen([str(HOST), "run", str(self.directory), str(self.port)],
                                            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
                                            start_new_session=True, preexec_fn=processes.end_with_parent(death))
            wait_for(lambda: self._listens() or "in use" in self.log() or self._server.poll() is not None,
                     "sshd listens or says why not", 20)
            if self._listens():
                return
            self._stop()
        raise RuntimeError(f"sshd does not start: {self.log()}")

    def _listens(self):
        log = self.log()
        return "Server listening on" in log or "Not backgrounding" in log  # OpenSSH's word, dropbear's

    def _stop(self):
        if self._server:
            if self.mode == "plain":
                self._server.terminate()
            else:
                self._server.kill()
            self._server.wait(20)
            self._server = None
            self._log.close()

    def power_off(self):
        """All that runs there is gone at once, as when the power fails; the disk stays."""
        self._stop()

    def power_on(self):
        """Boots it again with the disk it had, at the port it had; its boot id is another."""
        self._start(self.port)

    def be_container(self):
        """From the next boot on the boot id is that of the machine it runs on, and stays."""
        (self.directory / "disk/etc/container").touch()

    def inside(self, *command):
        """Runs a command there as its superuser (not in mode plain); its output."""
        spaces = ["--mount", "--pid", "--uts"] + (["--user", "--preserve-credentials"] if self.mode == "user" else [])
        return subprocess.run(["nsenter", "--target", str(self._first_process()), *spaces, *command], check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def path(self, name):
        """A file as those see it who are logged in, with what is mounted there (not in mode plain)."""
        return pathlib.Path(f"/proc/{self._first_process()}/root") / str(name).lstrip("/")

    def close(self):
        self._stop()
        self._directory.close()

    # Processes

    def _first_process(self):
        children = processes.children_of(self._server.pid)
        return children[0] if children else None

    @property
    def namespace(self):
        """The id of its process namespace (not in mode plain)."""
        return processes.namespace_of(self._first_process())

    def processes(self):
        """(pid as seen from outside, command line) of all that runs there (not in mode plain)."""
        space = self.namespace
        return [(pid, processes.command_of(pid)) for pid in processes.all_pids()
                if space and processes.namespace_of(pid) == space]

    def _listener(self):
        parent = self._server.pid if self.mode == "plain" else self._first_process()
        found = [pid for pid in processes.children_of(parent) if "[listener]" in processes.command_of(pid)]
        return found[0] if found else None

    def is_free(self):
        """Whether no login is under way, as sshd counts them for MaxStartups (not in mode plain)."""
        listener = self._listener()
        return listener is not None and " 0 of " in processes.command_of(listener)

    def kill_sessions(self):
        """kill -9 for every open connection's sshd; the listener and the jobs stay. How many it were."""
        sessions = processes.children_of(self._listener())
        for pid in sessions:
            for child in [*processes.children_of(pid), pid]:
                if processes.command_of(child).startswith("sshd:"):
                    os.kill(child, signal.SIGKILL)
        return len(sessions)

    def stop_sshd(self):
        """Connections are refused from now on; what is open stays open (not in mode plain)."""
        (self.directory / "disk/etc/down").touch()
        os.kill(self._listener(), signal.SIGKILL)
        wait_for(lambda: not self.answers(), "sshd refuses connections")

    def start_sshd(self):
        (self.directory / "disk/etc/down").unlink(missing_ok=True)
        wait_for(self.answers, "sshd answers")

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    # Its disk and configuration

    def home(self, account=None):
        """The home directory of an account, as seen from outside."""
        account = account or self.account
        return self.directory / "disk" / ("root" if account == "root" else f"home/{account}")

    def write(self, account, name, content, mode=0o644):
        """Writes a file of an account, below its home."""
        path = self.home(account) / name
        owner = self.home(account).stat()
        missing = [parent for parent in path.parents if not parent.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
        for made in [path, *missing]:
            os.chown(made, owner.st_uid, owner.st_gid)
        return path

    def install(self, name, script):
        """A program that stands first in PATH there, such as a fake nvidia-smi."""
        path = self.directory / "disk/bin" / name
        path.write_text(script)
        path.chmod(0o755)

    def set_sshd_options(self, *lines):
        """For connections made after the next (re)start of sshd."""
        (self.directory / "disk/etc/extra.conf").write_text("".join(line + "\n" for line in lines))

    def set_banner(self, text):
        """What is shown before login; to be set with the options, before sshd starts: `Banner /run/host/etc/banner`."""
        (self.directory / "disk/etc/banner").write_text(text)

    def make_noisy(self, account, text="You have new mail."):
        """The login shell of an account prints TEXT on stdout and stderr before every command."""
        startup = _STARTUP[ACCOUNTS[account][0]]
        if startup:
            self.write(account, startup, f"echo '{text}'\nsh -c 'echo \"{text}\" >&2'\n")

    def change_host_key(self):
        """A new host key, as after a reinstallation (or with an impostor)."""
        key = self.directory / "disk/etc/ssh_host_key"
        key.unlink()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        self.stop_sshd()
        self.start_sshd()

    def host_key(self):
        """Type and key, as known_hosts has them after the name."""
        return " ".join((self.directory / "host_key.pub").read_text().split()[:2])

    @property
    def key(self):
        """A private key file that every account accepts."""
        return self.directory / "id"

    def log(self):
        return (self.directory / "log").read_text(errors="replace")
