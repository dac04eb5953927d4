"""Rows of spec/vectors/manifest.json with the independent reader: what reading a row gives is the row itself, with the values that were found
in place of those that it tells."""
import hashlib
import sys
import tempfile
from pathlib import Path

SPEC = Path(__file__).resolve().parents[2] / "spec"
VECTORS = SPEC / "vectors"
sys.path.insert(0, str(SPEC))

from reader.basics import KINDS, Corrupt, Fields, Unsupported, Untrusted, object_id, require  # noqa: E402
from reader.byte_code import decode_bytes  # noqa: E402
from reader.files import compose, read_files  # noqa: E402
from reader.objects import DTYPES, PARSERS  # noqa: E402
from reader.pack import Pack  # noqa: E402
from reader.planes import decode_planes  # noqa: E402
from reader.refs import read_ref  # noqa: E402
from reader.repository import Repository  # noqa: E402
from reader.revision import parse_revision, resolve_term  # noqa: E402
from reader.safetensors import parse_header  # noqa: E402
from reader.segment import apply_block, parse_segment  # noqa: E402
from reader.signatures import COMMIT_NAMESPACE, check_signature  # noqa: E402

ERRORS = {"corrupt": Corrupt, "unsupported": Unsupported, "untrusted": Untrusted}


def content_of(name):
    return (VECTORS / name).read_bytes()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def files_of(row):
    """The files that a row names, the one that no other row is about first."""
    first = row[next(key for key in READERS if key in row)]
    names = [name for name in reversed(first) if name] if isinstance(first, list) else [first]
    return [*names, *(piece["base"] for piece in row.get("pieces", [])), *([row["signed"]] if "signed" in row else [])]


def base_of(piece):
    """The file's bytes, repeated."""
    pattern = content_of(piece["base"])
    return bytearray((pattern * (piece["bytes"] // len(pattern) + 1))[:piece["bytes"]])


def read_segment(row):
    """A base holds the piece alone, wherever in its tensor that is."""
    tasks = []
    for piece, facts in zip(parse_segment(content_of(row["segment"])), row["pieces"]):
        data, size = base_of(facts), piece.unit().size
        require(piece.count == len(data) // size, "a piece that does not fit its tensor")
        for number, block in enumerate(piece.blocks):
            if block:
                apply_block(piece, block, data, number * piece.block_units * size, True)
        tasks.append({**facts, "task_sha256": sha256(data)})
    return {"pieces": tasks}


def in_folder(names, contents):
    """A new folder with these files."""
    folder = tempfile.TemporaryDirectory()
    for name, content in zip(names, contents):
        (Path(folder.name) / name).write_bytes(content)
    return folder


def read_pack(row):
    name = row["name"] + ".pack"
    with in_folder([name], [content_of(row["pack"])]) as folder:
        pack = Pack(Path(folder) / name)
        return {"records": [{"kind": KINDS[each.kind], "id": object_id(KINDS[each.kind], pack.read(each, True)).hex(), "bytes": each.raw,
                             "codec": each.codec} for each in pack.rows]}


def read_object(row):
    content, kind = content_of(row["object"]), row["kind"]
    if kind != "signature":
        PARSERS[kind](content)
        return {"id": object_id(kind, content).hex()}
    fields = Fields(content)
    target = fields.id()
    signer = check_signature(fields.rest(), COMMIT_NAMESPACE, content_of(row["signed"]))
    return {"id": object_id(kind, content).hex(), "target": target.hex(), "signer": signer}


def read_entries(row):
    names = [(f"{number:010}", name) for number, name in enumerate(row["entries"], 1) if name]
    with in_folder([place for place, _ in names], [content_of(name) for _, name in names]) as folder:
        entries = read_ref(Path(folder), row["ref"], row["repository"])
    return {"digests": [entry.digest for entry in entries], "signers": [entry.signer or "" for entry in entries]}


def read_model(row):
    """The files of a revision, from a repository with these packs and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "packs").mkdir()
        (folder / "config").write_text('{"remotes":{},"repository":"%s","v":1}\n' % ("1" * 64))
        for name in row["packs"]:
            content = content_of(name)
            (folder / "packs" / f"{content[-32:].hex()}.pack").write_bytes(content)
        repository, files = Repository(folder), None
        for term in parse_revision(row["revision"]):
            its_files = read_files(repository, repository.read("commit", resolve_term(repository, term)))
            files = compose(files, its_files) if files else its_files
        return {"files": {path: files.write(path) for path in files.paths()}}


def read_header(row):
    header = parse_header(content_of(row["header"]))
    require(header.file_size() == row["bytes"], "header and size of the file contradict")
    return {"tensors": {entry.name: [DTYPES[entry.dtype][0], list(entry.shape), entry.begin, entry.end] for entry in header.entries}}


READERS = {
    "segment": read_segment, "byte_code": lambda row: {"sha256": sha256(decode_bytes(content_of(row["byte_code"]), row["bytes"]))},
    "planes": lambda row: {"sha256": sha256(decode_planes(content_of(row["planes"]), row["bytes"]))},
    "pack": read_pack, "object": read_object, "entries": read_entries, "packs": read_model, "header": read_header,
}


def read(row):
    return {**row, **READERS[next(key for key in READERS if key in row)](row)}


def covered(rows):
    """Which codes of the formats occur in these rows."""
    found = {key: set() for key in ("dtypes", "positions", "value_coders", "kinds", "codecs", "pack_versions", "objects", "operations")}
    for row in rows:
        if "segment" in row:
            for piece in parse_segment(content_of(row["segment"])):
                found["dtypes"].add(piece.dtype)
                found["positions"] |= {block.code for block in piece.blocks if block}
                found["value_coders"] |= {block.coder for block in piece.blocks if block}
        for record in row.get("records", []):
            found["kinds"].add(record["kind"])
            found["codecs"].add(record["codec"])
        if "pack" in row:
            found["pack_versions"].add(content_of(row["pack"])[8])
        if "object" in row:
            found["objects"].add(row["kind"])
        if row.get("kind") == "delta":
            found["operations"] |= {change.operation for change in PARSERS["delta"](content_of(row["object"])).changes}
    return {key: sorted(codes) for key, codes in found.items()}
