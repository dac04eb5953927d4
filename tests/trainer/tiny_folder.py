"""A tiny BERT as a folder, and tables of texts whose class is their first word: for tests that run the programs."""
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from transformers import BertConfig, BertModel
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
WORDS = "red green blue small large old new cat dog tree house runs sleeps grows stands here there now".split()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(*path, mode="r"):
    with open(os.path.join(*path), mode, encoding=None if "b" in mode else "utf-8") as file:
        return file.read()


def make_models(root):
    """Folders of one model in fp32 and in bf16."""
    torch.manual_seed(1)
    config = BertConfig(vocab_size=5 + len(WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                        intermediate_size=48, max_position_embeddings=32)
    model = BertModel(config)
    folders = []
    for name, dtype in (("base", torch.float32), ("narrow", torch.bfloat16)):
        folder = os.path.join(root, name)
        model.to(dtype).save_pretrained(folder)
        write(os.path.join(folder, "vocab.txt"), "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS) + "\n")
        write(os.path.join(folder, "tokenizer_config.json"), '{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}')
        folders.append(folder)
    return folders


def make_tables(root):
    """{split: path of a TSV with labels}; beside each one SPLIT-values.tsv with numbers."""
    torch.manual_seed(2)
    tables = {}
    for split, count in (("train", 160), ("dev", 40), ("test", 60)):
        rows, values = ["text\tlabel"], ["text\tlabel"]
        for _ in range(count):
            words = [WORDS[int(i)] for i in torch.randint(0, len(WORDS), (int(torch.randint(3, 9, ())),))]
            colour = WORDS[int(torch.randint(0, 3, ()))]
            rows.append(f"{colour} {' '.join(words)}\tis-{colour}")
            values.append(f"{colour} {' '.join(words)}\t{WORDS.index(colour) * 0.75}")
        tables[split] = os.path.join(root, split + ".tsv")
        write(tables[split], "\n".join(rows) + "\n")
        write(os.path.join(root, split + "-values.tsv"), "\n".join(values) + "\n")
    return tables
