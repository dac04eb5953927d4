"""Undo files and bundles, read by the independent reader."""
import json
import unittest

from decode_case import Case, st
from sandbox import snapshot

from reader.basics import Problem
from reader.bundle import read_bundle
from reader.undo import read_undo


class ApplyTest(Case):
    def setUp(self):
        super().setUp()
        self.base = self.tiny_base()
        self.ok("import", self.base, "--name", "base")
        for name, head in (("task", True), ("plain", False)):
            self.ok("commit", self.tiny_task(self.base, name, head=head), "--base", "base", "--name", name, "-m", name)
        tensors = {"x." + name: tensor for name, tensor in st.read(self.base / "model.safetensors").items()}
        tensors["x.layer.0.weight"] = st.changed(self.rng, tensors["x.layer.0.weight"], 3)
        self.ok("commit", self.model("renamed", tensors), "--base", "base", "--name", "renamed", "-m", "r")

    def undone(self, folder):
        """The folder as it was, from the undo file alone."""
        now = snapshot(folder)
        head, files = read_undo((folder / ".dstore-undo").read_bytes())
        record = json.loads(head["record"])
        before = {path: now.get(path) for path in record["files"]}
        before.update({path: file.content(path, now.__getitem__) for path, file in files.items()})
        return before

    def test_an_undo_file_gives_the_folder_as_it_was(self):
        folder = self.checkout("base", "out")
        before = snapshot(folder)
        for revision in ("base+task", "base+plain", "base+0.5*plain+task", "base+renamed", "merge(ties: plain, base+0.5*task)", "renamed", "task", "base"):
            self.ok("switch", revision, folder)
            self.assertEqual(self.undone(folder), before, revision)
            before = snapshot(folder)

    def test_a_damaged_undo_file_is_refused(self):
        folder = self.checkout("base", "out")
        self.ok("apply", "task", folder)
        good = (folder / ".dstore-undo").read_bytes()
        for at in range(0, len(good), 7):
            self.assertRaises(Problem, read_undo, good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
            self.assertRaises(Problem, read_undo, good[:at])

    def test_a_bundle_has_the_tasks_and_no_weights_of_the_base(self):
        self.ok("bundle", "task", "plain", "-o", self.root / "both")
        content = (self.root / "both").read_bytes()
        tasks, objects = read_bundle(content)
        for name in ("task", "plain"):
            self.assertEqual(tasks[name].hex(), self.ok("show", name, "--json").json["id"])
        chunks = {data for kind, data in objects.values() if kind == 1}
        for name, tensor in st.read(self.base / "model.safetensors").items():
            self.assertTrue(not tensor.data or tensor.data not in chunks, name)
        for at in range(0, len(content), max(1, len(content) // 300)):
            self.assertRaises(Problem, read_bundle, content[:at] + bytes([content[at] ^ 1]) + content[at + 1:])


if __name__ == "__main__":
    unittest.main()
