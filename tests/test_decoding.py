"""``load_image``: every kind of input, orientation, channels, animations, errors and limits."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from maskcheck import DecodingLimits, ImageError, ImageTooLarge
from maskcheck.pictures.decoding import ImageLike, load_image

# Every value occurs once, so that a swapped channel, row or column shows.
RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3
BGR = RGB[..., ::-1]
UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""For each EXIF orientation, the function that makes the stored pixels upright."""


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def stored(directory: Path, data: bytes) -> Path:
    path = directory / "picture"
    path.write_bytes(data)
    return path


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def animation(kind: str, frames: int) -> bytes:
    pictures = [Image.new("RGB", (8, 6), (250 - 80 * shade, 40, 40)) for shade in range(frames)]
    return encoded(pictures[0], kind, save_all=True, append_images=pictures[1:], lossless=True)


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header states a size, without pixels."""
    chunks = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", b""), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


WAYS: dict[str, Callable[[Path], ImageLike]] = {
    "path": lambda path: path,
    "str": str,
    "bytes": lambda path: path.read_bytes(),
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "PIL": lambda path: opened(path.read_bytes()),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_kind_of_input_gives_the_same_pixels(way: Callable[[Path], ImageLike], tmp_path: Path) -> None:
    pixels = load_image(way(stored(tmp_path, encoded(Image.fromarray(RGB), "PNG")))).pixels

    np.testing.assert_array_equal(pixels, BGR, strict=True)
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "JPEG2000", "PPM"])
def test_common_formats_are_decoded_without_a_note(kind: str) -> None:
    picture = load_image(encoded(Image.new("RGB", (16, 12), (240, 120, 20)), kind))

    assert picture.pixels.shape == (12, 16, 3)
    np.testing.assert_allclose(picture.pixels.reshape(-1, 3).mean(axis=0), (20, 120, 240), atol=6)
    assert picture.notes == ()


def test_postscript_is_refused() -> None:
    # Pillow would run Ghostscript on it.
    with pytest.raises(ImageError, match="not a picture in a known format"):
        load_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n")


# --- orientation


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_makes_the_picture_upright(orientation: int) -> None:
    data = encoded(Image.fromarray(RGB), "PNG", exif=oriented(orientation))

    np.testing.assert_array_equal(load_image(data).pixels, UPRIGHT[orientation](BGR), strict=True)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_exif_orientation_is_applied_to_every_kind_of_input(way: Callable[[Path], ImageLike], tmp_path: Path) -> None:
    path = stored(tmp_path, encoded(Image.fromarray(RGB), "PNG", exif=oriented(6)))

    np.testing.assert_array_equal(load_image(way(path)).pixels, np.rot90(BGR, -1), strict=True)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied_once_in_each_format(kind: str) -> None:
    image = Image.fromarray(RGB)

    turned = load_image(encoded(image, kind, exif=oriented(6))).pixels

    np.testing.assert_array_equal(turned, np.rot90(load_image(encoded(image, kind)).pixels, -1), strict=True)


def test_a_pil_image_is_not_changed_and_gives_the_same_twice() -> None:
    image = opened(encoded(Image.fromarray(RGB), "PNG", exif=oriented(6)))

    first, second = load_image(image).pixels, load_image(image).pixels

    np.testing.assert_array_equal(first, second)
    assert image.size == (6, 4)
    assert image.getexif()[0x0112] == 6


def test_an_upright_picture_is_not_rotated_again() -> None:
    image = ImageOps.exif_transpose(opened(encoded(Image.fromarray(RGB), "PNG", exif=oriented(6))))
    pixels = load_image(image).pixels

    np.testing.assert_array_equal(pixels, np.rot90(BGR, -1))
    np.testing.assert_array_equal(load_image(pixels).pixels, pixels)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_picture_with_damaged_exif_data_is_decoded_with_a_note(kind: str) -> None:
    picture = load_image(encoded(Image.fromarray(RGB), kind, exif=b"Exif\0\0garbage", lossless=True))

    np.testing.assert_array_equal(picture.pixels, BGR)
    assert picture.notes == ("its EXIF data are damaged, so its orientation is not known",)


def test_orientation_is_applied_beside_another_exif_entry_of_the_wrong_type() -> None:
    orientation = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    resolution = struct.pack(">HHI4s", 0x011A, 2, 4, b"abc\0")  # text where a fraction belongs
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2) + orientation + resolution + bytes(4)

    pixels = load_image(encoded(Image.fromarray(RGB), "PNG", exif=exif)).pixels

    np.testing.assert_array_equal(pixels, np.rot90(BGR, -1))


# --- channels and depth

GREY = np.array([[0, 50, 100], [150, 200, 255]], np.uint8)
GREY_AS_BGR = np.repeat(GREY[..., None], 3, axis=2)
COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [10, 20, 30]]], np.uint8)
ALPHA = np.array([[0, 128], [255, 1]], np.uint8)


def with_alpha(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.dstack([colours, ALPHA])


def palette(**info: Any) -> bytes:
    image = Image.frombytes("P", (2, 2), bytes([0, 1, 2, 3]))
    image.putpalette(COLOURS.tobytes())
    return encoded(image, "PNG", **info)


@pytest.mark.parametrize("way", ["file", "PIL"])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(encoded(Image.fromarray(GREY), "PNG"), GREY_AS_BGR, id="grey"),
        pytest.param(
            encoded(Image.merge("LA", [Image.fromarray(GREY[:, :2]), Image.fromarray(ALPHA)]), "PNG"),
            GREY_AS_BGR[:, :2],
            id="LA",
        ),
        pytest.param(encoded(Image.fromarray(with_alpha(COLOURS)), "PNG"), COLOURS[..., ::-1], id="RGBA"),
        pytest.param(palette(), COLOURS[..., ::-1], id="palette"),
        pytest.param(palette(transparency=1), COLOURS[..., ::-1], id="palette with a transparent colour"),
        pytest.param(palette(transparency=b"\x00\x80\xff"), COLOURS[..., ::-1], id="palette with alpha values"),
        pytest.param(
            encoded(Image.fromarray(GREY > 120), "PNG"),
            np.where(GREY_AS_BGR > 120, 255, 0).astype(np.uint8),
            id="1 bit",
        ),
        pytest.param(
            encoded(Image.fromarray(COLOURS), "PNG", transparency=(255, 0, 0)), COLOURS[..., ::-1], id="RGB with a key"
        ),
    ],
)
def test_alpha_is_dropped_and_grey_and_palettes_become_bgr(data: bytes, expected: NDArray[np.uint8], way: str) -> None:
    pixels = load_image(data if way == "file" else opened(data)).pixels

    np.testing.assert_array_equal(pixels, expected, strict=True)
    assert pixels.flags.c_contiguous


def test_cmyk_jpeg_keeps_its_colours() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))

    pixels = load_image(encoded(red, "JPEG", quality=95)).pixels

    np.testing.assert_allclose(pixels.reshape(-1, 3).mean(axis=0), (0, 0, 255), atol=6)


DEEP = np.array([[0x0000, 0x00FF, 0x0100], [0x1234, 0x80FF, 0xFFFF]], np.uint16)
DEEP_AS_BGR = np.repeat(np.array([[0x00, 0x00, 0x01], [0x12, 0x80, 0xFF]], np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(encoded(Image.fromarray(DEEP), "PNG"), id="PNG"),
        pytest.param(encoded(Image.frombytes("I;16B", (3, 2), DEEP.astype(">u2").tobytes()), "TIFF"), id="TIFF"),
        pytest.param(Image.fromarray(DEEP), id="PIL"),
        pytest.param(Image.fromarray(DEEP.astype(np.int32)), id="PIL, 32 bits wide"),
        pytest.param(DEEP, id="array"),
        pytest.param(DEEP[..., None], id="array with a channel axis"),
    ],
)
def test_16_bit_grey_becomes_its_high_byte(image: ImageLike) -> None:
    np.testing.assert_array_equal(load_image(image).pixels, DEEP_AS_BGR, strict=True)


def test_16_bit_colours_become_their_high_byte() -> None:
    deep = (BGR.astype(np.uint16) << 8) + 0xAB
    data = cv2.imencode(".png", deep)[1].tobytes()

    np.testing.assert_array_equal(load_image(data).pixels, BGR, strict=True)
    np.testing.assert_array_equal(load_image(deep).pixels, BGR, strict=True)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(Image.fromarray(np.array([[0, 70_000]], np.int32)), id="more than 16 bits"),
        pytest.param(Image.fromarray(np.array([[-1, 5]], np.int32)), id="negative"),
        pytest.param(Image.fromarray(np.array([[0.0, 1.5]], np.float32)), id="floating point, slightly above 1"),
        pytest.param(Image.fromarray(np.array([[-0.1, 0.5]], np.float32)), id="floating point, negative"),
        pytest.param(Image.fromarray(np.array([[0, 300]], np.float32)), id="floating point, above 255"),
        pytest.param(Image.fromarray(np.array([[0, np.nan]], np.float32)), id="not a number"),
    ],
)
def test_the_error_for_values_out_of_range_says_what_was_expected(image: Image.Image) -> None:
    with pytest.raises(ImageError, match="expected 8 or 16 bits a channel"):
        load_image(image)


# --- arrays


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        pytest.param(GREY, GREY_AS_BGR, id="(H, W)"),
        pytest.param(GREY[..., None], GREY_AS_BGR, id="(H, W, 1)"),
        pytest.param(BGR, BGR, id="BGR"),
        pytest.param(with_alpha(COLOURS), COLOURS, id="BGRA"),
        pytest.param(RGB[:, ::2], RGB[:, ::2], id="every second column"),
        pytest.param(np.asfortranarray(RGB), RGB, id="in Fortran's order"),
    ],
)
def test_an_array_becomes_contiguous_bgr_and_is_not_changed(
    array: NDArray[np.uint8], expected: NDArray[np.uint8]
) -> None:
    before = array.copy()
    given = array[...]
    given.flags.writeable = False

    pixels = load_image(given).pixels

    np.testing.assert_array_equal(pixels, expected, strict=True)
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(
    ("array", "got"),
    [
        pytest.param(np.zeros((4, 6, 3)), r"float64 of shape \(4, 6, 3\)", id="floating point"),
        pytest.param(np.zeros((4, 6, 3), np.int64), r"int64 of shape \(4, 6, 3\)", id="64-bit integers"),
        pytest.param(np.zeros((4, 6), np.bool_), r"bool of shape \(4, 6\)", id="truth values"),
        pytest.param(np.zeros((4, 6, 2), np.uint8), r"uint8 of shape \(4, 6, 2\)", id="two channels"),
        pytest.param(np.zeros((3, 4, 6), np.uint8), r"uint8 of shape \(3, 4, 6\)", id="channels first"),
        pytest.param(np.zeros((1, 4, 6, 3), np.uint8), r"uint8 of shape \(1, 4, 6, 3\)", id="a batch"),
        pytest.param(np.zeros(6, np.uint8), r"uint8 of shape \(6,\)", id="a row"),
        pytest.param(np.zeros((0, 6, 3), np.uint8), r"uint8 of shape \(0, 6, 3\)", id="no rows"),
        pytest.param(np.zeros((4, 0), np.uint8), r"uint8 of shape \(4, 0\)", id="no columns"),
    ],
)
def test_the_error_for_a_wrong_array_says_what_was_expected_and_what_came(array: NDArray[Any], got: str) -> None:
    with pytest.raises(ImageError, match=r"expected uint8 \(or uint16\) of shape \(H, W, 3\) BGR.*, got " + got):
        load_image(array)


@pytest.mark.parametrize(("thing", "got"), [(None, "NoneType"), (7, "int"), ([[1, 2], [3, 4]], "list")])
def test_the_error_for_a_wrong_type_says_what_was_expected_and_what_came(thing: Any, got: str) -> None:
    with pytest.raises(ImageError, match=rf"expected a path, bytes, numpy\.ndarray or PIL\.Image, got {got}"):
        load_image(thing)


# --- animations


@pytest.mark.parametrize("way", ["file", "PIL"])
@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_is_decoded_with_a_note(kind: str, way: str) -> None:
    data = animation(kind, frames=3)

    picture = load_image(data if way == "file" else opened(data))

    np.testing.assert_array_equal(picture.pixels, np.full((6, 8, 3), (40, 40, 250), np.uint8), strict=True)
    assert picture.notes == ("only the first of 3 frames was read",)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_a_single_frame_gives_no_note(kind: str) -> None:
    assert load_image(animation(kind, frames=1)).notes == ()


def test_the_preview_in_a_phone_picture_gives_no_note() -> None:
    picture = load_image(animation("MPO", frames=2))

    assert picture.pixels.shape == (6, 8, 3)
    assert picture.notes == ()


# --- files that are no pictures

NOISE_JPEG = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)), "JPEG")


def test_the_error_for_a_missing_file_names_it(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.jpg"

    with pytest.raises(ImageError) as caught:
        load_image(path)

    assert str(caught.value) == f"no such file: {path}"
    assert caught.value.source == str(path)


def test_the_error_for_a_folder_says_that_it_is_one(tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        load_image(tmp_path)

    assert str(caught.value) == f"expected a picture file, but this is a folder: {tmp_path}"
    assert caught.value.source == str(tmp_path)


def test_an_invalid_file_name_is_refused() -> None:
    with pytest.raises(ImageError, match="cannot read"):
        load_image("null\0byte.jpg")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "is empty (0 bytes)", id="empty"),
        pytest.param(b"Hello, world!", "is not a picture in a known format (it begins with b'Hello, w')", id="text"),
        pytest.param(NOISE_JPEG[:100], "is damaged", id="cut off in its header"),
        pytest.param(NOISE_JPEG[: len(NOISE_JPEG) // 2], "cannot be decoded", id="cut off in its pixels"),
    ],
)
@pytest.mark.parametrize("way", ["path", "bytes"])
def test_the_error_for_a_broken_file_names_it_and_says_why(content: bytes, why: str, way: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)

    with pytest.raises(ImageError) as caught:
        load_image(path if way == "path" else content, source=str(path) if way == "bytes" else None)

    assert str(caught.value).startswith(f"{path} ")
    assert why in str(caught.value)
    assert caught.value.source == str(path)


def refused(data: bytes) -> bool:
    try:
        load_image(data)
    except ImageError:
        return True
    return False


@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged metadata
@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "GIF", "JPEG2000", "PPM"])
def test_a_file_cut_off_anywhere_raises_only_image_errors(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), np.uint8)
    several = {"save_all": True, "append_images": [Image.fromarray(noise[1])]} if kind in ("GIF", "MPO", "TIFF") else {}
    data = encoded(Image.fromarray(noise[0]), kind, **several)
    assert not refused(data)

    cuts = [*range(1, 64), *range(64, len(data), len(data) // 40)]

    assert True in {refused(data[:cut]) for cut in cuts}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"P6\nfour 4\n255\n" + bytes(48), id="PPM with a word for a number"),
        pytest.param(
            encoded(Image.fromarray(RGB), "BMP")[:30] + b"\x05" + encoded(Image.fromarray(RGB), "BMP")[31:],
            id="BMP with an unknown compression",
        ),
    ],
)
def test_a_damaged_header_is_an_image_error(data: bytes) -> None:
    with pytest.raises(ImageError):
        load_image(data)


# --- size limit


@pytest.mark.parametrize("side", [10_001, 11_000, 20_000, 60_000])
def test_a_header_with_too_many_pixels_is_refused_before_decoding(side: int, tmp_path: Path) -> None:
    path = stored(tmp_path, png_header(side, side))  # without pixels, so that decoding fails in another way

    with pytest.raises(ImageTooLarge, match="--max-megapixels") as caught:
        load_image(path)

    assert caught.value.pixels == side * side
    assert caught.value.limit == 100_000_000
    assert caught.value.source == str(path)
    assert str(path) in str(caught.value)


def test_the_limit_holds_if_an_application_lifts_pillows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)

    with pytest.raises(
        ImageTooLarge, match=r"has 60000 x 50000 = 3000\.0 megapixels, more than max_pixels = 100,000,000"
    ):
        load_image(png_header(60_000, 50_000))


def test_the_error_for_pillows_own_limit_says_how_to_raise_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)

    with pytest.raises(ImageTooLarge, match=r"more than Pillow's own limit of 2,000 .*MAX_IMAGE_PIXELS") as caught:
        load_image(png_header(60, 50))

    assert (caught.value.pixels, caught.value.limit) == (3000, 2000)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(encoded(Image.new("RGB", (20, 10)), "PNG"), id="file"),
        pytest.param(Image.new("RGB", (20, 10)), id="PIL"),
        pytest.param(np.zeros((10, 20, 3), np.uint8), id="array"),
    ],
)
def test_the_limit_is_an_option(image: ImageLike) -> None:
    assert load_image(image, limits=DecodingLimits(max_pixels=200)).pixels.shape == (10, 20, 3)

    with pytest.raises(ImageTooLarge) as caught:
        load_image(image, limits=DecodingLimits(max_pixels=199))

    assert (caught.value.pixels, caught.value.limit) == (200, 199)
