"""Formats beyond the common ones: HEIC, readers of the application, formats that can only be named, truncated JPEGs."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from maskcheck import ImageError, load_image
from maskcheck.pictures.formats import picture_format

PORTRAIT = np.zeros((64, 96, 3), np.uint8)  # RGB; each quarter has another colour, so that a rotation shows
PORTRAIT[:32, :48], PORTRAIT[32:, :48], PORTRAIT[32:, 48:] = (250, 0, 0), (0, 250, 0), (0, 0, 250)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def heic(orientation: int = 1) -> bytes:
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    heif.from_pillow(Image.fromarray(PORTRAIT)).save(file, quality=95, exif=oriented(orientation).tobytes())
    return file.getvalue()


HEAD_OF_HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
HEAD_OF_JXL = b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40)


# --- HEIC


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_is_decoded_and_turned_upright_once(orientation: int) -> None:
    expected = load_image(encoded(Image.fromarray(PORTRAIT), "PNG", exif=oriented(orientation))).pixels

    pixels = load_image(heic(orientation)).pixels

    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).mean() < 4


def test_heic_is_not_registered_with_pillow() -> None:
    load_image(heic())

    assert "HEIF" not in Image.OPEN


def test_heic_is_held_to_the_limits() -> None:
    from maskcheck import DecodingLimits, ImageTooLarge

    with pytest.raises(ImageTooLarge):
        load_image(heic(), limits=DecodingLimits(max_pixels=1000))


def test_a_damaged_heic_is_an_image_error() -> None:
    data = heic()

    for cut in (40, 200, len(data) // 2, len(data) - 10):
        with pytest.raises(ImageError):
            load_image(data[:cut])


def test_without_pillow_heif_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)

    with pytest.raises(
        ImageError, match=r'is a HEIC picture, which needs pillow-heif: pip install "maskcheck\[heif\]"'
    ):
        load_image(HEAD_OF_HEIC, source="IMG_0002.HEIC")


# --- formats that can only be named


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (HEAD_OF_JXL, "is a JPEG XL picture, which cannot be read; convert it"),
        (b"\xff\x0a" + bytes(40), "is a JPEG XL picture"),
        (b"8BPS\0\1" + bytes(40), "is a Photoshop document"),
        (b"FUJIFILMCCD-RAW " + bytes(40), "is a camera raw file"),
    ],
)
def test_the_error_for_an_unsupported_format_names_it(data: bytes, text: str) -> None:
    with pytest.raises(ImageError, match=text):
        load_image(data)


def test_avif_without_support_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskcheck.pictures.decoding.pillow_readers._allowed_formats", lambda: ("JPEG", "PNG"))

    with pytest.raises(ImageError, match="is an AVIF picture, which this Pillow cannot read: pip install --upgrade"):
        load_image(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(40))


# --- formats recognised by their first bytes


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("JPEG", "JPEG"),
        ("MPO", "JPEG"),
        ("PNG", "PNG"),
        ("WEBP", "WebP"),
        ("BMP", "BMP"),
        ("TIFF", "TIFF"),
        ("GIF", "GIF"),
        ("JPEG2000", "JPEG 2000"),
        ("PPM", "PNM"),
    ],
)
def test_formats_are_recognised_by_their_first_bytes(kind: str, name: str) -> None:
    assert picture_format(encoded(Image.fromarray(PORTRAIT), kind)[:64]) == name


def test_avif_is_recognised_and_decoded() -> None:
    pytest.importorskip("PIL._avif")
    data = encoded(Image.fromarray(PORTRAIT), "AVIF", quality=95, exif=oriented(6))

    assert picture_format(data[:64]) == "AVIF"
    assert load_image(data).pixels.shape == (96, 64, 3)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (HEAD_OF_HEIC, "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "AVIF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\0crx isom", "camera raw"),
        (HEAD_OF_JXL, "JPEG XL"),
        (b"II+\0\x08\0\0\0", "TIFF"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", None),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", None),
        (b"RIFF\0\0\0\0AVI LIST", None),
        (b"hello\n", None),
        (b"BMW and other cars are not pictures", None),
        (b"P5 is a word in this text", None),
        (b"P", None),
        (b"", None),
    ],
)
def test_a_file_that_is_no_picture_has_no_picture_format(head: bytes, name: str | None) -> None:
    assert picture_format(head) == name


# --- readers that an application registers with Pillow


class OwnFormat(ImageFile.ImageFile):
    """A format of the application: a word, then grey levels."""

    format = "OWN"

    def _open(self) -> None:
        assert self.fp is not None
        if self.fp.read(4) != b"OWN!":
            raise SyntaxError("not mine")
        self._size = (4, 3)
        self._mode = "L"
        self.tile = [ImageFile._Tile("raw", (0, 0, 4, 3), 4, "L")]


@pytest.fixture
def own_format() -> Iterator[None]:
    before = dict(Image.OPEN), list(Image.ID)
    Image.register_open("OWN", OwnFormat, lambda prefix: prefix.startswith(b"OWN!"))
    yield
    Image.OPEN.clear()
    Image.OPEN.update(before[0])
    Image.ID[:] = before[1]


@pytest.mark.usefixtures("own_format")
@pytest.mark.parametrize("way", ["path", "bytes"])
def test_a_reader_that_the_application_registered_is_used(way: str, tmp_path: Any) -> None:
    data = b"OWN!" + bytes(range(12))
    path = tmp_path / "picture.own"
    path.write_bytes(data)

    pixels = load_image(path if way == "path" else data).pixels

    np.testing.assert_array_equal(pixels[..., 0].ravel(), range(12))


def test_the_reader_of_pillow_heif_is_used_where_the_application_registered_it() -> None:
    code = (
        "import pillow_heif, sys\nfrom PIL import Image\nfrom maskcheck import load_image\n"
        "pillow_heif.register_heif_opener()\nImage.init()\n"
        "data = sys.stdin.buffer.read()\nprint(load_image(data).pixels.shape)\n"
        "try:\n    load_image(b'%!PS-Adobe-3.0 EPSF-3.0')\nexcept ValueError as error:\n    print(error)"
    )

    done = subprocess.run([sys.executable, "-c", code], input=heic(6), capture_output=True, check=True)

    assert done.stdout.decode().splitlines()[0] == "(96, 64, 3)"
    assert b"not a picture in a known format" in done.stdout  # Pillow's other readers are not used


# --- JPEG files whose end is missing

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)).resize((400, 300))


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}],
    ids=["baseline", "progressive", "full colour", "restart markers"],
)
@pytest.mark.parametrize("way", ["bytes", "PIL"])
def test_a_jpeg_without_its_end_marker_is_decoded_completely(options: Any, way: str) -> None:
    data = encoded(NOISE, "JPEG", **options)

    for cut in (1, 2):
        given = data[:-cut]
        picture = load_image(given if way == "bytes" else Image.open(io.BytesIO(given)))
        np.testing.assert_array_equal(picture.pixels, load_image(data).pixels)
        assert picture.notes == ("the end of its file is missing; all pixels are there",)


def test_a_jpeg_without_its_last_bytes_is_decoded_with_a_note_on_the_missing_rows() -> None:
    data = encoded(NOISE, "JPEG", exif=oriented(3))

    picture = load_image(data[:-30])

    np.testing.assert_array_equal(picture.pixels[18:], load_image(data).pixels[18:])  # rotated by 180 degrees
    assert picture.notes[0].startswith("the end of its file is missing; the last ")
    assert picture.notes[0].endswith(" rows may be grey")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("picture", ["noise", "black"])
def test_a_jpeg_with_more_missing_is_refused(share: float, progressive: bool, picture: str) -> None:
    image = NOISE if picture == "noise" else Image.new("RGB", (400, 300))
    data = encoded(image, "JPEG", progressive=progressive)
    start = data.index(b"\xff\xda")

    with pytest.raises(ImageError, match="cannot be decoded"):
        load_image(data[: start + int((len(data) - start) * share)])


def test_decoding_a_truncated_jpeg_leaves_pillows_switch_off() -> None:
    load_image(encoded(NOISE, "JPEG")[:-2])

    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
