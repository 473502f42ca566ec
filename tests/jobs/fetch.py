"""orrery fetch against a real nginx and against a server that misbehaves: whatever happens, every
frame arrives once and whole, or is named."""
import bz2
import concurrent.futures
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

import fault_server as faults
import orrery as o
import web

NGINX = unittest.skipUnless(web.NGINX, "nginx is not on this machine")
QUICK = {"archive.backoff": 0.02, "archive.backoff_max": 0.2, "archive.stall": 1, "runtime.progress": "false"}
SHIM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None  # tests/faults/shim.c
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"


def words(url, catalogue, folder, **more):
    """The job on the command line, without a file."""
    keys = {**QUICK, "archive.url": url + web.TEMPLATE, "archive.folder": folder, "catalogue.file": catalogue, **more}
    return ["fetch", *(f"{k}={v}" for k, v in keys.items())]


def frames_in(folder):
    """{name: bytes} of all files but orrery's own."""
    found = {}
    for place, _, names in os.walk(folder):
        for n in names:
            path = os.path.relpath(os.path.join(place, n), folder)
            if path != "manifest.csv" and not path.startswith(".orrery"):
                try:
                    with open(os.path.join(folder, path), "rb") as f:
                        found[path] = f.read()
                except FileNotFoundError:  # it has got another name since
                    continue
    return found


def manifest(folder):
    with open(os.path.join(folder, "manifest.csv"), newline="") as f:
        rows = list(csv.DictReader(f))
    assert len({r["path"] for r in rows}) == len(rows), "a frame stands twice in the manifest"
    return {r["path"]: r for r in rows}


def children(pid):
    """Processes below pid, nearest first: the ranks of an mpirun are in sessions of their own."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as f:
                parents.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
        except OSError:
            pass  # it has ended meanwhile
    found, look = [], [pid]
    while look:
        below = sorted(parents.get(look.pop(0), []))
        found += below
        look += below
    return found


def kill_all(p):
    for pid in [p.pid, *children(p.pid)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    p.wait()


class Fetch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rng = random.Random(1)
        cls.root = o.tmp("archive")
        frames, cls.catalogue = web.survey(cls.root, rng)
        cls.frames = frames
        cls.small_root = o.tmp("small")
        frames, cls.small_catalogue = web.survey(cls.small_root, rng, fields=2)
        cls.small = frames
        cls.big_root = o.tmp("big")
        frames, cls.big_catalogue = web.survey(cls.big_root, rng, fields=2, size=(700, 500))
        cls.big = frames

    def each(self, kinds, check):
        """check(kind) for all kinds, four at a time: most of it is waiting."""
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            done = {kind: pool.submit(check, kind) for kind in kinds}
        for kind, one in done.items():
            with self.subTest(kind=kind):
                one.result()

    def folder(self, kind=""):
        path = o.tmp(f"frames-{self.id().split('.')[-1]}-{kind}")
        shutil.rmtree(path, ignore_errors=True)
        return path

    def assert_whole(self, folder, frames):
        got = frames_in(folder)
        self.assertEqual(sorted(got), sorted(frames), "frames missing, left over, or parts left")
        wrong = [n for n in frames if got[n] != frames[n]]
        self.assertEqual(wrong, [], "corrupt")
        rows = manifest(folder)
        self.assertEqual({n: (r["state"], int(r["bytes"])) for n, r in rows.items()}, {n: ("done", len(b)) for n, b in frames.items()})

    # ---- a sound archive ----
    @NGINX
    def test_nginx(self):
        for ranks in (0, 1, 2, 3) if o.MPIRUN else (0,):
            with self.subTest(ranks=ranks), web.Nginx(self.root) as nginx:
                folder = self.folder()
                r = o.orrery(*words(nginx.url, self.catalogue, folder), ranks=ranks)
                self.assert_whole(folder, self.frames)
                self.assertIn("300  (0 were there, 300 fetched now)", r.out)
                asked = nginx.requests()
                self.assertEqual(len(asked), 300, "a frame was asked for more than once")
                self.assertEqual(sorted(a[0].lstrip("/") for a in asked), sorted(self.frames))
                r = o.orrery(*words(nginx.url, self.catalogue, folder), ranks=ranks)
                self.assertIn("300  (300 were there, 0 fetched now)", r.out)
                self.assertEqual(len(nginx.requests()), 300, "a second start asks again")

    def test_real_frames(self):
        data = o.shared_data()
        if not data or not web.NGINX:
            self.skipTest("real data (ORRERY_DATA or ../shared/data) or nginx is not on this machine")
        catalogue = o.write("real.csv", "objID,ra,dec,run,camcol,field\n1,336.6,-0.95,94,1,12\n2,336.7,-0.9,94,1,12\n3,20,1,8162,6,80\n4,323,-0.8,2583,2,136\n")
        template = "/field-{run:06d}-{camcol}-{field:04d}/frame-{band}-{run:06d}-{camcol}-{field:04d}.fits.bz2"
        few = o.write("few.csv", "objID,ra,dec,run,camcol,field\n1,336.6,-0.95,94,1,12\n")
        for proof, catalogue, n in (("stream", few, 5), ("structure", few, 5), ("full", catalogue, 15)):
            folder = self.folder()
            with web.Nginx(os.path.join(data, "sdss")) as nginx:
                keys = {"archive.url": nginx.url + template, "archive.proof": proof, "archive.path": "run{run}/{camcol}/frame-{band}-{run:06d}-{camcol}-{field:04d}.fits.bz2"}
                o.orrery(*words(nginx.url, catalogue, folder, **keys), ranks=2 if o.MPIRUN else 0)
            got = frames_in(folder)
            self.assertEqual(len(got), n)
            for name, body in got.items():
                run, camcol, field = os.path.basename(name).split(".")[0].split("-")[2:]
                with open(os.path.join(data, "sdss", f"field-{run}-{camcol}-{field}", os.path.basename(name)), "rb") as f:
                    self.assertEqual(f.read(), body, name)

    # ---- faults ----
    def test_a_tenth_of_faults(self):
        def check(ranks):
            with faults.FaultServer(self.root, faults.some(0.1, faults.PASSING + ["stall"], seed=ranks)) as server:
                folder = self.folder(ranks)
                r = o.orrery(*words(server.url, self.catalogue, folder, **{"archive.retries": 8}), ranks=ranks)
                self.assert_whole(folder, self.frames)
                met = [kind for _, _, _, kind in server.log if kind]
                self.assertGreater(len(met), 20, "too few faults for a test")
                self.assertIn("failed          0", r.out)

        self.each((0, 2, 3) if o.MPIRUN else (0,), check)

    def test_each_fault_alone(self):
        def check(kind):
            with faults.FaultServer(self.small_root, faults.first(kind)) as server:
                folder = self.folder(kind)
                o.orrery(*words(server.url, self.small_catalogue, folder))
                self.assert_whole(folder, self.small)
                asked = len(server.log)
                # without a Range they are good answers
                harmless = kind in ("wrong-range", "ignore-range", "chunked")
                self.assertEqual(asked, 10 if harmless else 20, server.log)

        self.each(faults.PASSING + ["stall", "drip"], check)

    def test_faults_of_ranges(self):
        """The first body is cut in its middle; the second answer is wrong in the way a range can
        be."""
        for kind, asked in (("wrong-range", 3), ("ignore-range", 2), ("416", 3), (None, 2), ("cut", 3), ("html", 3), ("503", 3)):
            with self.subTest(kind=kind), faults.FaultServer(self.big_root, lambda path, nth: ("cut", kind)[nth] if nth < 2 else None) as server:
                folder = self.folder()
                o.orrery(*words(server.url, self.big_catalogue, folder))
                self.assert_whole(folder, self.big)
                self.assertEqual(len(server.log), 10 * asked, server.log)
                if kind is None:
                    self.assertEqual(sum(ask is not None for _, _, ask, _ in server.log), 10, "the rest was not asked for by range")
                    whole = sum(len(b) for b in self.big.values())
                    self.assertLess(server.bytes, 1.02 * whole, "bytes that had come were fetched again")

    def test_waits_as_told(self):
        def check(kind):
            with faults.FaultServer(self.small_root, faults.first(kind)) as server:
                o.orrery(*words(server.url, self.small_catalogue, self.folder(kind)))
                times = {}
                for when, path, _, _ in server.log:
                    times.setdefault(path, []).append(when)
                waits = [b - a for a, b in times.values()]
                self.assertGreater(min(waits), 0.45 if kind == "429-date" else 0.95)
                self.assertLess(max(waits), 20)

        self.each(("503-after", "429", "429-date"), check)

    def test_faults_that_stay(self):
        says_of = {"403": "HTTP 403", "503": "HTTP 503", "loop": "too many redirects", "file": "not http or https", "html": "HTML", "short": "proof failed",
                   "flip": "proof failed", "reset": "connection lost", "cut": "cut off", "stall": "stalled"}

        def check(kind):
            folder, bad, says = self.folder(kind), sorted(self.small)[3], says_of[kind]
            with faults.FaultServer(self.small_root, lambda path, nth: kind if path.endswith(bad) else None) as server:
                r = o.orrery(*words(server.url, self.small_catalogue, folder, **{"archive.retries": 3}), code=1)
            self.assertIn("1 of 10 frames failed", r.err)
            self.assertIn(says, r.out)
            row = manifest(folder)[bad]
            self.assertEqual(row["state"], "failed")
            self.assertIn(says, row["reason"])
            self.assertEqual(int(row["tries"]), 1 if kind in ("403", "loop", "file") else 3)
            self.assertNotIn(bad, frames_in(folder))
            # once it is well again, only that one is asked for
            with faults.FaultServer(self.small_root) as server:
                o.orrery(*words(server.url, self.small_catalogue, folder))
                self.assertEqual({path for _, path, _, _ in server.log}, {"/" + bad})
            self.assertEqual(frames_in(folder), self.small)

        self.each(says_of, check)

    def test_missing(self):
        folder, gone = self.folder(), sorted(self.small)[4]
        with faults.FaultServer(self.small_root, lambda path, nth: "404" if path.endswith(gone) else None) as server:
            job = words(server.url, self.small_catalogue, folder)
            r = o.orrery(*job)
            self.assertIn("missing         1", r.out)
            self.assertEqual(manifest(folder)[gone]["state"], "missing")
            asked = len(server.log)
            self.assertEqual(asked, 10)
            r = o.orrery(*job, "missing=fail", code=1)
            self.assertIn("does not have 1 of 10 frames", r.err)
            self.assertEqual(len(server.log), asked, "a missing frame was asked for again")
            o.orrery(*job, "retry_missing=true")
            self.assertEqual(len(server.log), asked + 1)

    def test_mirrors(self):
        dead = f"http://127.0.0.1:{web.free_port()}"
        with faults.FaultServer(self.small_root, lambda path, nth: "404" if "-u-" in path else "500") as first, faults.FaultServer(self.small_root) as second:
            for url in (first.url, dead):
                folder = self.folder()
                o.orrery(*words(url, self.small_catalogue, folder, **{"archive.mirrors": f"[\"{second.url}{web.TEMPLATE}\"]", "archive.backoff": 30, "archive.backoff_max": 30}),
                         deadline=20)
                self.assert_whole(folder, self.small)

    # ---- stops ----
    @NGINX
    @NGINX
    def test_killed_at_every_call(self):
        """SIGKILL instead of each system call that changes the folder, but for writes at a place:
        the same command again leaves the frames and nothing else."""
        root = o.tmp("few")
        frames, catalogue = web.survey(root, random.Random(3), fields=1, bands="g", size=(700, 500))
        with web.Nginx(root) as nginx:
            def fetch(folder, code, **shim):
                env = {"LD_PRELOAD": SHIM, "ORR_SHIM_DIR": folder, **{f"ORR_SHIM_{k.upper()}": str(v) for k, v in shim.items()}}
                o.orrery(*words(nginx.url, catalogue, folder, **{"catalogue.bands": "[g]"}), env=env, code=code)

            folder = self.folder()
            fetch(folder, 0, log=o.tmp("calls.log"))
            with open(o.tmp("calls.log"), newline="") as f:
                calls = [(int(k), call, name) for k, call, name in csv.reader(f)]
            self.assertTrue(any(call == "unlink" and name.endswith(".part.etag") for _, call, name in calls), "no note was removed: the test tests nothing")
            # between two of these all are alike
            told = [call for call in calls if call[1] != "pwrite"]
            for k, _, _ in told:
                folder = self.folder()
                fetch(folder, -signal.SIGKILL, at=k)
                o.orrery(*words(nginx.url, catalogue, folder, **{"catalogue.bands": "[g]"}))
                self.assert_whole(folder, frames)
        print(f"killed at each of {len(told)} calls", flush=True)

    def test_kill_9(self):
        ranks = 2 if o.MPIRUN else 0
        with web.Nginx(self.big_root, "limit_rate 120k;") as nginx:
            folder = self.folder()
            size = {"/" + n: len(b) for n, b in self.big.items()}
            job = words(nginx.url, self.big_catalogue, folder, **{"archive.connections": 4})
            for _ in range(2):
                p = subprocess.Popen(o.argv(ranks, *job), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
                time.sleep(1.5)
                self.assertIsNone(p.poll(), "it ended before it was killed: the test tests nothing")
                kill_all(p)
            partial = {n for n in frames_in(folder) if n.endswith(".part")}
            self.assertTrue(partial, "no part was left")
            for name, body in frames_in(folder).items():
                if name in self.big:
                    self.assertEqual(body, self.big[name], "a broken frame has its final name")
            r = o.orrery(*job, ranks=ranks)
            self.assert_whole(folder, self.big)
            time.sleep(0.3)
            asked = nginx.requests()
            self.assertTrue(any(status == 206 for _, status, _, _ in asked), "nothing was resumed")
            sent = {path: sum(n for p, _, n, _ in asked if p == path) for path in size}
            twice = [path for path in size if sum(status == 200 for p, status, _, _ in asked if p == path) > 1]
            self.assertLessEqual(len(twice), 2 * max(ranks, 1), "more than one file a rank and kill was begun again")
            self.assertLess(sum(sent.values()), 1.5 * sum(size.values()), "much was fetched again")
            self.assertNotIn("0.0 MiB more were resumed", r.out)

    @NGINX
    def test_signal(self):
        for ranks in (0, 3) if o.MPIRUN else (0,):
            folder = self.folder()
            with self.subTest(ranks=ranks), web.Nginx(self.big_root, "limit_rate 120k;") as nginx:
                job = words(nginx.url, self.big_catalogue, folder, **{"archive.connections": 4})
                p = subprocess.Popen(o.argv(ranks, *job), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
                time.sleep(1.5)
                p.send_signal(signal.SIGUSR1 if ranks else signal.SIGTERM)
                out, err = p.communicate(timeout=60)
                self.assertEqual(p.returncode, 75, err)
                self.assertIn("stopped by a signal", err)
                self.assertIn("left ", out)
            with web.Nginx(self.big_root) as nginx:
                o.orrery(*words(nginx.url, self.big_catalogue, folder), ranks=ranks)
                self.assert_whole(folder, self.big)

    @unittest.skipUnless(o.MPIRUN, "one rank killed: needs mpirun")
    @NGINX
    def test_one_rank_killed(self):
        with web.Nginx(self.big_root, "limit_rate 100k;") as nginx:
            folder = self.folder()
            job = words(nginx.url, self.big_catalogue, folder, **{"archive.connections": 4})
            p = subprocess.Popen(o.argv(2, *job), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            time.sleep(1.5)
            ranks = children(p.pid)
            self.assertEqual(len(ranks), 2)
            os.kill(ranks[-1], signal.SIGKILL)
            self.assertNotEqual(p.wait(timeout=60), 0)
        with web.Nginx(self.big_root) as nginx:
            o.orrery(*words(nginx.url, self.big_catalogue, folder), ranks=2)
            self.assert_whole(folder, self.big)

    # ---- manners ----
    def test_limits(self):
        ranks = 2 if o.MPIRUN else 0
        with faults.FaultServer(self.big_root, rate=400e3) as server:
            o.orrery(*words(server.url, self.big_catalogue, self.folder(), **{"archive.connections": 3}), ranks=ranks)
            self.assertLessEqual(server.most_open, 3)
            self.assertEqual(server.most_busy, 3)
        with faults.FaultServer(self.small_root) as server:
            o.orrery(*words(server.url, self.small_catalogue, self.folder(), **{"archive.requests": 5, "archive.connections": 4}), ranks=ranks)
            times = sorted(t for t, _, _, _ in server.log)
            self.assertGreater(times[-1] - times[0], (len(times) - max(ranks, 1)) / 5 * 0.95)
        whole = sum(len(b) for b in self.big.values()) / 2**20
        with faults.FaultServer(self.big_root) as server:
            rate = whole / 4
            begin = time.monotonic()
            o.orrery(*words(server.url, self.big_catalogue, self.folder(), **{"archive.rate_mib": rate, "archive.proof": "stream"}), ranks=ranks)
            self.assertGreater(time.monotonic() - begin, 3.0)

    def test_one_file_after_another(self):
        """Under a limit the transfer that began first goes on first, and none is kept waiting for
        more than 5 s.  The long file takes 7 s at the limit, the short one, asked for after it,
        half a second: it ends last, and still grows meanwhile."""
        root = o.tmp("line")
        frames, catalogue = web.survey(root, random.Random(8), fields=1, bands="ug")
        long, short = sorted(frames, reverse=True)  # u, g: as the bands are asked for
        rate = 400e3  # bytes a second
        for name, seconds in ((long, 7), (short, 0.5)):
            frames[name] = bz2.compress(random.Random(name).randbytes(int(rate * seconds)), 1)
            with open(os.path.join(root, name), "wb") as f:
                f.write(frames[name])
        folder = self.folder()
        with faults.FaultServer(root) as server:
            p = subprocess.Popen(o.argv(0, *words(server.url, catalogue, folder, **{
                "catalogue.bands": "[u, g]", "archive.connections": 2, "archive.rate_mib": rate / 2**20, "archive.proof": "stream", "archive.stall": 30})),
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            begin = grown = looked = time.monotonic()
            size = waited = lag = 0
            while p.poll() is None:
                now = time.monotonic()
                lag, looked = max(lag, now - looked), now
                have = max((os.path.getsize(path) for end in ("", ".part") if os.path.exists(path := os.path.join(folder, short + end))), default=0)
                if have > size:
                    size, waited, grown = have, max(waited, now - grown), now
                time.sleep(0.02)
            self.assertEqual(p.returncode, 0, p.stderr.read())
            p.stderr.close()
        self.assertEqual(sorted(path for _, path, _, _ in server.log), sorted(["/" + long, "/" + short]))
        self.assert_whole(folder, frames)
        ended = {n: os.stat(os.path.join(folder, n)).st_mtime_ns for n in frames}
        self.assertLess(ended[long], ended[short], "the second one ended first")
        self.assertGreater(waited, 2, "it was never kept waiting: the test tests nothing")
        self.assertLess(waited, 5.5 + 2 * lag)
        self.assertGreater(looked - begin, 6.5)

    def test_more_ranks_than_connections(self):
        if not o.MPIRUN:
            self.skipTest("needs mpirun")
        with faults.FaultServer(self.small_root) as server:
            folder = self.folder()
            o.orrery(*words(server.url, self.small_catalogue, folder, **{"archive.connections": 1}), ranks=3)
            self.assert_whole(folder, self.small)
            self.assertEqual(server.most_open, 1)

    # ---- what is there already ----
    def test_frames_that_are_there(self):
        folder = self.folder()
        names = sorted(self.small)
        with faults.FaultServer(self.small_root) as server:
            job = words(server.url, self.small_catalogue, folder)
            o.orrery(*job)
            paths = [os.path.join(folder, n) for n in names]
            os.remove(paths[0])
            open(paths[1], "wb").close()  # emptied
            with open(paths[2], "r+b") as f:  # cut
                f.truncate(1000)
            # another checksum at its end, same length: only check sees it
            with open(paths[3], "r+b") as f:
                f.seek(-8, os.SEEK_END)
                f.write(b"\x00\x01")
            server.log.clear()
            o.orrery(*job)
            self.assertEqual({path for _, path, _, _ in server.log}, {"/" + n for n in names[:3]})
            self.assertNotEqual(frames_in(folder)[names[3]], self.small[names[3]])
            r = o.orrery(*job, "check=true", ranks=2 if o.MPIRUN else 0)
            self.assertIn("damaged         1", r.out)
            self.assert_whole(folder, self.small)
            self.assertEqual(server.log[-1][1], "/" + names[3])
            shutil.rmtree(os.path.join(folder, ".orrery"))  # what is there needs no history
            server.log.clear()
            o.orrery(*job)
            self.assertEqual(server.log, [])
            self.assert_whole(folder, self.small)

    def test_zero_length_in_the_archive(self):
        root = o.tmp("hollow")
        frames, catalogue = web.survey(root, random.Random(3), fields=1)
        name = sorted(frames)[0]
        open(os.path.join(root, name), "wb").close()
        folder = self.folder()
        with faults.FaultServer(root) as server:
            o.orrery(*words(server.url, catalogue, folder, **{"archive.retries": 2}), code=1)
        self.assertEqual(len(frames_in(folder)), 4)
        self.assertIn("empty", manifest(folder)[name.lstrip("/")]["reason"])

    # ---- errors ----
    def test_set_aside(self):
        with open(self.small_catalogue) as f:
            text = f.read()
        catalogue = o.write("aside.csv", text + "7,400,0,1,301,1,1,0.1\n8,10,nan,1,301,1,2,0.1\n9,10,-91,1,301,1,3,0.1\n")
        with faults.FaultServer(self.small_root) as server:
            folder = self.folder()
            r = o.orrery(*words(server.url, catalogue, folder))
            self.assert_whole(folder, self.small)
        self.assertIn("3 set aside", r.out)
        self.assertEqual(r.err.count("is set aside:"), 3, r.err)

    def test_errors(self):
        job = words("http://127.0.0.1:9", self.small_catalogue, self.folder())
        for extra, code, says in [
                (["archive.folder=/proc/nowhere"], 1, "/proc/nowhere"),
                (["archive.folder=" + self.small_catalogue], 1, self.small_catalogue),
                (["archive.path=r{run}-{band}.fits"], 2, "{camcol}"),
                (["archive.conections=3"], 2, "connections"),
                (["archive.proof=some"], 2, "structure"),
                (["archive.connections=0"], 2, "connections"),
                (["catalogue.file=nowhere.csv"], 1, "nowhere.csv"),
                (["archive.url=ftp://host/{band}"], 2, "http"),
                (["archive.url=http://host/{nosuch}/{band}"], 1, "nosuch"),
                (["catalogue.ra=rra"], 1, "ra")]:
            for ranks in (0, 2) if o.MPIRUN else (0,):
                with self.subTest(extra=extra, ranks=ranks):
                    r = o.orrery(*job, *extra, ranks=ranks, code=code, deadline=30)
                    self.assertIn(says, r.err)
                    self.assertEqual(r.err.count("orrery fetch:"), 1, r.err)

    @NGINX
    def test_two_jobs_in_one_folder(self):
        with web.Nginx(self.big_root, "limit_rate 100k;") as nginx:
            folder = self.folder()
            job = words(nginx.url, self.big_catalogue, folder)
            p = subprocess.Popen(o.argv(0, *job), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(1)
            r = o.orrery(*job, code=None)
            p.kill()
            p.wait()
            self.assertEqual(r.code, 1)
            self.assertIn("another orrery job", r.err)

    def test_disk_full(self):
        place = o.tmp("tiny")
        os.makedirs(place, exist_ok=True)
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True).returncode != 0:
            self.skipTest("a small file system cannot be mounted here")
        try:
            for ranks in (0, 2) if o.MPIRUN else (0,):
                with faults.FaultServer(self.big_root) as server:
                    r = o.orrery(*words(server.url, self.big_catalogue, os.path.join(place, "frames")), ranks=ranks, code=1, deadline=60)
                self.assertRegex(r.err, "No space left on device|disk is full")
                for name, body in frames_in(os.path.join(place, "frames")).items():
                    if not name.endswith((".part", ".part.etag")):
                        self.assertEqual(body, self.big[name])
                shutil.rmtree(os.path.join(place, "frames"))
        finally:
            subprocess.run(["umount", place], check=True)


if __name__ == "__main__":
    o.main_beside(sys.argv[:1] + sys.argv[2:])
