"""Exit status 0 if every pinned requirement (name==version, optionally a python_version marker) is installed. No network."""
import importlib.metadata
import re
import sys

LINE = re.compile(r'([\w.-]+)==([\w.]+)(?:; python_version (>=|<) "3\.(\d+)")?$')


def applies(comparison, minor):
    return comparison is None or (sys.version_info.minor >= int(minor)) == (comparison == ">=")


def missing(path):
    for line in open(path, encoding="utf-8"):
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, version, comparison, minor = LINE.match(line).groups()
        if not applies(comparison, minor):
            continue
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = None
        if found is None or found.split("+")[0] != version:
            yield f"{name} {version} (found: {found})"


if __name__ == "__main__":
    absent = [entry for path in sys.argv[1:] for entry in missing(path)]
    print("\n".join(absent))
    sys.exit(bool(absent))
