"""Programs with a mistake compiled in (libdiffstore/base/mutant.h): a test must fail with each, and pass without any.

    mutants.py FOLDER [MUTANT...]     FOLDER holds the test programs of a build with -DDSTORE_MUTANTS=ON
"""
import os
import pathlib
import subprocess
import sys
import time

SYNCS = [("durability", "[power]")]

# The mistake: the programs and test cases one of which must fail.
MUTANTS = {
    "pack-sync-skipped": SYNCS,
    "packs-folder-sync-skipped": SYNCS,
    "file-sync-skipped": SYNCS,
    "directory-sync-skipped": SYNCS,
    "ref-before-pack": [("durability", "[fault]")],
    "object-digest-unchecked": [("odb", "*")],
    "trailer-digest-unchecked": [("odb", "*")],
    "reuse-unread": [("odb", "*")],
    "old-sequence-accepted": [("odb", "*"), ("repo", "*")],
    "replaced-history-accepted": [("repo", "*")],
    "gc-without-second-look": [("odb", "*"), ("repo", "*")],
    "gc-ignores-leases": [("odb", "*"), ("repo", "*")],
    "gc-unlinks-before-copies-are-published": [("durability", "[fault]"), ("odb", "*")],
}


def passes(folder, program, cases, mutant=None):
    environment = {key: value for key, value in os.environ.items() if key != "DSTORE_MUTANT"}
    if mutant:
        environment["DSTORE_MUTANT"] = mutant
    done = subprocess.run([folder / f"{program}_test", cases, "--abort"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode == 0


def main():
    folder, chosen = pathlib.Path(sys.argv[1]), sys.argv[2:] or list(MUTANTS)
    tests = sorted({test for name in chosen for test in MUTANTS[name]})
    broken = [" ".join(test) for test in tests if not passes(folder, *test)]
    if broken:
        sys.exit("fails without any mistake: " + ", ".join(broken))
    survivors = []
    for name in chosen:
        start = time.monotonic()
        caught = next((program for program, cases in MUTANTS[name] if not passes(folder, program, cases, name)), None)
        print(f"{name}: {'caught by ' + caught if caught else 'NOT NOTICED'} ({time.monotonic() - start:.0f} s)", flush=True)
        if not caught:
            survivors.append(name)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} mistakes were noticed")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
