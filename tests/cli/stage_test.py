"""`dstore commit` of what a training staged, with stages made by hand (spec/repository.md)."""
import json
import unittest

import safetensors_file as st
from sandbox import CONFLICT, DONE, NOT_FOUND, TRAINING, USAGE, Case, snapshot


class StageTest(Case):
    def setUp(self):
        super().setUp()
        self.make_store()

    def test_a_staged_result_becomes_a_task_and_both_ways_out_are_equal(self):
        folder, result = self.stage()
        self.assertIn("staged: topic", self.ok("status").text)
        self.assertEqual(self.ok("status", "--json").json["staged"], ["topic"])
        self.ok("commit", "-m", "trained")
        self.assertFalse(folder.exists())
        self.assertIn("nothing is staged", self.ok("status").text)
        both, alone = self.checkout("base+topic", "both"), self.checkout("topic", "alone")
        self.assertEqual(snapshot(both), snapshot(alone))
        tensors = {}
        for shard in both.glob("*.safetensors"):
            tensors.update(st.read(shard))
        self.assertEqual(tensors, result)
        self.assertEqual((both / "config.json").read_text(), '{"label2id": {"b": 0}}')
        self.assertEqual((both / "vocab.txt").read_bytes(), (self.base / "vocab.txt").read_bytes())
        shown = self.ok("show", "topic", "--json").json
        self.assertEqual(shown["training"], TRAINING)
        self.assertEqual(shown["metrics"][0]["value"], 0.75)
        self.assertLess(shown["sizes"]["stored_bytes"], shown["sizes"]["checkpoint_bytes"])
        self.fails(NOT_FOUND, "commit", "topic", "-m", "again")

    def test_two_stages_and_no_name_are_listed(self):
        self.stage("topic")
        self.stage("en/verb", "en%2fverb")
        self.fails(USAGE, "commit", "-m", "x", says=("en/verb", "topic"))
        self.fails(USAGE, "commit", "topic")
        self.fails(NOT_FOUND, "commit", "topics", "-m", "x")
        self.ok("commit", "en/verb", "-m", "x")
        self.ok("commit", "-m", "y")
        self.assertEqual(sorted(row["name"] for row in self.ok("branch", "--json").json), ["base", "en/verb", "task", "topic"])

    def test_the_best_is_found_by_its_metric(self):
        for name, accuracy in (("a", "0.71"), ("b", "0.93"), ("c", "0.80")):
            self.stage(name, accuracy=accuracy)
            self.ok("commit", name, "-m", name)
        self.assertEqual([row["message"] for row in self.ok("log", "--all", "--sort", "-accuracy", "-n", "1", "--json").json], ["b"])
        self.assertIn("0.93", self.ok("log", "--graph").text.replace("93.0", "0.93").replace("93 %", "0.93"))
        self.assertIn("diff-pruning", self.ok("log", "--graph").text)

    def test_a_training_on_top_of_a_task_is_one_hop_from_the_base(self):
        self.stage("onward", base="task", prefix="")
        self.ok("commit", "onward", "-m", "from a task")
        shown = self.ok("show", "onward", "--json").json
        self.assertEqual(shown["base"], self.ok("show", "base", "--json").json["id"])
        self.assertEqual(shown["derived_from"], [self.ok("show", "task", "--json").json["id"]])
        self.assertEqual(snapshot(self.checkout("base+onward", "both")), snapshot(self.checkout("onward", "alone")))
        self.assert_verifies()

    def test_a_stage_onto_a_branch_of_the_other_kind_is_refused_and_kept(self):
        folder, _ = self.stage("base")
        self.fails(CONFLICT, "commit", "base", "-m", "x")
        self.assertTrue(folder.exists())

    def test_damaged_stages_are_one_line_and_kept(self):
        folder, _ = self.stage()
        files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        stage = json.loads((folder / "stage.json").read_text())
        row = stage["metrics"][0]
        bad = [(folder / "stage.json", json.dumps(value).encode()) for value in (
            {}, [], 3, {**stage, "version": 2}, {**stage, "version": "1"}, {**stage, "version": None}, {**stage, "training": []}, {**stage, "training": {"seed": 1}},
            {**stage, "base_prefix": 1}, {**stage, "metrics": 3}, {**stage, "metrics": [3]}, {**stage, "metrics": {"a": row}}, {**stage, "metrics": [{**row, "n": "many"}]},
            {**stage, "metrics": [{**row, "n": -1}]}, {**stage, "metrics": [{**row, "n": 1e300}]}, {**stage, "metrics": [{**row, "value": 0.5}]},
            {**stage, "base_prefix": "../"}, {**stage, "training": {"a\nb": "c\nd"}})]
        bad += [(folder / "stage.json", content) for content in (b"", b"{", b"\xff", b"[" * 100_000)]
        bad += [(folder / "base.json", content) for content in (b"", b"{}", b'{"base":"xyz","name":"topic","v":1}', b'{"base":"' + b"0" * 64 + b'","name":"topic","v":1}', b'{"base":3}')]
        bad += [(folder / "tensors.safetensors", content) for content in (b"", b"x" * 100, st.join({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, bytes(8)))]
        log = self.ok("log", "--json").out
        for path, content in bad:
            with self.subTest(path=path.name, content=content[:200]):
                path.write_bytes(content)
                result = self.run_in("commit", "topic", "-m", "x")
                if result.code == DONE:  # odd, but well formed
                    self.assert_verifies()
                    self.ok("checkout", "base+topic", "-o", self.root / "odd", "--force")
                    self.ok("branch", "-d", "topic")
                    self.ok("log")
                    folder.mkdir(parents=True)
                    (folder / "files").mkdir()
                else:
                    self.check_error(result)
                for other, original in files.items():
                    other.write_bytes(original)
        self.assertEqual(self.ok("log", "--json").out, log)
        for path in files:
            path.unlink()
            self.check_error(self.run_in("commit", "topic", "-m", "x")) if path.name != "config.json" else None
            path.write_bytes(files[path])
        self.assertEqual(self.run_in("commit", "topic", "-m", "x").code, DONE)


if __name__ == "__main__":
    unittest.main()
