"""bundle.md: tasks in one file."""
import hashlib
import pathlib
import tempfile

from reader.basics import Fields, check_keys, check_version, id_from_text, is_count, is_text, read_canonical, require
from reader.pack import Pack


def read_bundle(content):
    """{task: commit id}, and {object id: (kind, bytes)}; every record was read and proved."""
    require(len(content) >= 32 and hashlib.sha256(content[:-32]).digest() == content[-32:], "the digest of the bundle is wrong")
    fields = Fields(content[:-32])
    fields.expect(b"DSTOREBN", "magic of a bundle")
    fields.version(4)
    head = read_canonical(fields.take(fields.u32()))
    check_keys(head, ("packs", "tasks", "v"))
    check_version(head)
    require(head["tasks"], "a bundle without tasks")
    objects = {}
    with tempfile.TemporaryDirectory() as folder:
        for row in head["packs"]:
            check_keys(row, ("name", "size"))
            id_from_text(row["name"], "the name of a pack")
            require(is_count(row["size"]), "the size of a pack")
            path = pathlib.Path(folder) / (row["name"] + ".pack")
            path.write_bytes(fields.take(row["size"]))
            pack = Pack(path)
            for record in pack.rows:
                objects[record.id] = (record.kind, bytes(pack.read(record, True)))
    fields.end()
    tasks = {}
    for name, commit in head["tasks"].items():
        require(is_text(name), "the name of a task")
        tasks[name] = id_from_text(commit, "the commit of a task")
        require(objects.get(tasks[name], (0,))[0] == 8, f"the commit of the task {name} is not there")
    return tasks, objects
