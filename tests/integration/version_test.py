"""re --version --verbose: the libraries that it names are those that the program has."""

import pathlib
import re
import subprocess

import testbed

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# What the dynamic linker calls the libraries.
SONAMES = {"libssh2": "libssh2", "libcrypto": "OpenSSL", "libsqlite3": "SQLite", "libinih": "inih", "libz": "zlib",
           "libstdc++": "GCC runtime", "libgcc_s": "GCC runtime", "libc": "GNU C Library",
           "libm": "GNU C Library", "ld-linux-x86-64": "GNU C Library", "ld-linux-aarch64": "GNU C Library"}
# libresolv: what clang links the sanitizers with, which are in the program.
SANITIZERS = {"libasan", "libubsan", "libtsan", "liblsan", "libresolv"}


class Version(testbed.TestCase):
    def libraries(self):
        """name -> (version, linkage, licence)"""
        said = self.assert_ok(self.local().run("re", "--version", "--verbose")).out
        table = said.split("\n\n", 1)[1].splitlines()
        self.assertEqual(table[0].split(), ["Library", "Version", "Linked", "Licence"])
        return {fields[0]: tuple(fields[1:]) for fields in (re.split(r"\s{2,}", line) for line in table[1:])}

    def test_shared_libraries_are_those_that_the_program_needs(self):
        done = subprocess.run(["readelf", "-dW", self.local().binary], check=True, text=True, stdout=subprocess.PIPE)
        needed = {name for name in re.findall(r"\(NEEDED\).*\[(.+?)\.so", done.stdout)} - SANITIZERS
        said = {name for name, fields in self.libraries().items() if fields[1] == "shared"}
        self.assertEqual({SONAMES[name] for name in needed}, said)

    def test_each_dependency_that_the_build_looks_for_is_named(self):
        build = (ROOT / "third_party/CMakeLists.txt").read_text()
        declared = set(re.findall(r"^ *re_dep\((\w+)", build, re.MULTILINE))
        names = {"boost": "Boost", "openssl": "OpenSSL", "libssh2": "libssh2", "inih": "inih", "json": "JSON for Modern C++",
                 "cli11": "CLI11", "sqlite": "SQLite"}
        self.assertEqual({names[name] for name in declared} - set(self.libraries()), set())

    def test_versions_and_licences_are_given(self):
        for name, (version, linkage, licence) in self.libraries().items():
            self.assertRegex(version, r"^\d+(\.\d+)*$", name)
            self.assertIn(linkage, ("shared", "static", "headers"), name)
            self.assertTrue(licence, name)

    def test_the_first_line_is_the_version_alone(self):
        short = self.assert_ok(self.local().run("re", "--version")).out
        long = self.assert_ok(self.local().run("re", "--version", "--verbose")).out
        self.assertRegex(short, r"^re \d+\.\d+\.\d+\n$")
        self.assertTrue(long.startswith(short))


if __name__ == "__main__":
    testbed.main()
