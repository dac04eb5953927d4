"""What is computed from several commits, wherever a task may stand, as a user types it."""
import json
import os
import unittest

import safetensors_file as st
from arithmetic_test import ArithmeticCase, numbers
from sandbox import CONFLICT, DONE, FINDINGS, NOT_FOUND, USAGE, everything, snapshot

SUM = "base + 0.7*a - 0.5*b"
MERGE = "merge(ties,density=50%: base+a+b, 0.5*b)"


class ComputedCase(ArithmeticCase):
    def expected(self, revision):
        folder = self.root / f"expected-{len(os.listdir(self.root))}"
        return snapshot(self.checkout(revision, folder))

    def assert_is(self, folder, revision):
        self.assertEqual(snapshot(folder), self.expected(revision))
        status = self.ok("status", folder, "--verify", "--json").json
        self.assertEqual(status["changes"], [])
        self.assertEqual(self.leftovers(folder), [])
        return status

    def leftovers(self, folder):
        return [name for name in os.listdir(folder) if "tmp" in name] + os.listdir(self.repo / ".dstore" / "tmp")


class FolderTest(ComputedCase):
    def test_a_sum_is_applied_and_taken_back(self):
        out = self.checkout("base", "out")
        before = snapshot(out)
        text = self.ok("apply", SUM, out).text
        self.assertIn(f"base → {SUM}", text)
        self.assertEqual(text.count("good signature"), 3)
        self.assertEqual(self.assert_is(out, SUM)["revision"], SUM)
        self.fails(CONFLICT, "apply", SUM, out, says=("not the base", "dstore unapply"))
        self.ok("unapply", out)
        self.assertEqual(snapshot(out), before)
        report = self.ok("apply", MERGE, out, "--json", "--verify").json
        self.assertEqual((report["before"], report["after"], len(report["commits"])), ("base", f"base+{MERGE}", 3))
        self.assertEqual(self.assert_is(out, f"base+{MERGE}")["expression"].split("+merge")[0], self.ids("base")[0])
        self.ok("unapply", out)
        self.ok("apply", "base+a", out)
        self.assert_is(out, "base+a")
        self.assertIn("base+a → base", self.ok("unapply", out).text)
        self.assertEqual(snapshot(out), before)

    def test_only_pages_are_written(self):
        out = self.checkout("base", "out")
        inode = (out / "model.safetensors").stat().st_ino
        report = self.ok("apply", "base+0.5*b", out, "--json").json
        self.assertEqual((report["patched"], report["written_bytes"]), (1, len('{"task": "b"}\n')))
        self.assertEqual((out / "model.safetensors").stat().st_ino, inode)

    def test_switching_between_what_is_computed(self):
        out = self.checkout("base", "out")
        last = "base"
        for revision in (SUM, "base+b", MERGE, "a", "base+0.25*b", "base", "base - b"):
            report = self.ok("switch", revision, out, "--json").json
            self.assertEqual((report["before"], report["after"]), (last, revision))
            self.assert_is(out, revision)
            last = revision
        self.ok("unapply", out)
        self.assert_is(out, "base")

    def test_a_new_folder_and_other_shards(self):
        tensors = {**self.tensors}
        sharded = self.root / "sharded"
        for i, name in enumerate(sorted(tensors)):
            st.write(sharded / f"model-0000{i + 1}-of-00002.safetensors", {name: tensors[name]}, {"format": "pt"})
        index = {"metadata": {}, "weight_map": {name: f"model-0000{i + 1}-of-00002.safetensors" for i, name in enumerate(sorted(tensors))}}
        (sharded / "model.safetensors.index.json").write_text(json.dumps(index))
        before = everything(sharded)
        self.ok("apply", SUM, sharded, "-o", self.root / "new")
        self.assertEqual(everything(sharded), before)
        single = st.read(self.checkout(SUM, "one", "--single-file") / "model.safetensors")
        self.ok("apply", SUM, sharded)
        for folder in (sharded, self.root / "new"):
            found = {}
            for path in folder.glob("*.safetensors"):
                found.update(st.read(path))
            self.assertEqual(found, single)
        self.ok("unapply", sharded)
        self.assertEqual(snapshot(sharded), before)

    def test_what_cannot_be_is_told_and_nothing_is_written(self):
        self.ok("import", self.write("other", self.nudged(range(5))), "--name", "other", "-m", "o")
        out = self.checkout("other", "out")
        before = everything(out)
        for words, code, says in ((["apply", SUM, out], CONFLICT, "not the base"), (["apply", "0.5*b", self.root / "base"], USAGE, "BASE+0.5*b"), (["apply", "other+0.5*b", out], CONFLICT, "rebase(b, BASE)"),
                                  (["apply", "other", out], USAGE, "base checkpoint"), (["apply", "base+b", out], CONFLICT, "not the base"), (["switch", "base+nobody+a", out], NOT_FOUND, "nobody"),
                                  (["apply", SUM, self.root / "nowhere"], NOT_FOUND, "nowhere"), (["bundle", "base+a+base", "-o", self.root / "x"], USAGE, "is a base"),
                                  (["merge", SUM, "--into", "base"], USAGE, "is a base"), (["show", "base+b"], USAGE, "one commit: b")):
            self.fails(code, *words, says=says)
        self.assertEqual(everything(out), before)
        self.ok("switch", "rebase(keep-task: b, other)", out)
        self.assert_is(out, "rebase(keep-task: b, other)")


class NumbersTest(ComputedCase):
    def test_stats_are_those_of_the_commit(self):
        self.ok("merge", SUM, "--name", "kept")
        kept, computed = (self.ok("stats", revision, "--json").json["tasks"][0] for revision in ("kept", SUM))
        self.assertIsNone(computed["commit"])
        self.assertEqual(computed["expression"], "{}+0.7*{} - 0.5*{}".format(*self.ids("base", "a", "b")))
        for part in ("all", "layers", "roles", "tensors"):
            self.assertEqual(kept[part], computed[part])
        self.assertEqual(computed["all"]["changed"], 1500)
        text = self.ok("stats", SUM, "b").text
        for words in (f"{SUM}: computed", "1,500 of 2,060 weights changed", "Jaccard"):
            self.assertIn(words, text)
        page = self.root / "page.html"
        self.ok("stats", SUM, "kept", "--html", page)
        self.assertIn("is computed", page.read_text())
        self.fails(USAGE, "stats", "base+0.5*nobody - ", says="character")
        self.assertEqual(os.listdir(self.repo / ".dstore" / "tmp"), [])

    def test_compare_puts_them_beside_commits(self):
        self.ok("merge", MERGE, "--name", "kept")
        text = self.ok("compare", "base", "a", "kept", MERGE).text
        for words in ("computed", "density", MERGE):
            self.assertIn(words, text)
        rows = self.ok("compare", "base", "a", "kept", MERGE, "base+b", "--json").json
        self.assertEqual([row["commit"] is None for row in rows["revisions"]], [False, False, False, True, False])
        self.assertEqual(rows["revisions"][2]["all"], rows["revisions"][3]["all"])
        self.assertEqual(len(rows["pairs"]), 6)

    def test_diff_of_one_tensor(self):
        result = self.run_in("diff", "base+a", SUM, "--tensor", "w", "--json")
        self.assertEqual(result.code, FINDINGS, str(result))
        self.assertEqual(result.json["changed"], 1500)
        self.assertEqual(self.run_in("diff", SUM, SUM, "--tensor", "w").code, DONE)


class MadeFromThemTest(ComputedCase):
    def test_a_merge_of_what_is_computed(self):
        self.ok("merge", "base+a+b", "--name", "both")
        self.ok("merge", "both", "b", "--method", "ties", "--weights", "0.5,1", "--density", "50%", "--name", "x")
        done = self.ok("merge", "base+a+b", "b", "--method", "ties", "--weights", "0.5,1", "--density", "50%", "--name", "y")
        self.assertIn("2 models by ties", done.text)
        self.assertEqual(self.run_in("diff", "x", "y").code, DONE)
        self.assertEqual(self.run_in("diff", "x", "merge(ties,density=0.5,weight=0.5;1: base+a+b, b)").code, DONE)
        shown = self.ok("show", "y", "--json").json
        self.assertEqual(shown["parents"], self.ids("a", "b"))
        self.assertEqual(shown["training"]["models"], "{}+{}+{}; {}".format(*self.ids("base", "a", "b", "b")))
        self.ok("merge", "base+a", "b", "--name", "z", "--heads", "base+a")
        self.ok("merge", "base+0.5*a", "b", "--name", "v", "--heads", "base+0.5*a")
        self.fails(USAGE, "merge", "base+0.5*a", "b", "--name", "w", "--heads", "base+0.6*a", says="none of the models")
        self.fails(NOT_FOUND, "show", "w")
        self.assert_verifies()

    def test_a_configuration_may_name_them(self):
        config = self.root / "merge.yml"
        config.write_text("merge_method: ties\nbase_model: base\nparameters: {density: 0.5, weight: 1}\nmodels:\n  - model: base+0.5*a+b\n  - model: b\n")
        self.ok("merge", "--config", config, "--name", "x")
        self.ok("merge", "base+0.5*a+b", "b", "--method", "ties", "--density", "0.5", "--name", "y")
        self.assertEqual(self.run_in("diff", "x", "y").code, DONE)
        config.write_text(config.read_text().replace("base_model: base", "base_model: a"))
        self.fails(CONFLICT, "merge", "--config", config, "--name", "n", says="is not the base")

    def test_exports(self):
        patch = self.root / "patch.safetensors"
        self.ok("export", "base+0.5*b", "--format", "sparse-safetensors", "-o", patch)
        self.ok("commit", patch, "--base", "base", "--name", "p", "-m", "patched")
        self.assertEqual(self.run_in("diff", "p", "base+0.5*b", "--tensor", "w").code, DONE)
        self.ok("export", SUM, "--format", "hf", "-o", self.root / "hf")
        self.fails(USAGE, "export", SUM, "--format", "peft-lora", "-o", self.root / "lora", says="--rank")

    def test_the_base_from_a_folder(self):
        base = self.root / "base"
        expected, numbers_there = self.expected(SUM), self.ok("stats", SUM, "--json").json["tasks"][0]["all"]
        self.ok("remote", "add", "origin", self.root / "remote")
        self.ok("push")
        light = self.root / "light"
        self.assertEqual(self.run_plain("clone", self.root / "remote", light, "--without-base").code, DONE)
        self.repo = light
        self.fails(NOT_FOUND, "checkout", SUM, "-o", self.root / "x", says="--base-from")
        self.assertEqual(snapshot(self.checkout(SUM, "x", "--base-from", base)), expected)
        self.assertEqual(self.ok("stats", SUM, "--json", "--base-from", base).json["tasks"][0]["all"], numbers_there)
        self.assertEqual(self.run_in("diff", SUM, "base+b", "--base-from", base).code, FINDINGS)
        self.ok("apply", SUM, base, "-o", self.root / "y")
        self.assertEqual(snapshot(self.root / "y"), expected)
        self.ok("apply", SUM, base)
        self.assertEqual(snapshot(base), expected)
        self.ok("unapply", base)
        self.assertEqual(numbers(st.read(base / "model.safetensors")["w"]), numbers(self.tensors["w"]))


if __name__ == "__main__":
    unittest.main()
