"""`re data`: downloads by the host itself, with a web server that can be slow, break off, and lie."""

import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading

import testbed
from testbed import wait_for


class Web(http.server.ThreadingHTTPServer):
    """Files by name. `break_at` ends the answer for a file after so many bytes, once."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.break_at, self.ranges = {}, {}, []
        self.gate = threading.Event()
        self.gate.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, name):
        return f"http://127.0.0.1:{self.server_address[1]}/files/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, with_body):
        data = self.server.files.get(self.path.rsplit("/", 1)[1].partition("?")[0])
        if data is None:
            self.send_error(404)
            return
        begin = 0
        asked = self.headers.get("Range")
        if asked and with_body:
            self.server.ranges.append(asked)
            begin = int(asked.partition("=")[2].rstrip("-"))
            if begin >= len(data):
                self.send_error(416)
                return
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        if not with_body:
            return
        end = self.server.break_at.pop(self.path.rsplit("/", 1)[1], len(data))
        middle = (begin + end) // 2
        self.wfile.write(data[begin:middle])
        self.server.gate.wait(60)
        self.wfile.write(data[middle:end])

    def log_message(self, *_):
        pass


class Data(testbed.TestCase):
    def setUp(self):
        self.web = Web()
        self.addCleanup(self.web.server_close)
        self.addCleanup(self.web.shutdown)
        self.host = self.remote()
        self.client = self.local(self.host)
        (self.client.project / "x.py").write_text("print('x')\n")
        self.assert_ok(self.client.run("re", "init"))
        self.data = self.host.home() / "projects" / self.client.project.name / "data"

    def serve(self, name, size=100_000):
        self.web.files[name] = os.urandom(size)
        return self.web.url(name)

    def test_files_come_into_data_by_every_spelling(self):
        urls = [self.serve(name) for name in ("a.bin", "b.bin", "c.bin", "d.bin", "e.bin", "with blank")]
        urls[5] = self.web.url("with%20blank") + "?x=a&b=c;echo"
        self.web.files["with%20blank"] = self.web.files["with blank"]
        first = self.assert_ok(self.client.run("re", "data", f"{urls[0]} {urls[1]}"))
        self.assertEqual(sorted(first.out.splitlines()), ["data/a.bin", "data/b.bin"])
        self.assert_ok(self.client.run("re", "data", f"--urls={urls[2]},{urls[3]}"))
        self.assert_ok(self.client.run("re", "data", urls[4], urls[5]))
        for name in ("a.bin", "b.bin", "c.bin", "d.bin", "e.bin", "with blank"):
            self.assertEqual((self.data / name).read_bytes(), self.web.files[name], name)
        again = self.assert_ok(self.client.run("re", "data", urls[0]))
        self.assertIn("data/a.bin is there already", again.err)
        self.assertEqual(self.assert_ok(self.client.run("re", "sync", "ls data | wc -l")).out.strip(), "6")

    def test_what_was_broken_off_goes_on_where_it_ended(self):
        url = self.serve("big", 3_000_000)
        self.web.break_at["big"] = 1_000_000
        self.assert_ok(self.client.run("re", "data", url))
        self.assertEqual((self.data / "big").read_bytes(), self.web.files["big"])
        (self.data / "big").rename(self.data / "big.part")
        os.truncate(self.data / "big.part", 2_000_000)
        self.web.ranges.clear()
        self.assert_ok(self.client.run("re", "data", url))
        self.assertEqual(self.web.ranges, ["bytes=2000000-"])
        self.assertEqual((self.data / "big").read_bytes(), self.web.files["big"])
        self.assertFalse((self.data / "big.part").exists())

    def test_a_wrong_sum_never_gets_the_name(self):
        url = self.serve("f")
        right = hashlib.sha256(self.web.files["f"]).hexdigest()
        wrong = self.client.run("re", "data", f"{url}#sha256={'0' * 64}")
        self.assertEqual(wrong.code, 1, str(wrong))
        self.assertIn("its SHA-256 is not 0000", wrong.err)
        self.assertFalse((self.data / "f").exists())
        # The beginning of another file: all of it is fetched again.
        (self.data / "f.part").write_bytes(b"x" * 50_000)
        self.assert_ok(self.client.run("re", "data", f"{url}#sha256={right}"))
        self.assertEqual((self.data / "f").read_bytes(), self.web.files["f"])

    def test_what_fails_is_said_and_the_others_come(self):
        url = self.serve("there")
        failed = self.client.run("re", "data", url, self.web.url("absent"))
        self.assertEqual(failed.code, 1, str(failed))
        self.assertEqual(failed.out, "data/there\n")
        self.assertIn("404", failed.err)
        self.assertIn("data/absent could not be downloaded", failed.err)
        for url in ("file:///etc/passwd", "example.org", "http://h/", "-K/etc/passwd"):
            self.assertEqual(self.client.run("re", "data", url).code, 2, url)
        self.assertEqual(self.client.run("re", "data").code, 2)

    def test_ctrl_c_ends_all_of_it(self):
        url = self.serve("slow", 2_000_000)
        self.web.gate.clear()
        self.addCleanup(self.web.gate.set)
        part = self.data / "slow.part"
        with self.client.terminal("re", "data", url) as terminal:
            wait_for(lambda: part.exists() and part.stat().st_size > 0, "the download begins")
            terminal.send("\x03")
            self.assertEqual(terminal.wait(), 130, terminal.text)
        job = json.loads(self.assert_ok(self.client.run("re", "list", "--all", "--json")).out)["jobs"][0]
        self.assertEqual((job["state"], job["exit_code"]), ("done", 130), job)

    def test_a_download_in_the_background_is_a_job(self):
        url = self.serve("slow", 2_000_000)
        self.web.gate.clear()
        self.assert_ok(self.client.run("re", "data", "--run-async", url))
        [job] = json.loads(self.assert_ok(self.client.run("re", "list", "--json")).out)["jobs"]
        self.assertEqual((job["name"], job["state"]), ("data", "running"))
        self.web.gate.set()
        wait_for((self.data / "slow").exists, "the file")
        log = self.assert_ok(self.client.run("re", "log", "--follow"))
        self.assertIn("data/slow: 2000000 bytes", log.out)


class Script(testbed.TestCase):
    """The script by itself, in every shell, with curl and with wget."""

    def test_each_shell_and_each_tool_bring_the_file(self):
        web = Web()
        self.addCleanup(web.server_close)
        self.addCleanup(web.shutdown)
        web.files["f"] = os.urandom(300_000)
        script = pathlib.Path(__file__).parents[2] / "src/engine/scripts/download.sh"
        tools = ("mkdir", "ls", "mv", "rm", "sleep", "tr", "sed", "tail", "flock", "sha256sum", "cat")
        for shell in (["dash"], ["busybox", "sh"], ["bash", "--posix"]):
            for tool in ("curl", "wget"):
                with self.subTest(shell=shell, tool=tool), tempfile.TemporaryDirectory() as place:
                    path = pathlib.Path(place, "bin")
                    path.mkdir()
                    for name in (*tools, tool):
                        found = shutil.which(name)
                        testbed.need(found, name)
                        (path / name).symlink_to(found)
                    total = hashlib.sha256(web.files["f"]).hexdigest()
                    command = f'. "{script}"; re_download keep f "{web.url("f")}" {total}'
                    ran = subprocess.run([shutil.which(shell[0]), *shell[1:], "-c", command], cwd=place, text=True,
                                         env={"PATH": str(path)}, capture_output=True, timeout=60)
                    self.assertEqual((ran.returncode, ran.stdout), (0, "data/f\n"), ran.stderr)
                    self.assertEqual(pathlib.Path(place, "data/f").read_bytes(), web.files["f"])
                    self.assertEqual(os.listdir(pathlib.Path(place, "data")), ["f"])


if __name__ == "__main__":
    testbed.main()
