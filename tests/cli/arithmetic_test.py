"""Revisions that are computed, three-way merges and rebases, as a user types them."""
import json
import struct
import unittest

import safetensors_file as st
from sandbox import CONFLICT, DONE, FINDINGS, NOT_FOUND, USAGE, Case, everything, snapshot


def numbers(tensor):
    return list(struct.unpack(f"<{len(tensor.data) // 4}f", tensor.data))


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


class ArithmeticCase(Case):
    """base with two tasks `a` and `b`, whose changes overlap; `a` has a head."""

    def setUp(self):
        super().setUp()
        self.tensors = {"w": st.floats((self.rng.gauss(0, 0.05) for _ in range(2000)), [40, 50]), "v": st.floats((self.rng.gauss(0, 0.05) for _ in range(60)), [60])}
        self.models = {}
        self.run_plain("init", self.repo)
        self.ok("import", self.write("base", self.tensors), "--name", "base", "-m", "the base")
        self.task("a", self.nudged(range(0, 900)), head=True)
        self.task("b", self.nudged(range(600, 1500)))

    def write(self, name, tensors, config="{}\n", **files):
        folder = self.root / name
        st.write(folder / "model.safetensors", tensors, {"format": "pt"})
        (folder / "config.json").write_text(config)
        (folder / "tokenizer.json").write_text("{}")
        for path, text in files.items():
            (folder / path).write_text(text)
        return folder

    def nudged(self, places, tensors=None):
        tensors = dict(tensors or self.tensors)
        values = numbers(tensors["w"])
        for at in places:
            values[at] = single(values[at] + self.rng.gauss(0, 0.01))
        tensors["w"] = st.floats(values, [40, 50])
        return tensors

    def task(self, name, tensors, head=False, base="base", config=None, branch=None):
        if head:
            tensors = {**tensors, "head": st.random_tensor(self.rng, "F32", [2, 8])}
        folder = self.write(f"folder-{name}", tensors, config or f'{{"task": "{name}"}}\n')
        self.ok("commit", folder, "--base", base, "--name", branch or name, "-m", name)
        self.models[name] = tensors

    def ids(self, *revisions):
        return [self.ok("show", revision, "--json").json["id"] for revision in revisions]


class SumTest(ArithmeticCase):
    def test_a_sum_is_the_formula_and_says_how_much_overlaps(self):
        done = self.ok("checkout", "base + 0.7*a - 0.5*b", "-o", self.root / "out").text
        self.assertIn("overlap: 300 of 1,500 changed weights are changed by several terms", done)
        self.assertIn("verified: the 3 commits that it is computed from", done)
        have = st.read(self.root / "out" / "model-00001-of-00002.safetensors")
        base, a, b = (numbers(model["w"]) for model in (self.tensors, self.models["a"], self.models["b"]))
        for o, x, y, new in zip(base, a, b, numbers(have["w"])):
            total = 0.0
            for weight, value in ((0.7, x), (-0.5, y)):
                total = single(total + single(single(weight) * single(value - o)))
            self.assertEqual(new, o if total == 0 else single(o + total))
        self.assertEqual(have["v"], self.tensors["v"])
        self.assertEqual((self.root / "out" / "config.json").read_text(), '{"task": "a"}\n')
        self.assertEqual(st.read(self.root / "out" / "model-00002-of-00002.safetensors")["head"], self.models["a"]["head"])

    def test_negation_is_written_in_two_ways(self):
        self.checkout("base - b", "one")
        self.checkout("base+-1*b", "two")
        self.assertEqual(snapshot(self.root / "one"), snapshot(self.root / "two"))

    def test_checkout_status_and_again(self):
        out = self.checkout("base+0.5*a", "out")
        base, a = self.ids("base", "a")
        status = self.ok("status", out, "--json").json
        self.assertEqual(status["expression"], f"{base}+0.5*{a}")
        self.assertEqual((status["commit"], status["changes"]), ("", []))
        self.assertIn("(computed)", self.ok("status", out).text)
        before = snapshot(out)
        (out / "config.json").write_text("mine")
        self.fails(CONFLICT, "checkout", status["expression"], "-o", out, says="config.json")
        self.ok("checkout", status["expression"], "-o", out, "--force")
        self.assertEqual(snapshot(out), before)
        self.fails(USAGE, "commit", out, "--name", "c", "-m", "m", says="--base")
        self.fails(CONFLICT, "apply", "b", out, says="not the base")
        self.fails(CONFLICT, "apply", "base+0.5*b", out, says="not the base")
        facts = self.ok("checkout", "base+0.5*a+b", "-o", self.root / "facts", "--json").json
        self.assertEqual((facts["changed"], facts["shared"], facts["weights"]), (1500, 300, ""))

    def test_commands_that_read_models_take_sums(self):
        result = self.run_in("diff", "base", "base+0.5*b", "--json")
        self.assertEqual(result.code, FINDINGS, str(result))
        self.assertEqual(result.json["changed"], 900)
        self.assertEqual(self.run_in("diff", "base+b", "b").code, DONE)
        self.assertEqual(self.run_in("diff", "merge(task_arithmetic: b)", "base+merge(task_arithmetic: b)").code, DONE)

    def test_commands_that_want_a_commit_say_how_to_make_one(self):
        for words in (["log", "base+0.5*b"], ["tag", "t", "base+0.5*b"], ["branch", "t", "base+0.5*b"], ["show", "base+0.5*b"], ["cat", "base+0.5*b"],
                      ["reset", "b", "base+0.5*b"], ["forget", "base+0.5*b"]):
            result = self.run_in(*words)
            self.check_error(result, USAGE, "dstore merge 'base+0.5*b' --name NAME")

    def test_an_expression_becomes_a_commit(self):
        text = "base+0.5*merge(ties,density=50%: a, 0.5*b)"
        done = self.ok("merge", text, "--name", "kept").text
        self.assertIn(text, done)
        shown = self.ok("show", "kept", "--json").json
        self.assertEqual(sorted(shown["parents"]), sorted(self.ids("a", "b")))
        self.assertEqual(shown["training"]["expression"], "{}+0.5*merge(ties,density=0.5: {}, 0.5*{})".format(*self.ids("base", "a", "b")))
        self.assertEqual(self.run_in("diff", "kept", text).code, DONE)
        self.assertEqual(snapshot(self.checkout("kept", "x")), snapshot(self.checkout(text, "y")))
        self.ok("merge", "base+a+b", "--name", "both", "--json").json["shared"]
        self.fails(CONFLICT, "merge", text, "--name", "kept", says="kept exists already")
        self.fails(USAGE, "merge", text, "--name", "n", "--method", "ties", says="says itself")
        self.assert_verifies()

    def test_wrong_expressions_leave_no_folder(self):
        for text, code, says in (("base+0.5*nobody", NOT_FOUND, "nobody"), ("base+", USAGE, "character 6"), ("0.5*a", USAGE, "BASE+0.5*a"), ("a+0.5*b", USAGE, "starts with a base"),
                                 ("merge(tise: a)", USAGE, "did you mean ties?"), ("merge(a)", USAGE, "say how"), ("add(a)", USAGE, "there is no function add"),
                                 ("base+nan*a", USAGE, "number"), ("base+1e999*a", USAGE, "number"), ("merge(ties,density=150%: a)", USAGE, "150%"), ("rebase(a, b)", USAGE, "b is no base"),
                                 ("merge(linear: a, -1*b)", USAGE, "sum to 0"), ("+".join(["base"] * 80), USAGE, "64 terms"), ("rebase(" * 9 + "a", USAGE, "8 deep")):
            self.fails(code, "checkout", text, "-o", self.root / "out", says=says)
        self.assertFalse((self.root / "out").exists())


    def test_other_rows_are_refused_with_both_tokenizers(self):
        longer = {**self.models["b"], "w": st.floats(numbers(self.models["b"]["w"]) + [0.5] * 50, [41, 50])}
        folder = self.write("longer", longer)
        (folder / "tokenizer.json").write_text('{"more": 1}')
        self.ok("commit", folder, "--base", "base", "--name", "longer", "-m", "longer")
        for words in (["merge", "b", "longer", "--name", "m"], ["checkout", "merge(ties: b, longer)", "-o", self.root / "m"]):
            self.check_error(self.run_in(*words), CONFLICT, "tensor w: longer", "[41, 50]", "[40, 50]", "tokenizer.json", "(longer)", "(the base)", "--vocab base-rows")
        self.fails(CONFLICT, "checkout", "base+b+longer", "-o", self.root / "m", says=("[41, 50]", "[40, 50]"))

    def with_rows(self, name, model, rows):
        """The model with a `w` of that many rows, other where the base has them."""
        values = numbers(self.models[model]["w"])[:rows * 50] + [0.25] * (rows * 50 - 2000)
        tensors = {**self.models[model], "w": st.floats(values, [rows, 50])}
        folder = self.write(name, tensors)
        (folder / "tokenizer.json").write_text(f'{{"tokenizer": "{name}"}}')
        self.ok("commit", folder, "--base", "base", "--name", name, "-m", name)
        return tensors

    def test_the_rows_that_all_have_are_merged_and_the_others_are_the_first_tasks(self):
        self.task("c", self.nudged(range(300, 2000)))
        longer, shorter = self.with_rows("longer", "b", 42), self.with_rows("shorter", "c", 30)
        self.with_rows("far", "b", 400)  # nearly nothing of it is the base's
        for method in ("linear", "ties", "task_arithmetic", "nuslerp", "slerp"):
            plain = numbers(st.read(self.checkout(f"merge({method}: b, c)", f"{method}-plain") / "model.safetensors")["w"])
            for models, rows, tail in ((("longer", "shorter"), 30, numbers(longer["w"])[1500:]), (("shorter", "longer"), 30, []), (("longer", "c"), 40, [0.25] * 100),
                                       (("c", "longer"), 40, []), (("far", "c"), 40, [0.25] * 18000), (("c", "far"), 40, []), (("b", "shorter"), 30, numbers(self.models["b"]["w"])[1500:])):
                with self.subTest(method=method, models=models):
                    name = "-".join((method, *models))
                    done = self.ok("merge", *models, "--method", method, "--vocab", "base-rows", "--name", name, "--json").json
                    self.assertIn(f"tensor w: merged in the {rows} rows that all have", " ".join(done["notes"]))
                    folder = self.checkout(name, "out-" + name)
                    got = numbers(st.read(folder / "model.safetensors")["w"])
                    self.assertEqual(got[rows * 50:], tail)
                    if method in ("linear", "task_arithmetic") and models[-1] in ("shorter", "c"):
                        self.assertEqual(got[:rows * 50], plain[:rows * 50])
                    self.assertEqual((folder / "tokenizer.json").read_text(), (self.checkout(models[0], "out-" + models[0]) / "tokenizer.json").read_text())
                    self.assertEqual(snapshot(self.checkout(f"merge({method},vocab=base-rows: {', '.join(models)})", "x-" + name)), snapshot(folder))
        self.assertEqual(self.ok("show", "linear-c-far", "--json").json["training"]["vocab"], "base-rows")
        for words, code, says in ((["merge", "b", "longer", "--vocab", "all", "--name", "m"], USAGE, "base-rows"), (["checkout", "merge(ties,vocab=all: b, longer)", "-o", self.root / "m"], USAGE, "vocab=base-rows"),
                                  (["merge", "merge(ties: b, c)", "--vocab", "base-rows", "--name", "m"], USAGE, "says itself")):
            self.fails(code, *words, says=says)
        self.assert_verifies()


class MergeIntoTest(ArithmeticCase):
    def setUp(self):
        super().setUp()
        self.ok("branch", "c", "b")
        self.task("b2", self.nudged(range(1400, 1600), self.models["b"]), branch="b")
        self.task("c2", self.nudged(range(1500, 1700), self.models["b"]), branch="c")

    def test_conflicts_are_reported_and_nothing_is_written(self):
        before = everything(self.repo / ".dstore")
        result = self.run_in("merge", "c", "--into", "b")
        self.assertEqual(result.code, FINDINGS, str(result))
        self.assertIn("changed by ours alone 100, by theirs alone 100, by both alike 0, in conflict 100 of 2,060 weights", result.text)
        for words in ("opposite signs", "apart by ulps", "file config.json: changed by both", "nothing was written", "--on-conflict ours|theirs|base|add|METHOD", "--files ours|theirs"):
            self.assertIn(words, result.text)
        facts = self.run_in("merge", "c", "--into", "b", "--json")
        self.assertEqual(facts.code, FINDINGS)
        self.assertEqual((facts.json["outcome"], facts.json["conflict"], facts.json["unresolved"], facts.json["commit"]), ("conflicts", 100, 100, None))
        self.assertEqual(sum(row["count"] for row in facts.json["ulps"]), 100)
        self.assertEqual([row["name"] for row in facts.json["tensors"]], ["w"])
        self.assertEqual([set(before) ^ set(everything(self.repo / ".dstore"))], [set()])

    def test_the_result_has_two_parents(self):
        ours, theirs, start = self.ids("b", "c", "b~1")
        dry = self.ok("merge", "c", "--into", "b", "--on-conflict", "theirs", "--dry-run")
        self.assertIn("nothing was written (--dry-run)", dry.text)
        self.assertEqual(self.ids("b"), [ours])
        self.ok("merge", "c", "--into", "b", "--on-conflict", "theirs", "-m", "both")
        shown = self.ok("show", "b", "--json").json
        self.assertEqual(shown["parents"], [ours, theirs])
        self.assertEqual((shown["training"]["ancestor"], shown["training"]["on_conflict"], shown["training"]["conflicts"]), (start, "theirs", "100"))
        base, b2, c2 = (numbers(model["w"]) for model in (self.models["b"], self.models["b2"], self.models["c2"]))
        have = numbers(st.read(self.checkout("b", "out") / "model.safetensors")["w"])
        self.assertEqual(have, [y if y != o else x for o, x, y in zip(base, b2, c2)])
        self.assertEqual((self.root / "out" / "config.json").read_text(), '{"task": "c2"}\n')
        self.assertIn("already up to date", self.ok("merge", "c", "--into", "b").text)
        self.assertIn("fast-forward", self.ok("merge", "b", "--into", "c").text)
        self.assertEqual(self.ids("b"), self.ids("c"))
        self.assertIn("both", self.ok("log", "c", "--graph").text)
        self.assert_verifies()

    def test_add_and_methods_and_files(self):
        for i, how in enumerate((["add", "--files", "ours"], ["base", "--files", "theirs"], ["ties", "--set", "density=0.5", "--files", "ours"], ["linear", "--weights", "1,3", "--files", "ours"])):
            self.ok("branch", f"x{i}", "b")
            done = self.ok("merge", "c", "--into", f"x{i}", "--on-conflict", *how, "--json").json
            self.assertEqual((done["outcome"], done["unresolved"]), ("merged", 0))
        self.assertEqual((self.checkout("x1", "x1") / "config.json").read_text(), '{"task": "c2"}\n')
        base, b2, c2 = (numbers(model["w"]) for model in (self.models["b"], self.models["b2"], self.models["c2"]))
        added = numbers(st.read(self.checkout("x0", "x0") / "model.safetensors")["w"])
        self.assertEqual(added, [y if x == o else x if y == o else single(x + y - o) for o, x, y in zip(base, b2, c2)])

    def test_wrong_words(self):
        for words, code, says in ((["c", "--into", "nobody"], NOT_FOUND, "nobody"), (["base", "--into", "b"], USAGE, "dstore rebase"), (["c", "--into", "base"], USAGE, "is a base"),
                                  (["c", "a", "--into", "b"], USAGE, "one revision"), (["c", "--into", "b", "--name", "x"], USAGE, "exclude"), (["c", "--into", "b", "--method", "ties"], USAGE, "--on-conflict METHOD"),
                                  (["c", "--into", "b", "--on-conflict", "our"], USAGE, "ours, theirs"), (["c", "--into", "b", "--files", "mine"], USAGE, "ours or theirs"),
                                  (["c", "--into", "b", "--vocab", "all"], USAGE, "base-rows"), (["c", "b", "--name", "x", "--dry-run"], USAGE, "--into"), (["c", "--into", "b", "-m", "", "--on-conflict", "ours"], USAGE, "-m MSG")):
            self.fails(code, "merge", *words, says=says)


class RebaseTest(ArithmeticCase):
    def setUp(self):
        super().setUp()
        self.old = self.ids("base")[0]
        self.newer = self.nudged(range(800, 1000))
        self.ok("import", self.write("newer", self.newer, readme="new\n"), "--name", "base", "-m", "newer")

    def test_where_only_the_task_changed_its_bits_stay(self):
        report = self.run_in("rebase", "a", "base")
        self.assertEqual(report.code, FINDINGS, str(report))
        self.assertIn("changed by the task alone 800, by the new base alone 100, by both alike 0, in conflict 100", report.text)
        self.assertIn("cosine", report.text)
        self.assertIn("--on-conflict keep-task|keep-base|add", report.text)
        before = self.ids("a")[0]
        done = self.ok("rebase", "a", "base", "--on-conflict", "keep-task")
        self.assertIn("[a ", done.text)
        shown = self.ok("show", "a", "--json").json
        self.assertEqual((shown["parents"], shown["base"]), ([before], self.ids("base")[0]))
        self.assertEqual((shown["training"]["method"], shown["training"]["ancestor"]), ("rebase", self.old))
        out = self.checkout("base+a", "out")
        values = numbers(st.read(out / "model-00001-of-00002.safetensors")["w"])
        old, task, new = (numbers(model["w"]) for model in (self.tensors, self.models["a"], self.newer))
        self.assertEqual(values, [y if x == o else x for o, x, y in zip(old, task, new)])
        self.assertEqual(st.read(out / "model-00002-of-00002.safetensors")["head"], self.models["a"]["head"])
        self.assertEqual(((out / "config.json").read_text(), (out / "readme").read_text()), ('{"task": "a"}\n', "new\n"))
        self.assertIn("nothing to do", self.ok("rebase", "a", "base").text)
        self.assert_verifies()

    def test_rebase_in_an_expression_is_the_same(self):
        self.ok("rebase", "b", "base", "--on-conflict", "add", "--name", "b2")
        self.assertEqual(snapshot(self.checkout("b2", "x")), snapshot(self.checkout("rebase(add: b, base)", "y")))
        self.fails(CONFLICT, "checkout", "rebase(b, base)", "-o", self.root / "z", says="200 weights")
        self.fails(CONFLICT, "checkout", "base+0.5*b", "-o", self.root / "z", says="rebase(b, BASE)")
        self.ok("checkout", "base+0.5*rebase(keep-task: b, base)+0.5*b2", "-o", self.root / "z")

    def test_other_rows(self):
        longer = dict(self.newer, w=st.floats(numbers(self.newer["w"]) + [0.5] * 100, [42, 50]))
        self.write("longer", longer)
        (self.root / "longer" / "tokenizer.json").write_text('{"more": 2}')
        self.ok("import", self.root / "longer", "--name", "base", "-m", "longer")
        refused = self.run_in("rebase", "b", "base", "--on-conflict", "keep-task")
        self.assertEqual(refused.code, DONE, str(refused))  # the task's whole tensor
        self.ok("branch", "c", "b~1")
        refused = self.run_in("rebase", "c", "base", "--on-conflict", "add", "--json")
        self.assertEqual(refused.code, FINDINGS, str(refused))
        self.assertIn("[40, 50]", json.dumps(refused.json["whole"]))
        self.assertIn("tokenizer.json", refused.json["tokenizers"])
        text = self.run_in("rebase", "c", "base", "--on-conflict", "add").text
        self.assertIn("--vocab base-rows", text)
        self.ok("rebase", "c", "base", "--on-conflict", "add", "--vocab", "base-rows")
        self.assertEqual(numbers(st.read(self.checkout("c", "out") / "model.safetensors")["w"])[2000:], [0.5] * 100)

    def test_wrong_words(self):
        for words, code, says in ((["base", "base~1"], USAGE, "is a base checkpoint"), (["a", "b"], USAGE, "is a task, no base"), (["a~0", "base"], USAGE, "--name TASK"), (["a", "base", "--name", "b"], CONFLICT, "b exists"),
                                  (["a", "base", "--on-conflict", "ties"], USAGE, "keep-task"), (["a", "nobody"], NOT_FOUND, "nobody"), (["base~1+0.5*a", "base"], USAGE, "--name TASK")):
            self.fails(code, "rebase", *words, says=says)


if __name__ == "__main__":
    unittest.main()
