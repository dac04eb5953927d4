"""dstore merge: tasks of one base become a task; what cannot be merged is refused in one line."""
import struct
import unittest

import safetensors_file as st
from sandbox import CONFLICT, NOT_FOUND, USAGE, Case, snapshot


def numbers(tensor):
    return list(struct.unpack(f"<{len(tensor.data) // 4}f", tensor.data))


def rounded(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


class MergeTest(Case):
    """Three sparse tasks of one base; `a` and `b` have heads of their own."""

    def setUp(self):
        super().setUp()
        self.base = self.root / "base"
        self.tensors = {f"layer.{i}.weight": st.floats((self.rng.gauss(0, 0.05) for _ in range(2000)), [40, 50]) for i in range(2)}
        self.tensors["half"] = st.Tensor("BF16", [500], b"".join(struct.pack("<f", self.rng.gauss(0, 1))[2:] for _ in range(500)))
        self.tensors["positions"] = st.random_tensor(self.rng, "I64", [1, 24])
        self.write(self.base, self.tensors, "{}\n")
        self.run_plain("init", self.repo)
        self.ok("import", self.base, "--name", "base", "-m", "the base")
        self.models = {}
        for name, head in (("a", True), ("b", True), ("c", False), ("d", False)):
            self.task(name, head)

    def write(self, folder, tensors, config):
        st.write(folder / "model.safetensors", tensors, {"format": "pt"})
        (folder / "config.json").write_text(config)
        (folder / "vocab.txt").write_text("a\nb\n")

    def task(self, name, head, **more):
        tensors = dict(self.tensors)
        for i in range(2):
            values = numbers(tensors[f"layer.{i}.weight"])
            for at in self.rng.sample(range(2000), 100):
                values[at] += self.rng.gauss(0, 0.01)
            tensors[f"layer.{i}.weight"] = st.floats(values, [40, 50])
        if head:
            tensors["classifier.weight"] = st.random_tensor(self.rng, "F32", [3, 16])
        tensors.update(more)
        folder = self.root / name
        self.write(folder, tensors, f'{{"task": "{name}"}}\n')
        self.ok("commit", folder, "--base", "base", "--name", name, "-m", name)
        self.models[name] = tensors

    def result(self, *words):
        self.ok("merge", *words, "--name", "m")
        out = self.checkout("m", "out-m")
        self.assert_verifies()
        return st.read(out / "model.safetensors"), snapshot(out)

    def test_task_arithmetic_is_the_formula_and_leaves_the_rest_alone(self):
        have, _ = self.result("c", "d", "--method", "task_arithmetic", "--weights", "0.5,2")
        self.assertEqual(have["half"], self.tensors["half"])
        for name in ("layer.0.weight", "layer.1.weight"):
            base, c, d = (numbers(model[name]) for model in (self.tensors, self.models["c"], self.models["d"]))
            for b, x, y, new in zip(base, c, d, numbers(have[name])):
                first, second = rounded(rounded(x - b) * 0.5), rounded(rounded(y - b) * 2)
                change = rounded(first + second)
                self.assertEqual(new, b if x == b and y == b else rounded(b + change))

    def test_the_result_is_a_task_with_the_models_as_parents(self):
        done = self.ok("merge", "c", "d", "--name", "m", "-m", "both", "--method", "ties", "--density", "50%").text
        self.assertIn("2 models by ties", done)
        shown = self.ok("show", "m", "--json").json
        self.assertEqual(shown["training"]["merge_method"], "ties")
        self.assertEqual(shown["training"]["merge_density"], "0.5,0.5")
        for name in ("c", "d"):
            self.assertIn(self.ok("show", name, "--json").json["id"], shown["parents"])
        self.assertIn("both", self.ok("log", "m").text)
        self.ok("checkout", "base+m", "-o", self.root / "sum")

    def test_equal_merges_are_equal_bytes(self):
        for name in ("m1", "m2"):
            self.ok("merge", "a", "b", "c", "--heads", "b", "--method", "dare_ties", "--density", "0.5", "--seed", "3", "--name", name)
        self.assertEqual(snapshot(self.checkout("m1", "o1")), snapshot(self.checkout("m2", "o2")))

    def test_heads_are_never_averaged(self):
        self.fails(CONFLICT, "merge", "a", "b", "--name", "m", says=("classifier.weight", "never averaged", "--heads REV"))
        have, files = self.result("a", "b", "--heads", "b")
        self.assertEqual(have["classifier.weight"], self.models["b"]["classifier.weight"])
        self.assertEqual(files["config.json"], b'{"task": "b"}\n')
        self.ok("merge", "a", "b", "--heads", "none", "--name", "bare")
        bare = self.checkout("bare", "bare")
        self.assertNotIn("classifier.weight", st.read(bare / "model.safetensors"))
        self.assertEqual((bare / "config.json").read_text(), "{}\n")
        self.ok("merge", "c", "b", "--name", "one-head")
        self.assertEqual(st.read(self.checkout("one-head", "oh") / "model.safetensors")["classifier.weight"], self.models["b"]["classifier.weight"])

    def test_the_base_may_be_one_of_the_models(self):
        have, _ = self.result("base", "c", "--weights", "1,1")
        base, c = numbers(self.tensors["layer.0.weight"]), numbers(self.models["c"]["layer.0.weight"])
        for b, x, new in zip(base, c, numbers(have["layer.0.weight"])):
            self.assertAlmostEqual(new, (b + x) / 2, places=7)
        self.fails(USAGE, "merge", "base", "--name", "n", says="no task among the models")

    def test_integers_must_agree(self):
        other = st.random_tensor(self.rng, "I64", [1, 24])
        self.task("e", False, positions=other)
        self.task("f", False, positions=other)
        self.fails(CONFLICT, "merge", "c", "e", "--name", "m", says=("positions", "I64"))
        have, _ = self.result("e", "f")
        self.assertEqual(have["positions"], other)

    def test_other_shapes_are_refused_by_name(self):
        self.task("wide", False, half=st.random_tensor(self.rng, "BF16", [600]))
        self.fails(CONFLICT, "merge", "c", "wide", "--name", "m", says=("tensor half", "[600]", "[500]"))

    def test_other_bases_are_refused(self):
        other = self.root / "other"
        tensors = dict(self.tensors, half=st.random_tensor(self.rng, "BF16", [500]))
        self.write(other, tensors, "{}\n")
        self.ok("import", other, "--name", "other-base")
        tensors["half"] = st.changed(self.rng, tensors["half"], 3)
        self.write(self.root / "t2", tensors, "{}\n")
        self.ok("commit", self.root / "t2", "--base", "other-base", "--name", "t2", "-m", "t2")
        self.fails(CONFLICT, "merge", "c", "t2", "--name", "m", says=("t2", "only tasks of the same base"))

    def test_wrong_words_change_nothing(self):
        before = snapshot(self.repo / ".dstore" / "refs")
        for words, code, says in (
                (["c", "d"], USAGE, "--name NAME"),
                (["--name", "m"], USAGE, "say what to merge"),
                (["c", "d", "--name", "m", "--method", "tise"], USAGE, "did you mean ties?"),
                (["c", "d", "--name", "m", "--weights", "1,-1"], USAGE, "sum to 0"),
                (["c", "d", "--name", "m", "--weights", "1,2,3"], USAGE, "3 values for 2 models"),
                (["c", "d", "--name", "m", "--weights", "nan,1"], USAGE, "no finite number"),
                (["c", "d", "--name", "m", "--method", "ties", "--density", "150%"], USAGE, "ensity"),
                (["c", "d", "--name", "m", "--set", "lambda"], USAGE, "KEY=VALUE"),
                (["c", "d", "--name", "m", "--set", "lamda=1", "--method", "ties"], USAGE, "did you mean lambda?"),
                (["a", "c", "d", "--name", "m", "--method", "slerp"], USAGE, "exactly 2 models, not 3"),
                (["c", "--name", "m", "--method", "model_stock"], USAGE, "at least 2 models, not 1"),
                (["c", "d", "--name", "a"], CONFLICT, "a exists already"),
                (["c", "x", "--name", "m"], NOT_FOUND, '"x"'),
                (["a", "b", "--name", "m", "--heads", "c"], USAGE, "none of the models")):
            self.fails(code, "merge", *words, says=says)
        self.assertEqual(snapshot(self.repo / ".dstore" / "refs"), before)

    def test_presets(self):
        for preset, mean in (("mergekit", "weights"), ("peft", "count"), ("paper", "count")):
            self.ok("merge", "c", "d", "--name", preset, "--method", "ties", "--preset", preset, "--density", "50%")
            self.assertEqual(self.ok("show", preset, "--json").json["training"]["merge_mean"], mean)
        self.ok("merge", "c", "d", "--name", "mixed", "--method", "ties", "--preset", "paper", "--set", "trim_scope=tensor")
        facts = self.ok("show", "mixed", "--json").json["training"]
        self.assertEqual((facts["merge_trim_scope"], facts["merge_tie"]), ("tensor", "global"))
        self.fails(USAGE, "merge", "c", "d", "--name", "x", "--method", "ties", "--preset", "papre", says="did you mean paper?")
        self.fails(USAGE, "merge", "c", "d", "--name", "x", "--method", "linear", "--preset", "peft", says="the same in all")

    def statistics(self, name, kind="fisher", of=None, change=None, **metadata):
        weights = self.ok("show", of or name, "--json").json["weights"]
        tensors = {}
        for key in ("layer.0.weight", "layer.1.weight", "half"):
            values = [abs(self.rng.gauss(0, 1)) for _ in range(500 if key == "half" else 2000)]
            values = change(values) if change else values
            tensors[key] = st.floats(values, [len(values)])
        path = self.root / f"{name}-{len(list(self.root.iterdir()))}.safetensors"
        st.write(path, tensors, {"dstore.statistic": kind, "dstore.weights": weights, **metadata})
        return str(path)

    def test_statistics_must_be_the_models(self):
        c, d = self.statistics("c"), self.statistics("d")
        merge = ["merge", "c", "d", "--name", "f", "--method", "fisher"]
        self.fails(USAGE, *merge, says="needs fisher statistics of every model")
        self.fails(USAGE, *merge, "--statistics", c, says="1 files for 2 models")
        self.fails(USAGE, *merge, "--statistics", f"{d},{c}", says=("in the order of the models",))
        self.fails(USAGE, *merge, "--statistics", f"{c},{self.statistics('d', kind='gram')}", says="has gram statistics, not fisher")
        self.fails(USAGE, *merge, "--statistics", f"{c},{self.statistics('d', change=lambda v: [-1.0] + v[1:])}", says="negative")
        for bad in (float("nan"), float("inf")):
            self.fails(USAGE, *merge, "--statistics", f"{c},{self.statistics('d', change=lambda v, bad=bad: v[:-1] + [bad])}", says="not finite")
        self.fails(USAGE, *merge, "--statistics", f"{c},{self.statistics('d', change=lambda v: v[:-1])}", says="one floating-point number for each")
        self.fails(USAGE, *merge, "--statistics", f"{c},{d}", "--weights", "-1,2", says="no negative weights")
        self.fails(NOT_FOUND, *merge, "--statistics", f"{c},{self.root / 'absent'}", says="absent")
        self.fails(USAGE, "merge", "c", "d", "--name", "f", "--statistics", f"{c},{d}", says="takes no statistics")
        self.assertEqual(self.run_in("show", "f").code, NOT_FOUND)
        self.ok(*merge, "--statistics", f"{c},{d}")
        self.assertEqual(len(self.ok("show", "f", "--json").json["training"]["statistics_sha256"].split()), 2)
        unnamed = self.statistics("d", **{"dstore.weights": ""})
        self.assertIn("does not say", self.ok("merge", "c", "d", "--name", "g", "--method", "fisher", "--statistics", f"{c},{unnamed}").err)

    def test_methods_are_listed(self):
        self.assertIn("trim_scope=tensor  (tensor|model)", self.ok("merge", "--list-methods", "--method", "ties").text)
        self.assertEqual([row["parameter"] for row in self.ok("merge", "--list-methods", "--method", "nearswap", "--json").json], ["t"])
        text = self.ok("merge", "--list-methods").text
        names = [row["method"] for row in self.ok("merge", "--list-methods", "--json").json]
        self.assertGreater(len(names), 10)
        for name in names:
            self.assertIn(name, text)
            self.assertLess(max(map(len, text.splitlines())), 130)


if __name__ == "__main__":
    unittest.main()
