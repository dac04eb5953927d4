"""The independent reader reads the examples of the pages in spec/, and refuses what the pages say."""
import base64
import pathlib
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "spec"))

from reader import derived, ed25519, objects, refs, revision, segment, signatures  # noqa: E402
from reader.basics import Corrupt, Problem, Unsupported, Untrusted, object_id, read_canonical  # noqa: E402
from reader.byte_code import decode_bytes  # noqa: E402
from reader.lz4 import decode_block  # noqa: E402
from reader.planes import decode_planes  # noqa: E402
from reader.pack import Pack, Store  # noqa: E402
from reader.xxh3 import xxh3  # noqa: E402

PACK = bytes.fromhex("""
    4453544f5245504b 01000000 00000000 44524543 04 00 0000
    5e02e14bc39a91a96cfd98bf91500ec89868d57dac0f707fb27a8fddbf33b683
    0600000000000000 0600000000000000 2a46a2ab9a81fc99 68656c6c6f0a
    4454524c 01000000 0100000000000000
    5e02e14bc39a91a96cfd98bf91500ec89868d57dac0f707fb27a8fddbf33b683
    04 00 000000000000 1000000000000000 0600000000000000 0600000000000000 2a46a2ab9a81fc99 5600000000000000
    37456d5fda0427c620e226bfc0f58faeb9e3cf256eba669734e83e0f3c28f495""")
PACK_NAME = "37456d5fda0427c620e226bfc0f58faeb9e3cf256eba669734e83e0f3c28f495.pack"

SEGMENT = bytes.fromhex("""
    44534547 0200 0100 02000000
    36000000 0b 12 00 00 0000000000000000 06000000 02000000 1a000000
    03 00 02 02 02000000 14dc2a03 4e349a01 a65dd4d5 318ad6c1 12 06
    4d000000 0b 12 01 00 0000000000000000 40000000 40000000 7f00 01000000 02 0f 0100000000000001 21000000
    01 00 03 00 40000000 d60c061c 16d49664 b2ef79dd 97ff55ef 280000000000000000
    c0840f99 2033127a""")

TENSOR = bytes.fromhex("010c0100 0200000000000000 3d1ba5d98f012703c5975359eef462772d3662bb64c26ec738d9b7f830418f61")
WEIGHTS = bytes.fromhex("""01000000 02000000 02000000
    00000000 01000000 6ff22e11d14cef586bdc99cef94eee42e3db2986807c6eb1e942a1be0727a718
    01000000 01000000 6ff22e11d14cef586bdc99cef94eee42e3db2986807c6eb1e942a1be0727a718 6277""")
CHECKPOINT = bytes.fromhex("""01000000 01000000 01000000 1a000000
    811f428db11c4e78a59d4e0ec80e0954318b60aaebf7d1ddb0883a9fc09c47a0
    00000000 11000000 b1846a0fca613be22c8243bfc8617de43838b0b8eabd73c6dbe1f526e2866105 8800000000000000
    05d2f45bf910be2c21c1614210ce33e1de33f8941b632997545ce8d9080db4dd
    11000000 09000000 7878f0babdede77ceebfdcb4fb776fc289f208f3c0d49e0329a1469c752fb4b0
    6d6f64656c2e7361666574656e736f7273 524541444d452e6d64""")
DELTA = bytes.fromhex("""01000000 00000000
    811f428db11c4e78a59d4e0ec80e0954318b60aaebf7d1ddb0883a9fc09c47a0
    44ed03fe903505c01fa5518e01426e6b6521ecf301ca2b39906add28013eabed 01000000 03000000 0c000000
    3f4c24f1a064f4cf78083d545db4150d1f06756878ed504a223b558d7d77576f
    04 000000 00000000 01000000 01000000 00000000 00000000 00000000 01000000
    9de3e75e2050264907646ae3eb5d8b624d210ae2629fe3d7dea7b00345f3efa8
    03 000000 01000000 06000000 07000000 01000000 00000000 00000000 00000000
    0000000000000000000000000000000000000000000000000000000000000000
    01 000000 08000000 04000000 0c000000 00000000 00000000 00000000 00000000
    6ff22e11d14cef586bdc99cef94eee42e3db2986807c6eb1e942a1be0727a718
    62 626572742e77 77 68656164""")
TASK_COMMIT = (
    '{"author":"Ada <ada@example.org>","base":"c133be54f9ec0eb449ca48fd1c23967978e19d77cc6b3fbd1c2fb8c147322c29",'
    '"checkpoint":"bd9a518566e1d5db478c74552a53832c6e1b324fdd7e5bbaa1a7b15327a25110",'
    '"delta":"717c98b50d710ef183097793c416ce2a8394187f8ab9cf4f4f7ce638ec42034e","derived_from":[],"message":"a task",'
    '"metrics":[{"data_sha256":"3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7","metric":"accuracy",'
    '"n":5000,"split":"test","value":"0.7512"}],'
    '"parents":["c133be54f9ec0eb449ca48fd1c23967978e19d77cc6b3fbd1c2fb8c147322c29"],"time":1700000060,'
    '"training":{"method":"bitfit","seed":"7"},"v":1}').encode()
ENTRIES = [
    b'{"kind":"branch","new":"a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e","old":"","previous":"",'
    b'"ref":"Task/a","repository":"e2885f2bbe3d7a8b08e328b9abf1e0824bebad97625b300e24649a256c6c4847","sequence":1,'
    b'"time":1700000000,"v":1}\n',
    b'{"kind":"branch","new":"16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4",'
    b'"old":"a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e",'
    b'"previous":"1eb2c6643d10f366aca6ae5086acaea43d195f6a6b458bd9ec261c96b76b3856","ref":"Task/a",'
    b'"repository":"e2885f2bbe3d7a8b08e328b9abf1e0824bebad97625b300e24649a256c6c4847","sequence":2,"time":1700000060,"v":1}\n']
ARMOURED = b"""-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg11qYAYKxCrfVS/7TyWQHOg7hcv
PapiMlrwIaaPcHURoAAAAQZHN0b3JlLWNvbW1pdEB2MQAAAAAAAAAGc2hhNTEyAAAAUwAA
AAtzc2gtZWQyNTUxOQAAAEDPQRIUoqwUuKAu70LzGYnpbLe9tg7DXGurAtBnWOdSzMbdmZ
k7kjQentThYrxkNJUqrev/P+/75faNMDhCrfkI
-----END SSH SIGNATURE-----
"""


class PackPage(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_low_rank(self):
        def matrix(dtype):
            return objects.Tensor(objects.DTYPE_CODES[dtype], (2, 2), [])
        b, a = bytes.fromhex("cdcccc3dcdcc4c3e9a99993e333333bf"), bytes.fromhex("abaaaa3e000040400ad7a33b00401cc6")
        (scale,) = struct.unpack("<f", bytes.fromhex("9a99993e"))
        for dtype, base, result in (("F32", "0000c03f000010c06f12833a0000c842", "8351c13f3e8a16c4b659f53c52840945"),
                                    ("BF16", "c03f10c0833ac842", "c13f17c4f53c0a45")):
            made = derived.low_rank("w", matrix(dtype), bytes.fromhex(base), matrix("F32"), b, matrix("F32"), a, scale)
            self.assertEqual(made.hex(), result)
        with self.assertRaises(Corrupt):  # infinity - infinity
            derived.low_rank("w", matrix("F32"), struct.pack("<4f", *4 * [float("inf")]), matrix("F32"), b, matrix("F32"), a, -1e38)

    def test_conversion(self):
        for source, bits, target, expected in (("F32", 0x3f808000, "BF16", 0x3f80), ("F32", 0x3f818000, "BF16", 0x3f82), ("F32", 0x477ff000, "F16", 0x7c00),
                                               ("F32", 0x33000001, "F16", 1), ("F32", 0xffc12345, "BF16", 0xffc0), ("F16", 0x0001, "F32", 0x33800000),
                                               ("F64", 0x3690000000000001, "F32", 1), ("F64", 0x8000000000000000, "F16", 0x8000)):
            self.assertEqual(derived.convert_one(bits, source, target), expected)

    def test_example(self):
        (self.folder / PACK_NAME).write_bytes(PACK)
        store = Store(self.folder)
        self.assertEqual(store.problems, [])
        self.assertEqual([store.read("file", id) for id in store.ids("file")], [b"hello\n"])

    def test_every_flipped_byte_and_every_shorter_file_is_refused(self):
        path = self.folder / PACK_NAME
        damaged = [PACK[:at] + bytes([PACK[at] ^ 1]) + PACK[at + 1:] for at in range(len(PACK))] + [PACK[:at] for at in range(len(PACK))]
        for content in damaged + [PACK + b"\0"]:
            path.write_bytes(content)
            with self.assertRaises(Problem):
                pack = Pack(path)
                pack.read(pack.rows[0], checksums=True)

    def test_xxh3_of_every_kind_of_length(self):
        data = bytes((i * 2654435761 >> 13) & 255 for i in range(5000))
        # XXH3_64bits of libxxhash 0.8 of the first n bytes.
        for n, expected in XXH3_VECTORS.items():
            self.assertEqual(xxh3(data[:n]), expected, n)

    def test_lz4(self):
        self.assertEqual(decode_block(b"\x1aa\x01\x00\x50aaaaa", 20), b"a" * 20)
        for block in (b"", b"\x1a", b"\x1aa\x00\x00\x50aaaaa", b"\x1aa\x02\x00\x50aaaaa", b"\x1fa\x01\x00\xff", b"\x1aa\x01\x00\x60aaaaaa"):
            with self.assertRaises(Corrupt):
                decode_block(block, 20)


class ByteCodePage(unittest.TestCase):
    EXAMPLE = bytes.fromhex("61 72 31 33 00 00 00 00 00 00 30 0100 0100 0100 72 0a 13 07")

    def test_example(self):
        self.assertEqual(decode_bytes(self.EXAMPLE, 11), b"abracadabra")
        self.assertEqual(decode_bytes(b"aa", 70000), b"a" * 70000)

    def test_damage_is_refused_or_gives_other_bytes(self):
        for content in [self.EXAMPLE[:size] for size in range(len(self.EXAMPLE))] + [self.EXAMPLE + b"\0", b"aa\0", b"ba", b"a", b""]:
            with self.assertRaises(Corrupt):
                decode_bytes(content, 11)
        for at in range(8 * len(self.EXAMPLE)):
            damaged = bytearray(self.EXAMPLE)
            damaged[at // 8] ^= 1 << at % 8
            try:
                self.assertNotEqual(decode_bytes(bytes(damaged), 11), b"abracadabra")
            except Corrupt:
                pass


class PlanesPage(unittest.TestCase):
    EXAMPLE = bytes.fromhex("02 01 0e000000 03000000 03000000 00 01 00 7e 7f 80 07")
    CHUNK = bytes.fromhex("00 3f 80 bf 00 40 07")

    def test_example(self):
        self.assertEqual(decode_planes(self.EXAMPLE, 7), self.CHUNK)

    def test_damage_is_refused_or_gives_other_bytes(self):
        for content in [self.EXAMPLE[:size] for size in range(len(self.EXAMPLE))] + [self.EXAMPLE + b"\0"]:
            with self.assertRaises(Corrupt):
                decode_planes(content, 7)
        for at in range(8 * len(self.EXAMPLE)):
            damaged = bytearray(self.EXAMPLE)
            damaged[at // 8] ^= 1 << at % 8
            try:
                self.assertNotEqual(decode_planes(bytes(damaged), 7), self.CHUNK)
            except Corrupt:
                pass


class SegmentPage(unittest.TestCase):
    def test_example(self):
        first, second = segment.parse_segment(SEGMENT)
        data = bytearray(struct.pack("<6H", 0x3f80, 0x4000, 0x4040, 0xbf80, 0, 0x3e80))
        segment.apply_piece(first, data, True)
        self.assertEqual(struct.unpack("<6H", data), (0x3f80, 0x4001, 0x4040, 0xbf80, 0x8000, 0x3e80))
        data = bytearray(struct.pack("<H", 0x3f80) * 64)
        segment.apply_piece(second, data, True)
        self.assertEqual(struct.unpack("<64H", data), (0x3f81,) * 3 + (0x3f89,) + (0x3f81,) * 60)

    def test_another_base_is_refused(self):
        first, _ = segment.parse_segment(SEGMENT)
        with self.assertRaisesRegex(Corrupt, "base"):
            segment.apply_piece(first, bytearray(12), True)

    def test_damage_without_the_checksum_gives_a_refusal_or_other_values_but_never_a_crash(self):
        for at in range(8 * len(SEGMENT)):
            damaged = bytearray(SEGMENT)
            damaged[at // 8] ^= 1 << at % 8
            try:
                for piece, size in zip(segment.parse_segment(bytes(damaged), checksums=False), (12, 128)):
                    segment.apply_piece(piece, bytearray(size), False)
            except Problem:
                pass


EVALUATION = b"".join(line.strip() for line in b"""
    {"commit":"a695d6beb96fbc1b85168b76fef69ee9684299e0d7b06bb9fa547f06273e0072",
    "commits":["a695d6beb96fbc1b85168b76fef69ee9684299e0d7b06bb9fa547f06273e0072"],"data":"test.tsv",
    "data_sha256":"3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7",
    "environment":{"batch":"64","cpu_capability":"AVX2","device":"cpu","dstore":"0.1.0","libtorch":"2.7.0","max_length":"128"},
    "evaluator":"Ada <ada@example.org>","metrics":[{"metric":"accuracy","value":"0.7512"},{"metric":"macro_f1","value":"0.7498"}],
    "n":5000,"revision":"a695d6beb96fbc1b85168b76fef69ee9684299e0d7b06bb9fa547f06273e0072","split":"test","time":1700000120,"v":1}
    """.splitlines())


class ObjectsPage(unittest.TestCase):
    EXAMPLES = [("tensor", TENSOR, "6ff22e11d14cef586bdc99cef94eee42e3db2986807c6eb1e942a1be0727a718"),
                ("tensor", bytes.fromhex("010c0200 0200000000000000 0000000000000000"),
                 "5e76af00ea1c2c0141ce35721243da016eb757d3acb250bd756c1be6d91fc844"),
                ("file", bytes.fromhex("0600000000000000 ce7ab942797cc7a8201e81f17a26326bd973cfcd33a7abddfafcd69cdbdbe599"),
                 "7878f0babdede77ceebfdcb4fb776fc289f208f3c0d49e0329a1469c752fb4b0"),
                ("weights", WEIGHTS, "811f428db11c4e78a59d4e0ec80e0954318b60aaebf7d1ddb0883a9fc09c47a0"),
                ("checkpoint", CHECKPOINT, "bd9a518566e1d5db478c74552a53832c6e1b324fdd7e5bbaa1a7b15327a25110"),
                ("delta", DELTA, "717c98b50d710ef183097793c416ce2a8394187f8ab9cf4f4f7ce638ec42034e"),
                ("evaluation", EVALUATION, "ee2638a7baf126edd02a8fa937aa18b45f18111842ff989c79b3f088640a04fe"),
                ("commit", TASK_COMMIT, "a695d6beb96fbc1b85168b76fef69ee9684299e0d7b06bb9fa547f06273e0072")]

    def test_examples(self):
        for kind, content, id in self.EXAMPLES:
            self.assertEqual(object_id(kind, content).hex(), id)
            objects.PARSERS[kind](content)
        self.assertEqual(objects.weights_content(objects.parse_weights(WEIGHTS)), WEIGHTS)
        self.assertEqual(objects.tensor_content(objects.parse_tensor(TENSOR)), TENSOR)

    def test_shorter_and_longer_ones_are_refused(self):
        for kind, content, _ in self.EXAMPLES:
            for other in [content[:size] for size in range(len(content))] + [content + b"\0"]:
                with self.assertRaises(Problem, msg=(kind, len(other))):
                    objects.PARSERS[kind](other)

    def test_flipped_bits_never_crash(self):
        for kind, content, _ in self.EXAMPLES:
            for at in range(8 * len(content)):
                damaged = bytearray(content)
                damaged[at // 8] ^= 1 << at % 8
                try:
                    objects.PARSERS[kind](bytes(damaged))
                except Problem:
                    pass

    def test_the_delta_is_applied(self):
        base = objects.parse_weights(WEIGHTS)
        delta = objects.parse_delta(DELTA)
        modified = delta.changes[0].tensor
        result, origin = objects.apply_to_table(delta, base)
        self.assertEqual(result, {"b": modified, "bert.w": base["w"], "head": base["b"]})
        self.assertEqual(origin, {"b": "b", "bert.w": "w"})
        for wrong in ({"b": base["b"]}, {**base, "x": base["b"]}, {**base, "bert.w": base["b"]}):
            with self.assertRaises(Corrupt):
                objects.apply_to_table(delta, wrong)

    def test_canonical_json(self):
        for text in (b"{}", b"[]", b'{"a":"\xc3\xa4\\u0001\\"\\\\/\x7f","b":[-1,9007199254740991]}', b"[" * 16 + b'""' + b"]" * 16):
            read_canonical(text)
        for text in (b"", b"{} ", b" {}", b"null", b"[true]", b"[1.0]", b"[1e2]", b"[-0]", b"[01]", b"[9007199254740992]", b'{"b":1,"a":1}',
                     b'{"a":1,"a":1}', b'["\\/"]', b'["\\n"]', b'["\\u001F"]', b'["\\u00e4"]', b'["\\ud800"]', b'["\xed\xa0\x80"]',
                     b"\xef\xbb\xbf{}", b"[" * 17 + b"1" + b"]" * 17, b"[" * 100000, b"[NaN]", b"[" + b"1" * 5000 + b"]"):
            with self.assertRaises(Corrupt, msg=text[:30]):
                read_canonical(text)


class RefsPage(unittest.TestCase):
    def test_example(self):
        digests = [refs.parse_entry(content, "Task/a").digest for content in ENTRIES]
        self.assertEqual(digests, ["1eb2c6643d10f366aca6ae5086acaea43d195f6a6b458bd9ec261c96b76b3856",
                                   "9193f89843f6637f8dee126d56e9d6b9dcaf55509a7dfc570960cb9a692f59d2"])

    def test_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            ref = folder / "%54ask%2fa"
            ref.mkdir()
            (folder / "UPPER").mkdir()
            for number, content in enumerate(ENTRIES, 1):
                (ref / f"{number:010}").write_bytes(content)
            (ref / "left-over").write_bytes(b"")
            repository = "e2885f2bbe3d7a8b08e328b9abf1e0824bebad97625b300e24649a256c6c4847"
            found, problems = refs.read_refs(folder, repository)
            self.assertEqual((list(found), problems), (["Task/a"], []))
            self.assertIn("another repository", refs.read_refs(folder, "1" * 64)[1][0])
            (ref / "0000000001").rename(ref / "0000000003")
            self.assertIn("missing", refs.read_refs(folder, repository)[1][0])
            (ref / "0000000003").unlink()
            (ref / "0000000001").symlink_to(ref / "0000000002")
            self.assertEqual(len(refs.read_refs(folder, repository)[1]), 1)

    def test_names(self):
        for name in ("a", "Task/a", "a-b", "v1.0", "A/B/c_d"):
            self.assertTrue(refs.is_name(name), name)
            self.assertEqual(refs.decode(refs.encode(name)), name)
        for name in ("", "/a", "a/", "a//b", "-a", ".a", "a.", "a..b", "a.lock", "a/.b", "a b", "a+b", "a\n", "ä", "A" * 86):
            self.assertFalse(refs.is_name(name), name)
        for folder in ("Task", "%61", "%2F", "%54", "a%"):
            self.assertEqual(refs.decode(folder), "T" if folder == "%54" else None, folder)


class SignaturesPage(unittest.TestCase):
    def test_vector(self):
        blob = signatures.remove_armour(ARMOURED)
        self.assertEqual(signatures.check_signature(blob, b"dstore-commit@v1", b"{}"), "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8")
        for namespace, message in ((b"dstore-ref@v1", b"{}"), (b"dstore-commit@v1", b"{ }")):
            with self.assertRaises(Untrusted):
                signatures.check_signature(blob, namespace, message)

    def test_every_flipped_bit_is_refused(self):
        blob = signatures.remove_armour(ARMOURED)
        for at in range(len(blob)):
            damaged = blob[:at] + bytes([blob[at] ^ 1 << at % 8]) + blob[at + 1:]
            with self.assertRaises((Corrupt, Unsupported, Untrusted), msg=at):
                signatures.check_signature(damaged, b"dstore-commit@v1", b"{}")

    def test_small_order_and_large_s(self):
        blob = signatures.remove_armour(ARMOURED)
        key, signature = blob[33:65], blob[-64:]
        self.assertEqual(key.hex()[:8], "d75a9801")
        for point in ed25519.SMALL_ORDER:
            for sign in (0, 128):
                weak = point[:31] + bytes([point[31] | sign])
                with self.assertRaises(Corrupt):
                    ed25519.verify(weak, signature, b"")
                with self.assertRaises(Corrupt):
                    ed25519.verify(key, weak + signature[32:], b"")
        larger = (int.from_bytes(signature[32:], "little") + ed25519.L).to_bytes(32, "little")
        with self.assertRaisesRegex(Corrupt, "S"):
            ed25519.verify(key, signature[:32] + larger, b"")

    def test_armour(self):
        blob = signatures.remove_armour(ARMOURED)
        text = base64.b64encode(blob).decode()
        for wrong in (ARMOURED[1:], ARMOURED + b"\n", ARMOURED[:-1], ARMOURED.replace(b"\nU1", b"\n\nU1"), ARMOURED.replace(b"U1", b"U 1"),
                      signatures.BEGIN + text.encode() + b"\n" + signatures.END):
            with self.assertRaises(Corrupt):
                signatures.remove_armour(wrong)


class RevisionsPage(unittest.TestCase):
    def test_examples(self):
        def parsed(text):
            return [(term.word, term.steps) for term in revision.parse_revision(text)]
        self.assertEqual(parsed("base"), [("base", [])])
        self.assertEqual(parsed("sst2~2^"), [("sst2", [("parents", 2), ("parents", 1)])])
        self.assertEqual(parsed("base@{1}~"), [("base", [("moves", 1), ("parents", 1)])])
        self.assertEqual(parsed(" base + noun-topic "), [("base", []), ("noun-topic", [])])
        for text in ("base + 0.7*a - b", "base+-1*toxic", "a+b+c", "a - b"):
            with self.assertRaises(Unsupported, msg=text):
                revision.parse_revision(text)
        for text in ("-base", "base+", "+base", "a b", "a -b", "a ~1", "a@1", "a@{}", "x*a", "inf*a", "a:b", ""):
            with self.assertRaises(Corrupt, msg=text):
                revision.parse_revision(text)


XXH3_VECTORS = {
    0: 0x2d06800538d394c2, 1: 0xc44bdff4074eecdb, 2: 0x1ca5cfa6a6d57dc2, 3: 0xa1c4a8259b827291, 4: 0xbb4e3d89ee0b271d,
    7: 0xe8317720ff435ece, 8: 0x79d02238b80e37b1, 9: 0xf64cecc4271ff461, 15: 0x6f72fd6b5d066049, 16: 0x222e9aead6bddd51,
    17: 0x47aad6b375eb4bba, 32: 0x774140158f21ff0a, 33: 0x537e7ed26d825e92, 64: 0x70a70e66815e67e5, 96: 0xa97f9ae93c0ff67a,
    127: 0xb931ee7057194e63, 128: 0x421a9c905c6e66ba, 129: 0x9e2414800f83768a, 160: 0x767734a842829d9d, 239: 0x11c20fc75e84087b,
    240: 0xb714c5fd22744964, 241: 0xbc424a2c480dd281, 255: 0x155baa5891f7606f, 256: 0x2d040b1ab40f0d78, 1023: 0x3071307bafa2f8f4,
    1024: 0x1fd15e7d36f5e1bc, 1025: 0xfe08e5a874d23fd2, 1088: 0x0ac7cf3a6009bab5, 2048: 0x81ec4a6a9ee23d55, 2049: 0x9156a1fd2d1a8c37,
    4999: 0x1933f07d27f01f6e, 5000: 0x853377ef13cec7bd,
}

if __name__ == "__main__":
    unittest.main()
