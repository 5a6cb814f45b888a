"""Packed faces: every training face with its surroundings in a few HDF5 files, so that no picture is decoded twice.

Memory does not grow with the data: faces are written and read one by one. A pack is written in shards, each of which
counts only when it is complete, so packing goes on where it was stopped.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.decoding import BGRImage, load_image
from maskcheck_export.data.samples import Sample
from maskcheck_export.errors import DataError
from maskcheck_export.writing.whole_files import replacing

FACES_A_SHARD = 512

REACH = 0.75
"""Surroundings that are kept on each side of a box, as a share of its longer side."""

LARGEST = 256
"""Longer side, in pixels, that larger boxes are reduced to."""

_FORMAT = "maskcheck-pack/1"

FindFace = Callable[[BGRImage], "NDArray[np.float32] | None"]
"""From a picture to the box of the face in it, or None."""


@dataclass(frozen=True)
class Region:
    """A face with its surroundings.

    Attributes:
        pixels: uint8 (H, W, 3), BGR.
        box: float32 (4,), the labelled box, ``x1, y1, x2, y2`` in pixels of `pixels`.
        face: float32 (4,), where a mask can be painted, forehead to chin; None where that is not known.
    """

    pixels: BGRImage
    box: NDArray[np.float32]
    face: NDArray[np.float32] | None


def cut_region(picture: BGRImage, sample: Sample) -> Region:
    """Cut a sample out of its picture; crops up to the reach are the same as from the picture, but for reduction."""
    height, width = picture.shape[:2]
    box = np.array(sample.box, np.float32)
    reach = REACH * max(box[2] - box[0], box[3] - box[1])
    # An even offset: crops round halves to even, and must do so alike here.
    left, top = np.floor(np.maximum(box[:2] - reach, 0) / 2).astype(int) * 2
    right, bottom = np.ceil(np.minimum(box[2:] + reach, [width, height])).astype(int)
    pixels, box = picture[top:bottom, left:right], box - np.array([left, top, left, top], np.float32)
    scale = LARGEST / max(box[2] - box[0], box[3] - box[1])
    if scale < 1:
        reduced = [max(round(side * scale), 1) for side in (right - left, bottom - top)]
        pixels = np.asarray(cv2.resize(pixels, reduced, interpolation=cv2.INTER_AREA), np.uint8)
        box = box * np.float32(scale)
    return Region(np.ascontiguousarray(pixels), box, None if sample.whole else box)


class Pack:
    """The packed faces of a list of samples.

    Threads may share it.

    Args:
        shards: The files, in order.
        count: Number of faces in all.
    """

    def __init__(self, shards: Sequence[Path], count: int) -> None:
        self._shards, self._count = tuple(shards), count
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _files(self) -> list[h5py.File]:
        return [h5py.File(path) for path in self._shards]

    def read(self, indices: Sequence[int]) -> list[Region]:
        """Faces by their place in the list of samples."""
        with self._lock:  # HDF5 reads one at a time; decoding does not wait
            stored = [self._read(*divmod(index, FACES_A_SHARD)) for index in indices]
        return [
            Region(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8), box, None if np.isnan(face[0]) else face)
            for data, box, face in stored
        ]

    def _read(self, shard: int, row: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        file = self._files[shard]
        try:
            return file["pixels"][row], file["box"][row], file["face"][row]
        except OSError as error:
            raise DataError(f"{file.filename} cannot be read: {error}; remove it, and it is packed again") from error


def pack_faces(
    samples: Sequence[Sample],
    folder: Path,
    *,
    find_face: FindFace,
    bare_label: str,
    report: Callable[[str], None],
) -> Pack:
    """Pack samples into a folder, or find them packed there.

    Complete shards of the same samples are kept; others, cut off or of other samples, are written anew.

    Args:
        samples: The faces; consecutive ones of one picture cost one decoding.
        folder: Where to write; made if missing.
        find_face: Looks for the face in whole pictures of `bare_label`.
        bare_label: Label of the faces on which masks may be painted.
        report: Called with a line of progress.

    Raises:
        ImageError: A picture cannot be read.
        DataError: A shard cannot be written, as when the disk is full; finished ones stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    for first in range(0, len(samples), FACES_A_SHARD):
        members = samples[first : first + FACES_A_SHARD]
        path = folder / f"{first // FACES_A_SHARD:05}.h5"
        fingerprint = _fingerprint(members, bare_label)
        if not _is_complete(path, fingerprint, report):
            report(f"packing faces {first + 1} to {first + len(members)} of {len(samples)}")
            with replacing(path) as unfinished:
                _write(unfinished, members, fingerprint, find_face, bare_label)
        shards.append(path)
    return Pack(shards, len(samples))


def _fingerprint(samples: Sequence[Sample], bare_label: str) -> str:
    """Of everything that a shard depends on; a picture counts as changed with its size or time."""
    described = [
        [str(sample.path), *(sample.path.stat().st_size, sample.path.stat().st_mtime_ns), sample.box, sample.label]
        for sample in samples
    ]
    content = json.dumps([_FORMAT, REACH, LARGEST, bare_label, described])
    return hashlib.sha256(content.encode()).hexdigest()


def _is_complete(path: Path, fingerprint: str, report: Callable[[str], None]) -> bool:
    if not path.exists():
        return False
    try:
        with h5py.File(path) as file:
            if file.attrs.get("fingerprint") == fingerprint:
                return True
        report(f"{path} holds other faces, packing them anew")
    except OSError as error:
        report(f"{path} is damaged, packing it anew: {error}")
    return False


def _write(path: Path, samples: Sequence[Sample], fingerprint: str, find_face: FindFace, bare_label: str) -> None:
    with h5py.File(path, "w") as file:
        pixels = file.create_dataset("pixels", len(samples), h5py.vlen_dtype(np.uint8))
        box = file.create_dataset("box", (len(samples), 4), np.float32)
        face = file.create_dataset("face", (len(samples), 4), np.float32)
        row = 0
        for picture_path, members in groupby(samples, key=lambda sample: sample.path):
            picture = load_image(picture_path).pixels
            for sample in members:
                region = cut_region(picture, sample)
                found = region.face
                if found is None and sample.label == bare_label:
                    found = find_face(region.pixels)
                # Lossless; a low level of compression, because the training waits for the decoding.
                pixels[row] = cv2.imencode(".png", region.pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].ravel()
                box[row], face[row] = region.box, np.nan if found is None else found
                row += 1
        file.attrs["fingerprint"] = fingerprint
