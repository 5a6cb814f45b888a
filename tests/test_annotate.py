from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from maskcheck import Face, FrameResult, SourceError, load_image
from maskcheck.commands.detect.copies.annotator import Annotator
from maskcheck.commands.detect.copies.output_names import OutputNames
from maskcheck.sources import Source

FACE = Face((20, 20, 50, 50), "with_mask", 0.9, {"with_mask": 0.9, "without_mask": 0.1})


def result_of(source: Source) -> FrameResult:
    """The result of a picture, with its pixels, as a run has it."""
    return FrameResult((FACE,), (80, 60), image=load_image(source.path).pixels)


def make(path: Path, name: str | None = None) -> Source:
    """A picture of 80 x 60 pixels, found under this name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {".gif": "GIF", ".jp2": "JPEG2000", "": "PNG"}.get(path.suffix.lower())
    Image.linear_gradient("L").resize((80, 60)).save(path, kind)
    return Source(path, Path(name or path.name))


def annotate(folder: Path, sources: Sequence[Source]) -> list[str]:
    """Annotate all pictures.

    Returns:
        The files that are in the folder then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    annotator = Annotator(OutputNames(folder, sources), sources)
    for source in sources:
        annotator.write(source, result_of(source))
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_face_is_drawn_on_the_copy(tmp_path: Path) -> None:
    source = make(tmp_path / "in" / "a.png")

    annotate(tmp_path / "out", [source])

    copy = load_image(tmp_path / "out" / "a.png").pixels
    np.testing.assert_array_equal(copy, result_of(source).draw())
    assert (copy != load_image(source.path).pixels).any()


def test_the_picture_itself_is_not_changed(tmp_path: Path) -> None:
    source = make(tmp_path / "in" / "a.png")
    before = source.path.read_bytes()

    annotate(tmp_path / "out", [source])

    assert source.path.read_bytes() == before


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.JPG", "a.jpeg", "a.png", "a.webp", "a.bmp", "a.tif", "a.tiff", "Ärger 写真 [1].jpg", "a.b.png"]
)
def test_a_copy_keeps_its_name_and_format(name: str, tmp_path: Path) -> None:
    source = make(tmp_path / "in" / name)

    annotate(tmp_path / "out", [source])

    with Image.open(source.path) as original, Image.open(tmp_path / "out" / name) as copy:
        assert copy.format == original.format
        assert copy.size == (80, 60)


@pytest.mark.parametrize(
    ("name", "copy"), [("a.gif", "a.gif.png"), ("a.GIF", "a.GIF.png"), ("a.jp2", "a.jp2.png"), ("photo", "photo.png")]
)
def test_the_copy_of_another_format_is_png_with_the_old_ending_in_its_name(
    name: str, copy: str, tmp_path: Path
) -> None:
    assert annotate(tmp_path / "out", [make(tmp_path / "in" / name)]) == [copy]

    with Image.open(tmp_path / "out" / copy) as written:
        assert written.format == "PNG"


def test_subfolders_are_kept(tmp_path: Path) -> None:
    sources = [
        make(tmp_path / "in" / "a.png", "a.png"),
        make(tmp_path / "in" / "summer" / "a.png", "summer/a.png"),
        make(tmp_path / "in" / "summer" / "beach" / "b.gif", "summer/beach/b.gif"),
    ]

    assert annotate(tmp_path / "out" / "new", sources) == ["a.png", "summer/a.png", "summer/beach/b.gif.png"]


def test_pictures_with_the_same_name_are_numbered(tmp_path: Path) -> None:
    sources = [make(tmp_path / folder / "a.png") for folder in ("one", "two", "three")]
    sources += [make(tmp_path / folder / "b.gif") for folder in ("one", "two")]

    assert annotate(tmp_path / "out", sources) == ["a-2.png", "a-3.png", "a.png", "b.gif-2.png", "b.gif.png"]


def test_a_number_does_not_take_a_name_that_is_taken(tmp_path: Path) -> None:
    sources = [make(tmp_path / "one" / "a-2.png"), make(tmp_path / "one" / "a.png"), make(tmp_path / "two" / "a.png")]

    assert annotate(tmp_path / "out", sources) == ["a-2.png", "a-3.png", "a.png"]


def test_names_that_differ_in_case_only_do_not_overwrite_each_other(tmp_path: Path) -> None:
    # They would where the file system does not tell them apart, as on macOS.
    sources = [make(tmp_path / "one" / "a.png"), make(tmp_path / "two" / "A.png")]

    assert len(annotate(tmp_path / "out", sources)) == 2


@pytest.mark.parametrize("spelling", ["in", "in/../in", "other/../in"])
def test_it_refuses_to_overwrite_a_picture_that_is_read(spelling: str, tmp_path: Path) -> None:
    source = make(tmp_path / "in" / "a.png")
    (tmp_path / "other").mkdir()
    before = source.path.read_bytes()

    with pytest.raises(click.UsageError, match=r"would overwrite .*a\.png; choose another folder"):
        Annotator(OutputNames(tmp_path / spelling, [source]), [source])

    assert source.path.read_bytes() == before


def test_it_refuses_to_overwrite_a_picture_that_will_be_read_later(tmp_path: Path) -> None:
    sources = [make(tmp_path / "in" / "a.gif"), make(tmp_path / "out" / "a.gif.png", "elsewhere/b.png")]

    with pytest.raises(click.UsageError, match=r"would overwrite .*a\.gif\.png"):
        Annotator(OutputNames(tmp_path / "out", sources), sources)


def test_copies_of_an_earlier_run_are_replaced(tmp_path: Path) -> None:
    source = make(tmp_path / "in" / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(b"old")

    assert annotate(tmp_path / "out", [source]) == ["a.png"]
    assert load_image(tmp_path / "out" / "a.png").pixels.shape == (60, 80, 3)


def test_a_picture_that_does_not_exist_takes_no_name(tmp_path: Path) -> None:
    missing = Source(tmp_path / "no" / "a.png", Path("a.png"), SourceError("no such file", source="a.png"))
    source = make(tmp_path / "in" / "a.png")
    annotator = Annotator(OutputNames(tmp_path / "out", [missing, source]), [missing, source])

    annotator.write(source, result_of(source))

    assert (tmp_path / "out" / "a.png").is_file()


def test_a_picture_that_stands_on_its_side_is_written_upright(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 80)).save(path, exif=exif)

    annotate(tmp_path / "out", [Source(path, Path("a.jpg"))])

    assert load_image(tmp_path / "out" / "a.jpg").pixels.shape == (60, 80, 3)


def test_the_copy_shows_the_picture_that_was_searched_even_if_its_file_has_changed(tmp_path: Path) -> None:
    source = make(tmp_path / "in" / "a.png")
    result = result_of(source)
    annotator = Annotator(OutputNames(tmp_path / "out", [source]), [source])
    Image.new("RGB", (40, 30)).save(source.path)

    annotator.write(source, result)

    np.testing.assert_array_equal(load_image(tmp_path / "out" / "a.png").pixels, result.draw())


def test_a_link_that_leads_to_itself_does_not_stop_the_others(tmp_path: Path) -> None:
    source = make(tmp_path / "in" / "a.png")
    loop = tmp_path / "in" / "loop.png"
    try:
        loop.symlink_to(loop)
    except OSError:
        pytest.skip("no symbolic links here")

    annotator = Annotator(
        OutputNames(tmp_path / "out", [Source(loop, Path(loop.name)), source]), [Source(loop, Path(loop.name)), source]
    )
    annotator.write(source, result_of(source))

    assert (tmp_path / "out" / "a.png").is_file()
