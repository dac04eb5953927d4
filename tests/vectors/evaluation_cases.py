"""evaluation objects, built from spec/objects.md alone."""
from text_cases import ID, OTHER, ZERO, text, without

ROW = {"metric": "accuracy", "value": "0.7512"}
ONE = {"commit": ID, "commits": [ID], "data": "test.tsv", "data_sha256": OTHER, "environment": {"device": "cpu"}, "evaluator": "Ada",
       "metrics": [ROW], "n": 5000, "revision": ID, "split": "test", "time": 1700000000, "v": 1}
COMPUTED = {**without(ONE, "commit"), "commits": [OTHER, ID], "revision": f"{OTHER}+0.5*{ID}"}


def one_with(**members):
    return text({**ONE, **members})


def of_value(value):
    return one_with(metrics=[{**ROW, "value": value}])


VALID = {
    "one": text(ONE), "computed": text(COMPUTED), "base-and-task": one_with(commits=[OTHER, ID], revision=f"{OTHER}+{ID}"),
    "metrics-in-order": one_with(metrics=[{"metric": name, "value": "1"} for name in ("b", "a", "\u00e9")]),
    "empty-texts": one_with(data="", evaluator="", environment={}), "time-0": one_with(time=0, n=1), "largest": one_with(time=2**53 - 1, n=2**53 - 1),
    **{f"value-{name}": of_value(value) for name, value in {
        "0": "0", "1": "1", "negative": "-0.25", "digits": "0.7512345678901234", "tie": "0.001", "exponent": "1e-04", "exponent-digits": "1.25e-05",
        "smallest": "5e-324", "thousand": "1000", "hundred-thousand": "1e+05", "whole": "123456", "largest": "9007199254740991",
        "half": "4503599627370495.5"}.items()},
    "64-kib": one_with(environment={"x": "y" * (65536 - len(one_with(environment={"x": ""})))}),
}
INVALID = {
    "object-empty": b"", "object-cut": text(ONE)[:-1], "object-long": text(ONE) + b"\n", "array": b"[]",
    "more-than-64-kib": one_with(environment={"x": "y" * (65537 - len(one_with(environment={"x": ""})))}),
    **{f"lacks-{key.replace('_', '-')}": text(without(ONE, key)) for key in ONE if key != "commit"}, "unknown-key": one_with(w=1),
    "commit-not-named": one_with(commit=OTHER), "commit-none": one_with(commit=ZERO), "commit-empty": one_with(commit=""),
    "commits-none": one_with(commits=[]), "commits-zero": text({**COMPUTED, "commits": [ZERO, ID]}), "commits-twice": one_with(commits=[ID, ID]),
    "commits-not-sorted": text({**COMPUTED, "commits": [ID, OTHER]}), "commits-text": one_with(commits=ID), "data-integer": one_with(data=1),
    "digest-none": one_with(data_sha256=ZERO), "digest-empty": one_with(data_sha256=""), "digest-in-capitals": one_with(data_sha256=OTHER.upper()),
    "environment-array": one_with(environment=[]), "environment-integer": one_with(environment={"batch": 64}), "evaluator-array": one_with(evaluator=[]),
    "metrics-none": one_with(metrics=[]), "metrics-object": one_with(metrics={}), "metric-twice": one_with(metrics=[ROW, ROW]),
    "metric-text": one_with(metrics=["x"]), "metric-unknown-key": one_with(metrics=[{**ROW, "n": 1}]), "metric-without-name": one_with(metrics=[{**ROW, "metric": ""}]),
    **{f"metric-lacks-{key}": one_with(metrics=[without(ROW, key)]) for key in ROW}, "value-integer": of_value(1),
    "n-0": one_with(n=0), "n-negative": one_with(n=-1), "n-text": one_with(n="1"), "revision-empty": one_with(revision=""), "split-empty": one_with(split=""),
    "time-negative": one_with(time=-1), "version-text": one_with(v="1"),
    **{f"value-{name}": of_value(value) for name, value in {
        "empty": "", "word": "high", "nan": "nan", "infinity": "inf", "minus-zero": "-0", "plus": "+1", "point-zero": "1.0", "no-whole": ".5", "no-fraction": "1.",
        "trailing-zero": "0.50", "leading-zero": "00.5", "too-many-digits": "0.75120000000000000001", "not-shortest": "0.1000000000000000055", "plain": "0.0001",
        "exponent-longer": "1e-03", "exponent-capital": "1E-04", "exponent-digit": "1e-4", "space": " 1", "percent": "75%", "2-to-53": "9007199254740992",
        "huge": "1e+300", "beyond": "1e+999", "hexadecimal": "0x1p-1", "underscore": "1_0"}.items()},
}
UNSUPPORTED = {"version-0": one_with(v=0), "version-2": one_with(v=2)}
