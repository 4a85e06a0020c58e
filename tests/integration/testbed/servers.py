"""The ssh servers that a remote can run: the machine's OpenSSH, a newer one of bookworm-backports, dropbear."""

import pathlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from .cases import need

_CACHE = pathlib.Path(__file__).resolve().parents[3] / "build" / "testbed"
_SUITE = "bookworm-backports"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Server:
    """`program` is openssh or dropbear; `software` an unpacked package that runs in place of the machine's own."""

    name: str
    program: str = "openssh"
    software: pathlib.Path | None = None


OPENSSH = Server("OpenSSH")
DROPBEAR = Server("dropbear", "dropbear")


def backports_openssh():
    """Skips the test where it cannot be had. It is downloaded once, to build/testbed, and nothing is installed."""
    software = _CACHE / "openssh-backports"
    if not (software / "usr/sbin/sshd").exists():
        complaint = _unpack("openssh-server", software)
        need(not complaint, f"openssh-server of {_SUITE}: {complaint}")
    return Server("OpenSSH of backports", software=software)


def _mirror():
    """Where the machine's own Debian comes from."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(REPO_URI)",
                             "Created-By: Packages"], text=True, capture_output=True, check=False).stdout
    found = [line.split()[2] for line in listed.splitlines() if line.startswith("Debian bookworm ")]
    return found[0] if found else "http://deb.debian.org/debian"


def _apt(directory, *arguments):
    """apt-get with a view of its own on the suite: the machine's lists and preferences stay as they are."""
    (directory / "sources").write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {_SUITE} main\n")
    (directory / "configuration").write_text(
        f'Dir::Etc::sourcelist "{directory}/sources";\nDir::Etc::sourceparts "-";\nDir::State "{directory}/state";\n'
        f'Dir::Cache "{directory}/cache";\nAPT::Sandbox::User "root";\nAcquire::Languages "none";\n'
        'Acquire::Retries "2";\nAcquire::http::Timeout "20";\nAPT::Update::Error-Mode "any";\n')
    for name in ("state/lists/partial", "cache/archives/partial"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["env", f"APT_CONFIG={directory}/configuration", "apt-get", "-q=2", *arguments],
                          cwd=directory, stdin=subprocess.DEVNULL, text=True, capture_output=True, check=False)
    return (done.stderr.strip().splitlines() or ["apt-get failed"])[-1] if done.returncode != 0 else ""


def _unpack(package, destination):
    """What went wrong, or nothing. Tests that run at the same time may all do it; the first one's stays."""
    if not shutil.which("apt-get"):
        return "there is no apt-get"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE, prefix="new-") as name:
        directory = pathlib.Path(name)
        complaint = _apt(directory, "update") or _apt(directory, "download", package)
        if complaint:
            return complaint
        [file] = directory.glob(f"{package}_*.deb")
        subprocess.run(["dpkg", "-x", file, directory / "tree"], check=True)
        (directory / "tree").chmod(0o755)
        try:
            (directory / "tree").rename(destination)
        except OSError:
            pass
    return "" if (destination / "usr/sbin/sshd").exists() else f"{package} holds no sshd"
