"""A BERT of two layers with random weights, as a checkpoint folder, and tables of texts that it can learn: plain Python."""
import json
import math
import struct

import safetensors_file as st

WORDS = "red green blue small large old new cat dog tree house runs sleeps grows stands here there now".split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
HIDDEN, LAYERS, INNER, POSITIONS = 16, 2, 24, 24


def normal(rng, *shape):
    return st.floats([rng.gauss(0, 0.3) for _ in range(math.prod(shape))], list(shape))


def constant(value, *shape):
    return st.Tensor("F32", list(shape), struct.pack("<f", value) * math.prod(shape))


def tensors(rng):
    out = {"embeddings.word_embeddings.weight": normal(rng, len(SPECIAL) + len(WORDS), HIDDEN),
           "embeddings.position_embeddings.weight": normal(rng, POSITIONS, HIDDEN),
           "embeddings.token_type_embeddings.weight": normal(rng, 2, HIDDEN)}

    def norm(name):
        out[name + ".weight"], out[name + ".bias"] = constant(1, HIDDEN), constant(0, HIDDEN)

    def linear(name, rows, columns):
        out[name + ".weight"], out[name + ".bias"] = normal(rng, rows, columns), constant(0, rows)

    norm("embeddings.LayerNorm")
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            linear(f"{name}attention.self.{part}", HIDDEN, HIDDEN)
        linear(name + "attention.output.dense", HIDDEN, HIDDEN)
        norm(name + "attention.output.LayerNorm")
        linear(name + "intermediate.dense", INNER, HIDDEN)
        linear(name + "output.dense", HIDDEN, INNER)
        norm(name + "output.LayerNorm")
    linear("pooler.dense", HIDDEN, HIDDEN)
    return out


def write_model(rng, folder):
    st.write(folder / "model.safetensors", tensors(rng), {"format": "pt"})
    config = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": len(SPECIAL) + len(WORDS), "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
              "num_attention_heads": 4, "intermediate_size": INNER, "max_position_embeddings": POSITIONS, "type_vocab_size": 2, "hidden_act": "gelu",
              "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(SPECIAL + WORDS) + "\n")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}')
    return folder


def write_table(rng, path, count):
    """Texts that begin with a colour, which is their label."""
    rows = ["text\tlabel"]
    for _ in range(count):
        colour = rng.choice(WORDS[:3])
        rows.append(f"{colour} {' '.join(rng.choices(WORDS[3:], k=rng.randint(2, 7)))}\tis-{colour}")
    path.write_text("\n".join(rows) + "\n")
    return path
