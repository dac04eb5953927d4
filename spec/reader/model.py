"""objects.md, delta, Applying: the weights of a commit, tensor by tensor."""
from typing import NamedTuple, Optional

from reader.basics import Problem, object_id, require
from reader.derived import converted, low_rank
from reader.objects import (ADD, CONVERT, DERIVED, LOW_RANK, Change, Tensor, apply_to_table, chunk_ids, read_chunks, tensor_content)
from reader.segment import apply_piece, parse_segment


class Source(NamedTuple):
    """Where a tensor's bytes come from: a stored tensor, and perhaps pieces upon it."""
    id: bytes
    stored: Tensor
    change: Optional[Change]


class Model:
    """The weights of a commit: `sources` has one Source for each tensor name."""

    def __init__(self, repository, commit, adapter=False):
        """With `adapter`, the weights of the commit's adapter instead: those of a base."""
        self.repository = repository
        self.checkpoint = repository.read("checkpoint", commit.adapter if adapter else commit.checkpoint)
        self.delta = repository.read("delta", commit.delta) if commit.delta and not adapter else None
        self.segments = {}
        self.weights_id = self.delta.result if self.delta else self.checkpoint.weights
        require(self.checkpoint.weights == self.weights_id, "the checkpoint names other weights than the result of its delta")
        if self.delta:
            self.sources = self.apply_delta()
        else:
            weights = repository.read("weights", self.weights_id)
            self.sources = {name: Source(id, repository.read("tensor", id), None) for name, id in weights.items()}

    def apply_delta(self):
        delta = self.delta
        base = self.repository.read("weights", delta.base)
        try:
            weights, origin = apply_to_table(delta, base)
        except Problem as error:
            raise type(error)(f"delta for the weights {delta.result.hex()}: {error}") from None
        modified = {change.name: change for change in delta.changes if change.operation in DERIVED}
        return {name: Source(id, self.repository.read("tensor", base[origin[name]] if name in origin else id), modified.get(name))
                for name, id in weights.items()}

    def dtype_and_shape(self, name):
        _, stored, change = self.sources[name]
        if change is None or change.operation != CONVERT:
            return stored.dtype, stored.shape
        return change.how.dtype, (change.how.rows, *stored.shape[1:]) if stored.shape else ()

    def added(self):
        return [change.name for change in self.delta.changes if change.operation == ADD]

    def bytes_of(self, name):
        """A tensor's bytes, which have its id."""
        id, stored, change = self.sources[name]
        content = read_chunks(self.repository.store, stored.chunks, stored.size())
        if change is None:
            return content
        last = -1
        try:
            if change.operation == CONVERT:
                stored, content = converted(name, stored, content, change.how)
            if change.operation == LOW_RANK:
                content = low_rank(name, stored, content, *self.factor(change.how.b), *self.factor(change.how.a), change.how.scale)
            content = bytearray(content)
            for piece in self.pieces_of(change):
                require(piece.dtype == stored.dtype, "a piece of another dtype")
                require(piece.first > last, "pieces that are not in the order of their place")
                last = piece.first
                apply_piece(piece, content, self.repository.checksums)
            result = Tensor(stored.dtype, stored.shape, chunk_ids(bytes(content)))
            require(object_id("tensor", tensor_content(result)) == id, "the pieces do not give the tensor that the delta names")
        except Problem as error:
            raise type(error)(f"tensor {name!a}: {error}") from None
        return bytes(content)

    def factor(self, id):
        tensor = self.repository.read("tensor", id)
        return tensor, read_chunks(self.repository.store, tensor.chunks, tensor.size())

    def pieces_of(self, change):
        segment, piece = change.segment, change.piece
        for number in range(change.pieces):
            if number > 0 and piece == len(self.segment(segment)):
                segment, piece = segment + 1, 0
            require(piece < len(self.segment(segment)), "a piece that is not there")
            yield self.segment(segment)[piece]
            piece += 1

    def segment(self, index):
        require(index < len(self.delta.segments), "a segment that is not there")
        id = self.delta.segments[index]
        if index not in self.segments:
            content = self.repository.store.read("segment", id)
            try:
                self.segments = {index: parse_segment(content, self.repository.checksums)}  # only the one in use is held
            except Problem as error:
                raise type(error)(f"segment {id.hex()}: {error}") from None
        return self.segments[index]
