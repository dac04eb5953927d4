"""dstore sparsify: exactly k weights of a full fine-tune, on small models and, where it is there, on a real one."""
import os
import pathlib
import resource
import signal
import struct
import unittest

import killed_test
import safetensors_file as st
from sandbox import CONFLICT, DONE, FINDINGS, INTERRUPTED, IO, NOT_FOUND, UNTRUSTED, USAGE, Case, snapshot

MODEL = os.environ.get("DSTORE_MINILM", "")
FLOATS = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}


def words(tensor):
    width = st.BITS[tensor.dtype] // 8
    return [tensor.data[at:at + width] for at in range(0, len(tensor.data), width)]


def tuned(rng, tensor):
    """Every float moved a little, in a few bits of its mantissa."""
    if tensor.dtype not in FLOATS:
        return tensor
    width = FLOATS[tensor.dtype]
    data = bytearray(tensor.data)
    for at in range(0, len(data), width):
        data[at] ^= rng.randrange(1, 64)
    return st.Tensor(tensor.dtype, tensor.shape, data)


class SparsifyTest(Case):
    def setUp(self):
        super().setUp()
        self.base = self.root / "base"
        tensors = {f"layer.{i}.weight": st.floats((self.rng.gauss(0, 0.05) for _ in range(2000)), [40, 50]) for i in range(3)}
        tensors["half"] = st.Tensor("BF16", [500], b"".join(struct.pack("<f", self.rng.gauss(0, 1))[2:] for _ in range(500)))
        tensors["positions"] = st.random_tensor(self.rng, "I64", [1, 24])
        st.write(self.base / "model.safetensors", tensors, {"format": "pt"})
        (self.base / "config.json").write_text("{}\n")
        (self.base / "vocab.txt").write_text("a\nb\n")
        self.full = self.root / "full"
        changed = {name: tuned(self.rng, tensor) for name, tensor in tensors.items()}
        changed["classifier.weight"] = st.random_tensor(self.rng, "F32", [3, 16])
        st.write(self.full / "model.safetensors", changed, {"format": "pt"})
        (self.full / "config.json").write_text('{"id2label": {"0": "a"}}\n')
        (self.full / "vocab.txt").write_text("a\nb\n")
        self.run_plain("init", self.repo)
        self.ok("import", self.base, "--name", "base", "-m", "the base")
        self.ok("commit", self.full, "--base", "base", "--name", "full", "-m", "full fine-tune")
        self.elements = 3 * 2000 + 500

    def differences(self, revision, folder):
        """How many float entries a checkout has changed, each of which must be the full task's bits; the files must be too."""
        out = self.checkout(revision, folder)
        base, full, now = (st.read(path / "model.safetensors") for path in (self.base, self.full, out))
        self.assertEqual(list(now), list(full))
        count = 0
        for name, tensor in now.items():
            if name not in base or tensor.dtype not in FLOATS:
                self.assertEqual(tensor, full[name])
                continue
            for before, after, new in zip(words(base[name]), words(tensor), words(full[name])):
                if after != before:
                    self.assertEqual(after, new)
                    count += 1
        files, want = snapshot(out), snapshot(self.full)
        self.assertEqual({path: text for path, text in files.items() if path != "model.safetensors"},
                         {path: text for path, text in want.items() if path != "model.safetensors"})
        return count

    def test_a_new_branch_has_exactly_k_weights_of_the_full_task(self):
        for number, (density, k) in enumerate((("0.5%", 32), ("0.01", 65), ("10%", 650), ("1e-3", 6))):
            name = f"sparse{number}"
            result = self.ok("sparsify", "full", "--density", density, "--name", name)
            self.assertIn(f"exactly {k} of 6,500 changed weights kept", result.text)
            self.assertIn("classifier.weight (new)", result.text)
            self.assertIn("stored", result.text)
            self.assertEqual(self.differences(name, f"out{number}"), k)
            self.assertEqual(self.ok("show", f"{name}~1", "--json").json["id"], self.ok("show", "full", "--json").json["id"])
        self.assertIn("sparsify", self.ok("log", "sparse0").text)
        self.assertIn("0.50 %", self.ok("show", "sparse0").text)
        self.checkout("base+sparse0", "composed")
        self.assert_verifies()

    def test_every_score_and_scope_reports_the_same_numbers_as_json(self):
        fisher = {name: st.floats((self.rng.random() for _ in range(st.elements(tensor.shape))), tensor.shape)
                  for name, tensor in st.read(self.full / "model.safetensors").items()}
        st.write(self.root / "fisher.safetensors", fisher)
        for by, more in (("magnitude", []), ("relative", []), ("fisher", [self.root / "fisher.safetensors"])):
            for scope, k in (("global", 325), ("tensor", 3 * 100 + 25)):
                with self.subTest(by=by, scope=scope):
                    name = f"{by}-{scope}"
                    report = self.ok("sparsify", "full", *more, "--density", "5%", "--by", by, "--scope", scope, "--name", name, "--json").json
                    self.assertEqual((report["kept"], report["changed"], report["places"], report["elements"]), (k, 6500, k, 6500))
                    self.assertEqual(sum(tensor["kept"] for tensor in report["tensors"]), k)
                    if scope == "tensor":
                        self.assertEqual([tensor["kept"] for tensor in report["tensors"]], [25, 100, 100, 100])
                    self.assertGreater(report["threshold"], 0)
                    self.assertTrue(0 < report["energy_lost"] < 1)
                    self.assertEqual(report["whole"], [{"name": "classifier.weight", "reason": "new"}])
                    self.assertLess(report["stored_bytes"], report["source_stored_bytes"])
                    self.assertEqual(self.differences(name, name), k)
                    shown = self.ok("show", name, "--json").json
                    self.assertEqual(shown["id"], report["commit"])
                    self.assertEqual(shown["derived_from"], [report["source"]])
                    self.assertEqual(shown["training"]["by"], by)
                    self.assertEqual(shown["training"]["scope"], scope)
                    self.assertEqual("fisher_sha256" in shown["training"], by == "fisher")

    def test_the_branch_moves_on_and_a_second_time_nothing_is_left_to_do(self):
        before = self.ok("show", "full", "--json").json["id"]
        self.ok("sparsify", "full", "--density", "1%", "-m", "only the largest")
        shown = self.ok("show", "full", "--json").json
        self.assertEqual((shown["parents"], shown["message"]), ([before], "only the largest"))
        again = self.run_in("sparsify", "full", "--density", "1%")
        self.assertEqual(again.code, FINDINGS, str(again))
        self.assertIn("nothing to drop", again.text)
        self.assertEqual(self.ok("show", "full", "--json").json["id"], shown["id"])
        all_kept = self.ok("sparsify", "full", "--density", "50%", "--name", "roomy")
        self.assertIn("all 65 changed weights (the density leaves room for 3,250) kept", all_kept.text)
        self.assertEqual(self.differences("roomy", "roomy"), 65)

    def test_wrong_usage_is_refused_before_anything_is_written(self):
        before = self.ok("log", "--all", "--json").out
        fisher = self.root / "f.safetensors"
        st.write(fisher, {"half": st.floats([float("nan")] * 500)})
        for arguments, code, says in (
                (["full"], USAGE, "--density 0.5%"), (["full", "--density", "0"], USAGE, "--density"), (["full", "--density", "101%"], USAGE, "--density"),
                (["full", "--density", "-1"], USAGE, ""), (["full", "--density", "x"], USAGE, "0.5%"),
                (["full", "--density", "1%", "-m", ""], USAGE, "-m"), (["full", "--density", "1%", "-m", b"\xff"], USAGE, ""),
                (["full", "--density", "1%", "--by", "size"], USAGE, "magnitude, relative, fisher"),
                (["full", "--density", "1%", "--scope", "layer"], USAGE, "global, tensor"),
                (["full", "--density", "1%", "--by", "fisher"], USAGE, "FILE"), (["full", fisher, "--density", "1%"], USAGE, "no file"),
                (["full", self.root / "none", "--density", "1%", "--by", "fisher"], NOT_FOUND, "none"),
                (["full", self.base / "config.json", "--density", "1%", "--by", "fisher"], None, "config.json"),
                (["full", fisher, "--density", "1%", "--by", "fisher", "--name", "n"], USAGE, "layer.0.weight"),
                (["base", "--density", "1%"], USAGE, "base"), (["base", "--density", "1%", "--name", "n"], USAGE, "base"),
                (["base+0.5*full", "--density", "1%"], USAGE, "--name"), (["nobody", "--density", "1%"], NOT_FOUND, "nobody"),
                (["full~0", "--density", "1%"], USAGE, "--name"), (["full", "--density", "1%", "--name", "base"], CONFLICT, "exists"),
                (["full", "--density", "1%", "--name", "full"], CONFLICT, "exists"), (["full", "--density", "1%", "--name", "../n"], USAGE, "")):
            with self.subTest(arguments):
                self.fails(code, "sparsify", *arguments, says=says)
        self.assertEqual(self.ok("log", "--all", "--json").out, before)
        self.assertEqual(self.ok("-q", "sparsify", "full", "--density", "1%", "--name", "quiet").out, b"")

    def test_a_wrong_number_in_the_fisher_file_is_named(self):
        tensors = {name: st.floats([1.0] * st.elements(tensor.shape), tensor.shape) for name, tensor in st.read(self.full / "model.safetensors").items()}
        for value, word in ((float("nan"), "NaN"), (-1.0, "negative"), (float("inf"), "infinite")):
            values = [1.0] * 500
            values[41] = value
            st.write(self.root / "f.safetensors", {**tensors, "half": st.floats(values)})
            self.fails(USAGE, "sparsify", "full", self.root / "f.safetensors", "--density", "1%", "--by", "fisher", "--name", "n", says=("element 41 of half", word))
        st.write(self.root / "f.safetensors", {**tensors, "half": st.floats([1.0] * 499)})
        self.fails(USAGE, "sparsify", "full", self.root / "f.safetensors", "--density", "1%", "--by", "fisher", "--name", "n", says="shape")

    def test_weights_that_are_no_numbers_are_kept_first(self):
        tensors = st.read(self.full / "model.safetensors")
        data = bytearray(tensors["layer.1.weight"].data)
        data[400:404] = struct.pack("<f", float("inf"))
        data[800:804] = b"\x01\x00\xc0\x7f"
        tensors["layer.1.weight"] = st.Tensor("F32", [40, 50], data)
        st.write(self.full / "model.safetensors", tensors, {"format": "pt"})
        self.ok("commit", self.full, "--base", "base", "--name", "broken", "-m", "x")
        result = self.ok("sparsify", "broken", "--density", "0.05%", "--name", "sparse")
        self.assertIn("2 changed weights are NaN or infinite", result.text)
        now = st.read(self.checkout("sparse", "out") / "model.safetensors")["layer.1.weight"].data
        self.assertEqual((now[400:404], now[800:804]), (bytes(data[400:404]), bytes(data[800:804])))
        self.assertEqual(self.differences("sparse", "again"), 3)

    def test_an_untrusted_task_is_refused(self):
        stranger = self.environment(DSTORE_CONFIG_HOME=str(self.root / "stranger"))
        self.assertEqual(self.run_plain("key", "new", env=stranger).code, DONE)
        self.fails(UNTRUSTED, "sparsify", "full", "--density", "1%", "--name", "n", env=stranger, says="SHA256:")
        self.fails(NOT_FOUND, "show", "n")

    def test_files_that_may_not_grow_leave_everything_as_it_was(self):
        refused = 0
        before = self.ok("branch", "--json").json
        for size in (0, 100, 300, 600, 1000, 2000, 3000, 4000, 100_000):
            limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            result = self.run_in("sparsify", "full", "--density", "10%", preexec_fn=limit)
            if result.code == DONE:
                break
            self.check_error(result, IO)
            self.assertEqual(self.ok("branch", "--json").json, before)
            self.assertEqual(list((self.repo / ".dstore" / "tmp").iterdir()), [], str(result))
            refused += 1
        self.assertGreater(refused, 3)
        self.assert_verifies()


class StoppedTest(killed_test.Stopped):
    ELEMENTS = 300_000

    def test_stopped_at_any_moment_the_branch_is_old_or_new(self):
        full = {name: tuned(self.rng, st.Tensor("F32", [self.ELEMENTS], bytes(4 * self.ELEMENTS))) for name in ("a", "b")}
        zero = {name: st.Tensor("F32", [self.ELEMENTS], bytes(4 * self.ELEMENTS)) for name in full}
        st.write(self.base / "model.safetensors", zero)
        st.write(self.task / "model.safetensors", full)
        self.ok("import", self.base, "--name", "base")
        self.ok("commit", self.task, "--base", "base", "--name", "full", "-m", "x")
        for number in (signal.SIGINT, signal.SIGKILL):
            for turn, moment in enumerate(self.moments("sparsify", "full", "--density", "2%", "--name", f"first{int(number)}")[:10]):
                name = f"n{int(number)}-{turn}"
                result = self.stop_at(moment, number, "sparsify", "full", "--density", "1%", "--name", name)
                made = self.run_in("show", name, "--json").code == DONE
                if result.code == DONE:
                    self.assertTrue(made, str(result))
                elif result.code == INTERRUPTED:
                    self.assertFalse(made, str(result))
                    self.assertEqual(list((self.repo / ".dstore" / "tmp").iterdir()), [])
                if made:
                    self.assertEqual(self.ok("show", name, "--json").json["weights_changed"], 6000)
            self.assert_verifies()


@unittest.skipUnless(MODEL, "DSTORE_MINILM is not set")
class RealModelTest(Case):
    def test_half_a_percent_of_a_full_fine_tune(self):
        model = pathlib.Path(MODEL)
        task = self.root / "task"
        task.mkdir()
        base = st.read(model / "model.safetensors")
        pattern = bytes(self.rng.randrange(1, 128) if at % 4 == 0 else 0 for at in range(1 << 16))  # low bits of the mantissas
        full = {}
        for name, tensor in base.items():
            if tensor.dtype == "F32":
                size = len(tensor.data)
                mask = (pattern * (size // len(pattern) + 1))[:size]
                data = (int.from_bytes(tensor.data, "little") ^ int.from_bytes(mask, "little")).to_bytes(size, "little")
                tensor = st.Tensor("F32", tensor.shape, data)
            full[name] = tensor
        st.write(task / "model.safetensors", full, {"format": "pt"})
        self.run_plain("init", self.repo)
        self.ok("import", model, "--name", "minilm")
        self.ok("commit", task, "--base", "minilm", "--name", "full", "-m", "every weight")
        report = self.ok("sparsify", "full", "--density", "0.5%", "--name", "sparse", "--json").json
        elements = sum(st.elements(tensor.shape) for tensor in base.values() if tensor.dtype == "F32")
        k = elements * 5 // 1000
        self.assertEqual((report["elements"], report["changed"], report["kept"]), (elements, elements, k))
        now = st.read(self.checkout("sparse", "out") / "model.safetensors")
        count = 0
        for name, tensor in now.items():
            for block in range(0, len(tensor.data), 1024):
                if tensor.data[block:block + 1024] == base[name].data[block:block + 1024]:
                    continue
                for at in range(block, min(block + 1024, len(tensor.data)), 4):
                    if tensor.data[at:at + 4] != base[name].data[at:at + 4]:
                        self.assertEqual(tensor.data[at:at + 4], full[name].data[at:at + 4])
                        count += 1
        self.assertEqual(count, k)
        self.assertLess(report["stored_bytes"] * 100, report["full_bytes"])


if __name__ == "__main__":
    unittest.main()
