"""Files and bodies that are changed at random; the same seed changes the same."""

from __future__ import annotations

import random
from collections.abc import Iterator

# Changes that find the readers' faults: numbers that lengths and offsets are made of.
TELLING = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x00\x00\x00\x80", b"\xff\xff\xff\x7f", b"\xff" * 8)


def mutations(seeds: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """So many bodies, each changed in one to eight places."""
    generator = random.Random(seed)
    for number in range(count):
        body = bytearray(seeds[number % len(seeds)])
        for _ in range(generator.choice((1, 1, 1, 2, 3, 8))):
            _change(body, generator)
        yield bytes(body)


def _change(body: bytearray, generator: random.Random) -> None:
    at = generator.randrange(len(body) + 1)
    kind = generator.randrange(6)
    if kind == 0 and at < len(body):
        body[at] ^= 1 << generator.randrange(8)
    elif kind == 1 and at < len(body):
        body[at] = generator.randrange(256)
    elif kind == 2:
        telling = generator.choice(TELLING)
        body[at : at + len(telling)] = telling
    elif kind == 3:
        del body[at : at + generator.choice((1, 4, 8, 64, 1_000))]
    elif kind == 4:
        other = generator.randrange(len(body) + 1)
        body[at:at] = body[other : other + generator.choice((1, 4, 16, 256))]
    else:
        body[at:at] = generator.randbytes(generator.choice((1, 2, 8)))
