"""spec/vectors with the independent reader; and that they leave out nothing that segment.md numbers."""
import hashlib
import json
import sys
import unittest
from pathlib import Path

SPEC = Path(__file__).resolve().parents[2] / "spec"
VECTORS = SPEC / "vectors"
sys.path.insert(0, str(SPEC))

from reader.basics import Corrupt, Unsupported, require  # noqa: E402
from reader.segment import apply_block, parse_segment  # noqa: E402
from reader.units import UNITS  # noqa: E402


def manifest():
    return json.loads((VECTORS / "manifest.json").read_text())


def base_of(piece):
    """The file's bytes, repeated."""
    pattern = (VECTORS / piece["base"]).read_bytes()
    return bytearray((pattern * (piece["bytes"] // len(pattern) + 1))[:piece["bytes"]])


def apply(row):
    """The task of each piece. A base holds the piece alone, wherever in its tensor that is."""
    parsed = parse_segment((VECTORS / row["segment"]).read_bytes())
    tasks = []
    for piece, facts in zip(parsed, row["pieces"]):
        data, size = base_of(facts), piece.unit().size
        require(piece.count == len(data) // size, "a piece that does not fit its tensor")
        for number, block in enumerate(piece.blocks):
            if block:
                apply_block(piece, block, data, number * piece.block_units * size, True)
        tasks.append(bytes(data))
    return tasks


class VectorsTest(unittest.TestCase):
    def test_valid_vectors_give_the_task(self):
        for row in manifest()["valid"]:
            with self.subTest(row["segment"]):
                digests = [hashlib.sha256(task).hexdigest() for task in apply(row)]
                self.assertEqual(digests, [piece["task_sha256"] for piece in row["pieces"]])

    def test_invalid_vectors_are_refused(self):
        for row in manifest()["invalid"]:
            with self.subTest(row["segment"]):
                with self.assertRaises({"corrupt": Corrupt, "unsupported": Unsupported}[row["error"]]):
                    apply(row)

    def test_every_code_is_in_a_valid_vector(self):
        positions, groups, coders, dtypes, addends = set(), set(), set(), set(), set()
        for row in manifest()["valid"]:
            for piece in parse_segment((VECTORS / row["segment"]).read_bytes()):
                dtypes.add(piece.dtype)
                for block in filter(None, piece.blocks):
                    positions.add((block.code, block.group > 0))
                    groups.add((block.group > 0, block.groups_coded))
                    coders.add(block.coder)
                    addends.add((piece.dtype, block.parameter) if block.coder == 6 else None)
        self.assertEqual(dtypes, set(UNITS))
        self.assertEqual(positions, {(code, grouped) for code in range(1, 6) for grouped in (False, True)} - {(4, True)})
        self.assertEqual(groups, {(False, False), (True, False), (True, True)})
        self.assertEqual(coders, set(range(1, 7)))
        self.assertLessEqual({(12, 1), (12, 2), (13, 1), (13, 2), (13, 3), (14, 1)}, addends)

    def test_every_file_is_in_the_manifest(self):
        rows = [row for kind in manifest().values() for row in kind]
        named = {row["segment"] for row in rows} | {piece["base"] for row in rows for piece in row["pieces"]}
        self.assertEqual(named, {str(path.relative_to(VECTORS)) for path in VECTORS.glob("*/*")})


if __name__ == "__main__":
    unittest.main()
