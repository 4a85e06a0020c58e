"""Many hosts at once: probe, list, kill, sync and async on `-i all`, a tag or a list."""

import json
import re
import signal
import socket

import testbed
from testbed import wait_for

READY = "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.1; done"


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Screen:
    """What a terminal of this width shows after TEXT: only the controls that a live table may use are known."""

    _PIECE = re.compile(r"\x1b\[(\d*)([A-Za-z])|\x1b\[\d+(?:;\d+)*m|([\r\n])|(\x1b)|([^\x1b\r\n])")

    def __init__(self, text, columns=80):
        self.rows, self.row, self.column = [[]], 0, 0
        for piece in self._PIECE.finditer(text):
            count, control, end, unknown, letter = piece.groups()
            if unknown:
                raise AssertionError(f"an unknown escape sequence in {text!r}")
            if letter:
                self._put(letter, columns)
            elif end == "\r":
                self.column = 0
            elif end == "\n":
                self.row += 1
                while len(self.rows) <= self.row:
                    self.rows.append([])
            elif control == "A":
                self.row -= int(count or 1)
                assert self.row >= 0, text
            elif control == "K":
                del self.rows[self.row][self.column:]
            elif control == "J":
                del self.rows[self.row][self.column:], self.rows[self.row + 1:]
            elif control != "m":
                raise AssertionError(f"an unknown escape sequence in {text!r}")

    def _put(self, letter, columns):
        assert self.column < columns, f"a line of the table is wider than the terminal: {''.join(self.rows[self.row])}"
        line = self.rows[self.row]
        line.extend(" " * (self.column + 1 - len(line)))
        line[self.column] = letter
        self.column += 1

    @property
    def text(self):
        return "\n".join("".join(row).rstrip() for row in self.rows)


class Fleet(testbed.TestCase):
    """alice and dan have the tag lab, tess has not."""

    def fleet(self, **options):
        self.machine = self.full_remote()
        local = self.local()
        for account, tags in (("alice", "lab, a100"), ("dan", "lab"), ("tess", "office")):
            local.add_remote(self.machine, name=account, account=account, tags=tags, **options)
        (local.project / "x.py").write_text("import os\nprint('I am', os.environ['USER'])\n")
        self.assert_ok(local.run("re", "init", "-i", "alice"))
        return local

    def add_down(self, local, **settings):
        local.add_remote(self.machine, name="down", account="zed", port=unused_port(), **settings)

    def add_hung(self, local, **settings):
        wire = self.proxy(self.machine)
        wire.blackhole()
        local.add_remote(self.machine, name="hung", account="zed", port=wire.port, **settings)
        return wire

    def json_of(self, local, *arguments, code=0):
        done = local.run("re", arguments[0], "--json", *arguments[1:])
        self.assertEqual(done.code, code, str(done))
        return json.loads(done.out)

    def probed(self, local, *arguments):
        return {row["instance"]: row["status"] for row in self.json_of(local, "probe", *arguments)}

    # Who is meant

    def test_a_tag_a_list_and_all_name_several(self):
        local = self.fleet()
        self.assertEqual(self.probed(local, "-i", "lab"), {"alice": "active", "dan": "active"})
        self.assertEqual(self.probed(local, "-i", "a100,tess"), {"alice": "active", "tess": "active"})
        self.assertEqual(self.probed(local, "-i", "tess", "-i", "dan"), {"tess": "active", "dan": "active"})
        self.assertEqual(list(self.probed(local, "-i", "all")), ["alice", "dan", "tess"])
        unknown = local.run("re", "probe", "-i", "lap")
        self.assertEqual(unknown.code, 4, str(unknown))
        self.assertIn("did you mean lab?", unknown.err)

    def test_what_works_on_one_instance_says_so(self):
        local = self.fleet()
        for words in (["init", "-i", "lab"], ["push", "-i", "all", "x.py"], ["sync", "-i", "lab", "--continue", "1", "true"]):
            done = local.run("re", *words)
            self.assertEqual(done.code, 2, str(done))
            self.assertEqual(done.err.count("\n"), 1, done.err)
        with local.terminal("re", "sync", "-t", "-i", "lab", "true") as terminal:
            self.assertEqual(terminal.wait(), 2)
            self.assertIn("-t gives one job a terminal, and -i names 2 instances", terminal.text)
        self.assertIn("I am alice", self.assert_ok(local.run("re", "sync", "-i", "a100", "python3 x.py")).out)

    # A host that fails is a row beside the others

    def test_probe_shows_who_is_down_and_who_hangs(self):
        local = self.fleet()
        self.add_down(local)
        self.add_hung(local)
        for options in ([], ["--no-master"]):
            with self.subTest(options):
                done = local.run("re", "probe", "--deadline", "4s", *options)
                self.assertEqual(done.code, 0, str(done))
                rows = {line.split("|")[1].strip(): line.split("|")[2].strip()
                        for line in done.out.splitlines() if line.startswith("|")}
                del rows["Machine"]
                self.assertEqual(rows, {"alice": "active", "dan": "active", "tess": "active", "down": "unreachable",
                                        "hung": "unreachable"})
                self.assertRegex(done.err, r"(?m)^re: .*down.*$")
                self.assertRegex(done.err, r"(?m)^re: .*hung.*4 s.*$")
                self.assertNotIn("\x1b", done.out + done.err)

    def test_list_and_kill_go_on_without_who_hangs(self):
        local = self.fleet()
        wire = self.add_hung(local)
        wire.restore()
        started = self.json_of(local, "async", "-i", "all", "--name", "long", "sleep 1000")
        self.assertEqual([job["instance"] for job in started], ["alice", "dan", "tess", "hung"])
        of_the_lab = sorted(str(job["index"]) for job in started[:2])
        wire.blackhole()
        self.assert_ok(local.run("re", "master", "stop"))
        listed = self.json_of(local, "list", "-i", "lab,hung", "--deadline", "4s")
        self.assertEqual({(job["instance"], job["is_reachable"]) for job in listed["jobs"]},
                         {("alice", True), ("dan", True), ("hung", False)})
        self.assertEqual([problem["instance"] for problem in listed["problems"]], ["hung"])
        killed = local.run("re", "kill", "-i", "lab,hung", "--deadline", "4s", "--grace", "1s", "long")
        self.assertEqual(killed.code, 255, str(killed))
        self.assertEqual(sorted(re.findall(r"(?m)^job (\d+) \(long\) ended$", killed.out)), of_the_lab)
        self.assertRegex(killed.err, r"(?m)^re: .*hung.*$")
        wire.restore()
        left = self.json_of(local, "list")["jobs"]
        self.assertEqual({job["instance"] for job in left}, {"tess", "hung"})

    def test_kill_touches_no_job_that_i_does_not_name(self):
        local = self.fleet()
        self.assert_ok(local.run("re", "async", "-i", "all", "sleep 1000"))
        by_place = {job["instance"]: str(job["index"]) for job in self.json_of(local, "list")["jobs"]}
        refused = local.run("re", "kill", "-i", "lab", by_place["tess"])
        self.assertEqual(refused.code, 4, str(refused))
        self.assertIn("which -i does not name", refused.err)
        self.assert_ok(local.run("re", "kill", "-i", "lab", "0"))
        self.assertEqual([job["instance"] for job in self.json_of(local, "list")["jobs"]], ["tess"])
        self.assert_ok(local.run("re", "kill", "--idx", by_place["tess"]))

    # async

    def test_async_starts_a_job_of_its_own_on_each(self):
        local = self.fleet()
        done = self.assert_ok(local.run("re", "async", "-i", "lab", "--name", "train", "python3 x.py > data/who; cat data/who"))
        self.assertEqual(sorted(re.findall(r"(?m)^job (\d) \(train\) .* (\w+)(?:, pid \d+| and ended .*| and about .*)$", done.out)),
                         sorted((str(job["index"]), job["instance"]) for job in self.json_of(local, "list", "--all")["jobs"]))
        jobs = self.json_of(local, "list", "--all")["jobs"]
        self.assertEqual(len({job["id"] for job in jobs}), 2)
        for job in jobs:
            log = self.assert_ok(local.run("re", "log", "--follow", "--exit-code", str(job["index"])))
            self.assertEqual(log.out, f"I am {job['instance']}\n")
        quiet = self.assert_ok(local.run("re", "async", "-q", "-i", "lab", "true"))
        self.assertEqual(sorted(quiet.out.split()), ["3", "4"])
        single = self.json_of(local, "async", "-i", "tess", "true")
        self.assertEqual((single["index"], single["instance"]), (5, "tess"))

    def test_async_says_where_it_could_not_start(self):
        local = self.fleet()
        self.add_down(local)
        self.add_hung(local)
        done = local.run("re", "async", "-i", "all", "--deadline", "4s", "true")
        self.assertEqual(done.code, 255, str(done))
        self.assertEqual(len(re.findall(r"(?m)^job \d ", done.out)), 3, str(done))
        for label in ("down", "hung"):
            self.assertRegex(done.err, rf"(?m)^re: cannot start a job on {label}: .*$")
        self.assertEqual(len(self.json_of(local, "list", "--all", "-i", "lab,tess")["jobs"]), 3)
        rows = self.json_of(local, "async", "-i", "tess,down", "true", code=255)
        self.assertEqual([row["instance"] for row in rows], ["tess", "down"])
        self.assertEqual(rows[1]["error"]["kind"], "unreachable")

    # sync

    def test_sync_prints_whole_lines_with_the_hosts_names(self):
        local = self.fleet()
        done = self.assert_ok(local.run(
            "re", "sync", "-i", "all", "printf 'a '; sleep 0.3; echo b; echo error >&2; cat; printf unended", stdin=b"lost\n"))
        for name in ("alice", "dan", "tess"):
            self.assertEqual([line for line in done.out.splitlines() if line.startswith(name)],
                             [f"{name}: a b", f"{name}: unended"])
        self.assertEqual(sorted(done.err.splitlines()), [f"{name}: error" for name in ("alice", "dan", "tess")])
        self.assertTrue(done.out.endswith("\n"))

    def test_the_highest_exit_code_of_sync_counts_and_255_is_ours(self):
        local = self.fleet()
        command = "case $USER in alice) exit 3;; dan) exit 7;; *) kill -9 $$;; esac"
        done = local.run("re", "sync", "-i", "lab", command)
        self.assertEqual(done.code, 7, str(done))
        self.assertEqual(done.err, "re: alice: exit code 3\nre: dan: exit code 7\n")
        self.assertEqual(local.run("re", "sync", "-i", "all", command).code, 137)
        self.add_down(local)
        done = local.run("re", "sync", "-i", "down,lab", "echo here")
        self.assertEqual(done.code, 255, str(done))
        self.assertEqual(sorted(done.out.splitlines()), ["alice: here", "dan: here"])
        self.assertRegex(done.err, r"\Are: down: .*\n\Z")

    def test_jobs_of_sync_are_jobs_like_others(self):
        local = self.fleet()
        self.assert_ok(local.run("re", "sync", "-i", "lab", "--name", "both", "echo one"))
        jobs = self.json_of(local, "list", "--all")["jobs"]
        self.assertEqual(sorted((job["instance"], job["state"], job["exit_code"]) for job in jobs),
                         [("alice", "done", 0), ("dan", "done", 0)])

    def running(self, local, *arguments, ready):
        process = local.spawn("re", "sync", *arguments, READY, stdout=-1, stderr=-1, stdin=-3, bufsize=0)
        lines = sorted(process.stdout.readline() for _ in range(ready))
        self.assertTrue(all(line.endswith(b": ready\n") for line in lines), lines)
        return process

    def test_an_interrupt_reaches_every_job_of_sync(self):
        local = self.fleet()
        process = self.running(local, "-i", "all", ready=3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 5, err)
        self.assertEqual(sorted(out.splitlines()), [b"alice: caught", b"dan: caught", b"tess: caught"])

    def test_an_interrupt_ends_what_has_not_begun(self):
        local = self.fleet()
        self.add_hung(local)
        process = self.running(local, "-i", "all", "--deadline", "60s", ready=3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=40)
        self.assertEqual(process.returncode, 130, err)
        self.assertEqual(len(out.splitlines()), 3)
        self.assertRegex(err.decode(), r"(?m)^re: hung: .*interrupted")

    def test_a_third_interrupt_leaves_the_jobs_running(self):
        local = self.fleet()
        stubborn = "trap 'echo no' INT; echo ready; while :; do sleep 0.1; done"
        process = local.spawn("re", "sync", "-i", "lab", stubborn, stdout=-1, stderr=-1, stdin=-3, bufsize=0)
        for _ in range(2):
            process.stdout.readline()
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            self.assertEqual({process.stdout.readline() for _ in range(2)}, {b"alice: no\n", b"dan: no\n"})
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn(b"the jobs go on", err)
        self.assertEqual({job["state"] for job in self.json_of(local, "list")["jobs"]}, {"running"})
        self.assert_ok(local.run("re", "purge", "--yes"))

    # On a terminal

    def test_the_live_table_of_probe_fills_in_place_and_leaves_the_result(self):
        local = self.fleet()
        self.add_hung(local)
        with local.terminal("re", "probe", "--deadline", "3s") as terminal:
            terminal.expect("3 of 4 hosts answered")
            half = Screen(terminal.text).text
            self.assertRegex(half, r"alice +\| +active")
            self.assertRegex(half, r"hung +\| +asking")
            self.assertEqual(terminal.wait(), 0)
            self.assertTrue(terminal.is_restored())
            screen = Screen(terminal.text)
            self.assertEqual(screen.column, 0)
            self.assertEqual(screen.text.count("Machine"), 1, screen.text)
            self.assertRegex(screen.text, r"hung +\| +unreachable")
            self.assertNotIn("asking", screen.text)
            self.assertNotIn("\x1b[?", terminal.text)  # the cursor is never hidden
            self.assertLess(terminal.text.count("hosts answered"), 35)

    def test_an_interrupt_takes_the_live_table_away(self):
        local = self.fleet()
        self.add_hung(local)
        with local.terminal("re", "probe", "--deadline", "60s") as terminal:
            terminal.expect("3 of 4 hosts answered")
            terminal.send("\x03")
            self.assertEqual(terminal.wait(30), 130, terminal.text)
            self.assertTrue(terminal.is_restored())
            screen = Screen(terminal.text)
            self.assertEqual(screen.column, 0)
            self.assertEqual(screen.text.replace("^C", "").strip().count("\n"), 0, screen.text)
            self.assertIn("interrupted by SIGINT", screen.text)

    def test_the_live_table_of_list_shows_who_has_answered(self):
        local = self.fleet()
        wire = self.add_hung(local)
        wire.restore()
        self.assert_ok(local.run("re", "async", "-i", "lab", "--name", "long", "sleep 1000"))
        wire.blackhole()
        with local.terminal("re", "list", "--deadline", "3s") as terminal:
            terminal.expect("3 of 4 hosts answered")
            self.assertEqual(terminal.wait(), 255, terminal.text)
            screen = Screen(terminal.text)
            self.assertEqual(screen.text.count("Index"), 1, screen.text)
            self.assertEqual(len(re.findall(r"long +\d+ +(?:alice|dan) +running", screen.text)), 2, screen.text)
        self.assert_ok(local.run("re", "kill", "-i", "lab", "long"))

    def test_a_small_terminal_shows_what_fits(self):
        local = self.fleet()
        self.add_hung(local)
        with local.terminal("re", "probe", "--deadline", "3s", columns=80, rows=6) as terminal:
            terminal.expect(r"3 of 4 hosts answered \(4 more rows\)")
            self.assertEqual(terminal.wait(), 0)
            self.assertEqual(Screen(terminal.text).text.count("Machine"), 1)

    def test_json_and_quiet_are_not_decorated_on_a_terminal(self):
        local = self.fleet()
        for option in ("--json", "--quiet"):
            done = local.run_pty("re", "probe", option)
            self.assertEqual(done.code, 0, str(done))
            self.assertNotRegex(done.out, r"\x1b\[\d*[AKJ]")

    def test_a_hosts_output_cannot_pass_for_anothers_on_a_terminal(self):
        local = self.fleet()
        done = local.run_pty("re", "sync", "-i", "lab", r"printf 'x\r\b\b\b\b\b\b\b\bdan: fake\033]0;t\007\n'")
        self.assertEqual(done.code, 0, str(done))
        self.assertNotIn("\b", done.out)
        self.assertNotIn("\x1b]", done.out)
        self.assertEqual(len(re.findall(r"(?m)^dan: ", Screen(done.out).text)), 1, done.out)


if __name__ == "__main__":
    testbed.main()
