"""A store that somebody or something damaged: never wrong bytes with exit status 0."""
import json
import re
import shutil
import unittest

from sandbox import CORRUPT, DONE, NOT_FOUND, Case, everything, snapshot

POSITIONS = 70  # of each pack


class DamagedStore(Case):
    def setUp(self):
        super().setUp()
        self.make_store()
        self.store = self.repo / ".dstore"
        self.both = snapshot(self.checkout("base+task", "both"))

    def write(self, path, content):
        path.chmod(0o644)
        path.write_bytes(content)

    def entry_files(self):
        return sorted(path for path in (self.store / "refs").rglob("*") if path.is_file())

    def flips(self, content):
        """Positions over the whole file, its ends in full, each with one flipped bit."""
        size = len(content)
        places = set(range(12)) | set(range(size - 12, size)) | {self.rng.randrange(size) for _ in range(POSITIONS)}
        for place in sorted(places):
            yield place, content[:place] + bytes([content[place] ^ (1 << self.rng.randrange(8))]) + content[place + 1:]

    def check_right_or_refused(self, revision="base+task", expected=None):
        """True if the checkout succeeded, with the right bytes; else it failed in one line and left nothing."""
        out = self.root / "out"
        result = self.run_in("checkout", revision, "-o", out)
        if result.code == DONE:
            self.assertEqual(snapshot(out), self.both if expected is None else expected)
            shutil.rmtree(out)
            return True
        self.check_error(result)
        self.assertFalse(out.exists(), str(result))
        return False

    def assert_checkout_works(self, why=None):
        out = self.root / "out"
        result = self.run_in("checkout", "base+task", "-o", out)
        self.assertEqual(result.code, DONE, f"{why}\n{result}")
        self.assertEqual(snapshot(out), self.both)
        shutil.rmtree(out)


class BitFlipTest(DamagedStore):
    def check_flips_of_packs(self, rebuild_index):
        index = (self.store / "index.db").read_bytes()
        for pack in sorted((self.store / "packs").iterdir()):
            good = pack.read_bytes()
            missed = []
            for place, bad in self.flips(good):
                self.write(pack, bad)
                if rebuild_index:
                    (self.store / "index.db").unlink()
                verify = self.run_in("verify")
                if verify.code == DONE:
                    missed.append(place)
                elif verify.code == CORRUPT and verify.out:
                    self.assertEqual(verify.err, "", str(verify))
                else:
                    self.check_error(verify)
                self.check_right_or_refused()
            self.write(pack, good)
            (self.store / "index.db").write_bytes(index)
            self.assertEqual(missed, [], f"{pack.name} ({len(good)} bytes): verify found nothing after these positions were flipped")
        self.assert_verifies()
        self.assert_checkout_works()

    def test_a_flipped_bit_of_a_pack_is_found(self):
        self.check_flips_of_packs(rebuild_index=False)

    def test_a_flipped_bit_of_a_pack_is_found_while_the_index_is_rebuilt(self):
        self.check_flips_of_packs(rebuild_index=True)

    def test_a_flipped_bit_of_a_ref_entry_is_found(self):
        for entry in self.entry_files():
            good = entry.read_bytes()
            missed = []
            for place in self.rng.sample(range(len(good)), 40):
                self.write(entry, good[:place] + bytes([good[place] ^ (1 << self.rng.randrange(8))]) + good[place + 1:])
                if self.run_in("verify").code == DONE:
                    missed.append(place)
                if place % 4 == 0:
                    self.check_right_or_refused()
            self.write(entry, good)
            self.assertEqual(missed, [], f"{entry}: verify found nothing")
        self.assert_verifies()


class DamageTest(DamagedStore):
    def test_a_pack_cut_or_gone(self):
        index = (self.store / "index.db").read_bytes()
        for pack in sorted((self.store / "packs").iterdir()):
            good = pack.read_bytes()
            for size in (0, 1, 20, len(good) // 2, len(good) - 1, None):
                for rebuild in (False, True):
                    with self.subTest(pack=pack.name, size=size, rebuild=rebuild):
                        if size is None:
                            pack.unlink()
                        else:
                            self.write(pack, good[:size])
                        if rebuild:
                            (self.store / "index.db").unlink()
                        verify = self.run_in("verify")
                        self.check_right_or_refused()
                        pack.write_bytes(good) if size is None else self.write(pack, good)
                        self.assert_checkout_works()
                        (self.store / "index.db").write_bytes(index)
                        self.assertNotEqual(verify.code, DONE, str(verify))
        self.assert_verifies()

    def test_damage_is_named(self):
        for pack in sorted((self.store / "packs").iterdir()):
            good = pack.read_bytes()
            self.write(pack, good[:100] + bytes([good[100] ^ 1]) + good[101:])
            result = self.run_in("verify")
            self.assertEqual(result.code, CORRUPT, str(result))
            self.assertRegex(result.text + result.err, pack.name[:16] + "|[0-9a-f]{10}")
            self.write(pack, good)

    def test_a_ref_that_somebody_turned_to_another_commit_is_found(self):
        commit = {name: self.ok("show", name, "--json").json["id"] for name in ("base", "task")}
        entry = next(path for path in self.entry_files() if "task" in path.parts)
        good = entry.read_bytes()
        self.write(entry, good.replace(commit["task"].encode(), commit["base"].encode()))
        result = self.run_in("verify")
        self.assertEqual(result.code, CORRUPT, str(result))
        self.assertIn("task", result.text)

    def test_a_removed_or_foreign_ref_entry(self):
        self.ok("commit", self.tiny_task(self.base, "other"), "--base", "base", "--name", "task", "-m", "second")
        entries = [path for path in self.entry_files() if "task" in path.parts]
        self.assertEqual(len(entries), 2)
        first = entries[0].read_bytes()
        entries[0].unlink()
        self.fails(CORRUPT, "show", "task")
        self.assertEqual(self.run_in("verify").code, CORRUPT)
        self.assert_model(self.checkout("base", "still"), self.base)
        entries[0].write_bytes(first)
        self.assert_verifies()
        other = next(path for path in self.entry_files() if "base" in path.parts)
        good = entries[1].read_bytes()
        self.write(entries[1], other.read_bytes())
        self.fails(CORRUPT, "show", "task")
        self.write(entries[1], b"")
        self.fails(CORRUPT, "show", "task")
        self.write(entries[1], good)
        (self.store / "refs" / "task" / "junk").write_text("x")
        (self.store / "refs" / "%zz").mkdir()
        self.ok("show", "task")

    def test_the_index_is_only_a_cache(self):
        index = self.store / "index.db"
        good = index.read_bytes()
        old_log = self.ok("log").out
        for name, content in (("gone", None), ("empty", b""), ("garbage", self.rng.randbytes(20_000)), ("text", b"hello\n"), ("cut", good[:len(good) // 2]),
                              ("header only", good[:100]), ("garbage behind the header", good[:100] + self.rng.randbytes(len(good) - 100))):
            with self.subTest(name):
                if content is None:
                    index.unlink()
                else:
                    index.write_bytes(content)
                self.assertEqual(self.ok("log").out, old_log)
                self.assert_checkout_works()
                self.assert_verifies()
        self.ok("commit", self.tiny_task(self.base, "other"), "--base", "base", "--name", "other", "-m", "later")
        index.write_bytes(good)
        self.ok("show", "other")
        self.assert_verifies()
        for place in self.rng.sample(range(len(good)), 40):
            index.write_bytes(good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1:])
            self.assert_checkout_works(f"index.db flipped at {place}")

    def test_a_damaged_config_is_one_line(self):
        config = self.store / "config"
        good = config.read_bytes()
        for bad in (b"", b"{}", b"{", b"\xff\xfe", good[:-5], good.replace(b'"v":1', b'"v":9'), good.replace(b'"v":1', b'"v":"1"'), b"[" * 100_000):
            with self.subTest(bad[:20]):
                config.write_bytes(bad)
                self.check_error(self.run_in("log"))
        config.write_bytes(good)
        self.assert_verifies()

    def test_a_damaged_checkout_record_or_intent_touches_nothing_outside(self):
        out = self.checkout("base", "out")
        record = out / ".dstore-checkout"
        good = json.loads(record.read_text())
        victim = self.root / "victim"
        victim.write_text("precious")
        evil = json.loads(json.dumps(good))
        evil["files"]["../victim"] = next(iter(good["files"].values()))
        texts = ["", "{", "[]", json.dumps(evil, separators=(",", ":"), sort_keys=True), re.sub(r'"commit":"[0-9a-f]+"', '"commit":"xyz"', record.read_text())]
        for text in texts:
            with self.subTest(text[:30]):
                record.write_text(text)
                self.check_error(self.run_in("status", out))
                self.check_error(self.run_in("checkout", "task", "-o", out))
        record.write_text(json.dumps(good, separators=(",", ":"), sort_keys=True))
        before = everything(out)
        for renames, removals in (({".dstore-tmp-1": "../victim"}, []), ({}, ["../victim"]), ({"../victim": "x"}, []), ({}, ["/etc/hostname"]), ({"config.json": "x"}, [])):
            intent = {"v": 1, "renames": renames, "removals": removals, "record": record.read_text()}
            (out / ".dstore-intent").write_text(json.dumps(intent, separators=(",", ":"), sort_keys=True))
            self.check_error(self.run_in("status", out))
            (out / ".dstore-intent").unlink()
        self.assertEqual(everything(out), before)
        self.assertEqual(victim.read_text(), "precious")

    def test_a_missing_base_is_refused(self):
        packs = sorted((self.store / "packs").iterdir(), key=lambda path: path.stat().st_size)
        packs[-1].unlink()
        (self.store / "index.db").unlink()
        result = self.run_in("checkout", "task", "-o", self.root / "out")
        self.check_error(result)
        self.assertIn(result.code, (CORRUPT, NOT_FOUND))
        self.assertFalse((self.root / "out").exists())


if __name__ == "__main__":
    unittest.main()
