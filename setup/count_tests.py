"""Print "N passed, N failed[, N skipped]" for ctest's JUnit reports: count_tests.py [--passed N] [--failed N] REPORT...

--passed and --failed add checks that ctest did not run.
A ctest entry is a whole program; where its output ends in Catch2's or unittest's own summary, the cases are counted instead.
"""
import argparse
import re
import sys
import xml.etree.ElementTree as xml

CATCH_ALL = re.compile(r"All tests passed \(\d+ assertions? in (\d+) test cases?\)")
CATCH_SOME = re.compile(r"test cases:\s*(\d+)((?:\s*\|\s*\d+ [a-z ]+)*)")
UNITTEST = re.compile(r"Ran (\d+) tests? in .*?\n\n(OK|FAILED)(?: \((.*)\))?", re.S)


def of_catch(output):
    if found := CATCH_ALL.search(output):
        return int(found[1]), 0, 0
    if found := CATCH_SOME.search(output):
        part = {word.strip(): int(number) for number, word in re.findall(r"(\d+) ([a-z ]+)", found[2])}
        skipped = part.get("skipped", 0)
        failed = part.get("failed", 0)
        return int(found[1]) - failed - skipped, failed, skipped
    return None


def of_unittest(output):
    if not (found := UNITTEST.search(output)):
        return None
    part = {word: int(number) for word, number in re.findall(r"(\w+)=(\d+)", found[3] or "")}
    failed = part.get("failures", 0) + part.get("errors", 0)
    skipped = part.get("skipped", 0)
    return int(found[1]) - failed - skipped, failed, skipped


def count(case):
    """(passed, failed, skipped) of one ctest entry. A failing entry counts at least one failure."""
    status = case.get("status")
    if status in ("notrun", "disabled") or case.find("skipped") is not None:
        return 0, 0, 1
    output = case.findtext("system-out") or ""
    passed, failed, skipped = of_catch(output) or of_unittest(output) or (1 if status == "run" else 0, 0, 0)
    return passed, max(failed, 0 if status == "run" else 1), skipped


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--passed", type=int, default=0)
    parser.add_argument("--failed", type=int, default=0)
    parser.add_argument("reports", nargs="*")
    args = parser.parse_args()
    total = [args.passed, args.failed, 0]
    for path in args.reports:
        for case in xml.parse(path).getroot().iter("testcase"):
            total = [a + b for a, b in zip(total, count(case))]
    passed, failed, skipped = total
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return failed > 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
