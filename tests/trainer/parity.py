"""Compares the trainer with torch and transformers: logits, loss, every gradient, AdamW and schedules, step by step.

Usage: parity.py PARITY_DRIVER [MODEL_FOLDER]. Prints one line for each comparison; exits 1 if one is out of tolerance.
"""
import json
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForSequenceClassification, get_scheduler
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
DRIVER = sys.argv[1]
FAILED = []


def check(name, error, limit):
    print(f"{'ok  ' if error <= limit else 'FAIL'} {name}: {error:.2e} (limit {limit:.0e})")
    if not error <= limit:
        FAILED.append(name)


def relative(actual, expected):
    expected = expected.detach()
    return ((actual - expected).norm() / expected.norm().clamp_min(1e-30)).item()


def drive(*arguments):
    return subprocess.run([DRIVER, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


TASKS = {None: "classification", "single_label_classification": "classification", "regression": "regression",
         "multi_label_classification": "multi-label"}


def targets_of(config, rows):
    """Of the config's problem type, as transformers takes them."""
    if config.problem_type == "multi_label_classification":
        return torch.randint(0, 2, (rows, config.num_labels)).double()
    if config.problem_type == "regression":
        return torch.randn(rows, dtype=torch.float64)
    return torch.randint(0, config.num_labels, (rows,))


def batch(config, rows, width, full=False):
    ids = torch.randint(1, config.vocab_size, (rows, width))
    mask = torch.ones_like(ids)
    if not full:
        for i in range(1, rows):
            mask[i, torch.randint(1, width + 1, ()):] = 0
        mask[-1, 1:] = 0
    types = torch.zeros_like(ids) if config.type_vocab_size == 1 else torch.randint(0, 2, ids.shape)
    ids = torch.where(mask == 1, ids, config.pad_token_id)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types, "targets": targets_of(config, rows)}


def loss_of(problem_type, logits, targets):
    if problem_type == "multi_label_classification":
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
    if problem_type == "regression":
        return torch.nn.functional.mse_loss(logits.squeeze(-1), targets)
    return torch.nn.functional.cross_entropy(logits, targets)


def compare_model(name, model, folder, data, dtype, limits, dropout=0.0):
    """dtype bfloat16: fp32 values under torch.autocast, against the trainer's --precision bf16."""
    values = torch.float32 if dtype == torch.bfloat16 else dtype
    model = model.to(values).eval()
    model.zero_grad()
    inputs = {k: data[k] for k in ("input_ids", "attention_mask", "token_type_ids")}
    labels = data["targets"].to(values) if data["targets"].is_floating_point() else data["targets"]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        out = model(**inputs)
    out.logits = out.logits.to(values)
    out.loss = loss_of(model.config.problem_type, out.logits, labels)
    out.loss.backward()
    with tempfile.TemporaryDirectory() as work:
        source = os.path.join(work, "in")
        os.mkdir(source)
        save_file(data, os.path.join(source, "model.safetensors"))
        result = os.path.join(work, "out.safetensors")
        task = TASKS[model.config.problem_type]
        name_of = {torch.float64: "f64", torch.float32: "f32", torch.bfloat16: "bf16"}
        drive("model", folder, source, result, name_of[dtype], task, "first-token", dropout)
        ours = load_file(result)
    scale = out.logits.abs().max().item()
    check(f"{name} logits", (ours["logits"] - out.logits).abs().max().item() / scale, limits[0])
    check(f"{name} loss", abs(ours["loss"].item() - out.loss.item()) / abs(out.loss.item()), limits[0])
    total = sum(p.grad.norm() ** 2 for p in model.parameters()) ** 0.5
    worst, count, difference = 0.0, 0, 0.0
    for parameter, tensor in model.named_parameters():
        count += 1
        # A key bias shifts all scores of a query alike: its gradient is zero but for rounding, so the whole one is the scale.
        scale = total if parameter.endswith("key.bias") else tensor.grad.norm()
        error = (ours["grad." + parameter] - tensor.grad).norm() / scale
        worst = max(worst, error.item())
        difference += (ours["grad." + parameter] - tensor.grad).norm() ** 2
    assert count == sum(k.startswith("grad.") for k in ours)
    if dtype == torch.bfloat16:  # a tensor's own gradient can be small beside the rounding of what goes into it
        worst = (difference ** 0.5 / total).item()
    check(f"{name} gradients of {count} parameters", worst, limits[1])


def tiny_models():
    torch.manual_seed(7)
    cases = {
        "gelu, 3 labels": dict(num_labels=3),
        "gelu_new, odd sizes": dict(hidden_size=21, num_attention_heads=3, intermediate_size=29, hidden_act="gelu_new", num_labels=5),
        "relu, eps 1e-5, one layer": dict(hidden_act="relu", layer_norm_eps=1e-5, num_hidden_layers=1, num_labels=2),
        "silu, regression": dict(hidden_act="silu", num_labels=1, problem_type="regression"),
        "gelu, 6 labels at once": dict(num_labels=6, problem_type="multi_label_classification"),
    }
    for name, changes in cases.items():
        settings = dict(vocab_size=97, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                        max_position_embeddings=24, type_vocab_size=2, initializer_range=0.3)
        settings.update(changes)
        config = BertConfig(**settings)
        model = BertForSequenceClassification(config)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            for full in (False, True):
                data = batch(config, 5, 24, full)
                label = f"{name}{', no padding' if full else ''}"
                compare_model(label + ", fp32", model, folder, data, torch.float32, (1e-5, 1e-5))
                compare_model(label + ", fp64", model, folder, data, torch.float64, (1e-10, 1e-10))
                # A probability that never drops, yet takes the way of training through the attention.
                compare_model(label + ", fp32, attention of training", model, folder, data, torch.float32, (1e-5, 1e-5), 1e-9)
                # 2^-8 is a rounding to bf16; some of them add up, in large random weights more than in a trained model's.
                compare_model(label + ", bf16", model, folder, data, torch.bfloat16, (4e-2, 4e-2))
                compare_model(label + ", bf16, attention of training", model, folder, data, torch.bfloat16, (1e-1, 8e-2), 1e-9)
                model.to(torch.float32)


def real_model(folder):
    torch.manual_seed(8)
    model = BertForSequenceClassification.from_pretrained(folder, num_labels=4)
    with tempfile.TemporaryDirectory() as copy:
        model.save_pretrained(copy)
        compare_model("real model, fp32", model, copy, batch(model.config, 6, 40), torch.float32, (1e-5, 1e-5))
        compare_model("real model, fp64", model, copy, batch(model.config, 3, 17), torch.float64, (1e-10, 1e-10))
        compare_model("real model, bf16", model, copy, batch(model.config, 6, 40), torch.bfloat16, (2e-2, 2e-2))
        compare_model("real model, bf16, attention of training", model, copy, batch(model.config, 6, 40), torch.bfloat16, (2e-2, 2e-2), 1e-9)


def adamw():
    torch.manual_seed(9)
    for decay, clip, eps, betas in ((0.0, 0.0, 1e-8, (0.9, 0.999)), (0.1, 1.0, 1e-6, (0.9, 0.98))):
        x = torch.nn.Parameter(torch.randn(1003))
        data = {"x": x.detach().clone()}
        optimizer = torch.optim.AdamW([x], lr=1e-2, betas=betas, eps=eps, weight_decay=decay)
        expected = []
        for step in range(1, 31):
            gradient = torch.randn(1003) * 0.1 * step
            data[f"g{step}"] = gradient.clone()
            x.grad = gradient
            if clip:
                torch.nn.utils.clip_grad_norm_([x], clip)
            optimizer.step()
            expected.append(x.detach().clone())
        with tempfile.TemporaryDirectory() as work:
            os.mkdir(os.path.join(work, "in"))
            save_file(data, os.path.join(work, "in", "model.safetensors"))
            drive("adamw", os.path.join(work, "in"), os.path.join(work, "out"), 1e-2, *betas, eps, decay, clip)
            ours = load_file(os.path.join(work, "out"))
        worst = max(relative(ours[f"x{i + 1}"], e) for i, e in enumerate(expected))
        check(f"AdamW, decay {decay}, clip {clip}, 30 steps", worst, 1e-6)


def schedules():
    names = {"constant": ("constant_with_warmup", {}), "polynomial": ("polynomial", {"power": 1.0, "lr_end": 0.0}),
             "polynomial:2": ("polynomial", {"power": 2.0, "lr_end": 0.0}), "polynomial:0.5": ("polynomial", {"power": 0.5, "lr_end": 0.0})}
    for name in ("linear", "cosine", *names):
        for warmup, total in ((0, 10), (3, 20), (20, 20)):
            kind, more = names.get(name, (name, {}))
            if kind == "polynomial" and warmup == total:
                continue  # transformers divides by zero
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
            scheduler = get_scheduler(kind, optimizer, num_warmup_steps=warmup, num_training_steps=total, scheduler_specific_kwargs=more)
            ours = [float(line) for line in drive("schedule", name, warmup, total).split()]
            worst = 0.0
            for factor in ours:
                worst = max(worst, abs(factor - optimizer.param_groups[0]["lr"]))
                optimizer.step()
                scheduler.step()
            check(f"schedule {name}, warmup {warmup} of {total}", worst, 1e-12)


torch.set_num_threads(2)
schedules()
adamw()
tiny_models()
folder = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("DSTORE_MINILM")
if folder:
    real_model(folder)
print(json.dumps({"failed": FAILED, "torch": torch.__version__}))
sys.exit(1 if FAILED else 0)
