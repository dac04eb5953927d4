"""links.md: files outside a repository whose bytes are chunks of it."""
import hashlib
import re
from typing import NamedTuple

from reader.basics import Corrupt, Fields, Problem, list_folder, object_id, read_small_file, require

MAX_LINK = 2**30
MAX_PATH = 4096
MAX_CHUNK = 2**22


class Place(NamedTuple):
    """Where a chunk's bytes are."""
    path: bytes
    offset: int
    size: int


def parse_link(content):
    """{chunk's id: place}."""
    fields = Fields(content)
    fields.expect(b"DSTORELK", "magic")
    fields.version(4)
    path_size = fields.u32()
    require(1 <= path_size <= MAX_PATH, "size of the path")
    size = fields.u64()
    fields.take(16)
    count = fields.u64()
    fields.id(none_is_legal=True)
    path = bytes(fields.take(path_size))
    require(path.startswith(b"/") and b"\0" not in path, "the path is not absolute")
    require(count >= 1 and count * 48 == len(content) - fields.at, "count and size of the link contradict")
    places, last = {}, None
    for _ in range(count):
        id = bytes(fields.take(32))
        place = Place(path, fields.u64(), fields.u64())
        require(last is None or last < id, "the ids are not in order, each once")
        require(1 <= place.size <= MAX_CHUNK and place.offset + place.size <= size, "a chunk reaches beyond the file")
        places[id] = place
        last = id
    return places


class Links:
    """All links of `links/`. Every chunk is hashed when it is read."""

    def __init__(self, folder):
        self.places, self.problems = {}, []
        for name in list_folder(folder):
            if not re.fullmatch(r"[0-9a-f]{64}", name):
                continue
            try:
                content = read_small_file(folder / name, MAX_LINK)
                require(hashlib.sha256(content).hexdigest() == name, "the digest is not the link's name")
                for id, place in parse_link(content).items():
                    self.places.setdefault(id, []).append(place)
            except Problem as error:
                self.problems.append(f"link {name}: {error}")

    def has(self, id):
        return id in self.places

    def size(self, id):
        return self.places[id][0].size

    def read(self, id):
        for path, offset, size in self.places[id]:
            try:
                with open(path, "rb") as file:
                    file.seek(offset)
                    content = file.read(size)
            except OSError:
                continue
            if len(content) == size and object_id("chunk", content) == id:
                return content
        raise Corrupt(f"chunk {id.hex()}: not in the linked file {self.places[id][0].path!r} any more")

    def check(self):
        """Problems of all linked chunks, one line each."""
        problems = []
        for id in self.places:
            try:
                self.read(id)
            except Problem as error:
                problems.append(str(error))
        return problems
