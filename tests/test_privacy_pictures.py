"""With ``--blur``, nothing that a run writes shows a face: neither the pixels of a copy nor what lies beside them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from maskcheck import MaskPipeline, load_image
from maskcheck.commands import main

MAKER_NOTE, EXIF_FOLDER = 0x927C, 0x8769


@pytest.fixture
def photo(portrait: Path, tmp_path: Path) -> tuple[Path, bytes]:
    """A photo as from a camera, and the preview in the notes of its maker."""
    preview = io.BytesIO()
    with Image.open(portrait) as image:
        image.resize((160, 160)).save(preview, "JPEG")
        exif = Image.Exif()
        exif[0x010F] = "Some Maker"
        exif.get_ifd(EXIF_FOLDER)[MAKER_NOTE] = b"NOTES" + preview.getvalue()
        image.save(tmp_path / "photo.jpg", exif=exif)
    return tmp_path / "photo.jpg", preview.getvalue()


@pytest.mark.parametrize("blur", [[], ["--blur", "all"]], ids=["clear", "blurred"])
def test_a_blurred_copy_has_neither_the_face_nor_the_cameras_preview_of_it(
    photo: tuple[Path, bytes], tmp_path: Path, blur: list[str]
) -> None:
    path, preview = photo
    assert preview in path.read_bytes()

    outcome = CliRunner().invoke(main, ["detect", str(path), "--output", str(tmp_path / "out"), *blur])

    assert outcome.exit_code == 0, outcome.output
    written = (tmp_path / "out" / "photo.jpg").read_bytes()
    assert (preview in written) == (not blur)
    faces = MaskPipeline()(load_image(written).pixels)
    assert bool(len(faces)) == (not blur)
    if blur:
        assert all(preview not in file.read_bytes() for file in (tmp_path / "out").iterdir())
