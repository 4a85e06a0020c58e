"""re doctor: what works and what is missing, here and on real hosts."""

import json
import os
import socket

import testbed


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Doctor(testbed.TestCase):
    def beds(self, account="alice"):
        machine = self.full_remote()
        local = self.local()
        local.add_remote(machine, name="gpu1", account=account)
        return machine, local

    def examined(self, local, *arguments, code=0):
        """where -> check -> (state, detail, mend)."""
        done = local.run("re", "doctor", "--json", *arguments)
        self.assertEqual(done.code, code, str(done))
        return {group["where"]: {check["check"]: (check["state"], check["detail"], check["mend"])
                                 for check in group["checks"]} for group in json.loads(done.out)}

    def test_a_sound_host_has_no_failure_and_nothing_is_left_there(self):
        machine, local = self.beds()
        before = sorted(os.listdir(machine.home("alice")))
        found = self.examined(local)
        self.assertEqual(list(found), ["here", "gpu1"])
        self.assertEqual([check for group in found.values() for check, said in group.items() if said[0] == "failed"], [])
        self.assertEqual(found["gpu1"]["login files"][1], "silent")
        self.assertEqual(found["gpu1"]["login shell"][1], "/bin/bash")
        self.assertRegex(found["gpu1"]["connection"][1], r"^ssh2, an empty command takes [0-9.]+ m?s$")
        self.assertEqual(found["gpu1"]["clock"][0], "ok")
        self.assertEqual(sorted(os.listdir(machine.home("alice"))), before)

    def test_what_is_wrong_there_is_said_with_its_mend(self):
        machine, local = self.beds()
        machine.make_noisy("alice")
        machine.install("docker", "#!/bin/sh\necho 'permission denied while trying to connect' >&2\nexit 1\n")
        machine.install("nvidia-smi", "#!/bin/sh\necho 'Failed to initialize NVML: Unknown Error'\nexit 255\n")
        found = self.examined(local, "-i", "gpu1", code=1)["gpu1"]
        self.assertEqual(found["docker"], ("warning", "this user may not use it",
                                           "ask the administrator to add alice to the group docker"))
        self.assertEqual(found["GPU"][0], "failed")
        self.assertEqual(found["login files"][0], "warning")

    def test_a_host_that_is_down_is_a_group_beside_the_others(self):
        machine, local = self.beds()
        local.add_remote(machine, name="down", account="zed", port=unused_port())
        found = self.examined(local, code=255)
        self.assertEqual(list(found), ["here", "gpu1", "down"])
        self.assertEqual(list(found["down"]), ["connection"])
        self.assertEqual(found["down"]["connection"][0], "failed")
        self.assertEqual(found["gpu1"]["rsync"][0], "ok")

    def test_a_wrong_configuration_is_a_failure_and_the_rest_is_told(self):
        _, local = self.beds()
        (local.home / ".config/re/re.conf").write_text("[instance 1]\nhots = x\n")
        found = self.examined(local, code=1)
        self.assertEqual(list(found), ["here"])
        self.assertEqual(found["here"]["configuration"][0], "failed")
        self.assertEqual(found["here"]["git"][0], "ok")

    def test_a_directory_that_others_can_write_and_a_damaged_registry_are_failures(self):
        local = self.local()
        state = local.home / ".local/state/re"
        state.mkdir(parents=True)
        state.chmod(0o777)
        (state / "registry.db").write_text("no database at all\n" * 300)
        found = self.examined(local, "-i", "local", code=1)["here"]
        self.assertEqual(found["state"][0], "failed")
        self.assertIn("chmod 700 ", found["state"][2])
        self.assertEqual(found["registry"][0], "failed")

    def test_lines_fit_a_terminal_of_80_columns(self):
        machine, local = self.beds()
        machine.make_noisy("alice")
        done = local.run("re", "doctor")
        self.assertEqual(done.code, 0, str(done))
        self.assertEqual([line for line in done.out.splitlines() if len(line) > 80 and " " in line[28:]], [])
        self.assertIn("\ngpu1\n  connection ", done.out)
        self.assertRegex(done.out, r"(?m)^  login files    warning    print 19 bytes ")
        self.assertRegex(done.out, r"\n\d+ failures?, \d+ warnings?\n$")


if __name__ == "__main__":
    testbed.main()
