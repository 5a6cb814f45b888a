"""Random changes to the bytes of a file, whatever its format: as a bad disk or a bad network makes them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

Mutation: TypeAlias = Callable[[Random, bytes], bytes]

LENGTHS = (0, 1, 2, 3, 7, 8, 255, 256, 1023, 4096, 65_500, 65_535, 65_536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
"""Lengths, counts and offsets at which readers often fail."""

SIDES = (0, 1, 2, 15, 63, 64, 65, 1000, 1500, 4000, 9000, 16_383, 32_767, 32_768, 65_500, 65_535)
"""Widths and heights. Most pass the limits of the SDK, so that the decoder runs."""


def mutate_bytes(random: Random, data: bytes, *, others: tuple[bytes, ...] = ()) -> bytes:
    """A random change; it may insert a part of one of `others`."""
    if len(data) < 2:
        return data + random.randbytes(8)
    if others and random.random() < 0.1:
        return _splice(random, data, random.choice(others))
    return random.choice(_MUTATIONS)(random, data)


def replaced(data: bytes, at: int, part: bytes) -> bytes:
    """`data` with `part` written over it, from position `at`."""
    return (data[:at] + part + data[at + len(part) :])[: max(len(data), at)]


def odd_integer(random: Random, size: int) -> int:
    """An unsigned integer of `size` bytes, often one at which programs fail."""
    value = random.choice(LENGTHS) if random.random() < 0.7 else random.getrandbits(8 * size)
    return value & ((1 << 8 * size) - 1)


def _block(random: Random, data: bytes, most: int = 512) -> slice:
    start = random.randrange(len(data))
    return slice(start, start + random.randint(1, most))


def _flip_bits(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    end = len(data) if random.random() < 0.7 else min(len(data), 128)  # headers are short and matter most
    for _ in range(random.choice((1, 1, 2, 4, 16, 64))):
        changed[random.randrange(end)] ^= 1 << random.randrange(8)
    return bytes(changed)


def _set_bytes(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 2, 8))):
        changed[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, random.randrange(256)))
    return bytes(changed)


def _set_integer(random: Random, data: bytes) -> bytes:
    size = random.choice((2, 4))
    end = len(data) if random.random() < 0.5 else min(len(data), 128)
    order = random.choice(("little", "big"))
    value = odd_integer(random, size)
    at = random.randrange(end)
    return replaced(data, at, value.to_bytes(size, "little" if order == "little" else "big"))


def _truncate(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data))] if random.random() < 0.7 else data[: -random.randint(1, 16)]


def _append(random: Random, data: bytes) -> bytes:
    return data + (random.randbytes(random.randint(1, 64)) if random.random() < 0.5 else data)


def _delete_block(random: Random, data: bytes) -> bytes:
    block = _block(random, data)
    return data[: block.start] + data[block.stop :]


def _repeat_block(random: Random, data: bytes) -> bytes:
    block = _block(random, data, 128)
    return data[: block.start] + data[block] * random.randint(2, 200) + data[block.stop :]


def _swap_blocks(random: Random, data: bytes) -> bytes:
    size = random.randint(1, max(1, len(data) // 4))
    first, second = sorted(random.randrange(len(data)) for _ in range(2))
    left, right = data[first : first + size], data[second : second + size]
    return replaced(replaced(data, first, right), second, left)


def _fill_block(random: Random, data: bytes) -> bytes:
    block = _block(random, data)
    size = len(data[block])
    return replaced(data, block.start, random.choice((b"\0", b"\xff", random.randbytes(1))) * size)


def _splice(random: Random, data: bytes, other: bytes) -> bytes:
    return data[: random.randrange(len(data))] + other[random.randrange(max(1, len(other))) :]


_MUTATIONS: tuple[Mutation, ...] = (
    _flip_bits,
    _flip_bits,
    _set_bytes,
    _set_integer,
    _set_integer,
    _truncate,
    _append,
    _delete_block,
    _repeat_block,
    _swap_blocks,
    _fill_block,
)
