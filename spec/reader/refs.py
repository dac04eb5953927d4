"""refs.md: names, entries and their chain."""
import hashlib
import re
from typing import NamedTuple, Optional

from reader.basics import Problem, check_keys, check_version, id_from_text, is_count, list_folder, read_canonical, read_small_file, require
from reader.signatures import REF_NAMESPACE, check_signature, remove_armour

MAX_ENTRY = 65536
MAX_SEQUENCE = 9999999999
FORGOTTEN = "forgotten/"


# Names.

def is_name(name):
    parts = name.split("/")
    return (re.fullmatch("[A-Za-z0-9._/-]+", name) is not None and not name.startswith("-") and ".." not in name and len(encode(name)) <= 255
            and not any(part == "" or part.startswith(".") or part.endswith((".", ".lock")) for part in parts))


def encode(name):
    return re.sub("[A-Z/]", lambda match: f"%{ord(match[0]):02x}", name)


def decode(folder):
    """The name whose encoded form this is; None if there is none."""
    name = re.sub("%([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), folder)
    return name if is_name(name) and encode(name) == folder else None


# Entry.

class Entry(NamedTuple):
    kind: str
    old: Optional[bytes]
    new: Optional[bytes]
    repository: str
    sequence: int
    previous: str
    digest: str
    signer: Optional[str]


def parse_entry(content, ref):
    payload, line_feed, signature = content.partition(b"\n")
    require(line_feed, "cut short")
    value = read_canonical(payload)
    check_version(value)
    check_keys(value, ["kind", "new", "old", "previous", "ref", "repository", "sequence", "time", "v"])
    require(value["kind"] in ("branch", "tag", "forgotten"), "kind")
    require(value["ref"] == ref, "an entry of another ref")
    require((value["kind"] == "forgotten") == ref.startswith(FORGOTTEN), "a name that starts with forgotten/, or a record without it")
    require(value["kind"] != "forgotten" or value["new"] in ("", ref[len(FORGOTTEN):]), "a record of another commit than its name says")
    require(is_count(value["sequence"]) and 1 <= value["sequence"] <= MAX_SEQUENCE and is_count(value["time"]), "sequence or time")
    id_from_text(value["repository"], "repository")
    id_from_text(value["previous"], "previous", none_is_empty=True)
    signer = check_signature(remove_armour(signature), REF_NAMESPACE, payload) if signature else None
    return Entry(value["kind"], id_from_text(value["old"], "old", none_is_empty=True), id_from_text(value["new"], "new", none_is_empty=True),
                 value["repository"], value["sequence"], value["previous"], hashlib.sha256(payload).hexdigest(), signer)


# What a reader MUST reject.

def read_ref(folder, ref, repository):
    """All entries of a ref, checked. `repository`: the expected id, or None where it is not known (a remote's)."""
    names = [name for name in list_folder(folder) if re.fullmatch("[0-9]{10}", name)]
    entries = []
    for number, name in enumerate(names, 1):
        require(name == f"{number:010}", f"entry {number} is missing")
        try:
            entry = parse_entry(read_small_file(folder / name, MAX_ENTRY), ref)
            require(entry.sequence == number, "an entry of another number")
            check_link(entries[-1] if entries else None, entry, repository)
        except Problem as error:
            raise type(error)(f"entry {name}: {error}") from None
        entries.append(entry)
    return entries


def check_link(before, entry, repository):
    require(repository is None or entry.repository == repository, "an entry of another repository")
    require(entry.old or entry.new, "old and new are both empty")
    if before is None:
        require(entry.previous == "" and entry.old is None, "a first entry with something before it")
        return
    require(entry.repository == before.repository, "an entry of another repository")
    require(entry.previous == before.digest, "previous is not the digest of the entry before")
    require(entry.old == before.new, "old is not the new of the entry before")
    require(entry.kind == before.kind or before.new is None, "a branch that becomes a tag, or a tag that becomes a branch")


def split_forgotten(refs, must_be_signed):
    """(branches and tags, forgotten commits): refs.md, Forgotten commits. Whose signature counts is the user's question, not asked here."""
    last = {name: entries[-1] for name, entries in refs.items() if name.startswith(FORGOTTEN)}
    forgotten = {entry.new for entry in last.values() if entry.new and (entry.signer or not must_be_signed)}
    return {name: entries for name, entries in refs.items() if name not in last}, forgotten


def read_refs(folder, repository=None):
    """({name: entries}, problems). A broken ref does not touch the others."""
    refs, problems = {}, []
    for encoded in list_folder(folder):
        name = decode(encoded)
        if name is None:
            continue
        try:
            entries = read_ref(folder / encoded, name, repository)
            if entries:
                refs[name] = entries
        except Problem as error:
            problems.append(f"ref {name}: {error}")
    return refs, problems
