"""dstore fsck: every kind of damage at every level, and repair from a remote and from a folder."""
import os
import shutil
import sqlite3
import struct
import subprocess
import unittest

from sandbox import CORRUPT, DONE, NOT_FOUND, USAGE, Case, everything, snapshot

LEVELS = ("--quick", None, "--deep")


class FsckCase(Case):
    def setUp(self):
        super().setUp()
        self.make_store()
        self.store = self.repo / ".dstore"
        self.remote = self.root / "remote"
        self.ok("remote", "add", "origin", self.remote)
        self.ok("push")
        self.both = snapshot(self.checkout("base+task", "both"))

    def fsck(self, level=None, *options):
        return self.run_in("fsck", *([level] if level else []), *options, "--json")

    def found(self, level=None, *options):
        """The kinds of findings; the exit status must fit."""
        result = self.fsck(level, *options)
        kinds = {row["kind"] for row in result.json["findings"]}
        self.assertEqual(result.code, CORRUPT if kinds - {"signature"} else DONE, str(result))
        for row in result.json["findings"]:
            self.assertNotIn("\n", row["message"])
            self.assertGreater(len(row["message"]), 20)
        return kinds

    def packs(self):
        return sorted((self.store / "packs").iterdir(), key=lambda path: path.stat().st_size)

    def write(self, path, content):
        path.chmod(0o644)
        path.write_bytes(content)

    def rows(self, pack):
        """(kind, offset of the stored bytes, size) of each record."""
        data = pack.read_bytes()
        start = struct.unpack("<Q", data[-40:-32])[0]
        count = struct.unpack("<Q", data[start + 8:start + 16])[0]
        rows = []
        for i in range(count):
            at = start + 16 + 72 * i
            kind = data[at + 32]
            offset, _, stored = struct.unpack("<QQQ", data[at + 40:at + 64])
            rows.append((kind, offset + 64, stored))
        return rows

    def flip(self, pack, place):
        data = bytearray(pack.read_bytes())
        data[place] ^= 1
        self.write(pack, bytes(data))

    def assert_whole(self):
        """Nothing is found at any level, and the models are what they were."""
        for level in LEVELS:
            self.assertEqual(self.found(level), set(), level)
        for revision, expected in (("base", snapshot(self.base)), ("task", snapshot(self.task)), ("base+task", self.both)):
            out = self.root / "whole"
            shutil.rmtree(out, ignore_errors=True)
            self.checkout(revision, "whole")
            self.assertEqual(snapshot(out), expected)


class DamageTest(FsckCase):
    def check(self, damage, quick, standard, deep):
        """`damage()` is done to a copy of the store; each level finds exactly these kinds."""
        good = self.root / "good"
        shutil.copytree(self.store, good, symlinks=True)
        for level, expected in zip(LEVELS, (quick, standard, deep)):
            with self.subTest(level=level):
                damage()
                self.assertEqual(self.found(level), expected)
                shutil.rmtree(self.store)
                shutil.copytree(good, self.store, symlinks=True)
        shutil.rmtree(good)
        self.assertEqual(self.found(), set())

    def test_nothing_is_wrong(self):
        for level, name in zip(LEVELS, ("quick", "standard", "deep")):
            result = self.fsck(level)
            self.assertEqual(result.code, DONE, str(result))
            self.assertEqual((result.json["level"], result.json["findings"], result.json["packs"]), (name, [], 2))
        self.assertEqual(result.json["checkouts"], 2)
        self.assertIn("no damage", self.ok("fsck").text)
        self.assertFalse((self.store / "fsck-state").exists())

    def test_a_flipped_bit_of_a_record(self):
        for kind, name in ((1, "chunk"), (2, "tensor"), (3, "segment"), (5, "weights"), (6, "checkpoint"), (8, "commit")):
            pack, place = next((pack, offset) for pack in self.packs() for code, offset, size in self.rows(pack) if code == kind and size > 0)
            with self.subTest(name):
                # What must be read to follow references shows up a second time, and with --deep what cannot be made of it.
                again = {"commit"} if kind in (2, 5, 6, 8) else set()
                good = pack.read_bytes()
                self.flip(pack, place)
                self.assertEqual(self.found("--quick"), set())
                self.assertEqual(self.found(), {"pack"} | again)
                self.assertLessEqual({"pack"} | again, self.found("--deep"))
                self.write(pack, good)
        self.assert_whole()

    def test_a_pack_that_is_cut_short(self):
        pack = self.packs()[-1]
        size = pack.stat().st_size

        def damage():
            self.write(pack, pack.read_bytes()[:size // 2])
        good = pack.read_bytes()
        damage()
        self.assertIn("pack", self.found("--quick"))
        self.assertIn("pack", self.found())
        self.assertIn("pack", self.found("--deep"))
        self.write(pack, good)
        self.assert_whole()

    def test_a_pack_that_is_gone(self):
        base = self.packs()[-1]
        self.check(base.unlink, {"ref"}, {"ref", "missing"}, {"ref", "missing", "checkout"})

    def test_a_wrong_row_of_the_index(self):
        def change(sql):
            def run():
                db = sqlite3.connect(self.store / "index.db")
                with db:
                    db.execute(sql)
                db.close()
            return run
        self.ok("fsck", "--rebuild")  # or the index may not have been written yet
        for sql in ("UPDATE objects SET offset = offset + 1 WHERE id = (SELECT id FROM objects WHERE kind = 1 LIMIT 1)",
                    "DELETE FROM objects WHERE id = (SELECT id FROM objects WHERE kind = 3 LIMIT 1)",
                    "DELETE FROM attachments"):
            with self.subTest(sql):
                for level in LEVELS:
                    change(sql)()
                    self.assertIn("index", self.found(level))
                    self.assertEqual(self.found(level, "--rebuild"), set())

    def test_ref_entries(self):
        self.ok("branch", "other", "task")
        self.ok("branch", "-d", "other")
        entries = sorted((self.store / "refs" / "other").iterdir())
        self.assertEqual(len(entries), 2)
        self.check(entries[0].unlink, {"ref"}, {"ref"}, {"ref"})
        self.check(lambda: self.write(entries[0], entries[0].read_bytes().replace(b'"sequence":1', b'"sequence":3')), {"ref"}, {"ref"}, {"ref"})
        self.check(lambda: self.write(entries[1], b""), {"ref"}, {"ref"}, {"ref"})
        mirror = next(path for path in (self.store / "remotes" / "origin").rglob("*") if path.is_file())
        self.check(lambda: self.write(mirror, b"x"), {"ref"}, {"ref"}, {"ref"})

    def test_signatures_of_somebody_unknown(self):
        other = self.environment(DSTORE_CONFIG_HOME=str(self.root / "other-user"))
        self.run_plain("init", self.root / "elsewhere", env=other)
        result = self.run_in("fsck", "--json", env=other)
        self.assertEqual(result.code, 5, str(result))
        self.assertEqual({row["kind"] for row in result.json["findings"]}, {"signature"})
        self.assertEqual(self.run_in("fsck", "--quick", env=other).code, DONE)

    def test_a_stage_that_is_damaged(self):
        stage = self.store / "staged" / "broken"
        stage.mkdir(parents=True)
        (stage / "base.json").write_text("{")
        self.assertEqual(self.found("--quick"), set())
        self.assertEqual(self.found(), {"stage"})

    def test_leftovers_are_only_notices(self):
        (self.store / "tmp" / "left").write_bytes(b"x" * 1000)
        result = self.fsck()
        self.assertEqual(result.code, DONE)
        self.assertTrue(any(line.startswith("tmp: 1 file, 1.00 kB") for line in result.json["notices"]), str(result))

    def test_wrong_usage(self):
        self.fails(USAGE, "fsck", "--quick", "--deep")
        self.fails(USAGE, "fsck", "--quick", "--repair-from", "origin")
        self.flip(self.packs()[-1], 100)
        result = self.run_in("fsck", "--repair-from", self.root / "nothing")
        self.assertEqual(result.code, NOT_FOUND, str(result))
        self.assertIn("nothing", result.err)

    def test_rebuild_finds_the_same_again(self):
        def places():
            db = sqlite3.connect(self.store / "index.db")
            rows = db.execute("SELECT o.id, o.kind, p.name, o.offset, o.raw, o.stored, o.codec, o.checksum FROM objects o "
                              "JOIN packs p ON p.number = o.pack ORDER BY o.id").fetchall()
            signatures = db.execute("SELECT target, id FROM attachments ORDER BY target, id").fetchall()
            db.close()
            return rows, signatures

        def state():
            return places(), self.ok("branch", "--json").out, self.ok("log", "--all", "--json").out
        log = self.ok("log", "--all", "--json").out
        self.ok("fsck", "--rebuild")  # or the index may not have been written yet
        before = state()
        self.assertEqual(before[2], log)
        self.assertGreater(len(before[0][0]), 10)
        for wreck in (lambda: None, lambda: (self.store / "index.db").write_bytes(b"junk"), lambda: (self.store / "index.db").unlink()):
            wreck()
            self.ok("fsck", "--rebuild")
            self.assertEqual(state(), before)


class RepairTest(FsckCase):
    def damages(self):
        """Name and damage of everything that a copy elsewhere can heal."""
        base = self.packs()[-1]
        data = base.read_bytes()
        chunk = next(offset for code, offset, size in self.rows(base) if code == 1 and size > 500)
        yield "flipped chunk", lambda: self.flip(base, chunk)
        yield "flipped header of a record", lambda: self.flip(base, chunk - 60)
        yield "no trailer", lambda: self.write(base, data[:-60])
        yield "half of a pack", lambda: self.write(base, data[:len(data) // 2])
        yield "empty pack", lambda: self.write(base, b"")
        yield "pack gone", base.unlink
        yield "all packs gone", lambda: [pack.unlink() for pack in self.packs()]
        yield "all packs damaged", lambda: [self.flip(pack, 90) for pack in self.packs()]

    def test_from_a_remote(self):
        good = self.root / "good"
        shutil.copytree(self.store, good)
        for name, damage in self.damages():
            with self.subTest(name):
                damage()
                self.assertNotEqual(self.found(), set())
                before = [path.read_bytes() for path in self.packs()]
                result = self.ok("fsck", "--repair-from", "origin")
                self.assertIn("repaired from origin", result.text)
                self.assert_whole()
                # Nothing is deleted: what is no longer in packs/ is in quarantine/.
                kept = [path.read_bytes() for folder in ("packs", "quarantine") if (self.store / folder).exists()
                        for path in (self.store / folder).iterdir()]
                for content in before:
                    self.assertIn(content, kept)
                shutil.rmtree(self.store)
                shutil.copytree(good, self.store)

    def test_from_a_folder(self):
        base = self.packs()[-1]
        wholes = [offset for code, offset, size in self.rows(base) if code in (1, 2, 4, 5) and size > 0]
        data = bytearray(base.read_bytes())
        for place in wholes:
            data[place] ^= 0x10
        self.write(base, bytes(data))
        result = self.fsck(None, "--repair-from", self.base)
        self.assertEqual(result.code, DONE, str(result))
        self.assertEqual(result.json["repair"]["objects"] >= len(wholes), True)
        self.assertEqual(len(result.json["repair"]["quarantined"]), 1)
        self.assert_whole()

    def test_a_source_that_has_not_all(self):
        """What can be had is fetched, the damaged pack stays, and the next source completes it."""
        segment_pack, place = next((pack, offset) for pack in self.packs() for code, offset, _ in self.rows(pack) if code == 3)
        self.flip(segment_pack, place)
        result = self.fsck(None, "--repair-from", self.base)
        self.assertEqual(result.code, CORRUPT, str(result))
        self.assertIn("stays", result.json["repair"]["left"][0])
        self.assertTrue(segment_pack.exists())
        self.assertEqual(self.run_in("fsck", "--repair-from", "origin").code, DONE)
        self.assertFalse(segment_pack.exists())
        self.assert_whole()

    def test_the_source_is_not_believed(self):
        remote_packs = sorted((self.remote / "packs").iterdir())
        for pack in remote_packs:
            data = bytearray(pack.read_bytes())
            for _, offset, size in self.rows(pack):
                if size:
                    data[offset + size // 2] ^= 1
            self.write(pack, bytes(data))
        base = self.packs()[-1]
        self.flip(base, next(offset for code, offset, size in self.rows(base) if code == 1 and size > 0))
        before = everything(self.store)
        result = self.run_in("fsck", "--repair-from", "origin")
        self.assertEqual(result.code, CORRUPT, str(result))
        self.assertEqual(everything(self.store), before)

    def test_a_damaged_remote_is_found_and_healed_by_its_users(self):
        pack = max((self.remote / "packs").iterdir(), key=lambda path: path.stat().st_size)
        self.flip(pack, next(offset for code, offset, size in self.rows(pack) if code == 1 and size > 0))
        self.assertEqual(self.run_in("fsck", self.remote).code, CORRUPT)
        self.assertEqual(self.run_in("fsck", self.remote, "--repair-from", self.repo).code, DONE)
        self.assertEqual(self.run_in("fsck", self.remote, "--deep").code, DONE)

    def entry(self, store, ref, number=1):
        return store / ref / f"{number:010}"

    def test_damaged_entries_of_refs_come_back_from_a_copy_or_the_remote(self):
        copy = self.root / "copy"
        self.ok("commit", self.tiny_task(self.base, "next"), "--base", "base", "--name", "task", "-m", "next")
        self.ok("push", "origin", "task")
        shutil.copytree(self.repo, copy)
        cases = [(self.entry(self.store, "refs/task", 1), copy, ()), (self.entry(self.store, "refs/task", 2), copy, ()),
                 (self.entry(self.store, "remotes/origin/task", 2), "origin", ()), (self.entry(self.store, "remotes/origin/task", 1), "origin", ()),
                 (self.entry(self.remote, "refs/task", 2), self.repo, (self.remote,)), (self.entry(self.remote, "refs/base", 1), self.repo, (self.remote,))]
        for path, source, where in cases:
            good = path.read_bytes()
            for content in (b"{}\n", good[:-30], None):
                if content is None and path.name == max(os.listdir(path.parent)):
                    continue  # nobody knows that it was there
                with self.subTest(path=path, content=content and len(content)):
                    path.chmod(0o644)
                    path.unlink() if content is None else path.write_bytes(content)
                    self.assertEqual(self.run_in("fsck", *where).code, CORRUPT)
                    result = self.run_in("fsck", *where, "--repair-from", source, "--json")
                    self.assertEqual(result.code, DONE, str(result))
                    self.assertEqual(result.json["repair"]["ref_entries"], 1)
                    self.assertEqual(path.read_bytes(), good)
                    kept = [file.read_bytes() for file in (path.parents[1 if "remotes" not in str(path) else 2].parent / "quarantine").glob("*")]
                    if content is not None:
                        self.assertIn(content, kept)
        self.assert_whole_history()

    def assert_whole_history(self):
        self.assertEqual([row["message"] for row in self.ok("log", "task", "--json").json], ["next", "a task", "the base"])
        self.assertEqual(self.found(), set())

    def test_an_entry_of_another_history_or_without_a_signature_is_not_taken(self):
        copy = self.root / "copy"
        shutil.copytree(self.repo, copy)
        path = self.entry(self.store, "refs/task", 1)
        path.chmod(0o644)
        path.write_bytes(b"{}\n")
        forged = self.entry(copy / ".dstore", "refs/task", 1)
        forged.chmod(0o644)
        forged.write_bytes(forged.read_bytes().split(b"\n")[0] + b"\n")
        for source, says in ((copy, "not signed"), ("origin", "no copy")):
            result = self.run_in("fsck", "--repair-from", source)
            self.assertEqual(result.code, CORRUPT, str(result))
            self.assertIn(says, result.text)
            self.assertEqual(path.read_bytes(), b"{}\n")

    def test_push_does_not_believe_a_damaged_object_that_it_meets(self):
        """The base's commit, where the push of a task stops looking, is sent again."""
        base = bytes.fromhex(self.ok("show", "base", "--json").json["id"])
        pack = max((self.remote / "packs").iterdir(), key=lambda path: path.stat().st_size)
        data = bytearray(pack.read_bytes())
        for _, offset, _ in self.rows(pack):
            if data[offset - 56:offset - 24] == base:
                data[offset] ^= 1
        self.assertNotEqual(bytes(data), pack.read_bytes())
        self.write(pack, bytes(data))
        self.assertEqual(self.run_in("fsck", self.remote).code, CORRUPT)
        self.ok("commit", self.tiny_task(self.base, "next"), "--base", "base", "--name", "next", "-m", "x")
        self.ok("push", "origin", "next")
        clone = self.root / "clone"
        trust = self.run_plain("clone", self.remote, clone)
        self.assertEqual(trust.code, DONE, str(trust))
        self.assertEqual(self.run_plain("-C", clone, "fsck", "--deep").code, DONE)

    def test_a_repair_that_is_killed_is_done_again(self):
        base = self.packs()[-1]
        data = bytearray(base.read_bytes())
        for code, offset, size in self.rows(base):
            if code == 1 and size > 0:
                data[offset] ^= 4
        good = self.root / "broken"
        self.write(base, bytes(data))
        shutil.copytree(self.store, good)
        strikes = 0
        for step in range(1, 60):
            process = subprocess.Popen(self.command(["fsck", "--repair-from", "origin"]), env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(timeout=0.004 * step)
                done = True
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                done, strikes = False, strikes + 1
            self.assertEqual(self.run_in("fsck", "--repair-from", "origin").code, DONE)
            if step % 5 == 0 or done:
                self.assert_whole()
            shutil.rmtree(self.store)
            shutil.copytree(good, self.store)
            if done:
                break
        self.assertGreater(strikes, 0)


if __name__ == "__main__":
    unittest.main()
