"""unicode_tables.inc is what make_unicode_tables.py writes with the version of `tokenizers` that it names; skipped with another."""
import subprocess
import sys

import live

live.need("tokenizers")
import tokenizers  # noqa: E402

HERE = live.ROOT / "trainer" / "text"


def main():
    stored = (HERE / "unicode_tables.inc").read_text(encoding="utf-8")
    if f"with tokenizers {tokenizers.__version__}:" not in stored.splitlines()[0]:
        print(f"skipped: {stored.splitlines()[0]} but here is {tokenizers.__version__}")
        sys.exit(live.SKIPPED)
    made = subprocess.run([sys.executable, HERE / "make_unicode_tables.py"], capture_output=True, text=True, encoding="utf-8", check=True).stdout
    for number, (a, b) in enumerate(zip(stored.splitlines(), made.splitlines()), 1):
        if a != b:
            sys.exit(f"unicode_tables.inc:{number}: {a}\nmake_unicode_tables.py: {b}")
    if stored != made:
        sys.exit("unicode_tables.inc has another length than what make_unicode_tables.py writes")
    print("equal,", len(stored.splitlines()), "lines")


main()
