"""Small valid pictures of a drawn scene, in every format that the SDK decodes: the fuzzer changes them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Family: TypeAlias = Literal["jpeg", "png", "webp", "bmp", "tiff", "gif", "boxes", "j2k", "ppm"]
"""Formats of the same structure; ``boxes`` are ISO boxes: AVIF, HEIC and JP2."""


@dataclass(frozen=True)
class PictureSeed:
    """A valid picture that the fuzzer changes."""

    name: str
    family: Family
    data: bytes


@cache
def picture_seeds() -> tuple[PictureSeed, ...]:
    """A picture of each kind that the installed Pillow can write."""
    seeds = []
    for name, family, make in _recipes():
        with suppress(Exception):  # this build of Pillow cannot write the format
            seeds.append(PictureSeed(name, family, make()))
    return tuple(seeds)


def scene() -> NDArray[np.uint8]:
    """A simple face on a gradient: uint8, (48, 64, 3), RGB."""
    y, x = np.mgrid[:48, :64].astype(np.float32)
    picture = np.stack([120 + x, 110 + y, 180 - x], axis=-1)
    head = ((x - 32) / 12) ** 2 + ((y - 24) / 16) ** 2 < 1
    picture[head] = (205, 160, 130)
    for column in (27, 37):
        picture[(x - column) ** 2 + (y - 19) ** 2 < 5] = (40, 30, 30)
    picture += np.random.default_rng(0).normal(0, 4, picture.shape)
    return picture.clip(0, 255).astype(np.uint8)


def _frames(count: int = 4) -> list[Image.Image]:
    return [Image.fromarray(np.roll(scene(), 5 * shift, axis=1)) for shift in range(count)]


def _saved(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    picture = Image.fromarray(scene())
    if mode == "I;16":
        picture = Image.fromarray(scene()[..., 0].astype(np.uint16) * 257)
    elif mode == "I":
        picture = Image.fromarray(scene()[..., 0].astype(np.int32))
    elif mode == "F":
        picture = Image.fromarray(scene()[..., 0].astype(np.float32) / 255)
    elif mode == "LAB":
        picture = Image.frombytes("LAB", picture.size, scene().tobytes())
    elif mode in ("RGBA", "LA"):
        picture.putalpha(128)
        picture = picture.convert(mode)
    else:
        picture = picture.convert(mode)
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def _animated(kind: str, **options: Any) -> bytes:
    first, *rest = _frames()
    data = io.BytesIO()
    first.save(data, kind, save_all=True, append_images=rest, **options)
    return data.getvalue()


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8769)[0x9286] = "a comment"
    return exif.tobytes()


def _by_opencv(pixels: NDArray[Any]) -> bytes:
    return cv2.imencode(".tiff", pixels)[1].tobytes()


def _heic() -> bytes:
    import pillow_heif

    data = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(scene())).save(data, quality=60)
    return data.getvalue()


def _interlaced_png() -> bytes:
    pixels = scene()
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b"".join(
        b"\0" + row.tobytes()
        for x, y, across, down in passes
        for row in np.ascontiguousarray(pixels[y::down, x::across])
    )
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 1)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file, with correct length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _flat_png(side: int) -> bytes:
    """Megapixels in a few kilobytes: 1 bit a pixel, all pixels equal."""
    rows = zlib.compress(bytes(side * (1 + (side + 7) // 8)), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks)


def _run_length_bmp() -> bytes:
    rows = bytearray()
    for row in scene()[::-1, :, 0]:
        for start in range(0, 64, 8):
            rows += bytes((8, row[start] // 2))
        rows += b"\0\0"
    rows += b"\0\1"
    palette = b"".join(bytes((grey, grey, grey, 0)) for grey in range(256))
    offset = 14 + 40 + len(palette)
    about = struct.pack("<IiiHHIIiiII", 40, 64, 48, 1, 8, 1, len(rows), 2835, 2835, 256, 0)
    return struct.pack("<2sIHHI", b"BM", offset + len(rows), 0, 0, offset) + about + palette + bytes(rows)


def _plain_ppm() -> bytes:
    numbers = " ".join(map(str, scene().ravel().tolist()))
    return f"P3\n# a comment\n64 48\n255\n{numbers}\n".encode()


def _recipes() -> list[tuple[str, Family, Callable[[], bytes]]]:
    jpeg, png, tiff = partial(_saved, "JPEG"), partial(_saved, "PNG"), partial(_saved, "TIFF")
    webp, bmp, j2k = partial(_saved, "WEBP"), partial(_saved, "BMP"), partial(_saved, "JPEG2000")
    ppm, red = partial(_saved, "PPM"), scene()[..., 0]
    tiffs: list[tuple[str, Family, Callable[[], bytes]]] = [
        (f"tiff-{name}", "tiff", make)
        for name, make in {
            "rgb": tiff,
            "rgba": partial(tiff, "RGBA"),
            "grey": partial(tiff, "L"),
            "palette": partial(tiff, "P"),
            "bilevel": partial(tiff, "1"),
            "cmyk": partial(tiff, "CMYK"),
            "lab": partial(tiff, "LAB"),
            "uint16": partial(tiff, "I;16"),
            "int32": partial(tiff, "I"),
            "float": partial(tiff, "F"),
            "lzw": partial(tiff, compression="tiff_lzw"),
            "lzw-uint16": partial(tiff, "I;16", compression="tiff_lzw"),
            "deflate": partial(tiff, compression="tiff_adobe_deflate"),
            "packbits": partial(tiff, compression="packbits"),
            "jpeg": partial(tiff, compression="jpeg"),
            "group3": partial(tiff, "1", compression="group3"),
            "group4": partial(tiff, "1", compression="group4"),
            "big": partial(tiff, big_tiff=True),
            "pages": partial(_animated, "TIFF"),
            "pages-lzw": partial(_animated, "TIFF", compression="tiff_lzw"),
            "uint16-rgb": partial(_by_opencv, scene().astype(np.uint16) * 257),
            "float-rgb": partial(_by_opencv, scene().astype(np.float32) / 255),
            "float64": partial(_by_opencv, red.astype(np.float64) / 255),
        }.items()
    ]
    return [
        ("jpeg", "jpeg", jpeg),
        ("jpeg-grey", "jpeg", partial(jpeg, "L")),
        ("jpeg-cmyk", "jpeg", partial(jpeg, "CMYK")),
        ("jpeg-exif", "jpeg", lambda: jpeg(exif=_exif(), quality=90, subsampling=0)),
        ("jpeg-restarts", "jpeg", partial(jpeg, restart_marker_blocks=2)),
        ("jpeg-progressive", "jpeg", partial(jpeg, progressive=True)),
        ("jpeg-progressive-grey", "jpeg", partial(jpeg, "L", progressive=True)),
        ("jpeg-mpo", "jpeg", partial(_animated, "MPO")),
        ("png", "png", png),
        ("png-grey", "png", partial(png, "L")),
        ("png-bilevel", "png", partial(png, "1")),
        ("png-palette", "png", partial(png, "P")),
        ("png-transparent", "png", partial(png, "P", transparency=3)),
        ("png-alpha", "png", partial(png, "RGBA")),
        ("png-grey-alpha", "png", partial(png, "LA")),
        ("png-uint16", "png", partial(png, "I;16")),
        ("png-exif", "png", lambda: png(exif=_exif(), dpi=(72, 72))),
        ("png-interlaced", "png", _interlaced_png),
        ("png-flat-large", "png", partial(_flat_png, 3000)),
        ("apng", "png", partial(_animated, "PNG")),
        ("webp", "webp", webp),
        ("webp-lossless", "webp", partial(webp, lossless=True)),
        ("webp-alpha", "webp", partial(webp, "RGBA")),
        ("webp-exif", "webp", lambda: webp(exif=_exif())),
        ("webp-animated", "webp", partial(_animated, "WEBP")),
        ("bmp", "bmp", bmp),
        ("bmp-palette", "bmp", partial(bmp, "P")),
        ("bmp-bilevel", "bmp", partial(bmp, "1")),
        ("bmp-alpha", "bmp", partial(bmp, "RGBA")),
        ("bmp-run-length", "bmp", _run_length_bmp),
        ("dib", "bmp", lambda: _saved("DIB")),
        *tiffs,
        ("gif", "gif", lambda: _saved("GIF", "P")),
        ("gif-grey", "gif", lambda: _saved("GIF", "L")),
        ("gif-animated", "gif", partial(_animated, "GIF")),
        ("jp2", "boxes", j2k),
        ("jp2-lossy-tiles", "boxes", partial(j2k, irreversible=True, tile_size=(32, 32), quality_layers=[20, 10])),
        ("jp2-alpha", "boxes", partial(j2k, "RGBA")),
        ("j2k", "j2k", partial(j2k, no_jp2=True)),
        ("j2k-uint16", "j2k", partial(j2k, "I;16", no_jp2=True)),
        ("ppm", "ppm", ppm),
        ("pgm", "ppm", partial(ppm, "L")),
        ("pgm-uint16", "ppm", partial(ppm, "I;16")),
        ("pbm", "ppm", partial(ppm, "1")),
        ("ppm-plain", "ppm", _plain_ppm),
        ("pfm", "ppm", partial(ppm, "F")),
        ("avif", "boxes", partial(_saved, "AVIF")),
        ("avif-alpha", "boxes", partial(_saved, "AVIF", "RGBA")),
        ("avif-animated", "boxes", partial(_animated, "AVIF")),
        ("heic", "boxes", _heic),
    ]
