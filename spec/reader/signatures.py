"""signatures.md: SSH signatures (sshsig) with Ed25519 keys. Whether a key is trusted is the user's question, not a format's."""
import base64
import binascii
import hashlib
import re

from reader import ed25519
from reader.basics import Corrupt, Fields, Unsupported, Untrusted, require

COMMIT_NAMESPACE, REF_NAMESPACE, EVALUATION_NAMESPACE = b"dstore-commit@v1", b"dstore-ref@v1", b"dstore-evaluation@v1"
BEGIN, END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"


def ssh_string(content):
    return len(content).to_bytes(4, "big") + content


def take_string(fields):
    return fields.take(int.from_bytes(fields.take(4), "big"))


def expect_known(value, known, what):
    if value != known:
        raise Unsupported(f"{what}: only {known!a} is known")


def take_value(fields, size, what):
    """A string of `size` bytes, and nothing more."""
    value = take_string(fields)
    require(len(value) == size, f"{what}: wrong size")
    fields.end()
    return value


def check_signature(blob, namespace, message):
    """The signer's fingerprint; Corrupt if the signature is malformed, Untrusted if it does not hold."""
    fields = Fields(blob)
    fields.expect(b"SSHSIG", "magic of a signature")
    expect_known(int.from_bytes(fields.take(4), "big"), 1, "version of a signature")
    key_blob = take_string(fields)
    key_fields = Fields(key_blob)
    expect_known(take_string(key_fields), b"ssh-ed25519", "public key")
    public_key = take_value(key_fields, 32, "public key")
    its_namespace = take_string(fields)
    require(its_namespace, "an empty namespace of a signature")
    require(take_string(fields) == b"", "reserved field of a signature")
    expect_known(take_string(fields), b"sha512", "hash of a signature")
    inner = Fields(take_string(fields))
    require(take_string(inner) == b"ssh-ed25519", "a signature of another type than its key")
    signature = take_value(inner, 64, "signature")
    fields.end()
    signed = b"SSHSIG" + ssh_string(namespace) + ssh_string(b"") + ssh_string(b"sha512") + ssh_string(hashlib.sha512(message).digest())
    if not ed25519.verify(public_key, signature, signed) or its_namespace != namespace:
        raise Untrusted(f"the signature does not hold, or is not for {namespace.decode()}")
    return "SHA256:" + base64.b64encode(hashlib.sha256(key_blob).digest()).decode().rstrip("=")


def remove_armour(text):
    """The blob of a ref entry's signature (refs.md, Entry)."""
    require(text.startswith(BEGIN) and text.endswith(END), "a signature without its armour")
    lines = text[len(BEGIN):-len(END)]
    require(re.fullmatch(rb"([A-Za-z0-9+/=]{1,76}\n)+", lines), "lines of a signature")
    try:
        blob = base64.b64decode(lines.replace(b"\n", b""), validate=True)
    except binascii.Error:
        raise Corrupt("a signature that is not base64") from None
    require(base64.b64encode(blob) == lines.replace(b"\n", b""), "a signature that is not base64 as it is written")
    return blob


def check_signature_object(store, id):
    """signatures.md, The object of kind `signature`: (id of the commit or evaluation, fingerprint)."""
    fields = Fields(store.read("signature", id))
    target = fields.id()
    kind, namespace = ("evaluation", EVALUATION_NAMESPACE) if store.kind(target) == "evaluation" else ("commit", COMMIT_NAMESPACE)
    return target, check_signature(fields.rest(), namespace, store.read(kind, target))
