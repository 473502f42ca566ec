"""One rank of two fails alone, in each phase or allocation in turn: every command ends at once,
with that rank's sentence and a failure's code, and nobody waits for a deadline.

ORR_PHASE_FAIL and ORR_ALLOC_FAIL are set on one rank; the walk over them takes longer steps as it
goes on.  ORR_WALK=1 takes every one of them."""
import functools
import http.server
import os
import shutil
import stat
import threading
import unittest

import orrery as o

STEP = float(os.environ.get("ORR_WALK", "2.5"))
SECONDS = 20  # a job takes less than one; a deadline (ORR_WAIT) is longer
QUIET = "runtime={threads: 1, progress: false}"
CV = """
run: unset
job: train.yaml
cv: {folds: 2, seed: 7}
configurations: {small: {}}
runtime: {threads: 1, progress: false}
"""
SKY = """
out: unset
catalogue: {{file: {tmp}/sky/catalogue.csv, id: objID, target: z, bands: [g, r]}}
archive: {{folder: {folder}, url: "{url}/{{rerun}}/{{run}}/{{camcol}}/frame-{{band}}-{{run:06d}}-{{camcol}}-{{field:04d}}.fits.bz2", {more}}}
{rest}
runtime: {{threads: 1, progress: false}}
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass


def serve(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def one_fails(rank, variable, n, *args):
    """Runs it on two ranks, on one of which the variable is n."""
    script = o.tmp("one-fails")
    if not os.path.exists(script):
        o.write("one-fails", '#!/bin/sh\n[ "$OMPI_COMM_WORLD_RANK" = "$FAIL_RANK" ] && export "$FAIL_AT"\nexec "$REAL" "$@"\n')
        os.chmod(script, os.stat(script).st_mode | stat.S_IXUSR)
    before, o.ORRERY = o.ORRERY, script
    try:
        return o.orrery(*args, ranks=2, code=None, deadline=SECONDS,
                        env={"FAIL_RANK": str(rank), "FAIL_AT": f"{variable}={n}", "REAL": before, "ORR_WAIT": "60",
                             "OMPI_MCA_odls_base_sigkill_timeout": "0"})
    finally:
        o.ORRERY = before


class Phases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        train, test = o.small_kepler(stars=60, samples=60)
        cls.train = o.job("train.yaml", train, test, layers="\n    - flatten\n    - linear: {units: 1}\n")
        o.orrery("train", cls.train, "run=" + o.tmp("model"), "train.epochs=1", QUIET)
        cls.cv = o.write("cv.yaml", CV)
        o.orrery("cv", cls.cv, "run=" + o.tmp("cv"))
        o.orrery("synth", "sdss", "out=" + o.tmp("sky"), "fields=3", "objects=8", "width=64", "height=64")
        cls.url, cls.set = serve(o.tmp("sky")), train

    def ended(self, r, where):
        said = [line for line in r.err.splitlines() if line.startswith("orrery")]
        if "communicator of 2 ranks" in r.err:  # before there is one each rank speaks for itself
            said = said[:1]
        self.assertEqual(len(said), 1, f"{where}: {r.err}")
        self.assertNotIn("within", said[0], where)
        return said[0]

    def walk(self, name, *args, variable="ORR_PHASE_FAIL", most=100000, rank=1):
        """Until it succeeds twice in a row: there are no more of them (of allocations some may
        fail)."""
        n, passed, failed = 1, 0, 0
        while passed < (1 if variable == "ORR_PHASE_FAIL" else 2) and n <= most:
            shutil.rmtree(o.tmp("out"), ignore_errors=True)
            shutil.rmtree(o.tmp("out.tmp"), ignore_errors=True)
            where = f"{name} {variable}={n} on rank {rank}"
            r = one_fails(rank, variable, n, *args)
            passed = passed + 1 if r.code == 0 else 0
            if r.code != 0:
                said = self.ended(r, where)
                failed += 1
                self.assertIn(r.code, (1, 2), where)
                if variable == "ORR_PHASE_FAIL":
                    self.assertIn(f"phase {n} failed on purpose", said, where)
            n = max(n + 1, int(n * STEP))
        self.assertGreater(failed, 2, name)

    def commands(self):
        yield "import", ("import", os.path.join(o.SOURCE, "examples/kepler/import.yaml"), f"input.files={o.tmp('survey')}/train.csv",
                         "out=" + o.tmp("out"), "shard_mib=0.05", QUIET)
        yield "train", ("train", self.train, "run=" + o.tmp("out"), "train.epochs=1", QUIET)
        yield "cv", ("cv", self.cv, "run=" + o.tmp("out"))
        yield "predict", ("predict", o.tmp("model"), self.set, "out=" + o.tmp("p.csv"), "overwrite=true", QUIET)
        yield "stack", ("stack", f"run={o.tmp('out')}", f"oof=[{o.tmp('cv')}]", QUIET)
        yield "crop", ("crop", o.write("crop.yaml", SKY.format(tmp=o.tmp(), folder=o.tmp("sky"), url="http://unused", more="connections: 1",
                                                               rest="crop: {size: 16}")), "out=" + o.tmp("out"))
        yield "fetch", ("fetch", o.write("fetch.yaml", SKY.format(tmp=o.tmp(), folder=o.tmp("out"), url=self.url, more="connections: 4, requests: 1000",
                                                                  rest="").replace("out: unset\n", "")))

    def test_each_phase(self):
        for name, args in self.commands():
            with self.subTest(name):
                self.walk(name, *args)

    def test_allocations(self):
        for name, args in self.commands():
            if name in ("import", "train", "cv", "predict"):
                with self.subTest(name):
                    self.walk(name, *args, variable="ORR_ALLOC_FAIL", most=20000)

    def test_memory_is_no_news_about_frames(self):
        """Where an allocation fails a crop fails: no object is set aside for it, no frame called
        damaged."""
        args = dict(self.commands())["crop"]
        shutil.rmtree(o.tmp("out"), ignore_errors=True)  # another test's
        o.orrery(*args)
        whole = o.tree(o.tmp("out"))
        for n in range(100, 640, 12):
            shutil.rmtree(o.tmp("out"), ignore_errors=True)
            shutil.rmtree(o.tmp("out.tmp"), ignore_errors=True)
            r = o.orrery(*args, env={"ORR_ALLOC_FAIL": str(n)}, code=None)
            if r.code == 0:
                self.assertEqual(o.tree(o.tmp("out")), whole, f"allocation {n}")
            else:
                self.assertEqual(r.code, 1, r.err)
                self.assertRegex(r.err.lower(), "memory|sqlite", f"allocation {n}")


if __name__ == "__main__":
    if not o.MPIRUN:
        o.skip("needs MPI")
    unittest.main()
