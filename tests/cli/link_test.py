"""import --link: a base that stays where it is, read and proved from there."""
import hashlib
import os
import shutil
import struct
import unittest

import safetensors_file as st
from sandbox import CORRUPT, DONE, NOT_FOUND, Case, everything, snapshot


class LinkTest(Case):
    def setUp(self):
        super().setUp()
        self.base = self.tiny_base(scale=20)
        self.task = self.tiny_task(self.base)
        self.original = snapshot(self.base)
        self.run_plain("init", self.repo)
        self.store = self.repo / ".dstore"
        self.imported = self.ok("import", self.base, "--name", "base", "-m", "the base", "--link", "--json").json
        self.ok("commit", self.task, "--base", "base", "--name", "task", "-m", "a task")

    def links(self):
        folder = self.store / "links"
        return sorted(folder.iterdir()) if folder.exists() else []

    def model(self):
        return self.base / "model.safetensors"

    def packed(self):
        return sum(path.stat().st_size for path in (self.store / "packs").iterdir())

    def change(self, place=-4):
        data = bytearray(self.model().read_bytes())
        data[place] ^= 1
        self.model().write_bytes(bytes(data))

    def fsck(self, *options):
        return self.run_in("fsck", "--json", *options)

    def test_no_second_copy_and_the_same_ids(self):
        weights = sum(len(content) for name, content in self.original.items() if name.endswith("safetensors"))
        self.assertLess(self.imported["stored_bytes"], weights // 4)
        self.assertGreater(self.imported["linked_bytes"], weights // 2)
        self.assertEqual(len(self.links()), 1)
        self.assertLess(self.packed(), weights // 2)
        plain = self.root / "plain"
        self.run_plain("init", plain)
        same = self.run_plain("-C", plain, "import", self.base, "--name", "base", "-m", "the base", "--json").json
        self.assertEqual(same["weights"], self.imported["weights"])
        for revision, expected in (("base", self.base), ("task", self.task)):
            self.assert_model(self.checkout(revision, f"out-{revision}"), expected)
        self.assertEqual(snapshot(self.base), self.original)
        for level in (["--quick"], [], ["--deep"]):
            result = self.fsck(*level)
            self.assertEqual((result.code, result.json["links"]), (DONE, 1), str(result))
        self.assertIn("1 linked file", self.ok("fsck").text)

    def test_a_link_that_nothing_uses_goes_with_gc_and_its_file_stays(self):
        self.ok("gc")
        self.assertEqual(len(self.links()), 1)
        for name in ("task", "base"):
            self.ok("branch", "-d", name)
        self.assertEqual(self.ok("gc", "--json").json["links_removed"], 1)
        self.assertEqual(self.links(), [])
        self.assertEqual(snapshot(self.base), self.original)

    def test_what_travels_is_a_copy(self):
        remote = self.root / "remote"
        self.ok("remote", "add", "origin", remote)
        self.ok("push")
        self.assertFalse((remote / "links").exists())
        shutil.rmtree(self.base)
        clone = self.root / "clone"
        self.assertEqual(self.run_plain("clone", remote, clone).code, DONE)
        self.assertEqual(self.run_plain("-C", clone, "checkout", "base", "-o", self.root / "out").code, DONE)
        self.assertEqual(snapshot(self.root / "out"), self.original)

    def test_a_changed_file_is_noticed_and_named(self):
        self.change()
        self.fails(CORRUPT, "checkout", "base", "-o", self.root / "out", says=("model.safetensors", "changed", "--repair-from"))
        self.assertFalse((self.root / "out").exists())
        for level in (["--quick"], [], ["--deep"]):
            result = self.fsck(*level)
            self.assertEqual(result.code, CORRUPT, str(result))
            self.assertIn("link", {row["kind"] for row in result.json["findings"]})
        self.change()  # back as it was, at another time
        self.assert_model(self.checkout("base", "out"), self.base)
        self.assertEqual(self.fsck("--quick").code, DONE)

    def test_a_moved_file_is_noticed_and_linked_again(self):
        moved = self.root / "moved"
        self.base.rename(moved)
        self.fails(NOT_FOUND, "checkout", "base", "-o", self.root / "out", says=("base/model.safetensors", "put the file back"))
        for level in (["--quick"], []):
            result = self.fsck(*level)
            self.assertEqual(result.code, CORRUPT, str(result))
            self.assertEqual(len([row for row in result.json["findings"] if row["kind"] == "link"]), 1, str(result))
        self.assertIn("are read from the folder", self.ok("import", moved, "--name", "base", "--link").text)
        self.assertEqual(len(self.links()), 1)
        self.assertEqual(self.fsck("--deep").code, DONE)
        self.assert_model(self.checkout("base", "out"), moved)

    def test_repair_stores_what_a_link_lost(self):
        copy = self.root / "copy"
        shutil.copytree(self.base, copy)
        remote = self.root / "remote"
        self.ok("remote", "add", "origin", remote)
        self.ok("push")
        state = self.root / "state"
        shutil.copytree(self.store, state)
        for source in (copy, "origin"):
            for wreck in (self.change, self.model().unlink, lambda: self.model().write_bytes(b"")):
                with self.subTest(source=source):
                    wreck()
                    result = self.fsck("--repair-from", source)
                    self.assertEqual(result.code, DONE, str(result))
                    self.assertEqual(len(result.json["repair"]["quarantined"]), 1)
                    self.assert_model(self.checkout("base", "out"), copy)
                    self.assertEqual(self.fsck("--deep").code, DONE)
                    for folder in (self.store, self.base, self.root / "out"):
                        shutil.rmtree(folder)
                    shutil.copytree(state, self.store)
                    shutil.copytree(copy, self.base, copy_function=shutil.copy2)

    def test_an_import_without_link_stores_them(self):
        text = self.ok("import", self.base, "--name", "base").text
        self.assertIn("are stored now", text)
        self.assertEqual(self.links(), [])
        shutil.rmtree(self.base)
        self.assertEqual(self.fsck("--deep").code, DONE)
        self.checkout("base", "out")
        self.assertEqual(snapshot(self.root / "out"), self.original)

    def test_a_stored_base_needs_no_link(self):
        self.ok("import", self.base, "--name", "base")
        result = self.ok("import", self.base, "--name", "again", "--link", "--json")
        self.assertEqual(result.json["linked_bytes"], 0)
        self.assertEqual(self.links(), [])

    def test_a_linked_cache_of_symbolic_links(self):
        """As model caches keep their files: links to files of other names."""
        blobs = self.root / "blobs"
        blobs.mkdir()
        cache = self.root / "cache"
        cache.mkdir()
        for path in self.base.iterdir():
            shutil.copy(path, blobs / ("blob-" + path.name))
            (cache / path.name).symlink_to(blobs / ("blob-" + path.name))
        self.ok("import", cache, "--name", "cached", "--link")
        link = self.links()[0].read_bytes()
        self.assertIn(str(blobs / "blob-model.safetensors").encode(), link)

    def test_hostile_links(self):
        good = self.links()[0].read_bytes()
        path_size = struct.unpack("<I", good[12:16])[0]
        rows = 80 + path_size

        def patched(place, content):
            return good[:place] + content + good[place + len(content):]
        cases = {
            "other magic": patched(0, b"X"), "other version": patched(8, b"\x02"), "no rows": patched(40, bytes(8)), "too many rows": patched(40, b"\xff" * 8),
            "path beyond the end": patched(12, b"\xff\xff\xff\x7f"), "relative path": patched(80, b"x"), "zero in the path": patched(81, b"\0"),
            "offset beyond the file": patched(rows + 32, b"\xff" * 8), "size 0": patched(rows + 40, bytes(8)), "size beyond the limit": patched(rows + 40, struct.pack("<Q", 2**22 + 1)),
            "sum overflows": patched(rows + 32, struct.pack("<QQ", 2**64 - 1, 2)), "an id twice": good + good[-48:], "ids not in order": good[:rows] + good[rows + 48:rows + 96] + good[rows:rows + 48] + good[rows + 96:],
            "bytes behind": good + b"x", "cut": good[:-1], "empty": b"", "count too small": patched(40, struct.pack("<Q", 1)),
        }
        self.assertEqual(struct.unpack("<Q", good[40:48])[0] * 48 + rows, len(good))
        for name, content in cases.items():
            for digest in (True, False):
                with self.subTest(name=name, digest=digest):
                    for link in self.links():
                        link.unlink()
                    target = self.store / "links" / (hashlib.sha256(content).hexdigest() if digest else self.name_of(good))
                    target.write_bytes(content)
                    self.check_error(self.run_in("checkout", "base", "-o", self.root / "out"))
                    result = self.fsck()
                    self.assertIn(result.code, (CORRUPT, 7), str(result))
                    self.assertIn("link", {row["kind"] for row in result.json["findings"]}, str(result))
                    target.unlink()
        (self.store / "links" / self.name_of(good)).write_bytes(good)
        (self.store / "links" / "junk").write_text("x")
        self.assertEqual(self.fsck().code, DONE)

    @staticmethod
    def name_of(content):
        return hashlib.sha256(content).hexdigest()

    def test_a_link_to_another_file_gives_no_wrong_bytes(self):
        """A link is a hint: whatever it points to, only the right bytes are taken."""
        good = self.links()[0].read_bytes()
        path_size = struct.unpack("<I", good[12:16])[0]
        for target in (b"/etc/passwd", b"/dev/zero", b"/", b"/nonexistent"):
            for link in self.links():
                link.unlink()
            content = good[:12] + struct.pack("<I", len(target)) + good[16:80] + target + good[80 + path_size:]
            (self.store / "links" / self.name_of(content)).write_bytes(content)
            result = self.check_error(self.run_in("checkout", "base", "-o", self.root / "out"))
            self.assertIn(target.decode(), result.err)
            self.assertFalse((self.root / "out").exists())

    def test_large_side_files_are_linked_too(self):
        folder = self.tiny_base("with-onnx")
        (folder / "model.onnx").write_bytes(self.rng.randbytes(9 << 20))
        expected = snapshot(folder)
        result = self.ok("import", folder, "--name", "onnx", "--link", "--json").json
        self.assertLess(result["stored_bytes"], 100_000)
        self.checkout("onnx", "out")
        self.assertEqual(snapshot(self.root / "out"), expected)


if __name__ == "__main__":
    unittest.main()
