"""Finds near-duplicates, pictures that look alike, by perceptual hash, and puts them into one group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskcheck.errors import ImageError
from maskcheck.pictures.decoding import load_image
from maskcheck_export.data.samples import Sample

_HASH_SIDE = 16  # a difference hash of 16 x 16 = 256 bits
_BLOCK = 1024  # hashes that are compared with all others at once; bounds memory


@dataclass(frozen=True)
class Hashes:
    """Perceptual hashes of pictures.

    Attributes:
        of: uint64 (4,), 256 bits, for each picture that can be read.
        longer_sides: Longer side of each of these pictures, in pixels.
        unreadable: The reason for each picture that cannot be read.
    """

    of: Mapping[Path, NDArray[np.uint64]]
    longer_sides: Mapping[Path, int]
    unreadable: Mapping[Path, str]


def hash_pictures(paths: Sequence[Path]) -> Hashes:
    """Difference hash of each picture: which of two neighbouring pixels is brighter, in a 17 x 16 miniature.

    Each picture is decoded in full: a picture that is cut off is found now, and not in the middle of a training.
    """
    import imagehash

    of: dict[Path, NDArray[np.uint64]] = {}
    longer_sides: dict[Path, int] = {}
    unreadable: dict[Path, str] = {}
    for path in dict.fromkeys(paths):
        try:
            picture = Image.fromarray(load_image(path).pixels[..., ::-1])
        except ImageError as error:
            unreadable[path] = str(error)
            continue
        bits = imagehash.dhash(picture, hash_size=_HASH_SIDE).hash
        of[path] = np.packbits(bits).view(np.uint64)
        longer_sides[path] = max(picture.size)
    return Hashes(of, longer_sides, unreadable)


def near_pairs(hashes: NDArray[np.uint64], distance: int) -> Iterator[tuple[int, int]]:
    """Pairs (i, j), i < j, of N hashes (N, 4) that differ in at most `distance` of their 256 bits."""
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK]
        differing = np.zeros((len(block), len(hashes)), np.uint16)
        for word in range(hashes.shape[1]):
            differing += np.bitwise_count(block[:, None, word] ^ hashes[None, :, word])
        for i, j in np.argwhere(differing <= distance):
            if start + i < j:
                yield int(start + i), int(j)


def group_near_duplicates(samples: Sequence[Sample], hashes: Hashes, *, distance: int) -> list[Sample]:
    """Put samples of near-duplicate pictures into one group; groups that share a near-duplicate are joined.

    Args:
        samples: Samples whose pictures were hashed.
        hashes: The hashes of their pictures.
        distance: Most bits, of 256, in which near-duplicates differ.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    paths = list(dict.fromkeys(sample.path for sample in samples))
    groups = list(dict.fromkeys(sample.group for sample in samples))
    # Pictures and groups are nodes of one graph; each connected part is a group, however long the chain.
    picture, group = ({name: i for i, name in enumerate(names)} for names in (paths, groups))
    edges = [(picture[sample.path], len(paths) + group[sample.group]) for sample in samples]
    edges += near_pairs(np.stack([hashes.of[path] for path in paths]), distance)
    rows, columns = np.array(edges).T
    nodes = len(paths) + len(groups)
    _, component = connected_components(coo_array((np.ones(len(edges)), (rows, columns)), (nodes, nodes)))
    name: dict[int, str] = {}
    for sample in samples:
        name.setdefault(component[picture[sample.path]], sample.group)
    return [replace(sample, group=name[component[picture[sample.path]]]) for sample in samples]
