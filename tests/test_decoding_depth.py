"""16-bit, 32-bit and floating-point pictures become 8 bits as people expect; arrays."""

from __future__ import annotations

import io
import struct
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from maskcheck import DecodingLimits, ImageError, ImageTooLarge, load_image

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)
RAMP_BGR = np.repeat(RAMP[..., None], 3, axis=2)
SCENE = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)  # BGR


def tiff(values: NDArray[Any], **tags: Any) -> bytes:
    info = {int(name[1:]): value for name, value in tags.items()}
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF", tiffinfo=info)
    return file.getvalue()


def colour_tiff(values: NDArray[Any], **entries: int) -> bytes:
    """An uncompressed little-endian TIFF of three channels (RGB), of any dtype, which Pillow cannot write."""
    height, width, _ = values.shape
    pixels = values.tobytes()
    bits, kind = 8 * values.dtype.itemsize, {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    table = {256: width, 257: height, 259: 1, 262: 2, 277: 3, 278: height, 279: len(pixels)}
    table |= {int(name[1:]): value for name, value in entries.items()}
    extra = 8 + len(pixels)
    rows = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in table.items()]
    rows += [struct.pack("<HHII", tag, 3, 3, extra + 6 * place) for place, tag in enumerate((258, 339))]
    rows.append(struct.pack("<HHII", 273, 4, 1, 8))
    rows.sort(key=lambda row: struct.unpack_from("<H", row)[0])
    directory = struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4)
    body = pixels + struct.pack("<3H", bits, bits, bits) + struct.pack("<3H", kind, kind, kind)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory


@pytest.mark.parametrize("tag", ["_281", "_341"])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_16_bit_values_are_scaled_by_the_bits_that_the_file_says_are_in_use(bits: int, tag: str) -> None:
    data = tiff(RAMP.astype(np.uint16) << (bits - 8), **{tag: (1 << bits) - 1})

    picture = load_image(data)

    np.testing.assert_array_equal(picture.pixels, RAMP_BGR)
    assert picture.notes == ()


def test_a_wrong_number_of_bits_in_use_is_ignored() -> None:
    data = tiff(RAMP.astype(np.uint16) << 8, _281=4095)

    np.testing.assert_array_equal(load_image(data).pixels, RAMP_BGR)


def test_packed_12_bit_values_are_scaled() -> None:
    values = RAMP.astype(np.uint16).ravel() << 4
    first, second = values[::2], values[1::2]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1).astype(np.uint8).tobytes()
    table = {256: 16, 257: 16, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 16, 279: len(packed)}
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in table.items())
    data = b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + struct.pack("<H", len(table)) + rows + bytes(4)

    np.testing.assert_array_equal(load_image(data).pixels, RAMP_BGR)


def test_a_dark_picture_of_16_bits_has_a_note_that_says_why() -> None:
    dark = RAMP.astype(np.uint16) << 4

    for given in (tiff(dark), dark, Image.fromarray(dark)):
        picture = load_image(given)
        assert picture.pixels.max() == 15
        assert picture.notes == (
            "it is very dark: its 16-bit values go up to 4080 of 65535; if only 12 bits are in use, scale them first",
        )
    assert load_image(dark << 4).notes == ()
    assert load_image(dark * 0).notes == ()


@pytest.mark.parametrize("dtype", [np.int32, np.uint16])
def test_wide_integers_within_0_to_255_are_read_as_8_bits(dtype: Any) -> None:
    picture = load_image(tiff(RAMP.astype(dtype)))

    np.testing.assert_array_equal(picture.pixels, RAMP_BGR)
    assert "all within 0..255" in picture.notes[0]


@pytest.mark.parametrize("most", [1, 255])
def test_floating_point_grey_is_decoded(most: int) -> None:
    np.testing.assert_array_equal(load_image(tiff((RAMP / 255 * most).astype(np.float32))).pixels, RAMP_BGR)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("most", [1, 255])
def test_floating_point_colours_are_decoded(most: int, dtype: Any) -> None:
    data = colour_tiff((SCENE[..., ::-1] / 255 * most).astype(dtype))

    np.testing.assert_array_equal(load_image(data).pixels, SCENE, strict=True)


@pytest.mark.parametrize("compression", [1, 5], ids=["none", "LZW"])
def test_floating_point_colours_as_opencv_writes_them_are_decoded(compression: int) -> None:
    values = SCENE.astype(np.float32) / 255
    data = cv2.imencode(".tiff", values, [cv2.IMWRITE_TIFF_COMPRESSION, compression])[1].tobytes()

    np.testing.assert_array_equal(load_image(data).pixels, SCENE)


@pytest.mark.parametrize("most", [1, 255])
def test_floating_point_colours_in_logluv_are_decoded_within_its_loss(most: int) -> None:
    """OpenCV before 4.13 writes floats in LogLuv by default."""
    scene = SCENE.copy()
    scene[0, 0], scene[0, 1] = 255, 0  # the loss moves these values out of range
    values = scene.astype(np.float32) / 255 * most
    data = cv2.imencode(".tiff", values, [cv2.IMWRITE_TIFF_COMPRESSION, 34676])[1].tobytes()

    np.testing.assert_allclose(load_image(data).pixels.astype(int), scene, atol=6)


@pytest.mark.parametrize("most", [1.5, 1000.0])
def test_logluv_without_a_known_white_is_refused(most: float) -> None:
    values = np.full((4, 4, 3), most, np.float32)
    data = cv2.imencode(".tiff", values, [cv2.IMWRITE_TIFF_COMPRESSION, 34676])[1].tobytes()

    with pytest.raises(ImageError, match=r"has floating-point pixels from .*: expected 8 or 16 bits a channel"):
        load_image(data)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_floating_point_colours_are_turned_upright(orientation: int) -> None:
    data = colour_tiff((SCENE[..., ::-1] / 255).astype(np.float32), _274=orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(SCENE[..., ::-1]).save(file, "PNG", exif=exif)

    np.testing.assert_array_equal(load_image(data).pixels, load_image(file.getvalue()).pixels)


def test_floating_point_colours_are_held_to_the_limits() -> None:
    data = colour_tiff((SCENE[..., ::-1] / 255).astype(np.float32))

    with pytest.raises(ImageTooLarge):
        load_image(data, limits=DecodingLimits(max_pixels=100))
    with pytest.raises(ImageTooLarge):
        load_image(data, limits=DecodingLimits(max_side=15))


def test_16_bit_colours_are_scaled_by_the_bits_that_the_file_says_are_in_use() -> None:
    data = colour_tiff(SCENE[..., ::-1].astype(np.uint16) << 4, _281=4095)

    np.testing.assert_array_equal(load_image(data).pixels, SCENE)


@pytest.mark.parametrize("values", [(-1.0, 0.5), (0.0, 1.5), (0.0, 70_000.0), (0.0, float("nan")), (0.0, float("inf"))])
def test_floats_without_a_known_white_are_refused(values: tuple[float, float]) -> None:
    colours = np.full((4, 4, 3), values[0], np.float32)
    colours[0, 0] = values[1]

    for data in (tiff(colours[..., 0]), colour_tiff(colours)):
        with pytest.raises(ImageError, match=r"has floating-point pixels from .*: expected 8 or 16 bits a channel"):
            load_image(data)


def test_a_float_tiff_that_is_cut_off_is_an_image_error() -> None:
    data = colour_tiff((SCENE[..., ::-1] / 255).astype(np.float32))
    whole = data[:8] + data[len(data) - 200 :]

    for cut in (data[: len(data) // 2], data[:-100], whole):
        with pytest.raises(ImageError):
            load_image(cut)


# --- arrays


def test_a_matrix_and_a_memory_map_are_arrays(tmp_path: Any) -> None:
    mapped = np.memmap(tmp_path / "pixels", np.uint8, "w+", shape=SCENE.shape)
    mapped[:] = SCENE

    np.testing.assert_array_equal(load_image(mapped).pixels, SCENE)
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix(RAMP)
    pixels = load_image(matrix).pixels
    np.testing.assert_array_equal(pixels, RAMP_BGR)
    assert type(pixels) is np.ndarray


class IndexRefused(np.ndarray[Any, np.dtype[Any]]):
    def __getitem__(self, key: Any) -> Any:
        raise AssertionError("asked for by an index")


def test_a_subclass_of_arrays_is_an_array() -> None:
    np.testing.assert_array_equal(load_image(SCENE.view(IndexRefused)).pixels, SCENE)


def test_masked_values_are_refused_and_an_empty_mask_is_not() -> None:
    np.testing.assert_array_equal(load_image(np.ma.masked_array(SCENE)).pixels, SCENE)
    with pytest.raises(ImageError, match=r"masked values; fill them: array\.filled\(0\)"):
        load_image(np.ma.masked_array(SCENE, SCENE < 9))


def test_the_byte_order_of_16_bits_does_not_matter() -> None:
    deep = SCENE.astype(np.uint16) << 8

    np.testing.assert_array_equal(load_image(deep.astype(">u2")).pixels, SCENE)


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        pytest.param(SCENE / 255, "multiply by 255", id="floats"),
        pytest.param(SCENE > 9, r"use 255 \* array\.astype", id="truth values"),
        pytest.param(SCENE.astype(np.int64), r"use array\.astype\(numpy\.uint8\)", id="integers"),
        pytest.param(SCENE.transpose(2, 0, 1), r"array\.transpose\(1, 2, 0\)", id="channels first"),
        pytest.param(SCENE.astype(object), "got object", id="objects"),
        pytest.param(np.zeros((4, 4), "U1"), "got <U1", id="text"),
        pytest.param(np.zeros((4, 4), [("r", "u1")]), "got ", id="records"),
    ],
)
def test_an_array_that_is_refused_has_a_hint(array: NDArray[Any], hint: str) -> None:
    with pytest.raises(ImageError, match=hint):
        load_image(array)


def test_an_array_that_needs_no_change_is_not_copied() -> None:
    assert np.shares_memory(load_image(SCENE).pixels, SCENE)


@pytest.mark.parametrize("size", [(0, 7), (7, 0), (0, 0)])
def test_an_empty_crop_is_an_image_error(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=f"has no pixels: it is {size[0]} x {size[1]}"):
        load_image(Image.new("RGB", (9, 9)).crop((0, 0, *size)))
