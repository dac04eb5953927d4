"""Writes golden/: a small tokenizer.json and what the `tokenizers` package makes of texts.jsonl with it.

    .venv/bin/python tests/trainer_text/make_golden.py
"""
import json
import pathlib

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

HERE = pathlib.Path(__file__).resolve().parent
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def vocabulary(texts, normalizer, splitter):
    """Special tokens, every third word, and characters below U+3000 as first and as later pieces."""
    words = sorted({w for text in texts for w, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))})
    chars = sorted({c for word in words for c in word if ord(c) < 0x3000})
    tokens = SPECIAL + chars + ["##" + c for c in chars] + [w for w in words[::3] if len(w) > 1]
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def main():
    texts = [json.loads(line) for line in (HERE / "texts.jsonl").read_text(encoding="utf-8").splitlines()]
    normalizer, splitter = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer = Tokenizer(models.WordPiece(vocabulary(texts, normalizer, splitter), unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    folder = HERE / "golden"
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    cases = [{"max_length": 0, "input": text} for text in texts]
    cases += [{"max_length": 24, "input": list(pair)} for pair in zip(texts, texts[7:])]
    with open(folder / "expected.jsonl", "w", encoding="utf-8") as out:
        out.write(json.dumps({"tokenizers": tokenizers.__version__}) + "\n")
        for case in cases:
            tokenizer.no_truncation()
            if case["max_length"]:
                tokenizer.enable_truncation(case["max_length"])
            text = case["input"]
            encoding = tokenizer.encode(*text) if isinstance(text, list) else tokenizer.encode(text)
            out.write(json.dumps({**case, "ids": encoding.ids, "type_ids": encoding.type_ids}) + "\n")


main()
