"""Linked bases and repositories without base: spec/decode.py reads them too, and says what is wrong with them."""
import shutil
import unittest

from decode_case import Case, sandbox
from sandbox import DONE


class LinksTest(Case):
    def setUp(self):
        super().setUp()
        self.base = sandbox.Case.tiny_base(self, scale=30)
        self.task = sandbox.Case.tiny_task(self, self.base)

    def test_a_linked_base(self):
        (self.base / "big.onnx").write_bytes(self.rng.randbytes(5 << 20))
        self.ok("import", self.base, "--name", "base", "--link")
        self.ok("commit", self.task, "--base", "base", "--name", "task", "-m", "x")
        self.assert_same("base", self.base)
        self.assert_same("task", self.task)
        self.decode_well()
        model = self.base / "model.safetensors"
        good = model.read_bytes()
        for bad in (good[:-1] + bytes([good[-1] ^ 1]), good[:-10], b""):
            model.write_bytes(bad)
            done = self.decode()
            self.assertEqual(done.returncode, 1)
            self.assertIn("model.safetensors", done.stderr)
            self.assertEqual(self.decode("base").returncode, 1)
        model.write_bytes(good)
        link = next(path for path in (self.repo / ".dstore" / "links").iterdir())
        content = link.read_bytes()
        link.chmod(0o644)
        for bad in (content[:-1], content + b"x", b"", content[:8] + b"\x02" + content[9:]):
            link.write_bytes(bad)
            self.assertEqual(self.decode().returncode, 1)
        link.write_bytes(content)
        self.decode_well()

    def test_a_repository_without_base(self):
        self.ok("import", self.base, "--name", "base")
        self.ok("commit", self.task, "--base", "base", "--name", "task", "-m", "x")
        light = self.root / "light"
        self.assertEqual(self.run_plain("clone", self.repo, light, "--without-base").code, DONE)
        self.repo = light
        self.decode_well()
        done = self.decode("task")
        self.assertEqual(done.returncode, 1)
        self.assertIn("is not in the store", done.stderr)
        self.ok("import", self.base, "--name", "base", "--link")
        self.assert_same("task", self.task)
        shutil.rmtree(self.base)
        self.assertEqual(self.decode("task").returncode, 1)


if __name__ == "__main__":
    unittest.main()
