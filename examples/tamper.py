#!/usr/bin/env python3
"""Make the inputs that dstore must refuse (or accept): used by the demo's step 6. Plain Python, no packages.

  tamper.py flip-byte FILE [--at FRACTION]   flips one bit of one byte, in place
  tamper.py change-weight FOLDER OUT         a copy of a model folder with one weight changed
  tamper.py reshard FOLDER OUT --shards N    the same tensors in N safetensors files with an index
"""
import argparse
import json
import pathlib
import shutil
import struct


def read_header(path):
    """(header, first byte of the data) of a safetensors file."""
    with path.open("rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        return json.loads(file.read(size)), 8 + size


def flip(path, offset, mask):
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ mask]))


def flip_byte(path, fraction):
    offset = int(path.stat().st_size * fraction)
    path.chmod(path.stat().st_mode | 0o200)
    flip(path, offset, 0x10)
    print(f"flipped a bit at offset {offset} of {path.name}")


def change_weight(folder, out):
    shutil.copytree(folder, out)
    path = out / "model.safetensors"
    header, start = read_header(path)
    name = max((name for name in header if name != "__metadata__" and header[name]["dtype"] == "F32"),
               key=lambda name: header[name]["data_offsets"][1] - header[name]["data_offsets"][0])
    flip(path, start + header[name]["data_offsets"][0], 0x01)
    print(f"changed the lowest bit of {name}[0] in {out}")


def write_shard(path, names, header, data):
    shard, position = {"__metadata__": {"format": "pt"}}, 0
    for name in names:
        begin, end = header[name]["data_offsets"]
        shard[name] = dict(header[name], data_offsets=[position, position + end - begin])
        position += end - begin
    text = json.dumps(shard, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            begin, end = header[name]["data_offsets"]
            file.write(data[begin:end])
    return position


def reshard(folder, out, shards):
    shutil.copytree(folder, out, ignore=shutil.ignore_patterns("model.safetensors"))
    header, start = read_header(folder / "model.safetensors")
    header.pop("__metadata__", None)
    data = memoryview((folder / "model.safetensors").read_bytes())[start:]
    names, total, weight_map = sorted(header), 0, {}
    for i in range(shards):
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        part = names[i * len(names) // shards:(i + 1) * len(names) // shards]
        total += write_shard(out / file, part, header, data)
        weight_map.update({name: file for name in part})
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (out / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    print(f"wrote the same {len(names)} tensors as {shards} files in {out}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("flip-byte")
    command.add_argument("file", type=pathlib.Path)
    command.add_argument("--at", type=float, default=0.5)
    for name in ("change-weight", "reshard"):
        command = commands.add_parser(name)
        command.add_argument("folder", type=pathlib.Path)
        command.add_argument("out", type=pathlib.Path)
        if name == "reshard":
            command.add_argument("--shards", type=int, default=3)
    args = parser.parse_args()
    if args.command == "flip-byte":
        flip_byte(args.file, args.at)
    elif args.command == "change-weight":
        change_weight(args.folder, args.out)
    else:
        reshard(args.folder, args.out, args.shards)


if __name__ == "__main__":
    main()
