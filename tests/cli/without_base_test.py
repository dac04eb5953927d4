"""clone --without-base: everything but the weights of bases, which come later, or from a folder."""
import shutil
import unittest

import safetensors_file as st
from sandbox import CONFLICT, CORRUPT, DONE, NOT_FOUND, Case, snapshot


class WithoutBaseTest(Case):
    def setUp(self):
        super().setUp()
        self.make_store(scale=40)
        self.full = self.repo
        self.remote = self.root / "remote"
        self.ok("remote", "add", "origin", self.remote)
        self.ok("push")
        self.repo = self.root / "light"
        result = self.run_plain("clone", self.remote, self.repo, "--without-base")
        self.assertEqual(result.code, DONE, str(result))
        self.both = snapshot(self.full_checkout("base+task"))

    def full_checkout(self, revision):
        out = self.root / "full-out"
        shutil.rmtree(out, ignore_errors=True)
        self.assertEqual(self.run_plain("-C", self.full, "checkout", revision, "-o", out).code, DONE)
        return out

    def size(self, repo):
        return sum(path.stat().st_size for path in (repo / ".dstore" / "packs").iterdir())

    def assert_base_absent(self):
        for level in (["--quick"], [], ["--deep"]):
            result = self.ok("fsck", "--json", *level)
            self.assertEqual(result.json["findings"], [])
            self.assertEqual(len(result.json["base_absent"]), 0 if level == ["--quick"] else 1)
        self.assertIn("base absent", self.ok("fsck").text)

    def test_what_is_there_and_what_is_not(self):
        self.assertLess(self.size(self.repo), self.size(self.full) / 3)
        self.assert_base_absent()
        self.ok("verify")
        for words in (["log", "--all"], ["log", "--graph"], ["show", "task"], ["show", "base"], ["branch"], ["tasks"], ["stats", "task", "--base-from", self.base], ["compare", "base", "task", "--base-from", self.base], ["status"], ["fetch"], ["pull"], ["push"]):
            self.assertIn(self.run_in(*words).code, (0, 1), words)
        self.fails(NOT_FOUND, "stats", "task", says="base absent")
        for revision in ("base", "task", "base+task"):
            self.fails(NOT_FOUND, "checkout", revision, "-o", self.root / "out", says=("base absent", "dstore import FOLDER", "--base-from"))
            self.assertFalse((self.root / "out").exists())

    def test_a_checkout_with_the_base_from_a_folder(self):
        for revision, expected in (("task", snapshot(self.task)), ("base", snapshot(self.base)), ("base+task", self.both)):
            self.checkout(revision, f"out-{revision}", "--base-from", self.base)
            self.assertEqual(snapshot(self.root / f"out-{revision}"), expected)
        self.assert_base_absent()

    def test_diff_and_sparsify_with_the_base_from_a_folder(self):
        self.fails(NOT_FOUND, "diff", "base", "task", says="base absent")
        expected = self.run_plain("-C", self.full, "diff", "base", "task", "--json").json
        found = self.run_in("diff", "base", "task", "--json", "--base-from", self.base)
        self.assertEqual((found.code, found.json), (1, expected))
        self.fails(NOT_FOUND, "sparsify", "task", "--density", "0.1%", "--name", "thin", says="base absent")
        self.ok("sparsify", "task", "--density", "0.1%", "--name", "thin", "--base-from", self.base)
        self.fails(CONFLICT, "diff", "base", "task", "--base-from", self.tiny_base("other", scale=3))
        self.assert_base_absent()

    def test_a_base_that_is_sharded_otherwise_serves_too(self):
        tensors = st.read(self.base / "model.safetensors")
        names = sorted(tensors)
        sharded = self.root / "sharded"
        st.write_sharded(sharded, [{name: tensors[name] for name in names[:3]}, {name: tensors[name] for name in names[3:]}])
        self.checkout("task", "out", "--base-from", sharded)
        self.assertEqual(snapshot(self.root / "out"), snapshot(self.task))

    def test_a_folder_that_is_not_the_base(self):
        self.fails(CONFLICT, "checkout", "task", "-o", self.root / "out", "--base-from", self.task, says="not")
        other = self.tiny_base("small")
        self.fails(CONFLICT, "checkout", "task", "-o", self.root / "out", "--base-from", other, says=("is not the base", "embeddings.weight"))
        self.fails(NOT_FOUND, "checkout", "task", "-o", self.root / "out", "--base-from", self.root / "nowhere")
        self.assertFalse((self.root / "out").exists())

    def test_an_import_supplies_it(self):
        for link in ([], ["--link"]):
            with self.subTest(link=link):
                repo, self.repo = self.repo, self.root / f"light{len(link)}"
                shutil.copytree(repo, self.repo)
                self.ok("import", self.base, "--name", "base", *link)
                self.assert_model(self.checkout("task", f"out{len(link)}"), self.task)
                result = self.ok("fsck", "--deep", "--json").json
                self.assertEqual((result["findings"], result["base_absent"], result["checkouts"]), ([], [], 2))
                self.repo = repo

    def test_new_tasks_go_both_ways(self):
        other = self.tiny_task(self.base, "other")
        self.ok("commit", other, "--base", "base", "--name", "other", "-m", "made here", "--base-from", self.base)
        self.ok("push", "origin", "other")
        self.assert_base_absent()
        self.assertEqual(self.run_plain("-C", self.full, "pull").code, DONE)
        self.assertEqual(snapshot(self.full_checkout("other")), snapshot(other))
        third = self.tiny_task(self.base, "third")
        self.assertEqual(self.run_plain("-C", self.full, "commit", third, "--base", "base", "--name", "third", "-m", "x").code, DONE)
        self.assertEqual(self.run_plain("-C", self.full, "push").code, DONE)
        self.ok("pull")
        self.assert_base_absent()
        self.checkout("third", "out", "--base-from", self.base)
        self.assertEqual(snapshot(self.root / "out"), snapshot(third))

    def test_a_task_that_stores_a_tensor_of_the_base_brings_its_chunks(self):
        tensors = st.read(self.base / "model.safetensors")
        tensors["copy.of.embeddings"] = tensors["embeddings.weight"]
        del tensors["layer.0.weight"]
        twin = self.root / "twin"
        st.write(twin / "model.safetensors", tensors, {"format": "pt"})
        self.assertEqual(self.run_plain("-C", self.full, "commit", twin, "--base", "base", "--name", "twin", "-m", "x").code, DONE)
        self.assertEqual(self.run_plain("-C", self.full, "push").code, DONE)
        self.ok("pull")
        result = self.ok("fsck", "--json").json
        self.assertEqual(result["findings"], [])
        self.checkout("twin", "out", "--base-from", self.base)
        self.assertEqual(snapshot(self.root / "out"), snapshot(twin))

    def test_it_cannot_give_what_it_has_not(self):
        self.ok("remote", "add", "elsewhere", self.root / "elsewhere")
        self.fails(NOT_FOUND, "push", "elsewhere", says="import the base first")
        result = self.run_plain("clone", self.repo, self.root / "second")
        self.check_error(result, NOT_FOUND, "import the base first")
        self.assertFalse((self.root / "second").exists())
        self.assertEqual(self.run_plain("clone", self.repo, self.root / "third", "--without-base").code, DONE)

    def test_real_damage_is_still_damage(self):
        task = max((self.repo / ".dstore" / "packs").iterdir(), key=lambda path: path.stat().st_size)
        task.chmod(0o644)
        data = bytearray(task.read_bytes())
        data[90] ^= 1
        task.write_bytes(bytes(data))
        self.assertEqual(self.run_in("fsck").code, CORRUPT)
        self.assertEqual(self.run_in("fsck", "--repair-from", "origin").code, DONE)
        self.assert_base_absent()

    def test_the_configuration_is_of_version_2(self):
        config = (self.repo / ".dstore" / "config").read_text()
        self.assertTrue(config.endswith('"v":2,"without_base":1}\n'), config)
        for bad in (config.replace('"without_base":1', '"without_base":2'), config.replace('"v":2', '"v":1'), config.replace(',"without_base":1', "")):
            (self.repo / ".dstore" / "config").write_text(bad)
            self.check_error(self.run_in("log"))


if __name__ == "__main__":
    unittest.main()
