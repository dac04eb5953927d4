"""What is computed where a commit goes on: merge --into, rebase, bundle, sparsify, as a user types it."""
import shutil
import unittest

import safetensors_file as st
from arithmetic_test import ArithmeticCase, numbers
from sandbox import CONFLICT, DONE, FINDINGS, NOT_FOUND, UNTRUSTED, USAGE, everything, snapshot

SUM = "base + 0.7*a - 0.5*b"


class ComputedCommitsTest(ArithmeticCase):
    def setUp(self):
        super().setUp()
        self.task("mine", self.nudged(range(1400, 1700)))

    def values(self, revision):
        out = self.checkout(revision, "values")
        return numbers(next(tensors["w"] for tensors in map(st.read, sorted(out.glob("*.safetensors"))) if "w" in tensors))

    def branches(self):
        return [row["name"] for row in self.ok("branch", "--json").json]

    def test_a_sum_is_merged_into_a_branch(self):
        before, (mine,), branches = everything(self.repo / ".dstore"), self.ids("mine"), self.branches()
        refused = self.run_in("merge", SUM, "--into", "mine")
        self.assertEqual(refused.code, FINDINGS, str(refused))
        self.assertIn("overlap: 300 of 1,500", refused.text)
        self.assertIn("in conflict 100 of 2,076 weights", refused.text)
        dry = self.ok("merge", SUM, "--into", "mine", "--on-conflict", "add", "--files", "ours", "--dry-run", "--json").json
        self.assertEqual((dry["outcome"], dry["ours"], dry["theirs"], dry["commit"], dry["shared"]), ("merged", mine, None, None, 300))
        self.assertEqual(set(before) ^ set(everything(self.repo / ".dstore")), set())
        done = self.ok("merge", SUM, "--into", "mine", "--on-conflict", "ours", "--json").json
        shown = self.ok("show", "mine", "--json").json
        self.assertEqual(shown["parents"], [mine, done["theirs"]])
        side = self.ok("show", done["theirs"], "--json").json
        self.assertEqual((side["parents"], side["message"]), (self.ids("a", "b"), SUM))
        self.assertEqual(side["training"], {"method": "merge", "expression": "{}+0.7*{} - 0.5*{}".format(*self.ids("base", "a", "b"))})
        self.assertEqual(self.run_in("diff", done["theirs"], SUM).code, DONE)
        self.assertEqual(self.branches(), branches)
        base, ours, theirs, have = (self.values(revision) for revision in ("base", "mine~1", SUM, "mine"))
        self.assertEqual(have, [y if x == o else x for o, x, y in zip(base, ours, theirs)])
        self.assertIn("already up to date", self.ok("merge", SUM, "--into", "mine").text)
        self.assertIn(SUM, self.ok("log", "mine", "--graph").text)
        self.assertEqual(self.run_in("fsck").code, DONE)
        self.assert_verifies()
        self.ok("gc")
        self.assertEqual(self.run_in("diff", done["theirs"], SUM).code, DONE)

    def test_what_is_made_of_a_branch_moves_it_forward(self):
        (ours,) = self.ids("a")
        self.assertIn("to a commit of base+0.5*a (fast-forward)", self.ok("merge", "base+0.5*a", "--into", "a", "--dry-run").text)
        self.assertEqual(self.ids("a"), [ours])
        self.assertIn("fast-forward", self.ok("merge", "base+0.5*a", "--into", "a").text)
        self.assertEqual(self.ids("a~1"), [ours])
        self.assertEqual(self.run_in("diff", "a", "base+0.5*a~1").code, DONE)
        self.assertIn("already up to date", self.ok("merge", "base+b", "--into", "b").text)

    def test_rebase(self):
        newer = self.nudged(range(800, 1000))
        self.ok("import", self.write("newer", newer), "--name", "next", "-m", "newer")
        self.fails(USAGE, "rebase", SUM, "next", says="--name TASK")
        self.fails(CONFLICT, "rebase", SUM, "next", "--name", "b", says="b exists")
        self.fails(USAGE, "rebase", "a", "next+0.5*a", "--name", "n", says=("no base", "dstore import FOLDER --name NAME"))
        before = everything(self.repo / ".dstore")
        self.assertEqual(self.run_in("rebase", SUM, "next", "--name", "moved").code, FINDINGS)
        self.assertEqual(set(before) ^ set(everything(self.repo / ".dstore")), set())
        self.assertIn("[moved ", self.ok("rebase", SUM, "next", "--name", "moved", "--on-conflict", "add").text)
        self.assertEqual(snapshot(self.checkout("moved", "x")), snapshot(self.checkout(f"rebase(add: {SUM}, next)", "y")))
        self.assertEqual(snapshot(self.checkout("next+moved", "z")), snapshot(self.checkout(f"next+rebase(add: {SUM}, next)", "u")))
        (side,) = self.ok("show", "moved", "--json").json["parents"]
        self.assertEqual(self.run_in("diff", side, SUM).code, DONE)
        self.assertIn(f"dstore merge '{SUM}' --name same", self.ok("rebase", SUM, "base", "--name", "same").text)
        self.fails(NOT_FOUND, "show", "same")
        self.assert_verifies()

    def test_a_bundle(self):
        file, refs = self.root / "calm.bundle", snapshot(self.repo / ".dstore" / "refs")
        done = self.ok("bundle", SUM, "--name", "calm", "-o", file, "--json").json
        self.assertEqual(list(done["tasks"]), ["calm"])
        self.assertEqual(snapshot(self.repo / ".dstore" / "refs"), refs)
        self.fails(NOT_FOUND, "show", done["tasks"]["calm"])
        expected = snapshot(self.checkout(SUM, "expected"))
        base = self.root / "base"
        shutil.move(self.repo, self.root / "gone")
        (self.root / "away").mkdir()
        away = lambda *words, **options: self.run_plain(*words, cwd=self.root / "away", **options)
        made = away("apply", file, base, "-o", self.root / "new", "--json")
        self.assertEqual(made.code, DONE, str(made))
        self.assertEqual([row["signature"] for row in made.json["commits"]], ["good", "good"])
        self.assertEqual(snapshot(self.root / "new"), expected)
        self.check_error(away("apply", file, base, "-o", self.root / "no", env=self.environment(DSTORE_CONFIG_HOME=str(self.root / "stranger"))), UNTRUSTED)
        before = snapshot(base)
        self.assertEqual(away("apply", file, base).code, DONE)
        self.assertEqual(snapshot(base), expected)
        self.assertEqual(away("unapply", base).code, DONE)
        self.assertEqual(snapshot(base), before)

    def test_bundles_of_several(self):
        file = self.root / "x.bundle"
        self.fails(USAGE, "bundle", "a", SUM, "--name", "x", "-o", file, says="one task, not 2")
        self.fails(NOT_FOUND, "bundle", "base+0.5*nobody", "-o", file, says="nobody")
        self.assertFalse(file.exists())
        names = self.ok("bundle", "a", SUM, "base+b", "-o", file, "--no-sign", "--json").json["tasks"]
        self.assertIn("a", names)
        unsigned = next(name for name in names if names[name] not in self.ids("a", "b"))
        self.check_error(self.run_in("apply", file, self.root / "base", "-o", self.root / "new", "--task", unsigned), UNTRUSTED)
        self.ok("apply", file, self.root / "base", "-o", self.root / "new", "--task", unsigned, "--allow-unsigned")
        self.assertEqual(snapshot(self.root / "new"), snapshot(self.checkout(SUM, "expected")))

    def test_sparsify_and_verify(self):
        self.fails(USAGE, "sparsify", SUM, "--density", "5%", says="--name TASK")
        done = self.ok("sparsify", SUM, "--density", "5%", "--name", "small", "--json").json
        self.assertEqual(done["kept"], 103)
        self.assertEqual(self.ok("show", "small", "--json").json["parents"], [done["source"]])
        self.assertEqual(self.run_in("diff", done["source"], SUM).code, DONE)
        self.ok("merge", SUM, "--name", "kept")
        self.ok("sparsify", "kept", "--density", "5%", "--name", "by-hand")
        self.assertEqual(self.run_in("diff", "small", "by-hand").code, DONE)
        checked = self.ok("verify", SUM, "--json").json
        self.assertEqual(("weights" in checked, checked["signature"]), (False, "good"))
        self.assertGreater(checked["bytes"], 8000)

    def test_what_must_be_a_base_says_how_to_make_one(self):
        for words in (["rebase", "a", "base+0.5*a", "--name", "n"], ["commit", self.root / "folder-a", "--base", "base+0.5*a", "--name", "n", "-m", "n"], ["tasks", "base+0.5*a"]):
            self.fails(USAGE, *words, says="dstore checkout 'base+0.5*a' -o FOLDER")


if __name__ == "__main__":
    unittest.main()
