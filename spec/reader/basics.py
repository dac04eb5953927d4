"""README.md (Conventions), objects.md (Ids, Canonical JSON): what all pages share."""
import hashlib
import json
import os
import re
import stat
import struct

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 16
NO_ID = bytes(32)


class Problem(Exception):
    """Something that a reader must not use: one line of text."""


class Corrupt(Problem):
    """MUST reject."""


class Unsupported(Problem):
    """A version, dtype or operation that no page lists: perhaps right for a newer reader."""


class Untrusted(Problem):
    """A well-formed signature that does not hold for its message."""


class NotFound(Problem):
    """What the user named is not there."""


def require(condition, message):
    if not condition:
        raise Corrupt(message)


# objects.md, Ids.

KINDS = {1: "chunk", 2: "tensor", 3: "segment", 4: "file", 5: "weights", 6: "checkpoint", 7: "delta", 8: "commit", 9: "evaluation",
         10: "signature"}


def object_id(kind, content):
    digest = hashlib.sha256(b"dstore %s %d\0" % (kind.encode(), len(content)))
    digest.update(content)
    return digest.digest()


def id_from_text(text, what, none_is_empty=False):
    """64 lower-case hexadecimal digits, not all zero; or "" for none where that is legal."""
    if none_is_empty and text == "":
        return None
    require(isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text) and text != "0" * 64, f"{what} is not an id")
    return bytes.fromhex(text)


# README.md, Conventions: integers in tables.

class Fields:
    """Reads a table from its start; whatever is missing or left over is corrupt."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        require(size <= len(self.data) - self.at, f"ends early: {size} bytes wanted at offset {self.at} of {len(self.data)}")
        self.at += size
        return self.data[self.at - size:self.at]

    def u8(self):
        return self.take(1)[0]

    def u16(self):
        return struct.unpack("<H", self.take(2))[0]

    def u32(self):
        return struct.unpack("<I", self.take(4))[0]

    def u64(self):
        return struct.unpack("<Q", self.take(8))[0]

    def id(self, none_is_legal=False):
        value = bytes(self.take(32))
        require(none_is_legal or value != NO_ID, f"no id at offset {self.at - 32}")
        return value

    def expect(self, content, what):
        require(self.take(len(content)) == content, f"wrong {what} at offset {self.at - len(content)}")

    def version(self, size, known=(1,)):
        value = int.from_bytes(self.take(size), "little")
        if value not in known:
            raise Unsupported(f"version {value}")
        return value

    def rest(self):
        return self.take(len(self.data) - self.at)

    def end(self):
        require(self.at == len(self.data), f"{len(self.data) - self.at} bytes too many")


# objects.md, Canonical JSON.

def canonical_text(text, escapes=None):
    """A string as it is written. `escapes` are the short forms that safetensors headers use in addition (repository.md)."""
    def escape(match):
        character = match[0]
        return (escapes or {}).get(character) or {'"': '\\"', "\\": "\\\\"}.get(character) or f"\\u{ord(character):04x}"
    return '"' + re.sub(r'["\\\x00-\x1f]', escape, text) + '"'


def canonical_json(value, depth=0):
    require(depth <= MAX_DEPTH, "JSON nested too deeply")
    if isinstance(value, str):
        return canonical_text(value)
    if type(value) is int:  # not bool
        require(-MAX_INTEGER <= value <= MAX_INTEGER, "an integer beyond 2^53 - 1")
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(canonical_json(each, depth + 1) for each in value) + "]"
    require(isinstance(value, dict), "JSON that is neither object, array, string nor integer")
    keys = sorted(value, key=str.encode)
    return "{" + ",".join(canonical_text(key) + ":" + canonical_json(value[key], depth + 1) for key in keys) + "}"


def read_json(content):
    """Any JSON: strict UTF-8, no key twice."""
    def members(pairs):
        value = dict(pairs)
        require(len(value) == len(pairs), "JSON with a key twice")
        return value

    def constant(text):
        raise Corrupt(f"JSON with {text}")

    def integer(text):
        require(text != "-0", "JSON with -0")
        return int(text)
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=members, parse_constant=constant, parse_int=integer)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # refuses the half of a surrogate pair
        return value
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"not JSON: {error}") from None


def read_canonical(content):
    """The value, if the bytes are exactly what a writer writes for it."""
    value = read_json(content)
    require(canonical_json(value).encode("utf-8") == content, "not canonical JSON")
    return value


def check_keys(value, keys, optional=()):
    require(isinstance(value, dict), "not a JSON object")
    for key in keys:
        require(key in value or key in optional, f"lacks the key {key}")
    for key in value:
        require(key in keys, f"has the unknown key {key}")


def is_text(value):
    return isinstance(value, str)


def is_count(value):
    return type(value) is int and value >= 0


def check_version(value, known=(1,)):
    version = value.get("v") if isinstance(value, dict) else None
    require(type(version) is int, "has no version")
    if version not in known:
        raise Unsupported(f"version {version}")


# repository.md, Layout: nothing inside a repository is a symbolic link.

def open_file(path):
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except OSError as error:
        raise Corrupt(error.strerror) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Corrupt("not a regular file")
    return file


def read_small_file(path, limit):
    with open_file(path) as file:
        content = file.read(limit + 1)
    require(len(content) <= limit, f"more than {limit} bytes")
    return content


def list_folder(path):
    """Sorted names; none where there is no folder."""
    require(not path.is_symlink(), f"{path} is a symbolic link")
    return sorted(os.listdir(path)) if path.is_dir() else []
