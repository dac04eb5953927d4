"""Refs, built from spec/refs.md alone: a folder of entries, read as the ref whose folder it is."""
import hashlib

from text_cases import ID, OTHER, REF_SPACE, ZERO, armoured, blob, text, without

REPOSITORY = "e2885f2bbe3d7a8b08e328b9abf1e0824bebad97625b300e24649a256c6c4847"
FIRST = {"kind": "branch", "new": ID, "old": "", "previous": "", "ref": "Task/a", "repository": REPOSITORY, "sequence": 1, "time": 1700000000, "v": 1}


def digest(payload):
    return hashlib.sha256(text(payload)).hexdigest()


def after(payload, **fields):
    """The entry that follows, moved to the other commit; or with other fields."""
    moved = {"old": payload["new"], "new": OTHER if payload["new"] == ID else ID, "previous": digest(payload), "sequence": payload["sequence"] + 1}
    return {**payload, **moved, **fields}


def entry(payload, signature=b"", line_feed=b"\n"):
    return (payload if isinstance(payload, bytes) else text(payload)) + line_feed + signature


def signed(payload, **fields):
    return entry(payload, armoured(blob(text(payload), **{"space": REF_SPACE, **fields})))


def first_with(**fields):
    return [entry({**FIRST, **fields})]


def second_with(**fields):
    return [entry(FIRST), entry(after(FIRST, **fields))]


SECOND = after(FIRST)
DELETED = after(SECOND, new="")
FINGERPRINT = "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8"  # of the key of text_cases, as signatures.md prints it
PAYLOADS = [FIRST, SECOND, DELETED, after(DELETED, kind="tag")]
# Entries in the order of their numbers, from 1.
VALID = {
    "unsigned": [entry(FIRST), entry(SECOND)], "signed": [signed(FIRST), signed(SECOND)],
    "some-signed": [entry(FIRST), signed(SECOND), entry(DELETED)],
    "deleted-and-a-tag": [entry(each) for each in PAYLOADS], "tag": first_with(kind="tag"), "same-commit-again": second_with(new=ID),
    "time-0": first_with(time=0), "time-backwards": second_with(time=0),
    "signature-in-76-columns": [entry(FIRST, armoured(blob(text(FIRST), space=REF_SPACE), 76))],
}
ARMOUR = armoured(b"SSHSIG" + bytes(60))
BEGIN, END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"
SIGNATURES = {
    "without-begin": ARMOUR[len(BEGIN):], "without-end": ARMOUR[:-len(END)], "without-lines": BEGIN + END,
    "empty-line": ARMOUR.replace(b"\n", b"\n\n", 1),
    "space": ARMOUR.replace(b"U1NI", b" U1NI", 1), "long-line": armoured(b"SSHSIG" + bytes(60), 77),
    "carriage-return": ARMOUR.replace(b"\n", b"\r\n"),
    "bytes-behind": ARMOUR + b"\n", "no-last-line-feed": ARMOUR[:-1], "cut": ARMOUR[:-40], "not-base64": ARMOUR.replace(b"U1NI", b"U1-I", 1),
    "padding-inside": ARMOUR.replace(b"U1NI", b"U1N=", 1),
}
INVALID = {
    "empty": [b""], "no-line-feed": [entry(FIRST, line_feed=b"")], "cut": [entry(FIRST)[:-40]],
    "not-canonical": [entry(text(FIRST, (b'"v":1', b'"v": 1')))],
    **{f"lacks-{key}": [entry(without(FIRST, key))] for key in FIRST}, "unknown-key": first_with(w=1), "kind-other": first_with(kind="note"),
    "new-none": first_with(new=ZERO), "new-short": first_with(new=ID[1:]), "new-in-capitals": first_with(new=ID.upper()),
    "old-none": second_with(old=ZERO),
    "previous-none": second_with(previous=ZERO), "previous-in-capitals": second_with(previous=digest(FIRST).upper()),
    "repository-none": first_with(repository=ZERO),
    "repository-empty": first_with(repository=""), "sequence-0": first_with(sequence=0), "sequence-too-large": first_with(sequence=10**10),
    "sequence-text": first_with(sequence="1"), "time-negative": first_with(time=-1), "version-text": first_with(v="1"),
    **{f"signature-{name}": [entry(FIRST, signature)] for name, signature in SIGNATURES.items()},
    # What the entries say together, and with their place.
    "sequence-of-another-file": first_with(sequence=2), "other-ref": first_with(ref="task/a"), "name-not-valid": first_with(ref="Task/../a"),
    "other-repository": first_with(repository=ID), "repository-changes": second_with(repository=ID), "first-with-previous": first_with(previous=ID),
    "first-with-old": first_with(old=OTHER), "second-without-previous": second_with(previous=""), "deletes-nothing": first_with(new=""),
    "deletes-twice": [entry(FIRST), entry(after(FIRST, new="")), entry(after(after(FIRST, new=""), new=""))],
    "other-previous": second_with(previous=ID),
    "other-old": second_with(old=OTHER), "second-without-old": second_with(old=""), "branch-becomes-tag": second_with(kind="tag"),
    "first-missing": [None, entry(SECOND)], "second-missing": [entry(FIRST), None, entry(after(SECOND))], "first-again": [entry(FIRST), entry(FIRST)],
    "second-damaged": [entry(FIRST), entry(SECOND)[:-2], entry(after(SECOND))],
}
UNSUPPORTED = {"version-0": first_with(v=0), "version-2": first_with(v=2), "second-version-2": second_with(v=2)}
UNTRUSTED = {"signature-of-another-entry": [entry(FIRST, armoured(blob(text(SECOND), space=REF_SPACE)))],
             "signature-with-line-feed": [entry(FIRST, armoured(blob(text(FIRST) + b"\n", space=REF_SPACE)))],
             "signature-of-a-commit": [signed(FIRST, space=b"dstore-commit@v1")]}
LONGEST = "a" * 244 + "/B/cd"  # 255 bytes encoded
NAMES = {"valid": {"a": "a", "Task/a": "%54ask%2fa", "A.b_C-d/9": "%41.b_%43-d%2f9", "a.lockx": "a.lockx", "0": "0", "_/_": "_%2f_", "a-": "a-",
                   LONGEST: "a" * 244 + "%2f%42%2fcd"},
         "invalid": ["", "/", "/a", "a/", "a//b", "-a", ".a", "a.", "a/.b", "a./b", "a..b", "a.lock", "a.lock/b", "a b", "a+b", "a*", "a~1", "a^",
                     "a@{1}", "a:b", "a,b", "(a)", "a\\b", "a\nb", "a\0", "a%2fb", "\u00e9", LONGEST + "e"],
         "no_ref": ["Task", "%54ask%2Fa", "a/b", "%61", "%", "%2", "a%zz", "%2fa", ".hidden", "%00"]}
