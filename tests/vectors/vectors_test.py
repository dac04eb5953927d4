"""spec/vectors with the independent reader; and that they leave out nothing that the pages number."""
import json
import sys
import unittest

from read_row import ERRORS, SPEC, VECTORS, content_of, covered, files_of, read

sys.path.insert(0, str(SPEC))

from reader import objects, pack, refs  # noqa: E402
from reader.basics import KINDS  # noqa: E402
from reader.segment import parse_segment  # noqa: E402
from reader.units import UNITS  # noqa: E402


def manifest():
    return json.loads((VECTORS / "manifest.json").read_text())


def blocks(rows):
    """Piece and block of all segments."""
    for row in rows:
        for piece in parse_segment(content_of(row["segment"])) if "segment" in row else []:
            yield from ((piece, block) for block in piece.blocks if block)


class VectorsTest(unittest.TestCase):
    def test_valid_vectors_give_what_the_manifest_says(self):
        for row in manifest()["valid"]:
            with self.subTest(files_of(row)[0]):
                self.assertEqual(read(row), row)

    def test_invalid_vectors_are_refused(self):
        for row in manifest()["invalid"]:
            with self.subTest(files_of(row)[0]):
                with self.assertRaises(ERRORS[row["error"]]):
                    read(row)

    def test_names_of_refs(self):
        names = manifest()["ref_names"]
        for name, encoded in names["valid"].items():
            self.assertTrue(refs.is_name(name) and refs.encode(name) == encoded and refs.decode(encoded) == name, name)
        for name in names["invalid"]:
            self.assertFalse(refs.is_name(name), name)
        for folder in names["no_ref"]:
            self.assertIsNone(refs.decode(folder), folder)

    def test_every_code_is_in_a_valid_vector(self):
        told = manifest()["covered"]
        self.assertEqual(told, covered(manifest()["valid"]))
        self.assertEqual(told["dtypes"], sorted(UNITS))
        self.assertEqual(told["kinds"], sorted(KINDS.values()))
        self.assertEqual(told["objects"], sorted([*objects.PARSERS, "signature"]))
        self.assertEqual(told["codecs"], [pack.CODEC_NONE, pack.CODEC_LZ4, pack.CODEC_PLANES])
        self.assertEqual(told["operations"], [objects.ADD, objects.REMOVE, objects.RENAME, *objects.DERIVED])

    def test_every_form_of_a_block_is_in_a_valid_vector(self):
        found = list(blocks(manifest()["valid"]))
        self.assertEqual({(block.code, block.group > 0) for _, block in found},
                         {(code, grouped) for code in range(1, 6) for grouped in (False, True)} - {(4, True)})
        self.assertEqual({(block.group > 0, block.groups_coded) for _, block in found}, {(False, False), (True, False), (True, True)})
        self.assertEqual({block.coder for _, block in found}, set(range(1, 7)))
        self.assertLessEqual({(12, 1), (12, 2), (13, 1), (13, 2), (13, 3), (14, 1)},
                             {(piece.dtype, block.parameter) for piece, block in found if block.coder == 6})

    def test_every_file_is_in_the_manifest(self):
        named = {name for folder in ("valid", "invalid") for row in manifest()[folder] for name in files_of(row)}
        self.assertEqual(named, {str(path.relative_to(VECTORS)) for path in VECTORS.glob("*/*")})


if __name__ == "__main__":
    unittest.main()
