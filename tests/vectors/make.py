"""Adds the vectors of new cases to spec/vectors and to its manifest: valid ones by make_valid (make_valid.cc) and by_hand.py, invalid ones by
mutations.py and by_hand.py. What is there is never changed: a case whose bytes would differ is left as it is, and named.

    python3 tests/vectors/make.py build/PRESET/tests/make_valid_vectors
"""
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import by_hand
from mutations import MUTATIONS

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"


def add(name, content):
    """Whether the file is, or is now, exactly this."""
    path = VECTORS / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if path.read_bytes() == content:
        return True
    print(f"{name}: kept as it is, though it would be made differently now", file=sys.stderr)
    return False


def valid_by_library(program):
    """Names of bases and segments get the folder's name in front."""
    with tempfile.TemporaryDirectory() as folder:
        lines = subprocess.run([program, folder], check=True, capture_output=True, text=True).stdout.splitlines()
        for row in map(json.loads, lines):
            pieces = [{**piece, "base": "valid/" + piece["base"]} for piece in row["pieces"]]
            names = [row["segment"], *(piece["base"] for piece in row["pieces"])]
            yield "valid/" + row["segment"], pieces, {"valid/" + name: (Path(folder) / name).read_bytes() for name in names}


def valid_by_hand():
    for name, make in by_hand.VALID.items():
        pattern, count, task, content = make()
        piece = {"base": f"valid/{name}.base", "bytes": count, "task_sha256": hashlib.sha256(task).hexdigest()}
        yield f"valid/{name}.segment", [piece], {f"valid/{name}.segment": content, f"valid/{name}.base": pattern}


def invalid(valid):
    """`valid`: the rows of the manifest by segment."""
    for name, source, change, verdict in MUTATIONS:
        row = valid[f"valid/{source}.segment"]
        pieces = [{"base": piece["base"], "bytes": piece["bytes"]} for piece in row["pieces"]]
        content = change((VECTORS / row["segment"]).read_bytes())
        yield f"invalid/{name}.segment", pieces, verdict, {f"invalid/{name}.segment": content}
    for name, make in by_hand.INVALID.items():
        pattern, count, _, content = make()
        files = {f"invalid/{name}.segment": content, f"invalid/{name}.base": pattern}
        yield f"invalid/{name}.segment", [{"base": f"invalid/{name}.base", "bytes": count}], "corrupt", files


def main():
    path = VECTORS / "manifest.json"
    old = json.loads(path.read_text()) if path.exists() else {"valid": [], "invalid": []}
    rows = {kind: {row["segment"]: row for row in old[kind]} for kind in ("valid", "invalid")}
    for segment, pieces, files in [*valid_by_library(sys.argv[1]), *valid_by_hand()]:
        if segment in rows["valid"] and rows["valid"][segment]["pieces"] != pieces:
            print(f"{segment}: its row of the manifest is kept", file=sys.stderr)
        elif all([add(*file) for file in files.items()]):
            rows["valid"][segment] = {"segment": segment, "pieces": pieces}
    for segment, pieces, verdict, files in invalid(rows["valid"]):
        if all([add(*file) for file in files.items()]):
            rows["invalid"].setdefault(segment, {"segment": segment, "error": verdict, "pieces": pieces})
    lines = [f' "{kind}": [\n' + ",\n".join("  " + json.dumps(row) for _, row in sorted(rows[kind].items())) + "\n ]" for kind in rows]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
