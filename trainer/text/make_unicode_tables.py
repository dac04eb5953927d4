#!/usr/bin/env python3
"""Writes unicode_tables.inc: what the `tokenizers` package does with every code point, found by asking the package.

The package joins Unicode data of several versions (old categories, another release for decompositions and for lower
case), so no Unicode library reproduces it; tables taken from its behaviour do, on every machine alike.

    python trainer/text/make_unicode_tables.py > trainer/text/unicode_tables.inc
"""
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL = range(0xAC00, 0xD7A4)
# The numbers of UnicodeFlag in unicode.h.
CONTROL, SPACE, PUNCTUATION, NONSPACING, WORD, CJK = 1, 2, 4, 8, 16, 32


def bert(**on):
    settings = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    settings.update(on)
    return normalizers.BertNormalizer(**settings).normalize_str


def word_tester():
    """Whether a code point next to a single_word token hides that token."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "<m>": 1}, unk_token="[UNK]"))
    tokenizer.add_tokens([AddedToken("<m>", single_word=True, normalized=False)])
    return lambda text: 1 not in tokenizer.encode(text).ids


def flags():
    clean, strip = bert(clean_text=True), bert(strip_accents=True)
    nfd = normalizers.NFD().normalize_str
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    word, cjk = word_tester(), bert(handle_chinese_chars=True)
    for cp in CODE_POINTS:
        char, value = chr(cp), 0
        pieces = [piece for piece, _ in split("a" + char + "a")]
        value |= SPACE * (pieces == ["a", "a"])
        value |= PUNCTUATION * (pieces == ["a", char, "a"])
        value |= CONTROL * (clean(char) == "")
        value |= NONSPACING * (nfd(char) == char and strip(char) == "")
        value |= WORD * word(char + "<m>")
        value |= CJK * (cjk(char) == f" {char} ")
        if word(char + "<m>") != word("<m>" + char):
            raise SystemExit(f"U+{cp:04X} is a word character on one side only")
        yield cp, value


def ranges(pairs):
    out = []
    for cp, value in pairs:
        if not value:
            continue
        if out and out[-1][2] == value and out[-1][1] == cp - 1:
            out[-1][1] = cp
        else:
            out.append([cp, cp, value])
    return out


def combining_classes():
    """The order of marks, found by which of two neighbours swap; one known mark stands for each class."""
    nfd = normalizers.NFD().normalize_str
    first, last = "\u0334", "\u0345"  # classes 1 and 240, the lowest and the highest
    probes = {1: first}
    for cp in CODE_POINTS:
        if nfd(chr(cp) + first) == first + chr(cp):  # else the package's data are older than this mark
            probes.setdefault(unicodedata.combining(chr(cp)), chr(cp))
    for cp in CODE_POINTS:
        char = chr(cp)
        if nfd(char) != char or (nfd(char + first) == char + first and nfd(last + char) == last + char):
            yield cp, 0
        else:
            # The class of the highest probe that does not move before this character.
            yield cp, max(c for c, probe in probes.items() if nfd(probe + char) == probe + char)


def mappings(function, skip=()):
    for cp in CODE_POINTS:
        out = function(chr(cp))
        if cp not in skip and out != chr(cp):
            yield cp, out


def emit(kind, name, rows, per_line):
    rows = list(rows)
    print(f"inline constexpr {kind} {name}[] = {{")
    for i in range(0, len(rows), per_line):
        print("    " + " ".join(rows[i:i + per_line]))
    print("};")


def emit_mapping(name, pairs):
    """Rows {code point, offset, length} into one string of code points."""
    rows, text = [], ""
    for cp, out in pairs:
        rows.append(f"{{0x{cp:X}, {len(text)}, {len(out)}}},")
        text += out
    emit("Mapping", name, rows, 6)
    emit("char32_t", name + "Text", [f"0x{ord(c):X}," for c in text], 14)


def main():
    print(f"// Made by make_unicode_tables.py with tokenizers {tokenizers.__version__}: do not edit.")
    emit("FlagRange", "kFlags", [f"{{0x{a:X}, 0x{b:X}, {v}}}," for a, b, v in ranges(flags())], 6)
    emit("FlagRange", "kCombining", [f"{{0x{a:X}, 0x{b:X}, {v}}}," for a, b, v in ranges(combining_classes())], 6)
    emit_mapping("kLower", mappings(normalizers.Lowercase().normalize_str))
    emit_mapping("kDecompose", mappings(normalizers.NFD().normalize_str, HANGUL))


main()
