"""dstore-train's order of batches (trainer/text/batches.cc) in Python, so that a baseline trains on the same ones."""

DATA_ORDER = 4
MASK = 0xFFFFFFFF


def philox(counter, key):
    """Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & MASK, (p0 >> 32) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c0, c1, c2, c3


def words(seed, epoch):
    block = 0
    while True:
        yield from philox((block, DATA_ORDER << 16, 0, epoch), (seed & MASK, seed >> 32))
        block += 1


def below(source, bound):
    unfair = (2**32 - bound) % bound
    while True:
        product = next(source) * bound
        if product & MASK >= unfair:
            return product >> 32


def shuffle(items, source):
    for i in range(len(items), 1, -1):
        j = below(source, i)
        items[i - 1], items[j] = items[j], items[i - 1]


def batches(lengths, size, seed, epoch=0):
    """Lists of example indices: shuffled, sorted by length in runs of 50 batches, the batches shuffled again."""
    source = words(seed, epoch)
    order = list(range(len(lengths)))
    shuffle(order, source)
    run = min(size, len(order)) * 50
    plan = []
    for start in range(0, len(order), run):
        part = sorted(order[start:start + run], key=lambda i: lengths[i])
        plan += [part[i:i + size] for i in range(0, len(part), size)]
    shuffle(plan, source)
    return plan


# The same plan as in tests/trainer_text/batches_test.cc.
assert batches([1] * 8, 3, 1) == [[7, 2, 1], [5, 0, 3], [4, 6]]
