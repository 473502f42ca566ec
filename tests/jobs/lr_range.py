"""The learning-rate range test: the sweep is PyTorch's, and train's; it stops where it must, says
the same on any number of ranks and touches nothing."""
import json
import os
import signal
import subprocess
import time
import unittest

import h5py
import numpy as np
import orrery as o
import torch

QUIET = "runtime.progress=false"


def sweep(job, *args, ranks=0, **how):
    return json.loads(o.orrery("lr-range", job, "format=json", QUIET, *args, ranks=ranks, **how).out)


def text_of(path):
    with open(path) as f:
        return f.read()


def numbers(values):
    return np.array([np.nan if v is None else v for v in values])


def stamps(folder):
    """{path: (size, time of change)} of everything below a folder."""
    found = {}
    for here, folders, files in os.walk(folder):
        for name in folders + files:
            s = os.stat(os.path.join(here, name))
            found[os.path.join(here, name)] = (s.st_size, s.st_mtime_ns)
    return found


def wait_for_handler(p, ranks, seconds=60):
    """Until the process catches SIGTERM, and its ranks do: mpirun was seen to forget one that comes
    while it starts them."""
    def catches(pid):
        with open(f"/proc/{pid}/status") as f:
            return int(next(line.split()[1] for line in f if line.startswith("SigCgt")), 16) >> (signal.SIGTERM - 1) & 1

    def children():
        with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
            return f.read().split()

    end = time.monotonic() + seconds
    while not (catches(p.pid) and len(children()) >= ranks and all(map(catches, children()[:ranks]))):
        assert p.poll() is None and time.monotonic() < end, "SIGTERM is not caught"
        time.sleep(0.005)


def expected(r):
    """Smoothed losses and the places of minimum and suggestion, told from the losses and the
    documentation alone."""
    mean, smoothed = 0.0, []
    for i, loss in enumerate(r["losses"]):
        mean = r["smoothing"] * mean + (1 - r["smoothing"]) * (np.nan if loss is None else loss)
        smoothed.append(mean / (1 - r["smoothing"] ** (i + 1)))
    s, skip, side = np.array(smoothed), r["skip"], max(1, r["steps"] // 20)
    last = int(np.isfinite(s).sum()) - 1
    low = skip + int(np.argmin(s[skip:last + 1]))
    slopes = []
    for i in range(skip, low):
        a, b = max(i - side, skip), min(i + side, last)
        slopes.append((s[b] - s[a]) / (b - a))
    return s, low, skip + int(np.argmin(slopes)) if slopes else None


class LrRange(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rng = np.random.default_rng(3)
        x = rng.normal(size=(150, 3)).astype("f4")
        y = (x @ [1.5, -2.0, 0.5] + 0.3 * rng.normal(size=150) > 0).astype(int)
        np.savetxt(o.tmp("plain.csv"), np.column_stack([y, x]), delimiter=",", header="c,a,b,d", comments="", fmt="%.9g")
        o.orrery("import", f"input.files={o.tmp('plain.csv')}", "input.label=c", "input.shape=[3]", "out=" + o.tmp("plain"))
        np.savetxt(o.tmp("value.csv"), np.column_stack([x @ [1.0, 2.0, 3.0], x]), delimiter=",", header="t,a,b,d", comments="", fmt="%.9g")
        o.orrery("import", f"input.files={o.tmp('value.csv')}", "input.target=t", "input.shape=[3]", "out=" + o.tmp("value"))
        cls.plain = o.write("plain.yaml", f"""
run: {o.tmp('runs/plain')}
data: {{train: {o.tmp('plain')}, validation_fraction: 0, sampling: file}}
model: {{layers: [linear: {{units: 16}}, tanh, linear: {{units: 1}}], {o.KERNELS.replace('=', ': ')}}}
train: {{epochs: 2, batch: 32, lr: 0.5, clip_norm: 0.7, schedule: {{kind: onecycle}}}}
runtime: {{threads: 1}}
""")
        cls.kepler = o.job("kepler.yaml", *o.small_kepler())

    def weights(self):
        """Of the net before its first step, by a run that moves nothing."""
        run = o.tmp("start")
        if not os.path.exists(run):
            o.orrery("train", self.plain, "run=" + run, "train.epochs=1", "train.lr=0", "train.optimiser={kind: sgd}",
                     "train.schedule={kind: constant}", QUIET)
        with h5py.File(os.path.join(run, "model.h5")) as f:
            return {k: torch.tensor(f["weights"][k][:], dtype=torch.float64) for k in f["weights"]}

    def torch_losses(self, rates, make):
        net = torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)).double()
        with torch.no_grad():
            for parameter, name in zip(net.parameters(), ("linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias")):
                parameter.copy_(self.weights()[name].reshape(parameter.shape))
        with h5py.File(os.path.join(o.tmp("plain"), "index.h5")) as f:
            x, y = torch.tensor(f["x"][:].reshape(-1, 3), dtype=torch.float64), torch.tensor(f["y"][:], dtype=torch.float64)
        optimiser, losses, first = make(net.parameters()), [], 0
        for rate in rates:
            rows = slice(first, min(first + 32, 150))
            first = rows.stop % 150
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.zero_grad()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(net(x[rows])[:, 0], y[rows])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 0.7)
            optimiser.step()
            losses.append(loss.item())
        return np.array(losses)

    def test_the_sweep_is_pytorchs(self):
        kinds = {"{kind: adam}": lambda p: torch.optim.Adam(p),
                 "{kind: adamw, weight_decay: 0.1}": lambda p: torch.optim.AdamW(p, weight_decay=0.1),
                 "{kind: sgd, momentum: 0.9}": lambda p: torch.optim.SGD(p, lr=1, momentum=0.9)}
        for kind, make in kinds.items():
            r = sweep(self.plain, "train.optimiser=" + kind, "from=1e-5", "to=0.3", "steps=60", "stop=0")
            self.assertEqual(len(r["rates"]), 60)
            self.assertTrue(np.allclose(r["rates"], np.geomspace(1e-5, 0.3, 60), rtol=1e-13))
            self.assertEqual((r["rates"][0], r["rates"][-1], r["steps_per_epoch"]), (1e-5, 0.3, 5))
            want = self.torch_losses(r["rates"], make)
            error = np.max(np.abs(numbers(r["losses"]) - want) / want)
            self.assertLess(error, 2e-5, kind)
            self.assertGreater(want[0] / want.min(), 1.5, "the sweep learns nothing: the test tests nothing")

    def test_the_steps_are_trains(self):
        """With dropout, augmentation, shuffling and epochs of two steps: at rates that are all but
        one and the same, losses are those of train with that rate."""
        run, same = o.tmp("short"), ("data.epoch_length=44", "train.epochs=4", "train.schedule={kind: constant}")
        o.orrery("train", self.kepler, "run=" + run, *same, "train.lr=0.003")
        with open(os.path.join(run, "metrics.jsonl")) as f:
            trained = [json.loads(line)["train_loss"] for line in f]
        r = sweep(self.kepler, "run=" + run, *same[:1], "train.epochs=1", "from=0.003", "to=0.0030000000001", "steps=8")
        self.assertEqual(r["ended"], "complete")
        losses = np.array(r["losses"]).reshape(4, 2)
        self.assertTrue(np.allclose(losses.mean(axis=1), trained, rtol=1e-6), (losses, trained))
        other = sweep(self.kepler, *same[:1], "from=0.006", "to=0.0060000000001", "steps=8")
        self.assertEqual(other["losses"][0], r["losses"][0])
        self.assertNotEqual(other["losses"][1], r["losses"][1])

    def test_schedule_and_lr_do_not_matter(self):
        a = sweep(self.plain)
        b = sweep(self.plain, "train.lr=0.001", "train.schedule={kind: cosine}", "train.epochs=50", "train.max_steps=3")
        self.assertEqual(a["losses"], b["losses"])

    def test_suggestion(self):
        for job, args in ((self.plain, ()), (self.plain, ("steps=300",)), (self.plain, ("smoothing=0", "skip=0", "steps=40")),
                          (self.kepler, ("steps=200", "smoothing=0.95"))):
            r = sweep(job, *args)
            smoothed, low, place = expected(r)
            self.assertTrue(np.allclose(smoothed, numbers(r["smoothed"]), rtol=1e-12, equal_nan=True))
            # cJSON writes 15 digits where they are within an epsilon of the number, else 17
            tenth = r["rates"][low] / 10
            self.assertIn(r["minimum"].pop("rate_tenth"), (tenth, float(f"{tenth:.15g}")))
            self.assertEqual(r["minimum"], {"rate": r["rates"][low], "smoothed": r["smoothed"][low]})
            self.assertEqual(r["suggestion"], r["rates"][place])
            self.assertTrue(r["from"] <= r["rates"][r["skip"]] <= r["suggestion"] < r["minimum"]["rate"])
            self.assertNotIn("no_suggestion", r)

    def test_suggestion_is_before_the_lowest(self):
        """Past it the loss of large rates falls faster still."""
        r = sweep(self.plain, "train.optimiser={kind: sgd}", "train.clip_norm=0", "to=1e4", "smoothing=0", "skip=0", "stop=0", "steps=40")
        s, low, place = expected(r)
        self.assertGreater(int(np.argmin(np.gradient(s))), low, "the test tests nothing")
        self.assertEqual((r["suggestion"], r["minimum"]["rate"]), (r["rates"][place], r["rates"][low]))

    def test_skip(self):
        """The lowest loss is among the judged ones."""
        r = sweep(self.plain, "train.optimiser={kind: sgd}", "train.clip_norm=0", "from=0.01", "to=1e4", "stop=0", "skip=70")
        s, low, _ = expected(r)
        self.assertLess(int(np.argmin(s)), 70, "the test tests nothing")
        self.assertEqual((r["skip"], r["minimum"]["rate"]), (70, r["rates"][low]))
        self.assertEqual(sweep(self.plain, "steps=57")["skip"], 5)

    def test_suggestion_trains(self):
        """It is a rate that learns well in few epochs; a thousandth of it is none."""
        r, loss = sweep(self.plain), {}
        for name, rate in (("good", r["suggestion"]), ("low", r["suggestion"] / 1000)):
            o.orrery("train", self.plain, "run=" + o.tmp(name), f"train.lr={rate!r}", "train.schedule={kind: constant}", "train.epochs=10", QUIET)
            with open(os.path.join(o.tmp(name), "metrics.jsonl")) as f:
                loss[name] = json.loads(f.readlines()[-1])["train_loss"]
        self.assertLess(loss["good"], 0.6 * loss["low"])

    def test_divergence_ends_it(self):
        r = sweep(self.plain, "train.optimiser={kind: sgd}", "train.clip_norm=0", "to=1e5", "steps=200", "stop=3")
        s = numbers(r["smoothed"])
        self.assertEqual(r["ended"], "diverged")
        self.assertLess(len(s), 200)
        best = np.minimum.accumulate(s[r["skip"]:])
        self.assertTrue(s[-1] > 3 * best[-1])
        self.assertTrue(np.all(s[r["skip"]:-1] <= 3 * best[:-1]))
        on = sweep(self.plain, "train.optimiser={kind: sgd}", "train.clip_norm=0", "to=1e5", "steps=200", "stop=0")
        self.assertEqual((on["ended"], len(on["losses"])), ("complete", 200))
        self.assertEqual(on["losses"][:len(s)], r["losses"])

    def test_not_finite_is_no_failure(self):
        job = o.edit(o.write("value.yaml", text_of(self.plain)), o.tmp("plain") + ",", o.tmp("value") + ",")
        job = o.edit(job, "clip_norm: 0.7", "optimiser: {kind: sgd}")
        r = o.orrery("lr-range", job, "to=1e20", "stop=0", "out=" + o.tmp("inf.json"), QUIET)
        self.assertIn("not finite", r.out)
        self.assertIn("suggestion: train.lr=", r.out)
        with open(o.tmp("inf.json")) as f:
            j = json.load(f)
        self.assertEqual((j["ended"], j["smoothed"][-1]), ("nonfinite", None))
        self.assertNotIn(None, j["losses"][:-1] + j["smoothed"][:-1])
        self.assertEqual(len(j["rates"]), len(j["losses"]))

        broken = "data.transforms=[affine: {scale: 1e38}, affine: {scale: 1e38}]"
        r = o.orrery("lr-range", job, broken, QUIET)
        self.assertIn("no suggestion: the first batch, before any step,", r.out)
        j = sweep(job, broken)
        self.assertEqual((j["ended"], j["smoothed"], j["suggestion"], j["minimum"]["rate"]), ("nonfinite", [None], None, None))

    def test_no_suggestion(self):
        r = sweep(self.plain, "to=1e-6")
        self.assertIsNone(r["suggestion"])
        self.assertIn("noise", r["no_suggestion"])
        self.assertLess(r["fall"], 3 * r["noise"])
        self.assertIn("no suggestion: the loss fell", o.orrery("lr-range", self.plain, "to=1e-6", QUIET).out)
        r = sweep(self.plain, "from=50", "to=1000", "stop=0", "steps=30", "train.clip_norm=0", "train.optimiser={kind: sgd}", "skip=0", "smoothing=0.99")
        self.assertIsNone(r["suggestion"])

    def test_few_steps(self):
        for steps in (2, 3, 5, 11):
            r = sweep(self.plain, f"steps={steps}", "stop=0")
            self.assertEqual(len(r["rates"]), steps)
            self.assertEqual((r["rates"][0], r["rates"][-1]), (1e-7, 10))
            out = o.orrery("lr-range", self.plain, f"steps={steps}", "stop=0", QUIET).out
            self.assertIn("suggestion: ", out)
            if steps == 2:
                self.assertIn("3 are needed; take more steps", r["no_suggestion"])

    def test_ranks(self):
        for job in (self.kepler, self.plain):
            one = None
            for n in (0, 1, 2, 3):
                out = o.tmp(f"ranks-{n}.json")
                o.orrery("lr-range", job, "steps=60", "out=" + out, "overwrite=true", f"runtime.threads={1 + n % 2}", ranks=n if o.MPIRUN else 0)
                with open(out) as f:
                    got = f.read()
                one = one or got
                self.assertEqual(got, one, f"{n} ranks")

    def test_nothing_is_touched(self):
        run = o.tmp("touch")
        o.orrery("train", self.plain, "run=" + run, QUIET)
        before = stamps(o.tmp())
        o.orrery("lr-range", self.plain, "run=" + run, QUIET)
        o.orrery("lr-range", self.plain, "run=" + o.tmp("no/such/run"), QUIET, ranks=2 if o.MPIRUN else 0)
        self.assertEqual(stamps(o.tmp()), before)
        o.orrery("lr-range", self.plain, "run=" + run, "out=" + o.tmp("only.json"), QUIET)
        after = stamps(o.tmp())
        after.pop(o.tmp("only.json"))
        self.assertEqual(after, before)
        with open(o.tmp("only.json")) as f:
            self.assertEqual(json.load(f), sweep(self.plain))
        o.orrery("train", self.plain, "run=" + run, QUIET)  # the run can still be gone on with

    def test_beside_a_running_job(self):
        run = o.tmp("busy")
        p = subprocess.Popen(o.argv(0, "train", self.plain, "run=" + run, "train.epochs=1000000", "train.checkpoint_steps=1000", QUIET),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=o.tmp(), start_new_session=True)
        try:
            end = time.monotonic() + 60
            while not os.path.exists(os.path.join(run, "checkpoint-last.h5")):
                assert time.monotonic() < end and p.poll() is None
                time.sleep(0.01)
            self.assertEqual(sweep(self.plain, "run=" + run)["losses"], sweep(self.plain)["losses"])
            self.assertIsNone(p.poll())
        finally:
            p.kill()
            p.wait()

    def test_bad_keys(self):
        for args, said in ((("step=5",), 'unknown key "step"; did you mean "steps"?'),
                           (("train.batchh=5",), 'did you mean "batch"?'),
                           (("colour=5",), 'unknown key "colour"'),
                           (("from=1", "to=1"), "from=1 is not below to=1"),
                           (("from=2", "to=1"), "from=2 is not below to=1"),
                           (("from=0",), "from"), (("to=nan",), "to is"), (("steps=1",), "steps"), (("smoothing=1",), "smoothing"),
                           (("stop=0.5",), "1 or more"), (("skip=40", "steps=40"), "leaves nothing"),
                           (("train.select=auc", "data.train=" + o.tmp("value")), "train.select"),
                           (("more.yaml",), "one too many")):
            r = o.orrery("lr-range", self.plain, *args, code=2)
            self.assertIn(said, r.err)
            self.assertEqual(r.out, "")
        section = o.write("section.yaml", text_of(self.plain) + "lr_range: {steps: 5}\n")
        for command in ("train", "lr-range"):
            self.assertIn('section.yaml:7: unknown key "lr_range"', o.orrery(command, section, code=2).err)
        if o.MPIRUN:
            r = o.orrery("lr-range", self.plain, "step=5", ranks=2, code=2)
            self.assertEqual(r.err.count("did you mean"), 1)

    def test_out(self):
        out = o.write("taken.json", "mine")
        for ranks in (0, 2) if o.MPIRUN else (0,):
            err = o.orrery("lr-range", self.plain, "out=" + out, ranks=ranks, code=1).err
            self.assertIn("exists; remove it or say overwrite=true", err)
            self.assertNotIn("MPI_ABORT", err)
        with open(out) as f:
            self.assertEqual(f.read(), "mine")
        o.orrery("lr-range", self.plain, "out=" + out, "overwrite=true", QUIET)
        with open(out) as f:
            self.assertEqual(json.load(f)["steps"], 100)
        self.assertIn("its folder does not exist", o.orrery("lr-range", self.plain, "out=" + o.tmp("nowhere/a.json"), code=1).err)
        self.assertIn("that is a folder", o.orrery("lr-range", self.plain, "out=" + o.tmp("plain"), "overwrite=true", code=1).err)

    def test_picture(self):
        lines = o.orrery("lr-range", self.plain, QUIET).out.splitlines()
        r = sweep(self.plain)
        self.assertEqual(lines[-1], f"suggestion: train.lr={r['suggestion']:.3g} (where the loss falls fastest)")
        rows = [line[12:] for line in lines if line[11:12] == "|"]
        self.assertEqual(len(rows), 12)
        self.assertTrue(all(sum(row[c:c + 1] == "*" for row in rows) == 1 for c in range(60)))
        mark = next(line for line in lines if line.strip() == "^").index("^") - 12
        judged = len([s for s in r["smoothed"] if s is not None]) - r["skip"]
        self.assertLess(abs(mark - 59 * (r["rates"].index(r["suggestion"]) - r["skip"]) / (judged - 1)), 1)
        low = next(line for line in lines if line[11:12] == "|" and line.endswith("|" + rows[11]))
        self.assertAlmostEqual(float(low[:10]), r["minimum"]["smoothed"], places=3)

    def test_signal(self):
        for ranks in (0, 2) if o.MPIRUN else (0,):
            out, before = o.tmp("stopped.json"), set(os.listdir(o.tmp()))
            p = subprocess.Popen(o.argv(ranks, "lr-range", self.kepler, "from=1e-9", "to=2e-9", "steps=100000", "stop=0", "out=" + out),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=o.tmp(), start_new_session=True, text=True)
            try:
                wait_for_handler(p, ranks)
                time.sleep(0.3 if ranks == 0 else 1)
                p.send_signal(signal.SIGTERM)
                said, err = p.communicate(timeout=60)
            finally:
                if p.poll() is None:
                    os.killpg(p.pid, signal.SIGKILL)
                    p.communicate()
            self.assertEqual(said, "")
            self.assertEqual(set(os.listdir(o.tmp())), before)
            if ranks == 0:
                self.assertEqual(p.returncode, 75, err)
                self.assertRegex(err, r"stopped by a signal after \d+ of 100000 rates; nothing was written")

    def test_out_of_memory(self):
        """Every third allocation fails, each in its turn: a sentence and exit code 1, and nothing
        is written."""
        n = failures = 1
        while True:
            r = o.orrery("lr-range", self.plain, "out=" + o.tmp("full.json"), QUIET, env={"ORR_ALLOC_FAIL": str(n)}, code=None)
            if r.code == 0:
                break
            self.assertEqual(r.code, 1, f"allocation {n}: {r.err}")
            self.assertTrue(r.err.startswith("orrery") and r.out == "", r.err)
            self.assertFalse(os.path.exists(o.tmp("full.json")))
            n += 3
            failures += 1
        self.assertGreater(failures, 20)


if __name__ == "__main__":
    unittest.main()
