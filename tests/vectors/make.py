"""Adds the vectors of new cases to spec/vectors and to its manifest: valid ones by make_valid (make_valid.cc) and by the modules of this folder,
which build them from the pages alone. What is there is never changed: a case whose bytes would differ is left as it is, and named.

    python3 tests/vectors/make.py build/PRESET/tests/make_valid_vectors
"""
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import by_hand
from mutations import MUTATIONS  # and the path of the reader
from families import FAMILIES, REF_NAMES
from read_row import covered, files_of

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


def in_folder(folder, value, files):
    """The value with the folder's name in front of each name of a file."""
    if isinstance(value, dict):
        return {key: in_folder(folder, member, files) for key, member in value.items()}
    if isinstance(value, list):
        return [in_folder(folder, member, files) for member in value]
    return f"{folder}/{value}" if value in files else value


def by_library(program):
    with tempfile.TemporaryDirectory() as folder:
        lines = subprocess.run([program, folder], check=True, capture_output=True, text=True).stdout.splitlines()
        for row in map(json.loads, lines):
            yield row, {name: (Path(folder) / name).read_bytes() for name in files_of(row)}


def segments_by_hand():
    for cases, folder in ((by_hand.VALID, "valid"), (by_hand.INVALID, "invalid")):
        for name, make in cases.items():
            pattern, count, task, content = make()
            piece = {"base": f"{name}.base", "bytes": count}
            told = {"error": "corrupt", "pieces": [piece]}
            if folder == "valid":
                told = {"pieces": [{**piece, "task_sha256": hashlib.sha256(task).hexdigest()}]}
            yield {"segment": f"{name}.segment", **told}, {f"{name}.segment": content, f"{name}.base": pattern}


def mutated_segments(valid):
    """`valid`: the rows of the manifest by segment. Their bases stay where they are."""
    for name, source, change, verdict in MUTATIONS:
        row = valid[f"valid/{source}.segment"]
        pieces = [{"base": piece["base"], "bytes": piece["bytes"]} for piece in row["pieces"]]
        yield {"segment": f"{name}.segment", "error": verdict, "pieces": pieces}, {f"{name}.segment": change((VECTORS / row["segment"]).read_bytes())}


def add_rows(rows, cases):
    """`rows`: of the manifest, {folder: {first file: row}}."""
    for row, files in cases:
        folder = "invalid" if "error" in row else "valid"
        row = in_folder(folder, row, files)
        old = rows[folder].get(files_of(row)[0])
        if old not in (None, row):
            print(f"{files_of(row)[0]}: its row of the manifest is kept", file=sys.stderr)
        elif all([add(f"{folder}/{name}", content) for name, content in files.items()]):
            rows[folder][files_of(row)[0]] = row


def text_of(key, value):
    if isinstance(value, dict):
        lines = [f"  {json.dumps(name)}: {json.dumps(member)}" for name, member in value.items()]
    else:
        lines = ["  " + json.dumps(row) for row in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f' "{key}": {opening}\n' + ",\n".join(lines) + f"\n {closing}"


def main():
    path = VECTORS / "manifest.json"
    old = json.loads(path.read_text()) if path.exists() else {"valid": [], "invalid": []}
    rows = {folder: {files_of(row)[0]: row for row in old[folder]} for folder in ("valid", "invalid")}
    add_rows(rows, by_library(sys.argv[1]))
    add_rows(rows, segments_by_hand())
    add_rows(rows, mutated_segments(rows["valid"]))
    for family in FAMILIES:
        add_rows(rows, family())
    manifest = {folder: [row for _, row in sorted(rows[folder].items())] for folder in rows}
    manifest |= {"ref_names": REF_NAMES, "covered": covered(manifest["valid"])}
    path.write_text("{\n" + ",\n".join(text_of(*member) for member in manifest.items()) + "\n}\n")


if __name__ == "__main__":
    main()
