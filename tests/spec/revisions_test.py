"""What dstore writes, spec/decode.py reads to the same bytes."""
import shutil
import struct
import unittest

from decode_case import Case, st
from reader import derived, objects
from reader.pack import CODEC_PLANES
from reader.repository import Repository
from reader.segment import parse_segment

# The dtypes whose elements are not what st.BITS knows.
st.BITS.update({"C64": 64, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4})


def flip_bytes(rng, tensor, count):
    """The tensor with `count` bytes changed: for dtypes whose elements are no whole bytes, too."""
    data = bytearray(tensor.data)
    for at in rng.sample(range(len(data)), count):
        data[at] ^= rng.randrange(1, 256)
    return st.Tensor(tensor.dtype, tensor.shape, data)


def nudged(rng, tensor, every=1):
    """Every n-th element a few steps up or down, as an optimiser would."""
    code = {16: "H", 32: "I", 64: "Q"}[st.BITS[tensor.dtype]]
    values = list(struct.unpack(f"<{len(tensor.data) * 8 // st.BITS[tensor.dtype]}{code}", tensor.data))
    for at in range(0, len(values), every):
        step = max(1, min(12, int(rng.expovariate(0.3))))
        values[at] += step if values[at] & 0xff < 128 else -step
    return st.Tensor(tensor.dtype, tensor.shape, struct.pack(f"<{len(values)}{code}", *values))


def weights(rng, dtype, shape):
    """Numbers like those of a model: normally distributed."""
    count = st.elements(shape)
    single = struct.pack(f"<{count}f", *(rng.gauss(0, 0.05) for _ in range(count)))
    if dtype == "BF16":
        single = b"".join(single[at + 2:at + 4] for at in range(0, len(single), 4))
    if dtype == "F16":
        single = struct.pack(f"<{count}e", *(value for (value,) in struct.iter_unpack("<f", single)))
    return st.Tensor(dtype, shape, single)


class RevisionTest(Case):
    def test_every_dtype_sparse_and_dense(self):
        base = {dtype: st.random_tensor(self.rng, dtype, [64, 24]) for dtype in st.BITS}
        base.update({f"scalar.{dtype}": st.random_tensor(self.rng, dtype, []) for dtype in st.BITS if st.BITS[dtype] % 8 == 0})
        base.update({f"empty.{dtype}": st.random_tensor(self.rng, dtype, [3, 0]) for dtype in st.BITS})
        self.import_base(self.model("base", base, {"format": "pt"}))
        self.commit_task(self.model("sparse", {name: flip_bytes(self.rng, tensor, 5) if len(tensor.data) > 8 else tensor
                                               for name, tensor in base.items()}), "sparse")
        self.commit_task(self.model("dense", {name: st.random_tensor(self.rng, tensor.dtype, tensor.shape)
                                              for name, tensor in base.items()}), "dense")
        self.decode_well()

    def test_small_steps_use_the_context_model(self):
        base = {dtype: weights(self.rng, dtype, [300, 1000]) for dtype in ("F32", "BF16", "F16")}
        base["F64"] = st.random_tensor(self.rng, "F64", [200, 30])
        base["I32"] = st.random_tensor(self.rng, "I32", [200, 30])
        self.import_base(self.model("base", base))
        for every in (1, 3, 500):
            task = {name: nudged(self.rng, tensor, every) for name, tensor in base.items()}
            self.commit_task(self.model(f"every{every}", task), f"every{every}")
        blocks = self.blocks()
        self.assertLessEqual({2, 3}, {block.coder for block in blocks})
        self.assertLessEqual({1, 2}, {block.code for block in blocks})

    def pieces(self):
        store = Repository(self.repo).store
        return [piece for id in store.ids("segment") for piece in parse_segment(store.read("segment", id))]

    def blocks(self):
        return [block for piece in self.pieces() for block in piece.blocks if block]

    def test_compact_and_fast_profiles(self):
        base = {dtype: weights(self.rng, dtype, [300, 401]) for dtype in ("F32", "BF16", "F16")}
        base.update({f"odd.{dtype}": st.random_tensor(self.rng, dtype, [3, 8]) for dtype in st.BITS})
        base["ids"] = st.Tensor("I64", [4000], struct.pack("<4000q", *range(4000)))
        folder = self.model("base", base)
        for profile in ("compact", "fast"):
            self.repo = self.root / profile
            self.run_plain("init", self.repo)
            self.ok("import", folder, "--name", "base", "--profile", profile)
            self.assert_same("base", folder)
            task = {**base, "F32": nudged(self.rng, base["F32"]), "classifier.weight": weights(self.rng, "F32", [26, 384])}
            self.commit_task(self.model(f"task-{profile}", task), "task", "base", "--profile", profile)
            self.decode_well()
            codecs = {row.codec for pack in Repository(self.repo).store.packs for row in pack.rows if row.kind == 1}
            self.assertEqual(CODEC_PLANES in codecs, profile == "compact")

    def test_nan_and_minus_zero(self):
        special = [0x00000000, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff, 0x3f800000, 0x00000001, 0x807fffff]
        pairs = [(a, b) for a in special for b in special]
        self.import_base(self.model("base", {"w": st.Tensor("F32", [100], struct.pack("<100I", *(a for a, _ in pairs)))}))
        self.commit_task(self.model("task", {"w": st.Tensor("F32", [100], struct.pack("<100I", *(b for _, b in pairs)))}))

    def test_groups_of_changes(self):
        tensor = st.random_tensor(self.rng, "U8", [1 << 18])
        data = bytearray(tensor.data)
        for group in self.rng.sample(range(2048), 300):
            data[group * 128:(group + 1) * 128] = self.rng.randbytes(128)
        self.import_base(self.model("base", {"w": tensor}))
        self.commit_task(self.model("task", {"w": st.Tensor("U8", tensor.shape, data)}))
        self.assertIn(7, {block.group for block in self.blocks()})

    def test_every_code_of_positions_and_values(self):
        count = 40000
        floats = weights(self.rng, "F32", [count])
        doubles = [self.rng.gauss(0, 1) for _ in range(500)]
        base = {"mask": floats, "rows": floats, "bytes": st.random_tensor(self.rng, "U8", [1 << 19]), "noise": floats,
                "sum": st.Tensor("F64", [500], struct.pack("<500d", *doubles)), "steps": st.Tensor("I64", [count], bytes(8 * count))}
        mask, rows, steps = bytearray(floats.data), bytearray(floats.data), bytearray(8 * count)
        for i in range(0, count, 3):
            mask[4 * i:4 * i + 4] = bytes(4)
        for i in range(0, count, 7):
            if i % 5000 < 300:
                rows[4 * i] ^= 5
        for i in range(0, count, 2):
            steps[8 * i:8 * i + 8] = struct.pack("<q", 1000 + i // 500)
        flipped = bytearray(base["bytes"].data)
        for i in range(len(flipped)):
            flipped[i] ^= 1 if self.rng.random() < 0.2 else 0
        base["few"] = weights(self.rng, "F32", [300])
        task = {"few": nudged(self.rng, base["few"], 60), "mask": st.Tensor("F32", [count], mask), "rows": st.Tensor("F32", [count], rows), "bytes": st.Tensor("U8", [1 << 19], flipped),
                "noise": st.random_tensor(self.rng, "F32", [count]), "steps": st.Tensor("I64", [count], steps),
                "sum": st.Tensor("F64", [500], struct.pack("<500d", *(v + 0.25 * (i % 7) for i, v in enumerate(doubles))))}
        self.import_base(self.model("base", base))
        self.commit_task(self.model("task", task))
        self.commit_task(self.model("again", {**task, "mask": nudged(self.rng, floats, 3)}), "again", "base", "--profile", "fast")
        self.decode_well()
        blocks = self.blocks()
        self.assertLessEqual({1, 2, 3, 4, 5}, {block.code for block in blocks})
        self.assertLessEqual({1, 2, 3, 4, 5, 6}, {block.coder for block in blocks})
        self.assertTrue(any(block.group and block.code == 2 for block in blocks))

    def test_several_pieces_and_chunks(self):
        size = (33 << 20) + 1000
        tensor = st.Tensor("I8", [size], bytes(size))
        data = bytearray(tensor.data)
        for at in (0, 5, (4 << 20) - 1, 4 << 20, (32 << 20) - 1, 32 << 20, size - 1):
            data[at] ^= 0x55
        self.import_base(self.model("base", {"w": tensor}))
        self.commit_task(self.model("task", {"w": st.Tensor("I8", [size], data)}))
        self.assertEqual(len(self.pieces()), 3)

    def test_a_prefix_a_head_and_dropped_and_changed_tensors(self):
        base = {f"layer.{i}.weight": weights(self.rng, "F32", [20, 30]) for i in range(4)}
        base.update({"buffer": st.random_tensor(self.rng, "I64", [5]), "pooler": weights(self.rng, "F32", [30])})
        self.import_base(self.model("base", base, {"format": "pt", "Zoë": "tab\there", "a": "b"}, vocab="x\n", only_base="y\n"))
        task = {f"bert.{name}": tensor for name, tensor in base.items() if name != "buffer"}
        task["bert.layer.1.weight"] = st.changed(self.rng, task["bert.layer.1.weight"], 40)
        task["bert.pooler"] = weights(self.rng, "BF16", [30])
        task.update({"classifier.weight": weights(self.rng, "F32", [2, 30]), "classifier.bias": weights(self.rng, "BF16", [2]),
                     "a\"b\\c/ä\U0001f600": weights(self.rng, "F16", [2])})
        self.commit_task(self.model("task", task, {"format": "pt"}, vocab="z\n"))

    def test_only_renamed(self):
        base = {name: weights(self.rng, "F32", [7, 3]) for name in ("z", "a", "m")}
        folder = self.model("base", base)
        header = {"z": None, "__metadata__": {"z": "1", "a": "2"}, "a": None, "m": None}
        offsets = st.header_of(base)
        text = ", ".join(f'"{name}" : {{"shape": [7,3], "data_offsets" :{offsets[name]["data_offsets"]}, "dtype":"F32"}}' if row is None else
                         f'"{name}": {{"z":"1", "a" :"\\u00e9\\/"}}' for name, row in header.items())
        (folder / "model.safetensors").write_bytes(st.join("{ " + text + " }  ", b"".join(tensor.data for tensor in base.values())))
        self.import_base(folder)
        self.commit_task(self.model("task", {f"model.{name}": tensor for name, tensor in base.items()}))

    def test_only_removed_and_dtype_changed(self):
        base = {name: weights(self.rng, "F32", [8, 4]) for name in "abcd"}
        self.import_base(self.model("base", base, {"format": "pt"}))
        self.commit_task(self.model("removed", {name: base[name] for name in "abd"}), "removed")
        self.commit_task(self.model("replaced", {**base, "c": weights(self.rng, "F16", [8, 4])}), "replaced")

    def test_other_rows_and_float_dtypes(self):
        floats = ("F64", "F32", "F16", "BF16")
        base = {f"{dtype}.{i}": weights(self.rng, "F32", [40, 50]) for dtype in floats for i in floats}
        base = {name: st.Tensor(name.split(".")[0], tensor.shape, derived.convert(tensor.data, "F32", name.split(".")[0])) for name, tensor in base.items()}
        base["F16.F32"] = st.Tensor("F16", [40, 50], struct.pack("<4H", 0x7c00, 0xfe00, 0x7c01, 0x8001) + base["F16.F32"].data[8:])
        base["rows"], base["cut"] = weights(self.rng, "F32", [40, 50]), st.random_tensor(self.rng, "I16", [400])
        task = {name: st.changed(self.rng, st.Tensor(name.split(".")[1], tensor.shape, derived.convert(tensor.data, tensor.dtype, name.split(".")[1])), 9)
                for name, tensor in base.items() if "." in name}
        task["rows"] = st.Tensor("F32", [43, 50], base["rows"].data + weights(self.rng, "F32", [3, 50]).data)
        task["cut"] = st.Tensor("I16", [300], base["cut"].data[:600])
        self.import_base(self.model("base", base, {"format": "pt"}))
        self.commit_task(self.model("task", task, {"format": "pt"}))
        repository = Repository(self.repo)
        delta = repository.read("delta", next(iter(repository.store.ids("delta"))))
        self.assertEqual(sum(change.operation == objects.CONVERT for change in delta.changes), 14)

    def test_shards(self):
        tensors = {f"layer.{i}": weights(self.rng, "F32", [16, 16]) for i in range(6)}
        parts = [{name: tensors[name] for name in list(tensors)[at:at + 2]} for at in (0, 2, 4)]
        self.import_base(self.model("base", parts))
        changed = {**tensors, "layer.3": st.changed(self.rng, tensors["layer.3"], 5), "head": weights(self.rng, "F32", [4])}
        del changed["layer.0"], changed["layer.1"]  # a shard without tensors is left
        self.commit_task(self.model("one", changed), "one")
        self.commit_task(self.model("two", [{"layer.5": tensors["layer.0"]}, {**changed, "layer.5": tensors["layer.1"]}][1:]), "two")

    def test_tied_and_equal_tensors(self):
        same = weights(self.rng, "F32", [64, 8])
        self.import_base(self.model("base", {"a": same, "b": same, "c": weights(self.rng, "F32", [64, 8])}))
        other = st.changed(self.rng, same, 9)
        self.commit_task(self.model("task", {"a": other, "b": other, "c": same}))

    def test_history_words_and_signatures(self):
        folder = self.tiny_base()
        self.import_base(folder)
        first = self.tiny_task(folder, "first")
        second = self.tiny_task(folder, "second", count=7)
        self.commit_task(first)
        self.ok("commit", second, "--base", "base", "--name", "task", "-m", "again", "--no-sign")
        for revision, original in (("task", second), ("task~1", first), ("task~", first), ("task@{1}", first), ("task^^", folder)):
            self.assert_same(revision, original)
        self.ok("tag", "v1", "task~1")
        self.assert_same("v1", first)
        self.assert_same("base+task~1")
        commit = next(line.split()[2] for line in self.decode_well().splitlines() if line.startswith("branch base:")).rstrip(",")
        self.assert_same(commit[:12], folder)
        self.assertIn("unsigned", self.decode_well("task"))
        self.assertIn("SHA256:", self.decode_well("base"))
        for wrong in ("nobody", "task+base", "task+task", "base+base", "base~1", "task@{2}", "a b", "base+0.5*task", commit[:3]):
            done = self.decode(wrong)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), (wrong, done))

    def test_a_base_from_elsewhere_and_a_wrong_one(self):
        tensors = {f"layer.{i}": weights(self.rng, "F32", [16, 16]) for i in range(4)}
        self.import_base(self.model("base", tensors))
        self.commit_task(self.model("task", {**tensors, "layer.1": st.changed(self.rng, tensors["layer.1"], 3)}))
        names = list(tensors)
        parts = [{name: tensors[name] for name in part} for part in (names[:1], names[1:])]
        self.import_base(self.model("resharded", parts), "resharded")
        self.assert_same("resharded+task")
        self.import_base(self.model("wrong", {**tensors, "layer.0": st.changed(self.rng, tensors["layer.0"], 1)}), "wrong")
        done = self.decode("wrong+task")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the task is for the weights", done.stderr)

    def test_remotes_and_clones(self):
        self.make_store()
        remote, clone = self.root / "remote", self.root / "clone"
        remote.mkdir()
        self.ok("remote", "add", "origin", remote)
        self.ok("push", "origin", "base", "task")
        self.run_plain("clone", remote, clone)
        for repository in (self.repo, remote, clone):
            self.assertIn("2 of them well signed", self.decode_well(repository=repository))
            out = self.root / f"out-{repository.name}"
            self.decode_well("task", "-o", out, repository=repository)
            self.assert_model(out, self.task)
        self.assert_same("origin/task", self.task)

    def test_what_is_left_after_forgetting_and_collecting(self):
        self.make_store()
        older = self.ok("show", "task", "--json").json["id"]
        self.ok("commit", self.tiny_task(self.base, "newer", 5), "--base", "base", "--name", "task", "-m", "newer")
        self.ok("branch", "old", older)
        self.ok("branch", "-d", "old")
        self.ok("forget", "task~1")
        self.ok("import", self.tiny_base("base2"), "--name", "base2", "-m", "another")
        self.ok("commit", self.tiny_task(self.root / "base2", "task2"), "--base", "base2", "--name", "task2", "-m", "its task")
        self.ok("tag", "deep", "task2")
        self.ok("gc")
        self.ok("repack")
        told = self.decode_well()
        self.assertIn("5 of them well signed", told)
        self.assertIn("4 checkpoint", told)
        self.assertIn(" 2 delta", told)
        self.assert_same("task", self.root / "newer")
        self.assertNotEqual(self.decode("task~1", "-o", self.root / "no").returncode, 0)
        # The record is what makes the gap legal.
        shutil.rmtree(next((self.repo / ".dstore" / "refs").glob("forgotten*")))
        self.assertIn("not in the store", "".join(self.decode().stdout + self.decode().stderr))


if __name__ == "__main__":
    unittest.main()
