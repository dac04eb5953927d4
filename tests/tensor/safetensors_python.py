"""Asks the safetensors package itself, for python_test.cc.

verdicts FOLDER   prints "ok" or "refused" for FOLDER/0, FOLDER/1, ... in order
save FOLDER       writes FOLDER/0.safetensors, ... with the same tensors as python_test.cc
"""
import ctypes
import os
import sys

import safetensors

NAMES = {"BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
         "U64": "uint64", "I64": "int64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
         "C64": "complex64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
         "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz"}


def verdicts(folder):
    for i in range(len(os.listdir(folder))):
        with open(os.path.join(folder, str(i)), "rb") as file:
            data = file.read()
        try:
            safetensors.deserialize(data)
            print("ok")
        except safetensors.SafetensorError:
            print("refused")


def save(folder):
    """Each line of FOLDER/list: file, metadata key, metadata value, then name=dtype:bytes:dim,dim ... (tab-separated)."""
    buffer = ctypes.create_string_buffer(1 << 16)
    with open(os.path.join(folder, "list"), encoding="utf-8", newline="\n") as file:
        lines = file.read().split("\n")[:-1]
    for line in lines:
        target, key, value, *tensors = line.split("\t")
        specs = {}
        for tensor in tensors:
            name, facts = tensor.rsplit("=", 1)
            dtype, size, dims = facts.split(":")
            specs[name] = safetensors.TensorSpec(dtype=NAMES[dtype], shape=[int(d) for d in dims.split(",") if d],
                                                 data_ptr=ctypes.addressof(buffer), data_len=int(size))
        safetensors.serialize_file(specs, os.path.join(folder, target), {key: value} if key else None)


if __name__ == "__main__":
    {"verdicts": verdicts, "save": save}[sys.argv[1]](sys.argv[2])
