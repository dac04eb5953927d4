"""dstore merge --config: mergekit's YAML; what it asks for that dstore does not do is refused by file, line and name."""
import struct
import unittest

import safetensors_file as st
from sandbox import CONFLICT, NOT_FOUND, UNSUPPORTED, USAGE, Case, snapshot

PLAIN = """
merge_method: task_arithmetic
base_model: base
models:
  - {model: a, parameters: {weight: 0.5}}
  - {model: b, parameters: {weight: 0.25}}
"""
SLICES = """
merge_method: task_arithmetic
base_model: base
slices:
  - sources: [{model: a, layer_range: [0, 2]}, {model: b, layer_range: [0, 2]}]
  - sources: [{model: a, layer_range: [2, 3]}, {model: b, layer_range: [2, 3]}]
parameters: {weight: 0.5}
"""


def numbers(tensor):
    return list(struct.unpack(f"<{len(tensor.data) // 4}f", tensor.data))


class ConfigTest(Case):
    def setUp(self):
        super().setUp()
        self.tensors = {f"layers.{i}.weight": st.floats((self.rng.gauss(0, 1) for _ in range(64)), [8, 8]) for i in range(3)}
        self.tensors["embed_tokens.weight"] = st.floats((self.rng.gauss(0, 1) for _ in range(64)), [8, 8])
        self.write("base", self.tensors)
        self.run_plain("init", self.repo)
        self.ok("import", self.root / "base", "--name", "base")
        self.models = {}
        for name in "ab":
            self.models[name] = {key: st.floats((value + self.rng.gauss(0, 0.1) for value in numbers(tensor)), [8, 8]) for key, tensor in self.tensors.items()}
            self.write(name, self.models[name])
            self.ok("commit", self.root / name, "--base", "base", "--name", name, "-m", name)

    def write(self, name, tensors):
        st.write(self.root / name / "model.safetensors", tensors, {"format": "pt"})
        (self.root / name / "config.json").write_text("{}\n")

    def config(self, text):
        path = self.root / "merge.yml"
        path.write_text(text)
        return path

    def merge(self, text, *words):
        return "merge", "--config", self.config(text), "--name", "m", *words

    def refused(self, text, *says, code=USAGE):
        before = snapshot(self.repo / ".dstore" / "refs")
        self.fails(code, *self.merge(text), says=says)
        self.assertEqual(snapshot(self.repo / ".dstore" / "refs"), before)

    def test_it_is_the_same_merge_as_with_options(self):
        done = self.ok(*self.merge(PLAIN), "--json").json
        self.assertEqual(done["method"], "task_arithmetic")
        self.ok("merge", "a", "b", "--name", "n", "--method", "task_arithmetic", "--weights", "0.5,0.25")
        self.assertEqual(snapshot(self.checkout("m", "om")), snapshot(self.checkout("n", "on")))
        facts = self.ok("show", "m", "--json").json["training"]
        self.assertEqual((facts["merge_weight"], len(facts["merge_config_sha256"])), ("0.5,0.25", 64))

    def test_gradients_run_over_the_layers(self):
        self.ok(*self.merge(PLAIN.replace("0.5", "[0, 1]").replace("0.25", "[{filter: layers.1, value: 1}, {value: 0}]")))
        have = st.read(self.checkout("m", "out") / "model.safetensors")
        self.assertEqual(have["embed_tokens.weight"], self.tensors["embed_tokens.weight"])
        self.assertEqual(have["layers.0.weight"], self.tensors["layers.0.weight"])
        for name, share, other in (("layers.1.weight", 0.5, 1), ("layers.2.weight", 1, 0)):
            for base, a, b, new in zip(*(numbers(model[name]) for model in (self.tensors, self.models["a"], self.models["b"], have))):
                self.assertAlmostEqual(new, base + share * (a - base) + other * (b - base), places=6)

    def test_what_is_wrong_is_named_with_its_line(self):
        self.refused(PLAIN.replace("models:", "modells:"), "line 4", "did you mean models?")
        self.refused(PLAIN.replace("{weight: 0.5}", "{wieght: 0.5}"), "wieght", "did you mean weight?")
        self.refused(PLAIN.replace("task_arithmetic", "task_arithmatic"), "did you mean task_arithmetic?")
        self.refused(PLAIN.replace("0.5", "[0.5, x]"), '"x" is no finite number')
        self.refused(PLAIN.replace("0.5", "nan"), "no finite number")
        self.refused(PLAIN.replace("0.5", "{vlaue: 1}"), "did you mean value?")
        self.refused(PLAIN.replace("0.5", "[[1]]"), "expected one value")
        self.refused(PLAIN.replace("model: b", "model: a"), "listed twice")
        self.refused(PLAIN.replace("merge_method: task_arithmetic\n", ""), "merge_method is missing")
        self.refused("merge_method: linear\n", "no models")
        self.refused("merge_method: [linear\n", "line", "no YAML")
        self.refused("- linear\n", "expected keys with values")
        self.refused(PLAIN + "base_model: base\n", "twice")
        self.refused(PLAIN + "modules: {}\n", "modules: unknown key")
        self.refused("[" * 100000, "no YAML")
        self.refused(PLAIN.replace("model: b", "model: nowhere"), "nowhere", code=NOT_FOUND)
        self.refused(PLAIN.replace("base_model: base", "base_model: a"), "not the base of the tasks", code=CONFLICT)
        self.fails(NOT_FOUND, "merge", "--config", self.root / "absent.yml", "--name", "m", says="absent.yml")

    def test_options_beside_it(self):
        for words in (("a",), ("--method", "ties"), ("--weights", "1"), ("--set", "lambda=1"), ("--preset", "peft")):
            self.fails(USAGE, *self.merge(PLAIN), *words, says="leave")
        self.ok(*self.merge(PLAIN), "--seed", "3", "-m", "from a file")

    def test_layers_stay_where_they_are(self):
        self.ok(*self.merge(SLICES))
        self.refused(SLICES.replace("[2, 3]", "[1, 3]"), "layer 2 is due")
        self.refused(SLICES.replace("[0, 2]", "[0, 1]"), "layer 1 is due")
        self.refused(SLICES.replace("[2, 3]", "[2, 4]"), "4 layers, the base has 3")
        self.refused(SLICES.replace("{model: b, layer_range: [2, 3]}", "{model: c, layer_range: [2, 3]}"), "different models")
        self.refused(SLICES.replace("[2, 3]", "[3, 2]"), "expected [FIRST, END]")
        self.refused(SLICES.replace(", layer_range: [2, 3]", ""), "needs a layer_range")

    def test_dtypes(self):
        self.ok(*self.merge(PLAIN + "dtype: float32\n"))
        self.ok("merge", "--config", self.config(PLAIN + "dtype: float64\nout_dtype: float32\n"), "--name", "wide")
        self.refused(PLAIN + "dtype: bfloat16\n", "bfloat16", "tensor embed_tokens.weight is F32", code=UNSUPPORTED)
        self.refused(PLAIN + "dtype: bfloat16\nout_dtype: float32\n", "does not have all values", code=UNSUPPORTED)
        self.refused(PLAIN + "dtype: float128\n", "none of float16")

    def test_tokenizers_and_what_is_ignored(self):
        done = self.ok(*self.merge("tokenizer_source: base\nchat_template: auto\n" + PLAIN + "parameters: {density: 0.5, int8_mask: true}\n"))
        self.assertIn("chat_template auto is ignored", done.err)
        self.assertIn("parameter density is ignored", done.err)
        self.refused(PLAIN + "tokenizer_source: union\n", "union", "only \"base\"")
        self.refused(PLAIN + "tokenizer: {source: base, tokens: {}}\n", "unknown key")


if __name__ == "__main__":
    unittest.main()
