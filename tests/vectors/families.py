"""The cases of all formats but segments, as rows of the manifest: (row, files) with names that do not say the folder yet."""
import hashlib

import code_cases
import delta_cases
import evaluation_cases
import header_cases
import model_cases
import pack_cases
import ref_cases
import table_cases
import text_cases
from reader.basics import object_id


def digest(content):
    return hashlib.sha256(content).hexdigest()


def codes():
    for key, ending, valid, invalid in (("byte_code", "byte_code", code_cases.VALID_CODES, code_cases.INVALID_CODES),
                                        ("planes", "planes", code_cases.VALID_PLANES, code_cases.INVALID_PLANES)):
        for name, content, decoded in valid:
            file = f"{name}.{ending}"
            yield {key: file, "bytes": len(decoded), "sha256": digest(decoded)}, {file: content}
        for name, content, size in invalid:
            file = f"{name}.{ending}"
            yield {key: file, "error": "corrupt", "bytes": size}, {file: content}


def packs():
    for name, records in pack_cases.VALID.items():
        content, its_name = pack_cases.pack(records)
        yield {"pack": f"{name}.pack", "name": its_name, "records": pack_cases.listed(records)}, {f"{name}.pack": content}
    for error, cases in (("corrupt", pack_cases.INVALID), ("unsupported", pack_cases.UNSUPPORTED)):
        for name, (content, its_name) in cases.items():
            yield {"pack": f"{name}.pack", "error": error, "name": its_name}, {f"{name}.pack": content}


def objects_of(kind, name, content, **more):
    file = f"{kind}-{name}.{kind}"
    return {"object": file, "kind": kind, **more}, {file: content}


def objects():
    valid = {**table_cases.VALID, "delta": delta_cases.VALID, "commit": text_cases.VALID_COMMITS,
             "evaluation": evaluation_cases.VALID}
    invalid = [("corrupt", {**table_cases.INVALID, "delta": delta_cases.INVALID, "commit": text_cases.INVALID_COMMITS,
                            "evaluation": evaluation_cases.INVALID}),
               ("unsupported", {**table_cases.UNSUPPORTED, "delta": delta_cases.UNSUPPORTED, "commit": text_cases.UNSUPPORTED_COMMITS,
                                "evaluation": evaluation_cases.UNSUPPORTED})]
    for kind, cases in valid.items():
        for name, content in cases.items():
            yield objects_of(kind, name, content, id=object_id(kind, content).hex())
    for error, kinds in invalid:
        for kind, cases in kinds.items():
            for name, content in cases.items():
                yield objects_of(kind, name, content, error=error)


def signatures():
    signed = {"signed": "signature-of.commit"}
    with_message = {"signature-of.commit": text_cases.SIGNED}
    for name, content in text_cases.VALID_SIGNATURES.items():
        found = {"id": object_id("signature", content).hex(), "target": text_cases.TARGET.hex(), "signer": ref_cases.FINGERPRINT}
        row, files = objects_of("signature", name, content, **found, **signed)
        yield row, {**files, **with_message}
    for error, cases in (("corrupt", text_cases.INVALID_SIGNATURES), ("unsupported", text_cases.UNSUPPORTED_SIGNATURES),
                         ("untrusted", text_cases.UNTRUSTED_SIGNATURES)):
        for name, content in cases.items():
            row, files = objects_of("signature", name, content, error=error, **signed)
            yield row, {**files, **with_message}


def payload_of(entry):
    return entry.partition(b"\n")[0]


FIRST = ref_cases.entry(ref_cases.FIRST)  # one file for all histories that begin with it


def refs():
    verdicts = {"": ref_cases.VALID, "corrupt": ref_cases.INVALID, "unsupported": ref_cases.UNSUPPORTED, "untrusted": ref_cases.UNTRUSTED}
    for error, cases in verdicts.items():
        for name, entries in cases.items():
            names = [entry if entry is None else "ref-first.entry" if entry == FIRST and len(entries) > 1 else f"ref-{name}-{number}.entry"
                     for number, entry in enumerate(entries, 1)]
            row = {"entries": names, "ref": ref_cases.FIRST["ref"], "repository": ref_cases.REPOSITORY}
            if error:
                row["error"] = error
            else:
                row["digests"] = [digest(payload_of(entry)) for entry in entries]
                row["signers"] = [ref_cases.FINGERPRINT if len(entry) > len(payload_of(entry)) + 1 else "" for entry in entries]
            yield row, {file: entry for file, entry in zip(names, entries) if entry is not None}


def model_files(tensors):
    return {"model.safetensors": digest(model_cases.shard(tensors))}


def models():
    base = {"model-base.pack": model_cases.BASE_PACK}
    yield {"packs": ["model-base.pack"], "revision": model_cases.BASE_COMMIT.hex(), "files": model_files(model_cases.TENSORS)}, base
    for name, (revision, content, tensors) in model_cases.VALID.items():
        file = f"model-{name}.pack"
        yield {"packs": ["model-base.pack", file], "revision": revision, "files": model_files(tensors)}, {**base, file: content}
    for name, (revision, content) in model_cases.INVALID.items():
        file = f"model-{name}.pack"
        yield {"packs": ["valid/model-base.pack", file], "error": "corrupt", "revision": revision}, {file: content}


def headers():
    for name, (content, size, tensors) in header_cases.VALID.items():
        yield {"header": f"header-{name}.header", "bytes": size, "tensors": tensors}, {f"header-{name}.header": content}
    for error, cases in (("corrupt", header_cases.INVALID), ("unsupported", header_cases.UNSUPPORTED)):
        for name, (content, size) in cases.items():
            yield {"header": f"header-{name}.header", "error": error, "bytes": size}, {f"header-{name}.header": content}


FAMILIES = [codes, packs, objects, signatures, refs, models, headers]
REF_NAMES = ref_cases.NAMES
