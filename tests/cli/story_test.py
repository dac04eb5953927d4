"""The whole story on a tiny model, as a user types it."""
import json
import os
import unittest

import safetensors_file as st
from sandbox import CONFLICT, DONE, FINDINGS, NOT_FOUND, Case, snapshot


class StoryTest(Case):
    def test_import_commit_checkout_and_look(self):
        made = self.run_plain("init", "repo")
        self.assertEqual(made.code, DONE, str(made))
        self.assertIn("SHA256:", made.text)
        self.assertEqual((self.user / "id_ed25519").stat().st_mode & 0o777, 0o600)
        base = self.tiny_base()
        task = self.tiny_task(base)
        self.ok("import", base, "--name", "base", "-m", "the base")
        self.assertIn("already", self.ok("import", base, "--name", "base").text)
        self.assertIn(" → ", self.ok("commit", task, "--base", "base", "--name", "task", "-m", "a task").text)
        self.assertEqual(self.run_in("commit", task, "--base", "base", "--name", "task", "-m", "again").code, FINDINGS)

        self.assert_model(self.checkout("base", "out-base"), base)
        self.assert_model(self.checkout("task", "out-task"), task)
        both = self.checkout("base+task", "out-both")
        tensors = {}
        for shard in both.glob("*.safetensors"):
            tensors.update(st.read(shard))
        self.assertEqual(tensors, st.read(task / "model.safetensors"))
        self.assertEqual((both / "config.json").read_bytes(), (task / "config.json").read_bytes())
        single = self.checkout("base+task", "out-single", "--single-file")
        self.assertEqual([path.name for path in single.glob("*.safetensors*")], ["model.safetensors"])
        self.assertEqual(st.read(single / "model.safetensors"), st.read(task / "model.safetensors"))

        for words, found in ((["log"], "a task"), (["log", "task"], "the base"), (["show", "task"], "a task"), (["stats", "task"], "layer 0"),
                             (["tasks"], "task"), (["tasks", "base"], "task"), (["branch"], "base"), (["verify"], "no damage"),
                             (["verify", "base+task"], "verified"), (["status"], "nothing is staged"), (["cat", "-t", "task"], "commit"),
                             (["key"], "your own")):
            with self.subTest(words):
                self.assertIn(found, self.ok(*words).text)
        self.assertIn("layer.0.weight", self.run_in("diff", "base", "task").text)
        commit = json.loads(self.ok("cat", "task").out)
        self.assertEqual(commit["message"], "a task")
        self.assertNotIn("layer.0.bias", self.run_in("diff", "base", "task").text)

    def test_a_task_switches_in_place_and_only_what_differs_is_written(self):
        self.make_store()
        other = self.tiny_task(self.base, "other", 5)
        self.ok("commit", other, "--base", "base", "--name", "other", "-m", "another")
        out = self.checkout("base+task", "out")
        vocabulary = (out / "vocab.txt").stat()
        want = snapshot(self.checkout("base+other", "fresh"))
        result = self.ok("checkout", "base+other", "-o", out)
        self.assertIn("kept", result.text)
        self.assertEqual(snapshot(out), want)
        self.assertEqual((out / "vocab.txt").stat().st_mtime_ns, vocabulary.st_mtime_ns)
        self.ok("checkout", "base", "-o", out)
        self.assert_model(out, self.base)
        self.assertIn("as checked out", self.ok("status", out).text)

    def test_changed_and_foreign_files_are_noticed_and_refused_without_force(self):
        self.make_store()
        out = self.checkout("task", "out")
        (out / "notes.txt").write_text("mine")
        (out / "config.json").write_text("{}")
        status = self.run_in("status", out, "--json")
        self.assertEqual(status.code, FINDINGS)
        self.assertEqual({(row["path"], row["state"]) for row in status.json["changes"]}, {("config.json", "changed"), ("notes.txt", "new")})
        self.fails(CONFLICT, "checkout", "base", "-o", out, says="config.json")
        self.assertEqual((out / "config.json").read_text(), "{}")
        self.ok("checkout", "base", "-o", out, "--force")
        self.assertEqual((out / "notes.txt").read_text(), "mine")
        (out / "notes.txt").unlink()
        self.assert_model(out, self.base)

        full = self.root / "full"
        full.mkdir()
        (full / "config.json").write_text("precious")
        self.fails(CONFLICT, "checkout", "base", "-o", full)
        self.assertEqual((full / "config.json").read_text(), "precious")

    def test_a_byte_changed_behind_the_same_size_and_time_is_found_by_verify(self):
        self.make_store()
        out = self.checkout("task", "out")
        path = out / "model.safetensors"
        stat, content = path.stat(), bytearray(path.read_bytes())
        content[-1] ^= 1
        with open(path, "r+b") as file:
            file.write(content)

        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        self.assertEqual(self.run_in("status", out, "--verify").code, FINDINGS)
        self.fails(CONFLICT, "checkout", "task", "-o", out, "--verify", says="model.safetensors")

    def test_a_checked_out_folder_is_committed_without_base_and_name(self):
        self.make_store()
        for revision in ("task", "base+task"):
            with self.subTest(revision):
                out = self.checkout(revision, "out-" + revision)
                shard = out / "model.safetensors" if revision == "task" else next(p for p in sorted(out.glob("*.safetensors")) if "layer.0.bias" in st.read(p))
                tensors = st.read(shard)
                tensors["layer.0.bias"] = st.changed(self.rng, tensors["layer.0.bias"], 2)
                st.write(shard, tensors, {"format": "pt"})
                self.ok("commit", out, "-m", "changed by hand")
                self.assert_model(self.checkout("task", "again-" + revision), out)
        self.assertEqual([row["message"] for row in self.ok("log", "task", "--json").json], ["changed by hand", "changed by hand", "a task", "the base"])
        self.assert_model(self.checkout("task~2", "old"), self.task)

    def test_branches_and_tags(self):
        self.make_store()
        self.ok("branch", "copy", "task")
        self.ok("tag", "v1.0", "task")
        for folder in (self.task, self.tiny_task(self.base, "other")):
            self.fails(CONFLICT, "commit", folder, "--base", "base", "--name", "v1.0", "-m", "x", says="tag")
        self.assert_model(self.checkout("v1.0", "tagged"), self.task)
        self.ok("branch", "-d", "copy")
        self.fails(NOT_FOUND, "show", "copy")
        self.ok("branch", "copy", "task~1")
        self.assertEqual(self.ok("show", "copy", "--json").json["id"], self.ok("show", "base", "--json").json["id"])
        self.ok("tag", "-d", "v1.0")
        self.assertEqual(self.ok("tag").out, b"")
        commit = self.ok("show", "task", "--json").json["id"]
        self.assertEqual(self.ok("show", commit[:12], "--json").json["id"], commit)

    def test_a_word_with_two_readings_lists_them(self):
        self.make_store()
        prefix = self.ok("show", "base", "--json").json["id"][:6]
        self.ok("branch", prefix, "task")
        self.fails(2, "show", prefix, says=("ambiguous", "branch " + prefix, "commit"))

    def test_the_wrong_base_is_refused_and_the_fitting_revision_named(self):
        self.make_store()
        tensors = st.read(self.base / "model.safetensors")
        tensors["layer.0.bias"] = st.changed(self.rng, tensors["layer.0.bias"], 1)
        newer = self.tiny_base("newer")
        st.write(newer / "model.safetensors", tensors, {"format": "pt"})
        self.ok("import", newer, "--name", "base", "-m", "a newer base")
        self.fails(CONFLICT, "checkout", "base+task", "-o", self.root / "out", says="base~1+task")
        self.assertFalse((self.root / "out").exists())
        both = self.checkout("base~1+task", "out")
        self.assertTrue((both / "model.safetensors").exists() or list(both.glob("model-*.safetensors")))

    def test_another_split_of_the_same_base_is_accepted(self):
        self.make_store()
        tensors = list(st.read(self.base / "model.safetensors").items())
        split = self.root / "split"
        split.mkdir()
        st.write_sharded(split, [dict(tensors[:3]), dict(tensors[3:])])
        self.ok("import", split, "--name", "split")
        out = self.checkout("split+task", "out")
        found = {}
        for shard in out.glob("*.safetensors"):
            found.update(st.read(shard))
        self.assertEqual(found, st.read(self.task / "model.safetensors"))
        self.assert_model(self.checkout("split", "out-split"), split)

    def test_json_parses_for_every_command(self):
        self.make_store()
        self.ok("remote", "add", "origin", self.root / "remote")
        out = self.checkout("base+task", "out")
        other = self.tiny_task(self.base, "other")
        for words in (["init", self.root / "r2"], ["import", self.base, "--name", "b2"], ["import", self.base, "--name", "b2"],
                      ["commit", other, "--base", "base", "--name", "other", "-m", "x"], ["checkout", "base+task", "-o", self.root / "out2"],
                      ["status"], ["status", out], ["log"], ["log", "--all", "--graph"], ["log", "--group-by", "base"], ["query", "SELECT * FROM commits"], ["query", "--schema"], ["show", "base"], ["show", "task"], ["stats", "task"],
                      ["stats", "task", "other"], ["tasks"], ["branch"], ["tag"], ["verify"], ["verify", "base+task"], ["remote"], ["push"],
                      ["fetch"], ["pull"], ["key", "list"], ["diff", "base", "base"], ["branch", "b3", "task"], ["tag", "v1", "task"],
                      ["clone", self.root / "remote", self.root / "r3"], ["branch", "-d", "b3"], ["remote", "remove", "origin"], ["key", "trust", self.user / "id_ed25519.pub"]):
            with self.subTest(words):
                result = self.ok(*words, "--json")
                if result.out or words[0] not in ("branch", "tag", "remote", "key"):
                    self.assertIsInstance(result.json, (dict, list))
        self.assertIsInstance(self.run_in("diff", "base", "task", "--json").json, dict)


if __name__ == "__main__":
    unittest.main()
