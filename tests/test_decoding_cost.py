"""Limits on the cost of decoding hold before a picture is decoded."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskcheck import DecodingLimits, ImageError, ImageTooLarge, load_image
from maskcheck.pictures.decoding.frame_counts import gif_frames, tiff_pages
from maskcheck.pictures.decoding.jpeg import jpeg_scans
from maskcheck.pictures.decoding.jpeg2000 import JPEG2000Cost, jpeg2000_cost
from maskcheck.pictures.decoding.part_counts import has_too_many_parts
from maskcheck.pictures.limits import DEFAULT_LIMITS


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def scans_of(data: bytes) -> list[bytes]:
    starts = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    return [data[start:end] for start, end in pairwise([*starts, len(data) - 2])]


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
PROGRESSIVE = encoded(NOISE, "JPEG", progressive=True)


def with_more_scans(data: bytes, more: int) -> bytes:
    return data[:-2] + min(scans_of(data)[1:], key=len) * more + data[-2:]


# --- scans of a JPEG


def test_scans_are_counted() -> None:
    assert jpeg_scans(encoded(NOISE, "JPEG"), 100) == 1
    assert jpeg_scans(PROGRESSIVE, 100) == len(scans_of(PROGRESSIVE)) == 10
    assert jpeg_scans(encoded(NOISE.convert("L"), "JPEG", progressive=True), 100) == 6
    assert jpeg_scans(with_more_scans(PROGRESSIVE, 50), 100) == 60
    assert jpeg_scans(with_more_scans(PROGRESSIVE, 500), 100) == 101


def test_scans_are_not_counted_in_thumbnails_and_comments() -> None:
    comment = b"\xff\xfe" + struct.pack(">H", 602) + b"\xff\xda" * 300

    assert jpeg_scans(PROGRESSIVE[:2] + comment + PROGRESSIVE[2:], 100) == 10
    assert jpeg_scans(PROGRESSIVE[:-2] + comment + PROGRESSIVE[-2:], 100) == 10


def test_scans_of_a_second_picture_in_the_file_are_not_counted() -> None:
    assert jpeg_scans(with_more_scans(PROGRESSIVE, 80) + PROGRESSIVE * 3, 100) == 90


@pytest.mark.parametrize("way", ["bytes", "PIL"])
def test_a_jpeg_of_many_scans_is_refused_before_decoding(way: str) -> None:
    data = with_more_scans(PROGRESSIVE, 91)

    with pytest.raises(ImageTooLarge, match=r"over 100 scans.* max_scans = 100 allows; .*--max-scans") as caught:
        load_image(data if way == "bytes" else Image.open(io.BytesIO(data)))

    assert (caught.value.what, caught.value.limit, caught.value.pixels) == ("max_scans", 100, 48 * 64)
    assert load_image(data, limits=DecodingLimits(max_scans=101)).pixels.shape == (48, 64, 3)


def test_large_pictures_may_have_fewer_scans() -> None:
    limits = DecodingLimits(max_pixels=48 * 64, max_scans=40)  # this picture has the most pixels allowed

    assert load_image(PROGRESSIVE, limits=replace(limits, max_scans=50)).pixels.shape == (48, 64, 3)
    with pytest.raises(ImageTooLarge, match="over 8 scans"):
        load_image(PROGRESSIVE, limits=limits)


def test_normal_progressive_pictures_of_any_allowed_size_are_decoded() -> None:
    assert DEFAULT_LIMITS.scans_of(DEFAULT_LIMITS.max_pixels) >= 20  # encoders write 6 to 12
    assert DEFAULT_LIMITS.scans_of(12_000_000) == DEFAULT_LIMITS.max_scans


def many_parts(kind: str) -> bytes:
    """A picture with 30,000 chunks, segments, boxes or blocks before its pixels, or with long padding or comments."""
    data = encoded(NOISE, kind.partition(", ")[0])
    match kind:
        case "JPEG, zeros":
            return data[:20] + bytes(2_000_000) + data[20:]
        case "JPEG, fill bytes":
            return data[:20] + b"\xff" * 2_000_000 + data[20:]
        case "JPEG2000":
            header = data.index(b"jp2h") - 4
            return data[:header] + struct.pack(">I4s", 8, b"free") * 30_000 + data[header:]
        case "JPEG2000, inside the header":
            header = data.index(b"jp2h") - 4
            boxes = struct.pack(">I4s", 8, b"free") * 30_000
            return data[:header] + struct.pack(">I4s", 8 + len(boxes), b"jp2h") + boxes
        case "JPEG":
            return data[:2] + b"\xff\xfe\x00\x02" * 30_000 + data[2:]
        case "PNG":
            chunk = struct.pack(">I", 0) + b"abCd" + struct.pack(">I", zlib.crc32(b"abCd"))
            return data[:33] + chunk * 30_000 + data[33:]
        case "GIF":
            image = data.index(b"\x21\xf9") if b"\x21\xf9" in data else data.index(b",", 13 + 768)
            return data[:image] + b"!\xfe" + b"\x01a" * 30_000 + b"\0" + data[image:]
        case _:
            return data[:3] + b"#" + b"a" * 100_000 + b"\n" + data[3:]


@pytest.mark.parametrize(
    "kind",
    ["JPEG", "JPEG, zeros", "JPEG, fill bytes", "PNG", "GIF", "PPM", "JPEG2000", "JPEG2000, inside the header"],
)
def test_a_picture_of_too_many_parts_is_refused_before_they_are_read(kind: str) -> None:
    with pytest.raises(ImageError, match="more chunks, segments, boxes, comments or padding before its pixels"):
        load_image(many_parts(kind))


def test_padding_between_the_segments_of_a_jpeg_is_skipped() -> None:
    data = encoded(NOISE, "JPEG")
    padded = data[:20] + bytes(1000) + b"\xff" * 1000 + data[20:]

    np.testing.assert_array_equal(load_image(padded).pixels, load_image(data).pixels)


def test_a_large_picture_may_have_many_parts() -> None:
    assert not has_too_many_parts(b"\x89PNG\r\n\x1a\n" + (struct.pack(">I", 8192) + b"IDAT" + bytes(8196)) * 21_000)


# --- sides


@pytest.mark.parametrize("size", [(1, 65_501), (65_501, 1)])
@pytest.mark.parametrize("way", ["file", "PIL", "array"])
def test_a_side_above_the_limit_is_refused(size: tuple[int, int], way: str) -> None:
    image = Image.new("L", size)
    given: Any = {"file": encoded(image, "PNG"), "PIL": image, "array": np.asarray(image)}[way]

    with pytest.raises(ImageTooLarge, match=r"max_side = 65,500 allows; raise max_side \(--max-side\)") as caught:
        load_image(given)

    assert (caught.value.what, caught.value.limit, caught.value.pixels) == ("max_side", 65_500, 65_501)
    assert max(load_image(given, limits=DecodingLimits(max_side=70_000)).pixels.shape) == 65_501


# --- frames


def animation(kind: str, frames: int) -> bytes:
    pictures = [Image.new("L", (8, 6), 20 * shade) for shade in range(frames)]
    return encoded(pictures[0], kind, save_all=True, append_images=pictures[1:])


@pytest.mark.parametrize("kind", ["GIF", "TIFF"])
def test_frames_are_counted_as_pillow_counts_them(kind: str) -> None:
    data = animation(kind, 7)
    count = gif_frames if kind == "GIF" else tiff_pages

    assert count(data, 100) == Image.open(io.BytesIO(data)).n_frames == 7  # type: ignore[attr-defined]
    assert count(data, 3) == 4


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PNG"])
@pytest.mark.parametrize("way", ["bytes", "PIL"])
def test_frames_are_counted_up_to_the_limit(kind: str, way: str) -> None:
    data = animation(kind, 7)
    given = data if way == "bytes" else Image.open(io.BytesIO(data))

    assert load_image(given, limits=DecodingLimits(max_frames=3)).notes == (
        "only the first of more than 3 frames was read",
    )


def test_pages_in_a_circle_are_counted_once() -> None:
    data = bytearray(animation("TIFF", 2))
    first = struct.unpack_from("<I", data, 4)[0]
    second = first + 2 + 12 * struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, second, first)

    assert tiff_pages(bytes(data), 1000) == 1


@pytest.mark.parametrize("kind", ["GIF", "TIFF"])
def test_counting_ends_wherever_a_file_is_cut(kind: str) -> None:
    data = animation(kind, 3)

    assert {(gif_frames if kind == "GIF" else tiff_pages)(data[:cut], 9) for cut in range(len(data))} <= {0, 1, 2, 3}


# --- JPEG 2000


def test_code_blocks_of_a_jpeg_2000_are_counted() -> None:
    image = Image.new("RGB", (256, 256))

    plain = jpeg2000_cost(encoded(image, "JPEG2000", num_resolutions=3))
    small_blocks = jpeg2000_cost(encoded(image, "JPEG2000", num_resolutions=1, codeblock_size=(4, 4)))
    tiles = jpeg2000_cost(encoded(image, "JPEG2000", tile_size=(32, 32), num_resolutions=1))

    assert plain == JPEG2000Cost(256 * 256 * 3, 3 * (1 + 3 + 3 * 4))  # bands of 64, 64 and 128 pixels in blocks of 64
    assert small_blocks is not None
    assert small_blocks.code_blocks == 3 * 256 * 256 // 16
    assert tiles == JPEG2000Cost(32 * 32 * 3, 3 * 64)


def test_a_jpeg_2000_of_millions_of_blocks_is_refused_before_decoding() -> None:
    data = bytearray(encoded(Image.new("L", (64, 64)), "JPEG2000", codeblock_size=(4, 4)))
    at = data.index(b"\xff\x4f\xff\x51") + 8
    struct.pack_into(">2I", data, at, 8000, 8000)  # here and in the header box, so that Pillow agrees
    struct.pack_into(">2I", data, at + 16, 8000, 8000)
    struct.pack_into(">2I", data, data.index(b"ihdr") + 4, 8000, 8000)

    with pytest.raises(ImageTooLarge, match="4000251 code blocks") as caught:
        load_image(bytes(data))

    assert caught.value.what == "max_pixels"


def test_a_large_jpeg_2000_is_allowed() -> None:
    assert load_image(encoded(Image.new("RGB", (2000, 1500)), "JPEG2000")).pixels.shape == (1500, 2000, 3)


# --- memory


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_picture_takes_at_most_nine_bytes_a_pixel(orientation: int, tmp_path: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "large.jpg"
    Image.new("RGB", (8000, 5000)).save(path, exif=exif)
    code = (
        "import re, sys, cv2\nfrom maskcheck import load_image\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) / 1024\n"
        "before = peak()\nload_image(sys.argv[1])\nprint(peak() - before)"
    )

    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)

    assert float(done.stdout) * 2**20 < 9 * 8000 * 5000  # 4 of Pillow, 3 of the result, and the strips
