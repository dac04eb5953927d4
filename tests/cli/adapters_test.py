"""Adapters' folders and sparse patches in and out, on small files of our own making: layouts, hostile input, what else works with such tasks."""
import json
import struct
import unittest

import safetensors_file as st
from sandbox import CONFLICT, CORRUPT, DONE, NOT_FOUND, UNSUPPORTED, USAGE, Case, everything, snapshot

LORA = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["query"], "bias": "none", "modules_to_save": None, "use_dora": False}
SHIRA = {"peft_type": "SHIRA", "r": 1, "target_modules": ["query"]}
PREFIX = "base_model.model."


def ints(dtype, values, shape=None):
    code = {"I32": "i", "I64": "q", "U16": "H", "U32": "I"}[dtype]
    values = list(values)
    return st.Tensor(dtype, shape or [len(values)], struct.pack(f"<{len(values)}{code}", *values))


def numbers(tensor):
    return list(struct.unpack(f"<{len(tensor.data) // 4}f", tensor.data))


def single(value):
    """Rounded to F32."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


class AdapterCase(Case):
    """A base of a few F32 tensors."""

    def setUp(self):
        super().setUp()
        self.tensors = {name: st.floats([single(self.rng.uniform(-1, 1)) for _ in range(st.elements(shape))], shape)
                        for name, shape in {"embed.weight": [10, 4], "layer.0.query.weight": [6, 4], "layer.0.query.bias": [6], "layer.1.query.weight": [4, 4]}.items()}
        self.base = self.root / "base"
        st.write(self.base / "model.safetensors", self.tensors, {"format": "pt"})
        (self.base / "config.json").write_text('{"model_type": "bert"}\n')
        (self.base / "vocab.txt").write_text("a\nb\n")
        self.run_plain("init", self.repo)
        self.ok("import", self.base, "--name", "base")

    def matrix(self, rows, columns):
        return st.floats([single(self.rng.uniform(-1, 1)) for _ in range(rows * columns)], [rows, columns])

    def lora(self, name="lora", config=None, tensors=None, **more):
        """A folder as PEFT writes one; None removes a tensor."""
        folder = self.root / name
        content = {PREFIX + "layer.0.query.lora_A.weight": self.matrix(2, 4), PREFIX + "layer.0.query.lora_B.weight": self.matrix(6, 2), **(tensors or {})}
        st.write(folder / "adapter_model.safetensors", {key: value for key, value in content.items() if value is not None}, {"format": "pt"})
        (folder / "adapter_config.json").write_text(json.dumps({**LORA, **(config or {}), **more}, indent=2))
        (folder / "README.md").write_text("# an adapter\n")
        return folder

    def commit(self, path, name, *words):
        return self.ok("commit", path, "--base", "base", "--name", name, "-m", name, *words)

    def weights(self, revision):
        out = self.root / f"out-{len(list(self.root.iterdir()))}"
        self.ok("checkout", revision, "-o", out)
        return {name: tensor for path in out.glob("*.safetensors") for name, tensor in st.read(path).items()}


class FolderTest(AdapterCase):
    def test_the_fold_has_the_bits_that_the_spec_says(self):
        folder = self.lora()
        self.commit(folder, "a")
        factors = st.read(folder / "adapter_model.safetensors")
        a, b = (numbers(factors[f"{PREFIX}layer.0.query.lora_{letter}.weight"]) for letter in "AB")
        wanted = []
        for i in range(6):
            for j in range(4):
                total = 0.0
                for k in range(2):
                    total = single(total + single(b[i * 2 + k] * a[k * 4 + j]))
                wanted.append(single(numbers(self.tensors["layer.0.query.weight"])[i * 4 + j] + single(2 * total)))
        have = self.weights("base+a")
        self.assertEqual(numbers(have.pop("layer.0.query.weight")), wanted)
        self.assertEqual(have, {name: tensor for name, tensor in self.tensors.items() if name != "layer.0.query.weight"})

    def test_the_folder_comes_back_and_the_task_is_like_any_other(self):
        folder = self.lora()
        done = self.commit(folder, "a").text
        self.assertIn("lora adapter: 1 module, 0 tensors whole", done)
        self.assertIn("--format peft", done)
        out = self.root / "back"
        self.ok("checkout", "a", "--format", "peft", "-o", out)
        self.assertEqual(snapshot(out), snapshot(folder))
        self.assertEqual(self.ok("status", out).code, DONE)
        shown = self.ok("show", "a", "--json").json
        self.assertEqual(shown["training"]["method"], "lora")
        self.assertEqual(shown["training"]["rank"], "2")
        self.commit(self.lora("other"), "b")
        self.ok("merge", "a", "b", "--name", "m", "--method", "task_arithmetic")
        self.ok("sparsify", "a", "--density", "10%", "--name", "s")
        for words in (["log", "a"], ["stats", "a"], ["diff", "base", "a"], ["verify"], ["fsck", "--deep"], ["query", "SELECT method FROM commits"]):
            self.assertIn(self.run_in(*words).code, (DONE, 1), words)
        # A change of the folder that was checked out is the next commit of the branch.
        tensors = st.read(out / "adapter_model.safetensors")
        tensors[PREFIX + "layer.0.query.lora_A.weight"] = self.matrix(2, 4)
        st.write(out / "adapter_model.safetensors", tensors, {"format": "pt"})
        self.ok("commit", out, "-m", "trained on")
        self.assertEqual(len(self.ok("log", "a", "--json").json), 3)
        # In place: the same folder as a plain model and back.
        self.ok("checkout", "base+a", "-o", out)
        self.assertNotIn("adapter_config.json", snapshot(out))

    def test_it_survives_gc_push_and_clone(self):
        folder = self.lora()
        self.commit(folder, "a")
        self.ok("gc")
        shared = self.root / "shared"
        clone = self.root / "clone"
        shared.mkdir()
        self.ok("remote", "add", "origin", shared)
        self.ok("push", "origin", "base", "a")
        self.assertEqual(self.run_plain("clone", shared, clone).code, DONE)
        self.repo = clone
        self.ok("fsck", "--deep")
        self.ok("checkout", "a", "--format", "peft", "-o", self.root / "back")
        self.assertEqual(snapshot(self.root / "back"), snapshot(folder))

    def test_committed_again_there_is_nothing_to_commit(self):
        folder = self.lora()
        self.commit(folder, "a")
        self.assertEqual(self.run_in("commit", folder, "--base", "base", "--name", "a", "-m", "again").code, 1)

    def test_a_tokenizer_of_the_adapter_is_the_models(self):
        folder = self.lora()
        (folder / "vocab.txt").write_text("other\n")
        self.commit(folder, "a")
        self.ok("checkout", "a", "-o", self.root / "out")
        self.assertEqual((self.root / "out" / "vocab.txt").read_text(), "other\n")
        self.assertFalse((self.root / "out" / "README.md").exists())

    def test_new_tensors_bring_the_names_of_their_model(self):
        head = self.matrix(3, 4)
        tensors = {PREFIX + "layer.0.query.lora_A.weight": None, PREFIX + "layer.0.query.lora_B.weight": None,
                   PREFIX + "bert.layer.0.query.lora_A.weight": self.matrix(2, 4), PREFIX + "bert.layer.0.query.lora_B.weight": self.matrix(6, 2),
                   PREFIX + "classifier.weight": head}
        self.commit(self.lora(tensors=tensors), "a")
        have = self.weights("base+a")
        self.assertEqual(set(have), {"classifier.weight", *(f"bert.{name}" for name in self.tensors)})
        self.assertEqual(have["classifier.weight"], head)

    def test_shira(self):
        folder = self.lora("shira", tensors={PREFIX + "layer.0.query.lora_A.weight": None, PREFIX + "layer.0.query.lora_B.weight": None,
                                             PREFIX + "layer.0.query.shira_weight": st.floats([0.5, -0.25, 0]), PREFIX + "layer.0.query.shira_indices": ints("I32", [0, 3, 5, 1, 0, 3], [2, 3])})
        (folder / "adapter_config.json").write_text(json.dumps(SHIRA))
        self.commit(folder, "a")
        wanted = numbers(self.tensors["layer.0.query.weight"])
        wanted[1], wanted[12] = single(wanted[1] + 0.5), single(wanted[12] - 0.25)
        self.assertEqual(numbers(self.weights("a")["layer.0.query.weight"]), wanted)
        self.ok("export", "a", "--format", "peft-shira", "-o", self.root / "exact")
        self.assertEqual(snapshot(self.root / "exact"), snapshot(folder))

    def test_hostile_folders_are_refused_in_one_line(self):
        before = everything(self.repo / ".dstore" / "refs")
        a, b = PREFIX + "layer.0.query.lora_A.weight", PREFIX + "layer.0.query.lora_B.weight"
        nan = st.floats([float("nan")] * 8, [2, 4])
        shira = {a: None, b: None, PREFIX + "layer.0.query.shira_weight": st.floats([1, 2])}
        indices = PREFIX + "layer.0.query.shira_indices"
        for number, (code, says, config, tensors) in enumerate((
                (UNSUPPORTED, ("DoRA",), {"use_dora": True}, {}), (UNSUPPORTED, ("bias",), {"bias": "lora_only"}, {}),
                (UNSUPPORTED, ("PREFIX_TUNING",), {"peft_type": "PREFIX_TUNING"}, {}), (UNSUPPORTED, ("use_new",), {"use_new": 3}, {}),
                (UNSUPPORTED, ("init_lora_weights",), {"init_lora_weights": "pissa_niter_4"}, {}), (CORRUPT, ("peft_type",), {"peft_type": 7}, {}),
                (CORRUPT, ("\"r\"",), {"r": 0}, {}), (CORRUPT, ("\"r\"",), {"r": "2"}, {}), (CORRUPT, ("lora_alpha",), {"lora_alpha": None}, {}),
                (CORRUPT, ("rank_pattern",), {"rank_pattern": [1]}, {}), (UNSUPPORTED, ("regular expression",), {"rank_pattern": {"(a|b)": 3}}, {}),
                (USAGE, ("rank 3", "[2, 4]"), {"r": 3}, {}), (USAGE, ("rank 5",), {"rank_pattern": {"query": 5}}, {}),
                (CORRUPT, ("lora_A and lora_B",), {}, {b: None}), (USAGE, ("do not fit",), {}, {b: self.matrix(5, 2)}), (USAGE, ("NaN",), {}, {a: nan}),
                (USAGE, ("scale",), {"lora_alpha": 1e300}, {}), (USAGE, ("layer.7.query", "another base"), {}, {PREFIX + "layer.7.query.lora_A.weight": self.matrix(2, 4), PREFIX + "layer.7.query.lora_B.weight": self.matrix(6, 2)}),
                (UNSUPPORTED, ("DoRA",), {}, {PREFIX + "layer.0.query.lora_magnitude_vector": st.floats([1] * 6)}), (UNSUPPORTED, ("no name that PEFT gives",), {}, {"x": st.floats([1])}),
                (USAGE, ("a new one",), {}, {PREFIX + "layer.0.query.weight": self.matrix(6, 4)}),
                (USAGE, ("F32, F16 or BF16",), {}, {a: ints("I32", range(8), [2, 4])}),
                (USAGE, ("outside",), SHIRA, {**shira, indices: ints("I32", [0, 6, 0, 0], [2, 2])}), (USAGE, ("outside",), SHIRA, {**shira, indices: ints("I32", [-1, 0, 0, 0], [2, 2])}),
                (USAGE, ("ascending",), SHIRA, {**shira, indices: ints("I32", [1, 0, 0, 0], [2, 2])}), (USAGE, ("ascending",), SHIRA, {**shira, indices: ints("I32", [1, 1, 2, 2], [2, 2])}),
                (USAGE, ("shira_indices",), SHIRA, {**shira, indices: ints("I32", [1, 1, 2], [3])}))):
            with self.subTest(number=number, says=says):
                self.fails(code, "commit", self.lora(f"hostile{number}", config, tensors), "--base", "base", "--name", "a", "-m", "no", says=says)
        broken = self.lora("broken")
        (broken / "adapter_config.json").write_text("{" * 100000)
        self.fails(CORRUPT, "commit", broken, "--base", "base", "--name", "a", "-m", "no", says="JSON")
        self.assertEqual(everything(self.repo / ".dstore" / "refs"), before)

    def test_wrong_use(self):
        folder = self.lora()
        self.commit(folder, "a")
        self.fails(USAGE, "commit", folder, "--base", "a", "--name", "b", "-m", "x", says="give its base")
        self.fails(USAGE, "commit", folder, "--base", "base", "--name", "b", "--dtype", "base", "-m", "x", says="does not go with an adapter")
        self.fails(USAGE, "checkout", "base", "--format", "peft", "-o", self.root / "x", says="was not committed from an adapter")
        self.fails(USAGE, "checkout", "base+a", "--format", "peft", "-o", self.root / "x", says="give the task alone")
        self.fails(USAGE, "checkout", "a", "--format", "lora", "-o", self.root / "x", says="expected model or peft")
        for words, says in ((["--format", "gguf", "-o", "x"], "there are hf"), (["-o", "x"], "say what to write"), (["--format", "hf"], "say where to"),
                            (["--format", "hf", "--rank", "3", "-o", "x"], "peft-lora alone"), (["--format", "peft-lora", "--rank", "0", "-o", "x"], "1 to"),
                            (["--format", "peft-shira", "-o", "x"], "sparsify")):
            self.fails(USAGE, "export", "a", *words, says=says)
        self.fails(USAGE, "export", "base", "--format", "peft-lora", "--rank", "2", "-o", "x", says="not a task")
        self.fails(NOT_FOUND, "export", "nobody", "--format", "hf", "-o", "x")


class PatchTest(AdapterCase):
    META = {"format": "sparse_weight_patch", "version": "1", "sparse": "True", "encoding": "raw"}

    def patch(self, tensors, metadata=None, name="patch.safetensors"):
        st.write(self.root / name, tensors, {**self.META, **(metadata or {})})
        return self.root / name

    def expected(self, name, changes):
        values = numbers(self.tensors[name])
        for position, value in changes.items():
            values[position] = value
        return values

    def test_indices_and_gaps(self):
        name = "layer.0.query.weight"
        for label, encoding, indices in (("raw", "raw", ints("I32", [0, 5, 23])), ("long", "raw", ints("I64", [0, 5, 23])),
                                         ("u16", "gap_delta", ints("U16", [0, 4, 17])), ("u32", "gap_delta", ints("U32", [0, 4, 17]))):
            self.commit(self.patch({f"{name}.idx": indices, f"{name}.val": st.floats([1, 2, 3])}, {"encoding": encoding}), label)
            have = self.weights(label)
            self.assertEqual(numbers(have[name]), self.expected(name, {0: 1, 5: 2, 23: 3}))
            self.assertEqual(have["embed.weight"], self.tensors["embed.weight"])

    def test_positions_and_values(self):
        names = ["embed.weight", "layer.0.query.weight"]
        params, positions = [], b""
        for number, name in enumerate(names):
            gaps = [1, 2]  # positions 1 and 4
            width = 2 if number == 0 else 4
            blob = struct.pack("<2H" if width == 2 else "<2I", *gaps)
            params.append({"name": name, "dtype": "float32", "shape": self.tensors[name].shape, "pos_start": len(positions), "pos_end": len(positions) + len(blob),
                           "pos_width": width, "val_start": 2 * number, "val_end": 2 * number + 2})
            positions += blob
        folder = self.root / "weight_v000001"
        content = {"__positions__": st.Tensor("U8", [len(positions)], positions), "__values__": st.floats([1, 2, 3, 4])}
        metadata = {"encoding": "deltas", "params": json.dumps(params), "prev_version": "0", "current_version": "1"}
        st.write(folder / "rank0000_flush000000.safetensors", content, metadata)
        (folder / "DONE").write_text("")
        self.commit(folder, "s")
        have = self.weights("s")
        self.assertEqual(numbers(have[names[0]]), self.expected(names[0], {1: 1, 4: 2}))
        self.assertEqual(numbers(have[names[1]]), self.expected(names[1], {1: 3, 4: 4}))
        for change, code, says in (({"pos_end": 99}, CORRUPT, "contradict"), ({"val_end": 1}, CORRUPT, "contradict"), ({"shape": [4, 10]}, USAGE, "[4, 10]"),
                                   ({"dtype": "bfloat16"}, USAGE, "BF16"), ({"dtype": "quint4"}, UNSUPPORTED, "dtype"), ({"name": "nothing"}, USAGE, "nothing"), ({"pos_start": -1}, CORRUPT, "pos_start")):
            st.write(self.root / "bad.safetensors", content, {**metadata, "params": json.dumps([{**params[0], **change}])})
            self.fails(code, "commit", self.root / "bad.safetensors", "--base", "base", "--name", "x", "-m", "x", says=says)

    def test_hostile_patches(self):
        name = "layer.0.query.weight"
        values = st.floats([1, 2])
        for code, says, tensors, metadata in (
                (USAGE, "out of range", {f"{name}.idx": ints("I32", [0, 24]), f"{name}.val": values}, {}), (USAGE, "out of range", {f"{name}.idx": ints("I32", [0, -1]), f"{name}.val": values}, {}),
                (USAGE, "ascending", {f"{name}.idx": ints("I32", [5, 5]), f"{name}.val": values}, {}), (USAGE, "ascending", {f"{name}.idx": ints("I32", [5, 4]), f"{name}.val": values}, {}),
                (USAGE, "BF16", {f"{name}.idx": ints("I32", [4, 5]), f"{name}.val": st.Tensor("BF16", [2], b"abcd")}, {}), (USAGE, "no tensor", {"y.idx": ints("I32", [4, 5]), "y.val": values}, {}),
                (CORRUPT, "numbers of indices", {f"{name}.idx": ints("I32", [4]), f"{name}.val": values}, {}), (CORRUPT, "without values", {f"{name}.idx": ints("I32", [4])}, {}),
                (CORRUPT, "without indices", {f"{name}.val": values}, {}), (CORRUPT, "none of indices", {f"{name}.idx": ints("U16", [4, 5]), f"{name}.val": values}, {}),
                (UNSUPPORTED, "nvcomp", {f"{name}.idx": ints("I32", [4, 5]), f"{name}.val": values}, {"encoding": "nvcomp_cascaded"}), (UNSUPPORTED, "version 2", {}, {"version": "2"}),
                (CONFLICT, "this base has the weights", {}, {"base_weights": "ab" * 32}), (CORRUPT, "JSON", {}, {"renamed": "{"}), (CORRUPT, "array", {}, {"removed": "3"}),
                (USAGE, "no tensor", {}, {"removed": "[\"z\"]"}),
                (USAGE, "two tensors", {}, {"renamed": json.dumps({"embed.weight": name})}),
                (USAGE, "out of range", {f"{name}.idx": ints("U32", [0, 2**32 - 1]), f"{name}.val": values}, {"encoding": "gap_delta"})):
            with self.subTest(says=says, names=list(tensors)):
                self.fails(code, "commit", self.patch(tensors, metadata), "--base", "base", "--name", "x", "-m", "x", says=says)
        (self.root / "z.safetensors").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))
        self.fails(UNSUPPORTED, "commit", self.root / "z.safetensors", "--base", "base", "--name", "x", "-m", "x", says="zstd -d")
        self.fails(USAGE, "commit", self.base / "model.safetensors", "--base", "base", "--name", "x", "-m", "x", says="known layout")
        self.fails(USAGE, "commit", self.patch({}), "-m", "x", says="--base REV --name TASK")
        self.fails(NOT_FOUND, "commit", self.root / "nothing.safetensors", "--base", "base", "--name", "x", "-m", "x")

    def test_what_is_exported_gives_the_same_weights(self):
        """Also dtypes of one to eight bytes, NaN, renamed, new, removed and reshaped tensors."""
        base = self.tiny_base("many")
        tensors = st.read(base / "model.safetensors")
        self.ok("import", base, "--name", "many")
        task = {f"bert.{name}": tensor for name, tensor in tensors.items() if name != "scale"}
        for name in ("embeddings.weight", "layer.0.weight", "layer.1.weight", "layer.1.bias", "positions"):
            task[f"bert.{name}"] = st.changed(self.rng, tensors[name], 3)
        task["bert.layer.0.bias"] = st.random_tensor(self.rng, "F32", [16])
        task["bert.empty"] = st.random_tensor(self.rng, "F32", [2, 4])
        task["classifier.weight"] = st.random_tensor(self.rng, "F32", [3, 16])
        st.write(self.root / "task" / "model.safetensors", task)
        (self.root / "task" / "config.json").write_text("{}\n")
        self.ok("commit", self.root / "task", "--base", "many", "--name", "t", "-m", "t")
        file = self.root / "t.safetensors"
        report = self.ok("export", "t", "--format", "sparse-safetensors", "-o", file, "--json").json
        self.assertIn("classifier.weight", report["whole"])
        content = st.read(file)
        self.assertEqual(content["bert.layer.0.weight.idx"].dtype, "I32")
        self.assertEqual(content["bert.layer.0.weight.idx"].shape, [3])
        self.ok("commit", file, "--base", "many", "--name", "again", "-m", "again")
        weights = [self.ok("show", name, "--json").json["weights"] for name in ("t", "again")]
        self.assertEqual(*weights)
        self.assertEqual(self.weights("t"), self.weights("again"))
        self.fails(CONFLICT, "export", "t", "--format", "sparse-safetensors", "-o", file, says="exists already")
        self.fails(CONFLICT, "commit", file, "--base", "base", "--name", "x", "-m", "x", says="has the weights")


if __name__ == "__main__":
    unittest.main()
