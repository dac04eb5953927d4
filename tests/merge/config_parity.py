"""`dstore merge --config` beside mergekit 0.1.5: the same YAML through the program, and through mergekit's own configuration, its precedence
of parameters and its kernels.

    PYTHON config_parity.py      (DSTORE_BIN; PYTHON has torch, safetensors, PyYAML and mergekit)
"""
import re
import sys
import types
import unittest

# mergekit's configuration classes take these from modules with many dependencies. A model is a name here.
common, tokenizer = types.ModuleType("mergekit.common"), types.ModuleType("mergekit.tokenizer.config")
common.ModelReference = str
tokenizer.TokenizerConfig = dict
sys.modules.setdefault("mergekit.tokenizer", types.ModuleType("mergekit.tokenizer"))
sys.modules["mergekit.tokenizer.config"] = tokenizer

import torch  # noqa: E402
from mergekit.merge_methods import registry  # noqa: E402
from mergekit.merge_methods.base import TensorBatch, TensorGroup  # noqa: E402

sys.modules["mergekit.common"] = common
import parity_case  # noqa: E402
import yaml  # noqa: E402
from mergekit.config import ConfigReader, MergeConfiguration  # noqa: E402
from mergekit.parameter_resolver import resolve_parameters  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

LAYERS = 5
parity_case.SHAPES.clear()
parity_case.SHAPES.update({"model.embed_tokens.weight": [50, 32], "model.norm.weight": [32], "lm_head.weight": [50, 32]})
for layer in range(LAYERS):
    parity_case.SHAPES.update({f"model.layers.{layer}.self_attn.q_proj.weight": [32, 32], f"model.layers.{layer}.mlp.up_proj.weight": [64, 32]})

GRADIENTS = """
merge_method: {method}
base_model: {label}-base
models:
  - model: {label}-a
    parameters:
      weight:
        - filter: self_attn
          value: [0, 0.5, 0.3, 0.7]
        - filter: mlp
          value: [1, 0.25]
        - value: 0.4
      density: [0.9, 0.5]
  - model: {label}-base
  - model: {label}-b
    parameters:
      weight: 0.3
  - model: {label}-c
parameters:
  weight: 0.2
  density: 0.6
  normalize: {normalize}
  int8_mask: true
  lambda:
    - filter: layers.1
      value: 0.5
    - value: 0.9
"""
SLICES = """
merge_method: task_arithmetic
base_model: {label}-base
slices:
  - sources:
      - {{model: {label}-base, layer_range: [0, 2]}}
      - {{model: {label}-a, layer_range: [0, 2], parameters: {{weight: [0.1, 0.9]}}}}
      - {{model: {label}-b, layer_range: [0, 2]}}
    parameters: {{weight: 0.35}}
  - sources:
      - {{model: {label}-base, layer_range: [2, 5]}}
      - {{model: {label}-a, layer_range: [2, 5]}}
      - {{model: {label}-b, layer_range: [2, 5], parameters: {{weight: -0.2}}}}
parameters: {{weight: 0.8}}
"""
LINEAR = """
merge_method: linear
models:
  - {{model: {label}-a, parameters: {{weight: [0.2, 0.8]}}}}
  - {{model: {label}-base, parameters: {{weight: 0.5}}}}
dtype: {dtype}
out_dtype: {out}
"""
SLERP = """
merge_method: slerp
base_model: {label}-a
models: [{{model: {label}-b}}, {{model: {label}-a}}]
parameters:
  t: [{{filter: self_attn, value: [0, 0.5, 0.3]}}, {{filter: mlp, value: 0.7}}, {{value: 0.5}}]
"""


class ConfigTest(parity_case.ParityCase):
    def place(self, config, name):
        """(slice, t) as mergekit plans them: embeddings with the first slice, what comes after the layers with the last, both at t = 0."""
        layer = re.search(r"layers\.(\d+)\.", name)
        if layer is None:
            return (config.slices[0 if "embed" in name else -1] if config.slices else None), 0.0
        number, first, end = int(layer[1]), 0, LAYERS
        if not config.slices:
            return None, number / (end - 1)
        for part in config.slices:
            first, end = part.sources[0].layer_range
            if first <= number < end:
                return part, 1.0 if end - first == 1 else (number - first) / (end - first - 1)
        raise AssertionError(name)

    def oracle(self, text, label, models):
        config = MergeConfiguration.model_validate(yaml.safe_load(text))
        if config.models:  # as MergePlanner.normalize_config: one slice of all layers
            sources = [{"model": m.model, "layer_range": [0, LAYERS], "parameters": m.parameters} for m in config.models]
            config = MergeConfiguration.model_validate({**config.model_dump(exclude={"models"}), "slices": [{"sources": sources}]})
        method, tensors = registry.get(config.merge_method), dict(zip((f"{label}-{name}" for name in ("base", "a", "b", "c")), models))
        out = {}
        for name in models[0]:
            part, t = self.place(config, name)
            order = [source.model for source in part.sources]
            if config.base_model and config.base_model not in order:
                order.append(config.base_model)
            shared, own = resolve_parameters(method.spec, tensor_name=name, inputs={model: name for model in order}, base_model=config.base_model, t=t,
                                             sources=ConfigReader(config=config, t=t, slice_out=part).parameter_sources)
            values = [tensors[model][name] if config.dtype is None else tensors[model][name].to(getattr(torch, config.dtype)) for model in order]
            out[name] = self.kernel(config, method, order, values, shared, own).to(models[0][name].dtype)
        return out

    @staticmethod
    def kernel(config, method, order, values, shared, own):
        if config.merge_method == "linear":
            weight = torch.tensor([[own[model]["weight"] for model in order]], dtype=torch.float64)
            return method.implementation(TensorBatch(tensors=tuple(v.unsqueeze(0) for v in values)), weight=weight, normalize=shared["normalize"])[0]
        if config.merge_method == "slerp":
            batch = TensorBatch(tensors=tuple(v.unsqueeze(0) for v in values), base_index=order.index(config.base_model))
            return method.implementation(batch, t=torch.tensor([shared["t"]], dtype=torch.float64))[0].reshape(values[0].shape)
        group = TensorGroup.from_tensors(values, ids=order, base_index=order.index(config.base_model))
        keys = {key for settings in own.values() for key in settings}
        return method.merge_group(group, **shared, **{key: {model: own[model][key] for model in own if key in own[model]} for key in keys})

    def check(self, label, text, names="abc", tolerance=0.0, left_out=None):
        (self.root / "merge.yml").write_text(text)
        models = self.store(label) if not hasattr(self, "models") else self.models
        self.models = models
        self.count = getattr(self, "count", 0) + 1
        self.ok("merge", "--config", self.root / "merge.yml", "--name", f"m{self.count}")
        result = load_file(self.checkout(f"m{self.count}", f"m{self.count}") / "model.safetensors")
        self.compare(models, names, result, self.oracle(text, label, models), tolerance, left_out)

    def test_gradients_filters_and_precedence(self):
        for normalize in ("false", "true"):
            self.check("f32", GRADIENTS.format(method="task_arithmetic", label="f32", normalize=normalize))

    def test_ties_by_layer(self):
        self.check("f32", GRADIENTS.format(method="ties", label="f32", normalize="true"), left_out=self.equal_magnitudes)

    @staticmethod
    def equal_magnitudes(base, tensors):
        """Elements with magnitudes that several differences of a model have: which of them are kept is the sort's business."""
        out = torch.zeros(base.shape, dtype=torch.bool)
        for tensor in tensors:
            size = (tensor - base).abs()
            values, counts = size.unique(return_counts=True)
            out |= torch.isin(size, values[(counts > 1) & (values != 0)])
        return out

    def test_slices(self):
        self.check("f32", SLICES.format(label="f32"), "ab")

    def test_linear_in_another_dtype(self):
        self.check("bf16", LINEAR.format(label="bf16", dtype="float32", out="bfloat16"), "a")

    def test_slerp(self):
        self.check("f32", SLERP.format(label="f32"), "ab", tolerance=8)


if __name__ == "__main__":
    unittest.main(verbosity=2)
