"""Checks a whole repository: every pack, object, ref and signature, and that whatever an object names is there."""
from reader.basics import KINDS, Problem, require
from reader.files import ShardFile, check_headers
from reader.model import Model
from reader.objects import ADD, CHUNK, LOW_RANK, PARSERS, chunk_sizes, read_file
from reader.safetensors import parse_header
from reader.segment import parse_segment, read_positions


def check_packs(store):
    """pack.md, Reading an object, for every record of every pack; then every object's own format."""
    problems = []
    for pack in store.packs:
        for row in pack.rows:
            name = f"{KINDS[row.kind]} {row.id.hex()}"
            try:
                check_content(KINDS[row.kind], pack.read(row, store.checksums), store.checksums)
            except Problem as error:
                problems.append(f"pack {pack.name}, offset {row.offset}: {name}: {error}")
    return problems


def check_content(kind, content, checksums):
    if kind == "chunk":
        require(1 <= len(content) <= CHUNK, "size of a chunk")
    elif kind == "segment":
        for piece in parse_segment(content, checksums):
            for block in piece.blocks:
                if block:
                    read_positions(block)
    elif kind in PARSERS:
        PARSERS[kind](content)


def check_links(repository):
    """objects.md, Ids: what an object names is there, and fits. Broken objects have been told already."""
    problems = []

    def each(kind, check):
        for id in repository.store.ids(kind):
            try:
                value = repository.read(kind, id)
            except Problem:
                continue
            try:
                check(id, value)
            except Problem as error:
                problems.append(f"{kind} {id.hex()}: {error}")
    store = repository.store
    without_base = set()  # deltas whose base is forgotten
    each("tensor", lambda _, tensor: check_chunks(store, tensor.chunks, tensor.size(), repository.without_base))
    each("file", lambda _, file: check_chunks(store, file[1], file[0]))
    each("weights", lambda _, weights: check_there(store, "tensor", weights.values()))
    each("commit", lambda _, commit: without_base.add(commit.delta) if commit.base in repository.forgotten else None)
    each("delta", lambda id, delta: check_delta(store, delta, id not in without_base))
    each("commit", lambda id, commit: check_commit(repository, id, commit))
    for name, entries in repository.refs.items():
        if entries[-1].new and store.kind(entries[-1].new) != "commit" and entries[-1].new not in repository.forgotten:
            problems.append(f"ref {name}: the commit {entries[-1].new.hex()} is not in the store")
    return problems


def check_there(store, kind, ids):
    for id in ids:
        require(store.kind(id) == kind, f"{kind} {id.hex()} is not in the store")


def check_chunks(store, chunks, size, may_lack=False):
    """`may_lack`: a repository without base has tensors without their chunks (repository.md)."""
    if not may_lack:
        check_there(store, "chunk", chunks)
    for id, expected in zip(chunks, chunk_sizes(size)):
        if store.kind(id) is None:
            continue
        require(store.size(id) == expected, f"chunk {id.hex()} has {store.size(id)} bytes, not {expected}")


def check_delta(store, delta, with_base):
    check_there(store, "weights", [delta.base] if with_base else [])
    check_there(store, "segment", delta.segments)
    check_there(store, "tensor", [change.tensor for change in delta.changes if change.operation == ADD])
    check_there(store, "tensor", [id for change in delta.changes if change.operation == LOW_RANK for id in (change.how.b, change.how.a)])


def check_commit(repository, id, commit):
    """Also: delta and checkpoint agree, the delta gives the result's table, and the headers list these tensors."""
    store = repository.store
    named = [*commit.parents, *commit.derived_from, *([commit.base] if commit.base else [])]
    check_there(store, "commit", [other for other in named if other not in repository.forgotten])
    if id in repository.forgotten or commit.base in repository.forgotten:
        return
    check_files(store, Model(repository, commit))
    if commit.adapter:
        adapter = Model(repository, commit, adapter=True)
        check_there(store, "weights", [adapter.weights_id])
        check_files(store, adapter)


def check_files(store, model):
    check_there(store, "file", [id for _, id in model.checkpoint.files])
    shards = {shard.path: ShardFile(parse_header(read_file(store, shard.header)), None) for shard in model.checkpoint.shards}
    for shard in model.checkpoint.shards:
        require(shards[shard.path].header.file_size() == shard.size, f"{shard.path}: header and size of the file contradict")
    check_headers(shards, model)
