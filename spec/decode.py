#!/usr/bin/env python3
"""A second, independent reader of dstore repositories: plain Python 3.10 and the pages of this folder.

    python3 spec/decode.py REPOSITORY                       checks everything that is stored
    python3 spec/decode.py REPOSITORY REVISION              rebuilds and checks the files of a revision
    python3 spec/decode.py REPOSITORY REVISION -o FOLDER    and writes them into a new folder
    python3 spec/decode.py REPOSITORY TASK --adapter        the same for the adapter that TASK was committed from

Exit status: 0 all is well; 1 there are problems, one line each on the standard error; 2 wrong use.
The modules in reader/ follow the pages: basics and objects (objects.md), pack, lz4, xxh3 (pack.md), links, planes, byte_code, segment, refs (their own
pages), signatures, ed25519 (signatures.md), repository, files, safetensors, model (repository.md), revision (revisions.md)."""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from reader.basics import Problem, require  # noqa: E402
from reader.check import check_links, check_packs  # noqa: E402
from reader.files import compose, read_files  # noqa: E402
from reader.repository import Repository  # noqa: E402
from reader.revision import parse_revision, resolve_term  # noqa: E402


def check_everything(repository):
    problems = repository.problems + check_packs(repository.store) + repository.store.links.check() + check_links(repository)
    problems += [problem for each in repository.signature_problems.values() for problem in each]
    store = repository.store
    records = [row for pack in store.packs for row in pack.rows]
    kinds = {kind: len(store.ids(kind)) for kind in sorted({store.kind(id) for id in store.places})}
    raw, stored = sum(row.raw for row in records), sum(row.stored for row in records)
    print(f"{len(store.packs)} packs, {len(records)} records, {raw} bytes in {stored}")
    print("objects: " + (", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"))
    print(f"commits: {len(store.ids('commit'))}, {sum(id in repository.signers for id in store.ids('commit'))} of them well signed")
    if store.ids("evaluation"):
        print(f"evaluations: {len(store.ids('evaluation'))}, {sum(id in repository.signers for id in store.ids('evaluation'))} of them well signed")
    for name, entries in sorted(repository.refs.items()):
        last = entries[-1]
        print(f"{last.kind} {name}: {last.new.hex() if last.new else 'deleted'}, entry {last.sequence}, {last.signer or 'unsigned'}")
    return problems


def check_signed(repository, id):
    """signatures.md: one correct signature suffices; none at all is unsigned; only broken ones are a problem."""
    if id in repository.signers:
        return ", ".join(repository.signers[id])
    problems = repository.signature_problems.get(id)
    require(not problems, f"commit {id.hex()}: {problems[0] if problems else ''}")
    return "unsigned"


def files_of(repository, text, adapter):
    files = None
    for term in parse_revision(text):
        id = resolve_term(repository, term)
        commit = repository.read("commit", id)
        print(f"commit {id.hex()}: {check_signed(repository, id)}")
        if commit.base:
            check_signed(repository, commit.base)
        require(not adapter or commit.adapter and not files, f"{text}: not one task that was committed from an adapter")
        its_files = read_files(repository, commit, adapter)
        files = compose(files, its_files) if files else its_files
    return files


def rebuild(repository, text, folder, adapter):
    files = files_of(repository, text, adapter)
    print(f"weights {files.model.weights_id.hex()}, {len(files.model.sources)} tensors")
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        require(not any(folder.iterdir()), f"{folder} is not empty")
    for path in files.paths():
        if folder:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            with open(folder / path, "xb") as out:
                digest = files.write(path, out)
        else:
            digest = files.write(path)
        print(f"{digest}  {path}")


def main():
    parser = argparse.ArgumentParser(description="An independent reader of dstore repositories.")
    parser.add_argument("repository")
    parser.add_argument("revision", nargs="?")
    parser.add_argument("-o", dest="folder", type=pathlib.Path, help="where to write the files of the revision: a new folder")
    parser.add_argument("--adapter", action="store_true", help="the files of the adapter that the task was committed from")
    parser.add_argument("--no-checksums", action="store_true", help="faster: skip the XXH3 checksums, whose bytes a SHA-256 id proves too")
    arguments = parser.parse_args()
    if arguments.folder and not arguments.revision:
        parser.error("-o needs a revision")
    problems = []
    try:
        repository = Repository(arguments.repository, checksums=not arguments.no_checksums)
        if arguments.revision:
            rebuild(repository, arguments.revision, arguments.folder, arguments.adapter)
        else:
            problems = check_everything(repository)
    except (Problem, OSError) as error:
        problems = [str(error)]
    for problem in problems:
        print(f"decode.py: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
