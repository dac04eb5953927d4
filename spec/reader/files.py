"""repository.md, Files of a revision: a commit's files, and those of base+task."""
import hashlib
from typing import Iterable, NamedTuple, Optional

from reader.basics import Problem, require
from reader.model import Model
from reader.objects import ADD, CONVERT, REMOVE, check_no_clash, read_file
from reader.safetensors import Header, index_file, new_header, parse_header, python_order, renamed_header

INDEX = "model.safetensors.index.json"


class ShardFile(NamedTuple):
    header: Header
    sha256: Optional[bytes]  # as a commit recorded it


class ModelFiles(NamedTuple):
    model: Model
    shards: dict  # path → ShardFile
    files: dict   # path → content

    def paths(self):
        return sorted([*self.shards, *self.files])

    def parts(self, path) -> Iterable[bytes]:
        """A file's content: for a shard, its header and then each tensor in the order of the offsets."""
        if path in self.files:
            yield self.files[path]
            return
        yield self.shards[path].header.raw
        for entry in self.shards[path].header.entries:
            yield self.model.bytes_of(entry.name)

    def write(self, path, out=None):
        """Checks a file against the recorded SHA-256, if there is one; gives its SHA-256."""
        digest = hashlib.sha256()
        for part in self.parts(path):
            digest.update(part)
            if out:
                out.write(part)
        recorded = self.shards[path].sha256 if path in self.shards else None
        require(recorded in (None, digest.digest()), f"{path}: not the recorded SHA-256")
        return digest.hexdigest()


def read_files(repository, commit, adapter=False):
    """Files of a revision, A commit: exactly those of its checkpoint, or of its adapter."""
    model = Model(repository, commit, adapter)
    shards = {}
    for shard in model.checkpoint.shards:
        try:
            header = parse_header(read_file(repository.store, shard.header))
            require(header.file_size() == shard.size, "header and size of the file contradict")
        except Problem as error:
            raise type(error)(f"{shard.path}: {error}") from None
        shards[shard.path] = ShardFile(header, shard.sha256)
    check_headers(shards, model)
    return ModelFiles(model, shards, {path: read_file(repository.store, id) for path, id in model.checkpoint.files})


def check_headers(shards, model):
    """objects.md, checkpoint: the headers list each tensor of the weights exactly once, with its dtype and shape."""
    names = set()
    for path, shard in shards.items():
        for name, dtype, shape, _, _ in shard.header.entries:
            require(name in model.sources and (dtype, shape) == model.dtype_and_shape(name),
                    f"{path}: {name!a} is another tensor in the weights")
            require(name not in names, f"{path}: {name!a} is in two files")
            names.add(name)
    require(names == set(model.sources), "a tensor of the weights is in no file")


def compose(base, task):
    """Files of a revision, base+task."""
    delta, model = task.model.delta, task.model
    require(delta is not None, "the second term is no task")
    require(base.model.delta is None, "the first term is a task")
    require(base.model.weights_id == delta.base,
            f"the task is for the weights {delta.base.hex()}, the base has {base.model.weights_id.hex()}")
    new_names = {change.base_name: change.name for change in delta.changes if change.base_name}
    gone = {change.name for change in delta.changes if change.operation in (ADD, REMOVE)} - set(new_names)

    # 1. The base's shards.
    converted = {change.name: model.dtype_and_shape(change.name) for change in delta.changes if change.operation == CONVERT}
    headers = {path: new_shard_header(shard.header, new_names, gone, converted) for path, shard in base.shards.items()}

    # 2. One more shard for new tensors.
    if model.added():
        added = new_header(python_order([(name, *model.dtype_and_shape(name)) for name in model.added()]), {"format": "pt"})
        if list(headers) == ["model.safetensors"]:
            headers = {"model-00001-of-00002.safetensors": headers["model.safetensors"], "model-00002-of-00002.safetensors": added}
        else:
            path, number = "model-added.safetensors", 2
            while path in headers:
                path, number = f"model-added-{number}.safetensors", number + 1
            headers[path] = added

    # 3. Side files.
    files = {path: content for path, content in {**base.files, **task.files}.items() if path != INDEX and path not in headers}

    # 4. The index.
    if list(headers) != ["model.safetensors"]:
        files[INDEX] = index_file(headers)

    check_no_clash([*headers, *files])
    recorded = {shard.header.raw: shard.sha256 for shard in task.shards.values()}
    shards = {path: ShardFile(header, recorded.get(header.raw)) for path, header in headers.items()}
    check_headers(shards, model)
    return ModelFiles(model, shards, files)


def new_shard_header(header, new_names, gone, converted):
    kept = [(new_names.get(entry.name, entry.name), entry.dtype, entry.shape) for entry in header.entries if entry.name not in gone]
    if len(kept) < len(header.entries) or any(name in converted for name, _, _ in kept):
        return new_header([(name, *converted.get(name, like)) for name, *like in kept], header.metadata)
    if any(entry.name in new_names for entry in header.entries):
        return renamed_header(header, new_names)
    return header
