"""What a training is asked before it starts: answers squashed twice, statistics of one number,
parts without a class are refused, or said in one line, in train, cv and lr-range, on any number of
ranks."""
import json
import os
import unittest

import h5py
import numpy as np
import orrery as o

QUIET = "runtime.progress=false"
RANKS = (0, 3)


def table(name, labels, seed=1, columns=3, values=None):
    """A set of `columns` numbers a sample, of which the first tells the label."""
    r = np.random.default_rng(seed)
    labels = np.asarray(labels)
    x = r.random((len(labels), columns)) if values is None else np.asarray(values)
    if values is None:
        x[:, 0] = labels + r.normal(0, 0.3, len(labels))
    heads = [f"x{i}" for i in range(x.shape[1])]
    rows = [f"{name}{i},{y}," + ",".join(f"{v:.6f}" for v in row) for i, (y, row) in enumerate(zip(labels, x))]
    path = o.write(name + ".csv", "id,y," + ",".join(heads) + "\n" + "\n".join(rows) + "\n")
    target = "input.label=y" if labels.dtype.kind == "i" else "input.target=y"
    o.orrery("import", "input.files=" + path, "input.id=id", target, f"input.features='{','.join(heads)}'",
             "out=" + o.tmp(name), "overwrite=true", QUIET)
    return o.tmp(name)


def job(name, path, layers, **more):
    text = {"data": "validation_fraction: 0.25", "train": "epochs: 2, batch: 16, lr: 0.02", **more}
    return o.write(name + ".yaml", f"run: {o.tmp(name)}\ndata: {{train: {path}, {text['data']}}}\n"
                   f"model: {{layers: [{layers}]{text.get('blocks', '')}}}\n"
                   f"train: {{{text['train']}}}\nruntime: {{progress: false}}\n")


def warnings(r):
    lines = [line.split(": ", 1)[1] for line in r.err.splitlines() if " warn " in line]
    return [line.removeprefix("rank 0: ") for line in lines]


def weights(run):
    found = {}
    with h5py.File(os.path.join(run, "model.h5")) as f:
        f["weights"].visititems(lambda n, v: found.update({n: v[()]}) if isinstance(v, h5py.Dataset) else None)
    return found


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.two = table("two", np.arange(80) % 2)
        cls.three = table("three", np.arange(90) % 3)
        cls.number = table("number", np.linspace(0, 1, 64) ** 2)

    def refused(self, words, name, *args, commands=("train", "lr-range", "cv"), ranks=RANKS):
        for command in commands:
            path = name
            if command == "cv":
                path = o.write("cv-of.yaml", f"run: {o.tmp('cv-of')}\njob: {name}\ncv: {{folds: 3}}\nruntime: {{progress: false}}\n")
            for n in ranks:
                r = o.orrery(command, path, QUIET, *args, ranks=n, code=2)
                lines = [line for line in r.err.splitlines() if line.startswith("orrery ")]
                self.assertEqual(len(lines), 1, r.err)
                for word in words:
                    self.assertIn(word, lines[0])

    def said(self, words, path, *args, command="train", ranks=RANKS):
        """One line has all words, the same on any number of ranks."""
        runs = set()
        for n in ranks:
            run = f"{o.tmp('said')}-{len(os.listdir(o.tmp()))}"
            r = o.orrery(command, path, QUIET, *args, *(["run=" + run] if command != "lr-range" else []), ranks=n)
            hits = [w for w in warnings(r) if all(word in w for word in words)]
            self.assertEqual(len(hits), 1, r.err)
            runs.add(hits[0])
            if command == "train":
                with open(os.path.join(run, "report.json")) as f:
                    self.assertIn(hits[0], json.load(f)["cautions"])
        self.assertEqual(len(runs), 1)

    def quiet(self, path, *args, command="train"):
        run = f"{o.tmp('quiet')}-{len(os.listdir(o.tmp()))}"
        r = o.orrery(command, path, QUIET, *args, "run=" + run)
        self.assertEqual(warnings(r), [])
        return run


class Squashed(Case):
    def test_last_layers(self):
        for layers, layer in (("linear: {units: 1}, sigmoid", "sigmoid1 (sigmoid)"),
                              ("linear: {units: 1}, tanh: {name: end}", "end (tanh)"),
                              ("linear: {units: 2}, softmax", "softmax1 (softmax)"),
                              ("linear: {units: 2}, softmax, dropout: {rate: 0.1}", "softmax1"),
                              ("linear: {units: 2}, sigmoid, flatten", "sigmoid1")):
            name = job("squash", self.two, "flatten, " + layers)
            self.refused([layer, "expects logits", "take", "out"], name, ranks=(0,))
        self.refused(["softmax1", "loss ce"], job("squash3", self.three, "flatten, linear: {units: 3}, softmax"))

    def test_blocks_and_branches(self):
        blocks = ", blocks: {head: {parameters: {n}, layers: [linear: {units: $n}, sigmoid]}}"
        self.refused(["head1.sigmoid1", "expects logits"],
                     job("block", self.two, "flatten, head: {n: 1}", blocks=blocks), commands=("train",), ranks=(0,))
        self.refused(["layer s (sigmoid)"],
                     job("branch", self.two, "flatten: {name: f}, linear: {units: 1, name: a}, sigmoid: {name: s}, "
                         "linear: {units: 1, input: f, name: b}, concat: {inputs: [s, b]}"), commands=("train",), ranks=(0,))

    def test_a_configuration(self):
        base = job("plain", self.two, "flatten, linear: {units: 1}")
        path = o.write("conf.yaml", f"run: {o.tmp('conf')}\njob: {base}\ncv: {{folds: 3}}\nconfigurations:\n  good: {{}}\n"
                       "  bad: {model: {layers: [flatten, linear: {units: 1}, sigmoid]}}\n")
        for n in RANKS:
            r = o.orrery("cv", path, QUIET, ranks=n, code=2)
            self.assertIn("sigmoid1", r.err)
            self.assertFalse(os.path.exists(o.tmp("conf")))  # before anything trained

    def test_densities_and_values(self):
        bins = "epochs: 2, batch: 16, loss: crps, bins: {count: 5, min: 0, max: 1}"
        self.refused(["softmax1", "loss crps"], job("dens", self.number, "flatten, linear: {units: 5}, softmax", train=bins))
        self.said(["relu1", "from 0 up"], job("dens-relu", self.number, "flatten, linear: {units: 5}, relu", train=bins))
        self.said(["relu1", "from 0 up"], job("bce-relu", self.two, "flatten, linear: {units: 1}, relu"))
        self.said(["relu1", "from 0 up"], job("bce-relu", self.two, "flatten, linear: {units: 1}, relu"), command="lr-range")
        self.said(["configuration model", "relu1"], o.write("cv-relu.yaml", f"run: x\njob: {o.tmp('bce-relu.yaml')}\ncv: {{folds: 3}}\n"),
                  command="cv")
        for layer in ("sigmoid", "relu", "silu"):  # a value may have bounds
            self.quiet(job("value", self.number, f"flatten, linear: {{units: 1}}, {layer}"))

    def test_values_out_of_reach(self):
        far = table("far", np.linspace(-1, 3, 40))
        self.said(["targets outside 0 to 1", "sigmoid1"], job("far-job", far, "flatten, linear: {units: 1}, sigmoid"))


class Smoothing(Case):
    def test_it_is_kept(self):
        """The options of a loss are in the job, in the model file, and in what evaluate answers."""
        name = job("smooth", self.three, "flatten, linear: {units: 3}", train="epochs: 3, batch: 16, loss: {ce: {smoothing: 0.2}}")
        o.orrery("train", name, QUIET)
        o.orrery("train", name, QUIET, "run=" + o.tmp("smooth3"), ranks=3)
        self.assertEqual(o.results(o.tmp("smooth")), o.results(o.tmp("smooth3")))
        with open(o.tmp("smooth/report.json")) as f:
            reported = json.load(f)["validation"]["loss"]
        p = np.genfromtxt(o.tmp("smooth/predictions-validation.csv"), delimiter=",", names=True, dtype=None, encoding=None)
        columns = [n for n in p.dtype.names if n.startswith("probability")]
        q = np.log(np.stack([p[c] for c in columns], 1).astype(float))
        each = -(0.8 * q[np.arange(len(q)), p["label"].astype(int)] + 0.2 * q.mean(1))
        self.assertAlmostEqual(each.mean(), reported, places=5)
        o.orrery("train", name, QUIET, "run=" + o.tmp("word"), "train.loss=ce")
        with open(o.tmp("word/job.yaml")) as f:
            self.assertIn("  loss: ce\n", f.read())
        o.orrery("train", o.tmp("smooth.yaml"), QUIET, "run=" + o.tmp("deep"), "train.loss.ce.smoothing=0.3")
        with open(o.tmp("deep/job.yaml")) as f:
            self.assertIn("smoothing: 0.3", f.read())
        o.orrery("train", name, QUIET, "run=" + o.tmp("sm"), "train.loss=ec", code=2)
        r = o.orrery("train", name, QUIET, "run=" + o.tmp("sm"), "train.loss={ce: {smooth: 1}}", code=2)
        self.assertIn("smoothing", r.err)


class StatisticsOfOne(Case):
    NORM = "flatten, linear: {units: 6}, batch_norm, relu, linear: {units: 1}"

    def test_leaves_of_one(self):
        name = job("one", self.two, self.NORM, train="epochs: 1, batch: 8")
        self.refused(["batch_norm1", "single value", "train.leaves 4"], name)
        self.refused(["batch_norm1", "single value"], name, "train.batch=15")
        over = self.NORM.replace("batch_norm", "batch_norm: {over: batch}")
        self.quiet(job("over", self.two, over, train="epochs: 1, batch: 8"))
        self.quiet(name, "train.leaves=2")
        self.quiet(job("wide", self.two, self.NORM, train="epochs: 1, batch: 32"))

    def test_maps_of_one_pixel(self):
        image = table("image", np.arange(40) % 2, columns=4)
        layers = "conv1d: {filters: 4, size: 4}, batch_norm, flatten, linear: {units: 1}"
        reshape = "validation_fraction: 0, transforms: [reshape: {shape: [4, 1]}]"
        name = job("map", image, layers, data=reshape, train="epochs: 1, batch: 8")
        self.refused(["batch_norm1", "single value"], name, commands=("train", "lr-range"))
        two = job("map2", image, layers.replace("size: 4", "size: 2"), data=reshape, train="epochs: 1, batch: 8")
        self.said(["batch_norm1", "leaves of 1 sample, 3 values"], two, ranks=(0,))
        self.quiet(two, "train.leaves=4")

    def test_a_last_batch_of_one(self):
        for over in ("leaf", "batch"):
            layers = self.NORM.replace("batch_norm", f"batch_norm: {{over: {over}}}")
            name = job("last", self.two, layers, data="validation_fraction: 0", train="epochs: 2, batch: 79")
            self.refused(["batch_norm1", "last batch", "train.drop_last"], name, commands=("train", "lr-range"))
            self.quiet(name, "train.drop_last=true")
        # each fold's training rows are counted
        path = o.write("last-cv.yaml", f"run: {o.tmp('last-cv')}\njob: {name}\ncv: {{folds: 4}}\ntrain: {{batch: 59}}\n")
        for n in RANKS:
            r = o.orrery("cv", path, QUIET, ranks=n, code=2)
            self.assertIn("fold 0: layer batch_norm1", r.err)

    def test_a_short_batch_joins_leaves(self):
        """Three samples in eight leaves train as in one, five as in two: any number of ranks."""
        for n, leaves in ((3, 1), (5, 2), (13, 6)):
            few = table(f"few{n}", np.arange(n) % 2, seed=n)
            name = job(f"short{n}", few, self.NORM, data="validation_fraction: 0", train="epochs: 4, batch: 32")
            want = f"{o.tmp('want')}{n}"
            o.orrery("train", name, QUIET, "run=" + want, f"train.leaves={leaves}")
            runs = [f"{o.tmp('join')}{n}-{ranks}" for ranks in (0, 2, 3)]
            for ranks, run in zip((0, 2, 3), runs):
                o.orrery("train", name, QUIET, "run=" + run, ranks=ranks)
            self.assertEqual(o.results(runs[0]), o.results(runs[1]))
            self.assertEqual(o.results(runs[0]), o.results(runs[2]))
            got, expected = weights(runs[0]), weights(want)
            for key, value in expected.items():
                np.testing.assert_allclose(got[key], value, rtol=1e-5, atol=1e-7, err_msg=key)

    def test_noisy_leaves(self):
        few = table("five", np.arange(5) % 2)
        self.said(["batch_norm1", "leaves of 2 samples", "5 samples a batch"],
                  job("few", few, self.NORM, data="validation_fraction: 0", train="epochs: 1, batch: 64"), ranks=(0,))
        self.said(["batch_norm1", "leaves of 2 samples"], job("noisy", self.two, self.NORM))

    def test_a_deviation_of_one_number(self):
        one = table("single", np.arange(40) % 2, columns=1)
        layers = "flatten, linear: {units: 1}"
        for step in ("standardise", "standardise: {per: sample}", "standardise: {per: channel}"):
            self.refused(["data.transforms: standardise", "single number", "per: feature"],
                         job("dev", one, layers, data=f"validation_fraction: 0, transforms: [{step}]"),
                         commands=("train", "lr-range"), ranks=(0,))
        self.quiet(job("dev-ok", one, layers, data="validation_fraction: 0, transforms: [standardise: {per: feature}]"))
        pair = table("pair", np.arange(40) % 2, columns=2)
        self.said(["two numbers"], job("dev2", pair, layers, data="validation_fraction: 0, transforms: [standardise]"))

    def test_constant_samples(self):
        x = np.random.default_rng(5).random((40, 6))
        x[[3, 7, 11]] = 2.5
        flat = table("flat", np.arange(40) % 2, values=x)
        name = job("flat-job", flat, "flatten, linear: {units: 1}", data="validation_fraction: 0, overlap: allow, transforms: [standardise]")
        self.said(["3 of 40 samples of the training split do not vary", "flat3", "standardise"], name)
        self.said(["3 of 40 samples of the training split do not vary"], name, command="lr-range")
        self.said(["3 of 40 samples of the test split do not vary"], name, "data.test=" + flat, ranks=(0,))
        told = json.loads(o.orrery("lr-range", name, "format=json", QUIET).out)["cautions"]
        self.assertIn("do not vary", told[0])

    def test_parts_without_a_class(self):
        rare = table("rare", np.arange(60) % 2 + 2 * (np.arange(60) < 3))
        single = o.tmp("zeros")
        rows = "id,y,x0,x1,x2\n" + "".join(f"z{i},0,{i / 7:.4f},1,{i % 3}\n" for i in range(12))
        o.orrery("import", "input.files=" + o.write("zeros.csv", rows), "input.id=id", "input.label=y", "input.classes=[0, 1]",
                 "input.features='x0,x1,x2'", "out=" + single, QUIET)
        name = job("parts", self.two, "flatten, linear: {units: 1}")
        self.said(["the validation split", "none of class 1", "no AUC"], name, "data.validation=" + single)
        self.said(["the test split", "none of class 1"], name, "data.test=" + single)
        self.said(["the training split", "cannot be learned"], name, "data.train=" + single)
        self.refused(["train.select is auc", "validation split"], name, "data.validation=" + single, "train.select=auc",
                     commands=("train", "lr-range"))
        self.quiet(name, "train.select=auc")
        first = o.tmp("first")
        o.orrery("import", "input.files=" + o.write("first.csv", "id,y,x0,x1,x2\nf,1,1,2,3\n"), "input.id=id", "input.label=y",
                 "input.classes=[0, 1]", "input.features='x0,x1,x2'", "out=" + first, QUIET)
        self.said(["the validation split is a single sample"], name, "data.validation=" + first)
        one_out = o.write("one-out.yaml", f"run: x\ndata: {{train: {self.number}, validation_fraction: 0}}\n"
                          "model: {layers: [flatten, linear: {units: 1}]}\ncv: {folds: 12}\ntrain: {epochs: 1}\n")
        few = table("eleven", np.arange(12) / 12)
        self.said(["folds 0, 1, 2, 3, 4, 5, 6, 7 and 4 more: the held-out split is a single sample"], one_out, "data.train=" + few,
                  command="cv", ranks=(0,))
        path = o.write("rare-cv.yaml", f"run: x\ndata: {{train: {rare}, validation_fraction: 0}}\n"
                       "model: {layers: [flatten, linear: {units: 4}]}\ncv: {folds: 5, kind: plain, shuffle: false}\ntrain: {epochs: 1}\n")
        self.said(["fold 0: the training split", "2, 3"], path, command="cv")
        self.said(["folds 1, 2, 3, 4: the held-out split", "2, 3"], path, command="cv")

    def test_sorted_rows(self):
        order = table("order", np.sort(np.arange(60) % 2))
        conf = "run: x\ndata: {{train: {}, validation_fraction: 0}}\nmodel: {{layers: [flatten, linear: {{units: 1}}]}}\n" \
               "cv: {{folds: 3, {}}}\ntrain: {{epochs: 1}}\n"
        self.said(["sorted by class", "cv.shuffle: true"], o.write("order.yaml", conf.format(order, "kind: plain, shuffle: false")), command="cv")
        self.said(["sorted by target"], o.write("rise.yaml", conf.format(self.number, "shuffle: false")), command="cv")
        self.quiet(o.write("calm.yaml", conf.format(order, "kind: plain, shuffle: true")), command="cv")
        self.quiet(o.write("calm2.yaml", conf.format(order, "kind: stratified, shuffle: false")), command="cv")
        self.said(["data.sampling file", "sorted by class"],
                  job("file", order, "flatten, linear: {units: 1}", data="validation_fraction: 0, sampling: file"))

    def test_targets_that_are_all_the_same(self):
        same = table("same", np.full(30, 0.5))
        self.said(["all 30 targets of the training split are 0.5"],
                  job("same-job", same, "flatten, linear: {units: 1}", data="validation_fraction: 0"))


if __name__ == "__main__":
    unittest.main()
