#!/usr/bin/python3
"""Builds the Debian package from a release build, installs it in a clean root, and runs the workflow there.

    package.py BUILD_DIRECTORY

Needs root, mmdebstrap and a Debian mirror (the one of sources.list). The root is thrown away. A minute or two, most of it
mmdebstrap's.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "integration"))
import testbed  # noqa: E402
from testbed import processes  # noqa: E402

import hardening  # noqa: E402

PROGRAM = "import pathlib\npathlib.Path('bin').mkdir(exist_ok=True)\npathlib.Path('bin/out').write_text('done')\nprint('trained')\n"
FILES = ("/usr/bin/re", "/usr/share/man/man1/re.1.gz", "/usr/share/man/man5/re.conf.5.gz",
         "/usr/share/bash-completion/completions/re", "/usr/share/zsh/vendor-completions/_re",
         "/usr/share/fish/vendor_completions.d/re.fish", "/usr/share/doc/re-remote/copyright",
         "/usr/share/doc/re-remote/changelog.gz", "/usr/share/doc/re-remote/changelog.Debian.gz",
         "/usr/share/doc/re-remote/re.spdx.json", "/usr/share/doc/re-remote/examples/digits/train.py")
# What lintian says and why it is so.
KNOWN_TAGS = ("embedded-library",  # the release links its libraries in: third_party/README.md
              "initial-upload-closes-no-bugs")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(word) for word in command)}: ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def step(text, started=time.monotonic()):
    print(f"{time.monotonic() - started:5.1f} s  {text}", flush=True)


def check(holds, complaint):
    if not holds:
        sys.exit(f"package.py: {complaint}")


def build_package(build, directory):
    run("cpack", "-G", "DEB", "-B", directory, cwd=build)
    [package] = directory.glob("*.deb")
    return package


def inspect(package, directory):
    fields = run("dpkg-deb", "-f", package)
    check("Package: re-remote\n" in fields and "Recommends: openssh-client, rsync\n" in fields, fields)
    check("Depends: libc6 (>= " in fields, f"no computed dependencies in\n{fields}")
    listed = run("dpkg-deb", "-c", package)
    for name in FILES:
        check(f" .{name}\n" in listed, f"{name} is not in the package:\n{listed}")
    run("dpkg-deb", "-x", package, directory / "unpacked")
    complaints = hardening.complaints_of(directory / "unpacked/usr/bin/re")
    check(not complaints, "\n".join(complaints))
    step(f"{package.name}, hardened; {[line for line in fields.splitlines() if line.startswith('Depends')][0]}")


def lint(package):
    if not shutil.which("lintian"):
        return step("lintian is not installed: not asked")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "none", str(package)], text=True, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    said = [line for line in done.stdout.splitlines()
            if line.startswith(("E:", "W:")) and not any(tag in line for tag in KNOWN_TAGS)]
    check(not said, "lintian:\n" + "\n".join(said))
    step("lintian: no error and no warning" + (f" but {done.stdout.count('embedded-library')} embedded-library"
                                               if "embedded-library" in done.stdout else ""))


class Chroot:
    """A minimal Debian with the package and what it recommends, and nothing else."""

    def __init__(self, directory, package):
        self.root = directory / "root"
        run("mmdebstrap", "--mode=root", "--variant=minbase", "--aptopt=APT::Install-Recommends true",
            "--dpkgopt=force-unsafe-io",
            "--include=python3-minimal,util-linux", f"--customize-hook=cp {package} $1/var/tmp/re.deb",
            "--customize-hook=chroot $1 apt-get install -y /var/tmp/re.deb", "bookworm", self.root)

    def run(self, *words, cwd="/root"):
        inside = 'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" /usr/bin/env -i ' \
                 'HOME=/root PATH=/usr/bin:/bin LANG=C.UTF-8 sh -c \'cd "$0" && exec "$@"\' "$@"'
        return run("unshare", "--mount", "sh", "-c", inside, self.root, cwd, *words)

    def write(self, name, text, mode=0o644):
        path = self.root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)


def run_workflow(inside, remote):
    """Both where no ssh is needed and over ssh to a throw-away remote."""
    inside.write("/root/p/x.py", PROGRAM)
    inside.write("/root/id", remote.key.read_text(), 0o600)
    (inside.root / "root/.config/re").mkdir(parents=True)
    inside.write("/root/.config/re/re.conf",
                 f"[instance 1]\nname = there\nhost = 127.0.0.1\nport = {remote.port}\nusername = {remote.account}\n"
                 "identity_file = /root/id\nhost_key = accept-new\n[instance 2]\nname = same\ntransport = local\n", 0o600)
    for instance in ("there", "same"):
        inside.run("rm", "-rf", "/root/p/.recompute", "/root/p/bin")
        inside.run("re", "init", "-i", instance, cwd="/root/p")
        inside.run("re", "async", "-i", instance, "python3 x.py", cwd="/root/p")
        check("trained" in inside.run("re", "log", "--follow", "-i", instance, cwd="/root/p"), "the log lacks the output")
        inside.run("re", "pull", "-i", instance, "bin/ ./bin/", cwd="/root/p")
        check((inside.root / "root/p/bin/out").read_text() == "done", "nothing was pulled")
        step(f"init, async, log and pull with the instance {instance}")


def main(build):
    check(os.geteuid() == 0, "needs root, for a chroot")
    check(shutil.which("mmdebstrap"), "needs mmdebstrap: apt-get install mmdebstrap")
    directory = processes.Directory("re-package-")
    remote = inside = None
    try:
        package = build_package(build, directory.path / "cpack")
        inspect(package, directory.path)
        lint(package)
        inside = Chroot(directory.path, package)
        step("installed in a clean root")
        check(inside.run("re", "--version").startswith("re "), "no version")
        check("RE(1)" in inside.run("re", "man"), "no manual")
        remote = testbed.Remote()
        run_workflow(inside, remote)
    finally:
        if inside:
            inside.run("re", "master", "stop")
        if remote:
            remote.close()
        directory.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]).resolve())
