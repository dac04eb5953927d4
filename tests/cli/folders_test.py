"""What dstore takes in and what it refuses: good and bad folders of safetensors files."""
import json
import os
import struct
import unittest

import safetensors_file as st
from sandbox import CONFLICT, CORRUPT, DONE, NOT_FOUND, UNSUPPORTED, USAGE, Case, everything, snapshot


class FolderTest(Case):
    def setUp(self):
        super().setUp()
        self.run_plain("init", self.repo)

    def test_side_files_in_sub_folders_come_back(self):
        base = self.tiny_base()
        (base / "tokenizer" / "deep").mkdir(parents=True)
        (base / "tokenizer" / "deep" / "merges.txt").write_bytes(b"\x00\xff\r\n")
        (base / "empty.txt").write_bytes(b"")
        (base / "näme with space.txt").write_text("x")
        self.ok("import", base, "--name", "base")
        self.assert_model(self.checkout("base", "out"), base)

    def test_other_rows_and_dtypes_are_differences_and_are_named(self):
        numbers = struct.pack("<400f", *(self.rng.gauss(0, 1) for _ in range(400)))
        base, task = self.root / "base", self.root / "task"
        st.write(base / "model.safetensors", {"embed": st.Tensor("F32", [40, 10], numbers), "layer": st.Tensor("F32", [20, 20], numbers)})
        halves = b"".join(numbers[at + 2:at + 4] for at in range(0, len(numbers), 4))
        grown = numbers + struct.pack("<20f", *(self.rng.gauss(0, 1) for _ in range(20)))
        st.write(task / "model.safetensors", {"embed": st.Tensor("F32", [42, 10], grown), "layer": st.Tensor("BF16", [20, 20], halves)})
        self.ok("import", base, "--name", "base")
        committed = self.ok("commit", task, "--base", "base", "--name", "task", "-m", "x", "--json").json
        self.assertEqual((committed["modified"], committed["converted"], committed["added"]), (2, 2, 0))
        again = self.ok("commit", task, "--base", "base", "--name", "again", "-m", "y").text
        self.assertIn("2 tensors modified (2 of another dtype or with other rows)", again)
        shown = self.ok("show", "task").text
        self.assertIn("rows 40 → 42", shown)
        self.assertIn("F32 → BF16", shown)
        self.assertEqual(self.ok("show", "task", "--json").json["tensors"]["reshaped"], {"F32 → BF16": 1, "rows 40 → 42": 1})
        differs = self.run_in("diff", "base", "task").text
        self.assertIn("F32 [40, 10] → F32 [42, 10]", differs)
        self.assertIn("F32 [20, 20] → BF16 [20, 20]", differs)
        self.ok("stats", "task")
        self.ok("verify", "base+task")
        self.assert_model(self.checkout("task", "out"), task)
        self.assert_verifies()

    def test_odd_headers_come_back_byte_for_byte(self):
        base = self.tiny_base()
        tensors = st.read(base / "model.safetensors")
        header = st.header_of(tensors, {"z": "1", "a": "\u00e4\"\\"})
        text = json.dumps(dict(reversed(list(header.items()))), indent=1, ensure_ascii=True) + " " * 21
        data = b"".join(tensor.data for tensor in tensors.values())
        (base / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text.encode() + data)
        self.ok("import", base, "--name", "base")
        self.assert_model(self.checkout("base", "out"), base)

    def test_both_profiles_give_the_same_models_and_compact_is_smaller(self):
        values = {"w": st.floats(self.rng.gauss(0, 0.05) for _ in range(50000)), "ids": st.Tensor("I64", [3], bytes(24))}
        head = {**values, "head": st.floats(self.rng.gauss(0, 0.05) for _ in range(20000))}
        base, task = self.root / "base", self.root / "task"
        st.write(base / "model.safetensors", values)
        st.write(task / "model.safetensors", head)
        found = {}
        for profile in ("fast", "compact"):
            self.repo = self.root / profile
            self.run_plain("init", self.repo)
            report = self.ok("import", base, "--name", "base", "--profile", profile, "--json").json
            self.ok("commit", task, "--base", "base", "--name", "task", "-m", "a head", "--profile", profile)
            (self.root / f"remote-{profile}").mkdir()
            self.ok("remote", "add", "origin", self.root / f"remote-{profile}")
            self.ok("push", "origin", "base", "task")
            self.assert_verifies()
            self.run_plain("clone", self.root / f"remote-{profile}", self.root / f"clone-{profile}")
            for repo in (self.repo, self.root / f"clone-{profile}"):
                self.repo = repo
                for revision, folder in (("base", base), ("task", task)):
                    self.assert_model(self.checkout(revision, f"{repo.name}-{revision}"), folder)
            packs = sum(path.stat().st_size for path in (self.root / f"remote-{profile}").rglob("*.pack"))
            sizes = [self.ok("show", name, "--json").json["sizes"]["added_bytes"] for name in ("base", "task")]
            found[profile] = [report["weights"], report["stored_bytes"], packs, *sizes]
        self.assertEqual(found["fast"][0], found["compact"][0])
        for fast, compact in zip(found["fast"][1:], found["compact"][1:]):
            self.assertTrue(0.5 * fast < compact < 0.9 * fast, found)
        self.fails(USAGE, "import", base, "--name", "other", "--profile", "small", says="compact or fast")

    def test_dstoreignore_leaves_optimizer_files_out(self):
        base = self.tiny_base()
        (base / ".dstoreignore").write_text("# not the model\noptimizer*\nruns/\n*.log\n")
        (base / "optimizer.safetensors").write_bytes(b"x" * 1000)
        (base / "optimizer.json").write_text("{}")
        (base / "train.log").write_text("x")
        (base / "runs").mkdir()
        (base / "runs" / "events").write_text("x")
        self.ok("import", base, "--name", "base")
        out = snapshot(self.checkout("base", "out"))
        for path in ("optimizer.safetensors", "optimizer.json", "train.log", "runs/events"):
            self.assertNotIn(path, out)
        for path in ("config.json", "vocab.txt", "model.safetensors"):
            self.assertIn(path, out)

    def test_a_hub_cache_folder_of_links_is_imported(self):
        base = self.tiny_base()
        blobs, links = self.root / "hub" / "blobs", self.root / "hub" / "snapshots" / "abc"
        blobs.mkdir(parents=True)
        links.mkdir(parents=True)
        for number, path in enumerate(sorted(base.iterdir())):
            (blobs / str(number)).write_bytes(path.read_bytes())
            (links / path.name).symlink_to(f"../../blobs/{number}")
        self.ok("import", links, "--name", "base")
        out = self.checkout("base", "out")
        self.assert_model(out, base)
        self.assertFalse(any(path.is_symlink() for path in out.iterdir()))

    def test_sharded_models_come_back_and_single_file_joins_them(self):
        tensors = list(st.read(self.tiny_base("one") / "model.safetensors").items())
        base = self.root / "sharded"
        base.mkdir()
        st.write_sharded(base, [dict(tensors[:2]), dict(tensors[2:5]), dict(tensors[5:])])
        (base / "config.json").write_text("{}")
        self.ok("import", base, "--name", "base")
        self.assert_model(self.checkout("base", "out"), base)
        joined = self.checkout("base", "joined", "--single-file")
        self.assertEqual(sorted(snapshot(joined)), ["config.json", "model.safetensors"])
        self.assertEqual(st.read(joined / "model.safetensors"), dict(tensors))
        self.ok("checkout", "base", "-o", joined)
        self.assert_model(joined, base)

    def test_a_store_and_a_git_folder_beside_the_model_are_left_out(self):
        base = self.tiny_base()
        self.repo = base
        self.run_plain("init", self.repo)
        (base / ".git").mkdir()
        (base / ".git" / "HEAD").write_text("ref")
        self.ok("import", base, "--name", "base")
        self.assertEqual(sorted(snapshot(self.checkout("base", "out"))), ["config.json", "model.safetensors", "vocab.txt"])

    def test_a_prefix_and_a_dropped_buffer_are_still_a_small_delta(self):
        base = self.tiny_base(scale=8)
        task = self.tiny_task(base, head=False)
        tensors = {"bert." + name: tensor for name, tensor in st.read(task / "model.safetensors").items() if name != "positions"}
        tensors["classifier.weight"] = st.random_tensor(self.rng, "F32", [3, 16])
        st.write(task / "model.safetensors", tensors, {"format": "pt"})
        self.ok("import", base, "--name", "base")
        report = self.ok("commit", task, "--base", "base", "--name", "task", "-m", "x", "--json").json
        self.assertLess(report["stored_bytes"], report["full_bytes"] // 3)
        self.assertEqual((report["removed"], report["added"], report["modified"]), (1, 1, 3))
        self.assert_model(self.checkout("task", "out"), task)
        both = {}
        for shard in self.checkout("base+task", "both").glob("*.safetensors"):
            both.update(st.read(shard))
        self.assertEqual(both, tensors)

    def test_map_pairs_names_by_hand(self):
        base = self.tiny_base(scale=8)
        task = self.tiny_task(base, head=False)
        names = {}
        tensors = {}
        for number, (name, tensor) in enumerate(st.read(task / "model.safetensors").items()):
            names[f"t{number}"] = name
            tensors[f"t{number}"] = tensor
        st.write(task / "model.safetensors", tensors)
        self.ok("import", base, "--name", "base")
        words = ["commit", task, "--base", "base", "--name", "task", "-m", "x"]
        self.fails(CONFLICT, *words, says="--map")
        mapping = self.root / "map.txt"
        for bad, line in (("t0\n", ":1"), ("# ok\nt0 a b\n", ":2"), ("t0 scale\nt0 scale\n", ":2"), ("t0 nothing\n", "nothing"), ("nothing scale\n", "nothing")):
            mapping.write_text(bad)
            self.fails(USAGE, *words, "--map", mapping, says=line)
        mapping.write_text("# task base\n" + "".join(f"{a}\t{b}\n" for a, b in names.items()))
        report = self.ok(*words, "--map", mapping, "--json").json
        self.assertLess(report["stored_bytes"], report["full_bytes"] // 3)
        self.assert_model(self.checkout("task", "out"), task)

    def test_allow_unaligned_stores_a_stranger_whole(self):
        self.ok("import", self.tiny_base(), "--name", "base")
        stranger = self.root / "stranger"
        st.write(stranger / "model.safetensors", {"w": st.random_tensor(self.rng, "F32", [9, 5])})
        words = ["commit", stranger, "--base", "base", "--name", "task", "-m", "x"]
        self.fails(CONFLICT, *words, says="--allow-unaligned")
        self.ok(*words, "--allow-unaligned")
        self.assert_model(self.checkout("task", "out"), stranger)

    def test_dtype_base_casts_a_wide_save_to_the_dtypes_of_the_base(self):
        base, task = self.root / "base", self.root / "task"
        halves = [struct.pack("<f", value)[2:] for value in (0.5, -1.25, 3.0, 100.0, 0.0, -2.0)] * 50
        bf16 = st.Tensor("BF16", [300], b"".join(halves))
        wide = [b"\0\0" + half for half in halves]
        wide[7] = struct.pack("<f", 7.0)
        wide[8] = struct.pack("<I", 0x3F808000)  # halfway between two bf16: to the even one
        st.write(base / "model.safetensors", {"w": bf16})
        st.write(task / "model.safetensors", {"w": st.Tensor("F32", [300], b"".join(wide))})
        self.ok("import", base, "--name", "base")
        self.ok("commit", task, "--base", "base", "--name", "kept", "-m", "x")
        self.assert_model(self.checkout("kept", "out-kept"), task)
        report = self.ok("commit", task, "--base", "base", "--name", "cast", "-m", "x", "--dtype", "base", "--json").json
        self.assertEqual((report["modified"], report["added"], report["changed"]), (1, 0, 2))
        cast = st.read(self.checkout("cast", "out-cast") / "model.safetensors")["w"]
        halves[7], halves[8] = struct.pack("<f", 7.0)[2:], b"\x80\x3f"
        self.assertEqual(cast, st.Tensor("BF16", [300], b"".join(halves)))


class BadFolderTest(Case):
    def setUp(self):
        super().setUp()
        self.make_store()
        self.before = everything(self.repo)
        self.folder = self.root / "bad"
        self.folder.mkdir()
        (self.folder / "config.json").write_text("{}")

    def refuse(self, code, *says):
        """Neither import nor commit takes self.folder, and the store stays as it was."""
        self.fails(code, "import", self.folder, "--name", "bad", says=says)
        self.fails(code, "commit", self.folder, "--base", "base", "--name", "bad", "-m", "x", says=says)
        after = everything(self.repo)
        after.pop(".dstore/index.db", None), self.before.pop(".dstore/index.db", None)
        self.assertEqual(sorted(after), sorted(self.before))
        self.assertEqual(after, self.before)

    def bad_file(self, content, code=CORRUPT, *says):
        (self.folder / "model.safetensors").write_bytes(content)
        self.refuse(code, "model.safetensors", *says)

    def test_truncated(self):
        good = (self.base / "model.safetensors").read_bytes()
        header = struct.unpack_from("<Q", good)[0] + 8
        for size in (0, 1, 7, 8, 9, header - 1, header, header + 1, len(good) - 1):
            with self.subTest(size):
                self.bad_file(good[:size])
        self.bad_file(good + b"\0")

    def test_wrong_headers(self):
        row = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
        other = {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}
        cases = {
            "overlapping": ({"a": row, "b": {**other, "data_offsets": [4, 12]}}, 12),
            "the same bytes twice": ({"a": row, "b": row}, 8),
            "a hole": ({"a": row, "b": {**other, "data_offsets": [12, 20]}}, 20),
            "beyond the end": ({"a": row, "b": {**other, "data_offsets": [8, 24]}}, 16),
            "backwards": ({"a": {**row, "data_offsets": [8, 0]}}, 8),
            "negative": ({"a": {**row, "data_offsets": [-8, 0]}}, 8),
            "shape against size": ({"a": {**row, "shape": [3]}}, 8),
            "a shape whose product wraps": ({"a": {**row, "shape": [2 ** 62, 4, 2]}}, 8),
            "huge offsets": ({"a": {**row, "data_offsets": [0, 2 ** 63]}}, 8),
            "beyond 64 bits": ('{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}', 8),
            "a fractional shape": ({"a": {**row, "shape": [2.5]}}, 8),
            "a negative shape": ({"a": {**row, "shape": [-2]}}, 8),
            "no dtype": ({"a": {"shape": [2], "data_offsets": [0, 8]}}, 8),
            "an offset missing": ({"a": {**row, "data_offsets": [0]}}, 8),
            "a list": ([1, 2], 0),
            "metadata that is no text": ({"__metadata__": {"a": 1}, "a": row}, 8),
            "a duplicate key": ('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}', 16),
            "a duplicate field": ('{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
            "not JSON": ("{nonsense", 0),
            "cut JSON": ('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}', 8),
            "text behind": ('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} x', 8),
            "non-UTF-8 name": (b'{"a\xff":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
            "non-UTF-8 metadata": (b'{"__metadata__":{"k":"\xc3("},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
            "a lone surrogate": ('{"\\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
            "very deep": ("[" * 100_000, 0),
        }
        for what, (header, size) in cases.items():
            with self.subTest(what):
                self.bad_file(st.join(header, bytes(size)))

    def test_an_oversized_header(self):
        self.bad_file(struct.pack("<Q", 2 ** 63) + b"{}")
        self.bad_file(struct.pack("<Q", 2 ** 64 - 1) + b"{}")
        self.bad_file(struct.pack("<Q", 200_000_000) + b"{}" + b" " * 100)

    def test_an_unknown_dtype_is_unsupported(self):
        self.bad_file(st.join({"a": {"dtype": "F7", "shape": [2], "data_offsets": [0, 8]}}, bytes(8)), UNSUPPORTED, "F7")

    def test_a_name_with_control_characters_stays_on_one_line(self):
        header = {"evil\n\x1b[31mname": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}
        (self.folder / "model.safetensors").write_bytes(st.join(header, bytes(8)))
        result = self.fails(None, "import", self.folder, "--name", "bad")
        self.assertNotIn("\x1b", result.err)

    def test_a_missing_shard_is_named(self):
        tensors = list(st.read(self.base / "model.safetensors").items())
        st.write_sharded(self.folder, [dict(tensors[:3]), dict(tensors[3:])])
        (self.folder / "model-00002-of-00002.safetensors").unlink()
        self.refuse(NOT_FOUND, "model-00002-of-00002.safetensors")

    def test_an_index_that_lies_is_refused(self):
        tensors = list(st.read(self.base / "model.safetensors").items())
        st.write_sharded(self.folder, [dict(tensors[:3]), dict(tensors[3:])])
        index = self.folder / "model.safetensors.index.json"
        good = json.loads(index.read_text())
        first = next(iter(good["weight_map"]))
        wrong = [{**good["weight_map"], first: "model-00002-of-00002.safetensors"}, {**good["weight_map"], "more": "model-00001-of-00002.safetensors"},
                 {**good["weight_map"], first: "../base/model.safetensors"}, {**good["weight_map"], first: "/etc/passwd"}, {**good["weight_map"], first: 3}]
        for weight_map in wrong:
            with self.subTest(weight_map[first]):
                index.write_text(json.dumps({**good, "weight_map": weight_map}))
                self.refuse(None)
        for text in ("", "{}", "[]", "{", '{"weight_map": []}', "\xff"):
            with self.subTest(text):
                index.write_bytes(text.encode("latin-1"))
                self.refuse(None)

    def test_pickles_only_are_refused_with_the_way_to_convert(self):
        for name in ("pytorch_model.bin", "model.pt"):
            (self.folder / name).write_bytes(b"\x80\x04cos\nsystem\n")
            self.refuse(UNSUPPORTED, "safetensors")
            (self.folder / name).unlink()

    def test_pickles_beside_safetensors_are_skipped_with_a_notice(self):
        st.write(self.folder / "model.safetensors", {"w": st.floats([1, 2])})
        (self.folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
        (self.folder / "scheduler.pt").write_bytes(b"\x80\x04")
        result = self.ok("import", self.folder, "--name", "picky")
        self.assertIn("note: ", result.err)
        self.assertIn("pytorch_model.bin", result.err)
        self.assertEqual(sorted(snapshot(self.checkout("picky", "out"))), ["config.json", "model.safetensors"])

    def test_no_model_at_all(self):
        self.refuse(NOT_FOUND)
        self.folder = self.base / "config.json"
        self.check_error(self.run_in("import", self.folder, "--name", "bad"))

    def test_an_empty_model_is_kept_or_refused_but_never_broken(self):
        (self.folder / "model.safetensors").write_bytes(st.join("{}", b""))
        result = self.run_in("import", self.folder, "--name", "nothing")
        if result.code == DONE:
            self.assert_model(self.checkout("nothing", "out"), self.folder)
        else:
            self.check_error(result)

    def test_side_files_whose_names_no_checkpoint_can_hold(self):
        st.write(self.folder / "model.safetensors", {"w": st.floats([1, 2])})
        for name in (b"a\nb.txt", b"\xff.txt"):
            path = bytes(self.folder) + b"/" + name
            open(path, "wb").close()
            result = self.run_in("import", self.folder, "--name", "odd")
            if result.code != DONE:
                self.check_error(result)
            os.unlink(path)

    def test_a_link_out_of_an_output_folder_is_not_followed(self):
        out = self.checkout("task", "out")
        victim = self.root / "victim.json"
        victim.write_text("precious")
        (out / "config.json").unlink()
        (out / "config.json").symlink_to(victim)
        self.fails(CONFLICT, "checkout", "base", "-o", out, says="config.json")
        self.ok("checkout", "base", "-o", out, "--force")
        self.assertEqual(victim.read_text(), "precious")
        self.assert_model(out, self.base)
        target = self.root / "elsewhere"
        target.mkdir()
        (self.root / "linked").symlink_to(target)
        self.fails(CONFLICT, "checkout", "base", "-o", self.root / "linked")
        self.assertEqual(list(target.iterdir()), [])


class HolesTest(Case):
    def test_a_checkout_leaves_long_runs_of_zeros_out(self):
        size = 4 << 20
        for name, data in (("zeros", bytes(size)), ("begin", bytes(size - 9) + b"x" * 9), ("middle", b"y" + bytes(size - 2) + b"y"), ("end", b"z" * 100 + bytes(size - 100))):
            with self.subTest(name):
                folder, self.repo = self.root / name, self.root / f"repo-{name}"
                st.write(folder / "model.safetensors", {"wide": st.Tensor("U8", [size], data)})
                (folder / "config.json").write_text("{}")
                self.run_plain("init", self.repo)
                self.ok("import", folder, "--name", "base")
                out = self.checkout("base", f"out-{name}")
                self.assert_model(out, folder)
                probe = self.root / "probe"
                with open(probe, "wb") as file:
                    file.truncate(size)
                if probe.stat().st_blocks == 0:  # the file system has holes
                    self.assertLess((out / "model.safetensors").stat().st_blocks * 512, size / 8)


if __name__ == "__main__":
    unittest.main()
