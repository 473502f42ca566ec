"""Every command as a user types it: synth, import, info, train, evaluate, predict; outputs agree
with one another and with the libraries that people read them with."""
import csv
import json
import os
import shlex
import shutil
import subprocess
import unittest

import h5py
import numpy as np
import orrery as o
from sklearn import metrics


def read_csv(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def contents(f):
    """Names, types, shapes and bytes of all that a model file holds, but for the job as it was
    written and the sum over both."""
    found = [(k, str(v)) for k, v in f.attrs.items() if k not in ("job", "sha256")]
    f.visititems(lambda name, d: found.append((name, d.dtype.str, d.shape, d[()].tobytes() if d.dtype.kind != "O" else str(d[()])))
                 if isinstance(d, h5py.Dataset) and name not in ("job", "card") else None)
    return found


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.train, cls.test = o.small_kepler()
        cls.job = o.job("commands.yaml", cls.train, cls.test)
        cls.trained = o.tmp("run")
        o.orrery("train", cls.job, "run=" + cls.trained)

    def test_help(self):
        r = o.orrery("--help")
        for name in ("synth", "import", "info", "train", "evaluate", "predict"):
            self.assertIn(name, r.out)
            self.assertIn("usage: ", o.orrery(name, "--help").out)
        self.assertIn("train.optimiser.beta1", o.orrery("train", "--help").out)
        self.assertIn("input.label", o.orrery("import", "--help").out)
        self.assertRegex(o.orrery("--version").out, r"^orrery \d+\.\d+")
        self.assertIn("did you mean \"train\"", o.orrery("trian", code=2).err)

    def complete(self, line):
        """What bash offers at the end of a line."""
        script = f"""source <({o.ORRERY} --completion bash)
            COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)} COMP_WORDBREAKS=$' \\t\\n=:'
            _orrery; printf '%s\\n' "${{COMPREPLY[@]}}" """
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=o.tmp("")).stdout.split()

    def test_completion(self):
        self.assertIn("train", self.complete("orrery "))
        self.assertEqual(self.complete("orrery lr"), ["lr-range"])
        self.assertIn("train.optimiser.beta1=", self.complete("orrery train job.yaml train.opt"))
        self.assertEqual(self.complete("orrery train job.yaml train.precision=nothing"), [])
        self.assertEqual(self.complete("orrery evaluate a b format="), ["table", "json"])
        self.assertEqual(self.complete("orrery launch ranks=2 evaluate a b format=j"), ["json"])
        self.assertIn("ranks=", self.complete("orrery launch r"))
        self.assertIn("cv", self.complete("orrery launch ranks=2 c"))
        self.assertIn("input.files=", self.complete("orrery import input.f"))
        self.assertIn("test_stars=", self.complete("orrery synth kepler t"))

    def test_words(self):
        self.assertIn("evaluate needs DATA", o.orrery("evaluate", self.trained, code=2).err)
        self.assertIn("usage: orrery info PATH", o.orrery("info", code=2).err)
        self.assertIn("info takes PATH; \"b\" is one too many", o.orrery("info", "a", "b", code=2).err)

    def test_run_folder(self):
        for name in ("job.yaml", "metrics.jsonl", "history.csv", "timing.csv", "checkpoint-last.h5", "checkpoint-best.h5", "model.h5",
                     "report.json", "predictions-validation.csv", "predictions-test.csv", "log.txt"):
            self.assertTrue(os.path.exists(os.path.join(self.trained, name)), name)
        self.assertFalse([n for n in os.listdir(self.trained) if n.endswith(".tmp")])
        with open(os.path.join(self.trained, "metrics.jsonl")) as f:
            lines = [json.loads(line) for line in f]
        self.assertEqual([m["epoch"] for m in lines], [1, 2, 3])
        self.assertTrue(all(m["train_loss"] > 0 and m["validation"]["samples"] == 48 for m in lines))

    def test_evaluate_is_sklearn(self):
        report = json.loads(o.orrery("evaluate", self.trained, self.test, "format=json", o.KERNELS).out)
        rows = read_csv(os.path.join(self.trained, "predictions-test.csv"))
        y = np.array([r["label"] == "planet" for r in rows])
        p = np.array([float(r["probability"]) for r in rows])
        self.assertEqual(len(rows), 60)
        self.assertAlmostEqual(report["accuracy"], metrics.accuracy_score(y, p > 0.5), places=12)
        self.assertAlmostEqual(report["auc"], metrics.roc_auc_score(y, p), places=12)
        self.assertAlmostEqual(report["precision"], metrics.precision_score(y, p > 0.5, zero_division=0), places=12)
        self.assertAlmostEqual(report["recall"], metrics.recall_score(y, p > 0.5), places=12)
        self.assertAlmostEqual(report["f1"], metrics.f1_score(y, p > 0.5), places=12)
        self.assertEqual(report["confusion"], metrics.confusion_matrix(y, p > 0.5).tolist())
        with open(os.path.join(self.trained, "report.json")) as f:
            self.assertEqual(report, json.load(f)["test"])
        table = o.orrery("evaluate", self.trained, self.test, o.KERNELS).out
        for word in ("accuracy", "recall", "ROC-AUC", "confusion", "planet"):
            self.assertIn(word, table)

    def test_predict_formats_agree(self):
        for ending in ("csv", "npy", "h5"):
            o.orrery("predict", self.trained, self.test, "out=" + o.tmp("p." + ending), o.KERNELS, ranks=2 if o.MPIRUN and ending == "npy" else 0)
        rows = read_csv(o.tmp("p.csv"))
        array = np.load(o.tmp("p.npy"))
        with h5py.File(o.tmp("p.h5")) as f:
            self.assertTrue(np.array_equal(f["p"][:].astype("f4"), array))
            self.assertEqual([i.decode() for i in f["id"][:]], [r["id"] for r in rows])
        self.assertTrue(np.array_equal(np.array([r["probability"] for r in rows], dtype="f4"), array[:, 1]))
        self.assertEqual(o.sha(o.tmp("p.csv")), o.sha(os.path.join(self.trained, "predictions-test.csv")))
        self.assertIn("exists", o.orrery("predict", self.trained, self.test, "out=" + o.tmp("p.csv"), code=1).err)
        o.orrery("predict", self.trained, self.test, "out=" + o.tmp("p.csv"), "overwrite=true", o.KERNELS)

    def test_model_has_torch_shapes(self):
        with h5py.File(os.path.join(self.trained, "model.h5")) as f:
            w = f["weights"]
            self.assertEqual(w["conv1d1.weight"].shape, (8, 2, 5))
            self.assertEqual(w["batch_norm1.running_mean"].shape, (8,))
            self.assertEqual(w["linear2.weight"].shape, (1, 20))

    def test_info(self):
        out = o.orrery("info", self.train, "verify=true").out
        for word in ("240", "planet", "300 x 1", "sha256"):
            self.assertIn(word, out)
        self.assertIn("conv1d", o.orrery("info", self.trained).out)
        self.assertIn("a checkpoint", o.orrery("info", os.path.join(self.trained, "checkpoint-last.h5")).out)
        self.assertIn("a model", o.orrery("info", os.path.join(self.trained, "model.h5")).out)

    def test_import_bytes_do_not_depend_on_ranks(self):
        if not o.MPIRUN:
            return
        one = o.tree(self.train)
        self.assertGreater(len(one), 4)
        for n in (2, 3, 5):
            o.orrery("import", os.path.join(o.SOURCE, "examples/kepler/import.yaml"), f"input.files={o.tmp('survey')}/train.csv",
                     "out=" + o.tmp(f"import-{n}"), "shard_mib=0.05", ranks=n)
            self.assertEqual(o.tree(o.tmp(f"import-{n}")), one)

    def test_import_is_what_h5py_reads(self):
        table = np.genfromtxt(o.tmp("survey/train.csv"), delimiter=",", skip_header=1)
        with h5py.File(os.path.join(self.train, "index.h5")) as f:
            self.assertTrue(np.array_equal(f["x"][:].reshape(240, 300), table[:, 1:].astype("f4")))
            self.assertTrue(np.array_equal(f["y"][:], table[:, 0] - 1))

    def provenance(self, out):
        with h5py.File(os.path.join(out, "index.h5")) as f:
            return json.loads(f.attrs["provenance"])

    def reads_back(self, name, text):
        """The job in the provenance is a job, and makes the same bytes."""
        out = o.tmp("provenance-" + name)
        o.orrery("import", o.write(name + ".yaml", text), "out=" + out, "overwrite=true")
        o.orrery("import", o.write(name + "-back.yaml", self.provenance(out)["job"]), "out=" + out + "-again", "overwrite=true")
        self.assertEqual(o.tree(out), o.tree(out + "-again"))

    def test_provenance_reads_back(self):
        table = o.write("provenance.csv", "id,a,b\n1,2,3\n2,3,4\n")
        self.reads_back("one", f"input:\n  files: [{table}]\n  id: id\n")
        more = o.write("provenance-more.csv", "id,a,b\n3,2,3\n4,3,4\n5,5,5\n")
        self.reads_back("two", f"inputs:\n  - {{files: [{table}], id: id}}\n  - files: {more}\n    id: id\n    where:\n      id: [3, '4']\n")

    def test_every_kind_of_value_reads_back(self):
        """Columns, classes and files called what YAML takes for something else."""
        words = ["no", "Yes", "~", "null", "007", "1e5", "-", "a: b", "a #b", "#c", "[d]", "{e: f}", "*g", "&h", "!i", "|", ">", "%j", "@k",
                 "it's", "l'", "=", "ü", "x:y", "n, o", "2026-12-01", "0x1F", "? p", "- q", "...", "---", "\\"]
        plain = [w for w in words if w not in ("~", "null")]
        for i, word in enumerate(words):
            folder = o.tmp(f"words-{i}")
            os.makedirs(folder, exist_ok=True)
            table = os.path.join(folder, word.replace("/", "_") + ".csv")
            with open(table, "w", newline="", encoding="utf-8") as f:
                csv.writer(f).writerows([["id", "c:", word, "other"], [1, word, 0.5, 1], [2, "z", 0.75, 2.5], [3, word, 1.5, 3]])
            job = {"input": {"files": [table], "id": "id", "label": "c:", "classes": [word, "z"], "where": {word: ["0.5", "0.75"], "c:": [word, "z"]},
                             "format": "csv", "features": word if "," not in word else "3-", "delimiter": ",", "class_names": [word + "!", "z"]}}
            if word not in plain:  # such labels are no values
                del job["input"]["classes"], job["input"]["class_names"], job["input"]["label"], job["input"]["where"]["c:"]
            self.reads_back("word", json.dumps(job))
            line = [f"input.{k}={json.dumps(v)}" for k, v in job["input"].items()]
            out = o.tmp("provenance-word")
            o.orrery("import", *line, "out=" + out + "-line", "overwrite=true")
            self.assertEqual(o.tree(out), o.tree(out + "-line"))
            if word in plain and word[0] not in "[{":  # as it stands, without quotes
                line = [x for x in line if not x.startswith(("input.files", "input.features"))]
                o.orrery("import", *line, "input.files=" + table, "input.features=" + job["input"]["features"], "out=" + out + "-bare", "overwrite=true")
                with h5py.File(os.path.join(out, "index.h5")) as a, h5py.File(os.path.join(out + "-bare", "index.h5")) as b:
                    self.assertTrue(np.array_equal(a["x"][:], b["x"][:]) and len(a["x"]) == 2)
            shutil.rmtree(folder)

    def test_overwrite_replaces_a_set(self):
        a = o.write("old.csv", "label,x,y\n0,1,2\n1,3,4\n0,5,6\n")
        b = o.write("new.csv", "label,x,y\n0,7,8\n1,9,10\n")
        out = o.tmp("replaced")
        o.orrery("import", "input.files=" + a, "input.label=label", "out=" + out + "/")
        o.orrery("import", "input.files=" + o.write("broken.csv", "label,x,y\n0,7\n"), "input.label=label", "out=" + out, "overwrite=true", code=1)
        with h5py.File(os.path.join(out, "index.h5")) as f:
            self.assertEqual(f["x"].shape[0], 3, "a replacement that failed leaves what was there")
        o.orrery("import", "input.files=" + b, "input.label=label", "out=" + out, "overwrite=true")
        with h5py.File(os.path.join(out, "index.h5")) as f:
            self.assertEqual(f["x"][:].reshape(2, 2).tolist(), [[7, 8], [9, 10]])
        self.assertEqual([n for n in os.listdir(o.tmp()) if n.startswith("replaced")], ["replaced"])

    def test_several_inputs(self):
        a = o.write("a.csv", "label,x,y\n0,1,2\n1,3,4\n")
        b = o.write("b.csv", "label,x,y\n2,5,6\n")
        job = o.write("two.yaml", f"inputs:\n  - {{files: [{a}], label: label, shape: [2]}}\n  - {{files: [{b}], label: label, shape: [2]}}\n")
        o.orrery("import", job, "out=" + o.tmp("two"))
        with h5py.File(o.tmp("two/index.h5")) as f:
            self.assertEqual(f["x"][:].tolist(), [[1, 2], [3, 4], [5, 6]])
            self.assertEqual(f["y"][:].tolist(), [0, 1, 2])
            self.assertEqual(f["id"][:].tolist(), [0, 1, 2])

    # ---- the timeline ----
    def check_timeline(self, command, *args, ranks=0):
        """[(rank, name, number)] of a command's spans, which must cover nearly all of it: before
        the first one MPI starts."""
        best = 0
        for _ in range(3):  # on a busy machine one may have bad luck
            folder = o.tmp(f"timeline-{command}-{ranks}")
            shutil.rmtree(folder, ignore_errors=True)
            o.orrery(command, *args, "overwrite=true", "runtime.timeline=" + folder, "runtime.timeline_share=1", ranks=ranks)
            with open(os.path.join(folder, "timeline.json")) as f:
                spans = [e for e in json.load(f)["traceEvents"] if e["ph"] == "X"]
            shares = []
            for rank in range(ranks or 1):
                mine = sorted((e["ts"], e["ts"] + e["dur"], e["name"]) for e in spans if e["pid"] == rank)
                begin, end = next((a, b) for a, b, name in mine if name == command)
                parts = [(a, b) for a, b, name in mine if name != command]
                begin = parts[0][0] if ranks else begin
                covered, last = 0, begin
                for a, b in parts:
                    covered += max(0, b - max(a, last))
                    last = max(b, last)
                shares.append(covered / (end - begin))
            best = max(best, min(shares))
            if best >= 0.8:
                break
        print(f"{command} on {ranks or 1}: spans cover {100 * best:.1f}% of it", flush=True)
        self.assertGreaterEqual(best, 0.8)
        return [(e["pid"], e["name"], e.get("args", {}).get("number")) for e in spans]

    def test_timeline(self):
        o.orrery("synth", "kepler", "out=" + o.tmp("larger"), "stars=3000", "test_stars=10", "samples=300")
        table, words = o.tmp("larger/train.csv"), (os.path.join(o.SOURCE, "examples/kepler/import.yaml"), "shard_mib=0.3")
        for ranks in (0, 2) if o.MPIRUN else (0,):
            spans = self.check_timeline("import", *words, "input.files=" + table, "out=" + o.tmp("larger-set"), ranks=ranks)
            shards = len([n for n in os.listdir(o.tmp("larger-set")) if n.startswith("shard-")])
            self.assertGreater(shards, 5)
            for name in ("read", "write"):
                self.assertEqual(sorted(number for _, n, number in spans if n == name), list(range(shards)), name)
            self.assertTrue({"open", "scan", "labels", "sha256", "index"} <= {name for _, name, _ in spans})
            for command, out in (("predict", o.tmp("larger.csv")), ("evaluate", o.tmp("larger.json"))):
                spans = self.check_timeline(command, self.trained, o.tmp("larger-set"), "out=" + out, o.KERNELS, ranks=ranks)
                batches = sorted(number for _, name, number in spans if name == "batch")
                self.assertEqual(batches, list(range(len(batches))))
                self.assertGreater(len(batches), 5)
                for name in ("transform", "net"):
                    self.assertEqual(sum(n == name for _, n, _ in spans), len(batches))
                for rank in range(ranks or 1):
                    self.assertTrue({"load model", "read", "plan", "gather", "score", "write"} <= {n for r, n, _ in spans if r == rank})

    def test_early_stopping(self):
        run = o.tmp("patient")
        o.orrery("train", self.job, "run=" + run, "train.lr=0", "train.epochs=50", "train.patience=2")
        with open(os.path.join(run, "history.csv")) as f:
            self.assertEqual(len(f.readlines()) - 1, 3, "the first evaluation is the best; two without a better one end the run")

    def test_best_epoch_makes_the_model(self):
        """The model scores on validation what its best epoch scored, and that is the best of all
        epochs."""
        with open(os.path.join(self.trained, "metrics.jsonl")) as f:
            epochs = [json.loads(line) for line in f]
        with open(os.path.join(self.trained, "report.json")) as f:
            report = json.load(f)
        best = max(epochs, key=lambda m: m["validation"]["auc"])
        self.assertEqual(report["epoch"], best["epoch"])
        self.assertEqual(report["validation"]["auc"], best["validation"]["auc"])
        self.assertEqual(report["validation"]["loss"], best["validation"]["loss"])

    def test_regression(self):
        rng = np.random.default_rng(1)
        x = rng.normal(size=(400, 3))
        y = x @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=400)
        np.savetxt(o.tmp("r.csv"), np.column_stack([y, x]), delimiter=",", header="t,a,b,c", comments="")
        o.orrery("import", f"input.files={o.tmp('r.csv')}", "input.target=t", "input.shape=[3]", "out=" + o.tmp("r"))
        job = o.write("r.yaml", f"""
run: {o.tmp('r-run')}
data: {{train: {o.tmp('r')}, test_fraction: 0.25, transforms: [standardise: {{per: feature}}]}}
model: {{layers: [linear: {{units: 16}}, tanh, linear: {{units: 1}}]}}
train: {{epochs: 40, batch: 32, lr: 0.02}}
runtime: {{progress: false}}
""")
        o.orrery("train", job, "model." + o.KERNELS)
        with open(o.tmp("r-run/report.json")) as f:
            report = json.load(f)["test"]
        self.assertLess(report["rmse"], 0.25)
        self.assertGreater(report["r2"], 0.95)

    def test_blocks(self):
        """A net of blocks is the net of the layers written out by hand: the same model, byte for
        byte."""
        rng = np.random.default_rng(2)
        x = rng.normal(size=(120, 3))
        np.savetxt(o.tmp("b.csv"), np.column_stack([x @ [1.0, -2.0, 0.5], x]), delimiter=",", header="t,a,b,c", comments="")
        o.orrery("import", f"input.files={o.tmp('b.csv')}", "input.target=t", "input.shape=[3]", "out=" + o.tmp("b"))
        blocks = """{blocks: {dense: {parameters: {units, activation: tanh}, layers: [linear: {units: $units, name: w}, $activation]}},
                     layers: [dense: {units: 8, repeat: 2, name: d}, dense: {units: 4, activation: {elu: {alpha: 2}}}, linear: {units: 1}]}"""
        by_hand = """{layers: [linear: {units: 8, name: d.1.w}, tanh: {name: d.1.tanh1}, linear: {units: 8, name: d.2.w}, tanh: {name: d.2.tanh1},
                      linear: {units: 4, name: dense1.w}, elu: {alpha: 2, name: dense1.elu1}, linear: {units: 1}]}"""
        models = []
        for name, model in (("blocks", blocks), ("by-hand", by_hand)):
            job = o.write(name + ".yaml", f"""
run: {o.tmp(name)}
data: {{train: {o.tmp('b')}, test_fraction: 0.25}}
model: {model}
train: {{epochs: 2, batch: 32}}
runtime: {{progress: false}}
""")
            o.orrery("train", job, "model." + o.KERNELS)
            with h5py.File(o.tmp(name + "/model.h5")) as f:
                models.append(contents(f))
        self.assertEqual(*models)
        self.assertIn(("weights/d.2.w.weight", "<f4", (8, 8)), [m[:3] for m in models[0]])
        r = o.orrery("train", job, "run=" + o.tmp("wrong"), "model=" + blocks.replace("$units, name", "$unit, name").replace("\n", " "), code=2)
        self.assertIn('did you mean "$units"?', r.err)


if __name__ == "__main__":
    unittest.main()
