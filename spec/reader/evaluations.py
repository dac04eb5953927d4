"""objects.md, evaluation."""
import math
from typing import NamedTuple, Optional

from reader.basics import check_keys, check_version, id_from_text, is_count, is_text, read_canonical, require

MAX_SIZE = 1 << 16
LIMIT = 2.0 ** 53


class Evaluation(NamedTuple):
    commit: Optional[bytes]
    commits: list
    metrics: dict


def shortest_decimal(value):
    """Of a number below 2^53: the digits of repr(), which are the fewest that read back, plain or with an exponent, whichever is shorter."""
    mantissa, _, exponent = f"{value!r}".partition("e")
    sign, mantissa = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent or 0)  # where it stands in the digits
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    if not digits:
        return sign + "0"
    if point <= 0:
        plain = "0." + "0" * -point + digits
    elif point >= len(digits):
        plain = digits + "0" * (point - len(digits))
    else:
        plain = digits[:point] + "." + digits[point:]
    power = point - 1
    scientific = digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + f"e{'-' if power < 0 else '+'}{abs(power):02}"
    return sign + (scientific if len(scientific) < len(plain) else plain)


def is_value(text):
    """The one form of a number."""
    try:
        value = float(text) if is_text(text) else math.nan
    except ValueError:
        return False
    return abs(value) < LIMIT and text != "-0" and shortest_decimal(value) == text


def parse_evaluation(content):
    require(len(content) <= MAX_SIZE, "an evaluation of more than 65,536 bytes")
    value = read_canonical(content)
    check_version(value)
    check_keys(value, ["commit", "commits", "data", "data_sha256", "environment", "evaluator", "metrics", "n", "revision", "split", "time", "v"],
               optional=["commit"])
    require(isinstance(value["commits"], list) and value["commits"], "commits")
    commits = [id_from_text(text, "commit") for text in value["commits"]]
    require(commits == sorted(set(commits)), "commits that are not sorted")
    commit = id_from_text(value["commit"], "commit") if "commit" in value else None
    require(commit is None or commit in commits, "a commit that is not among the commits")
    id_from_text(value["data_sha256"], "data_sha256")
    require(all(is_text(value[key]) for key in ("data", "evaluator", "revision", "split")) and value["revision"] and value["split"],
            "data, evaluator, revision or split")
    require(is_count(value["time"]) and is_count(value["n"]) and value["n"] > 0, "time or n")
    environment = value["environment"]
    require(isinstance(environment, dict) and all(is_text(text) for text in environment.values()), "environment")
    require(isinstance(value["metrics"], list) and value["metrics"], "metrics")
    metrics = {}
    for row in value["metrics"]:
        check_keys(row, ["metric", "value"])
        require(is_text(row["metric"]) and row["metric"] and row["metric"] not in metrics and is_value(row["value"]), "metrics")
        metrics[row["metric"]] = row["value"]
    return Evaluation(commit, commits, metrics)
