"""What a notebook displays for a result, and the notebook of the examples, run without a browser."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskcheck import Face, FrameResult, ImageError

FACE = Face((10, 20, 50, 55), "with_mask", 0.75, {"with_mask": 0.75, "without_mask": 0.25}, 0.5)


def shown(result: FrameResult) -> dict[str, str]:
    """What IPython gets from a result."""
    return result._repr_mimebundle_(include=None, exclude=None)


def as_picture(bundle: dict[str, str]) -> Image.Image:
    assert set(bundle) == {"image/jpeg"}
    return Image.open(io.BytesIO(base64.b64decode(bundle["image/jpeg"])))


def as_page(bundle: dict[str, str]) -> str:
    assert set(bundle) == {"text/html"}
    return bundle["text/html"]


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Writes a grey picture of some size."""

    def write(width: int = 100, height: int = 60, name: str = "a.png") -> Path:
        Image.new("RGB", (width, height), (128, 128, 128)).save(tmp_path / name)
        return tmp_path / name

    return write


def test_a_result_of_a_file_is_displayed_as_the_annotated_picture(save: Callable[..., Path]) -> None:
    result = FrameResult((FACE,), (100, 60), source=str(save()))

    picture = as_picture(shown(result))

    expected = result.draw(save())[..., ::-1].astype(int)
    assert picture.format == "JPEG"
    assert np.abs(np.asarray(picture.convert("RGB"), int) - expected).mean() < 8
    assert np.abs(expected - 128).mean() > 10


def test_a_result_that_holds_its_pixels_is_displayed_as_the_annotated_picture() -> None:
    result = FrameResult((FACE,), (100, 60), frame=3, image=np.full((60, 100, 3), 128, np.uint8))

    assert as_picture(shown(result)).size == (100, 60)


@pytest.mark.parametrize(
    ("size", "expected"), [((3200, 1000), (1600, 500)), ((20, 4000), (8, 1600)), ((5000, 2), (1600, 1))]
)
def test_a_large_picture_is_shown_smaller(
    size: tuple[int, int], expected: tuple[int, int], save: Callable[..., Path]
) -> None:
    assert as_picture(shown(FrameResult((), size, source=str(save(*size))))).size == expected


def test_a_result_without_a_file_shows_its_faces_as_a_table() -> None:
    page = as_page(shown(FrameResult((FACE, replace(FACE, detection_score=None)), (100, 60), frame=7)))

    assert "frame 7: 100 x 60 pixels, 2 faces" in page
    assert page.count("<tr>") == 3
    for cell in ("with_mask", "75.0%", "10, 20, 50, 55", "0.500", ""):
        assert f"<td>{cell}</td>" in page


def test_a_result_without_faces_says_so() -> None:
    assert "100 x 60 pixels, no face" in as_page(shown(FrameResult((), (100, 60))))


def test_a_result_whose_file_is_gone_or_has_changed_is_displayed_as_a_table(save: Callable[..., Path]) -> None:
    path = save()
    result = FrameResult((FACE,), (100, 60), source=str(path))

    save(90, 60)
    assert "with_mask" in as_page(shown(result))
    path.write_bytes(b"no picture")
    assert "with_mask" in as_page(shown(result))
    path.unlink()
    assert "with_mask" in as_page(shown(result))


def test_a_later_frame_is_not_drawn_on_the_first(save: Callable[..., Path]) -> None:
    as_page(shown(FrameResult((FACE,), (100, 60), source=str(save()), frame=3)))


def test_a_result_with_an_error_is_displayed_as_the_error(save: Callable[..., Path]) -> None:
    page = as_page(shown(FrameResult((), (0, 0), source=str(save()), error=ImageError("it is <empty>"))))

    assert "ImageError: it is &lt;empty&gt;" in page


def test_names_and_labels_are_never_markup() -> None:
    hostile = "<script>alert('1')</script>\x1b\u202e\ud800"
    face = Face((0, 0, 9, 9), hostile, 1.0, {hostile: 1.0})

    page = as_page(shown(FrameResult((face,), (9, 9), source=hostile)))

    assert page.count("&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;\\x1b\\u202e\\ud800") == 2
    assert "<script" not in page
    page.encode()


def test_a_result_holds_no_pixels_and_needs_no_notebook(save: Callable[..., Path], toy_model: Path) -> None:
    code = (
        "import sys; from maskcheck import MaskPipeline;"
        f"result = MaskPipeline(model={str(toy_model)!r}, device='cpu', threads=1)({str(save())!r});"
        "assert result._repr_mimebundle_()['image/jpeg'];"
        "print('IPython' in sys.modules, len(__import__('pickle').dumps(result)) < 2000)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)

    assert done.stdout.split() == ["False", "True"]


@pytest.fixture
def executed(examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Outputs of each code cell of the examples' notebook, run by Jupyter."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    if sys.platform == "win32":
        pytest.skip("pyzmq warns of Windows' event loop")
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    notebook = nbformat.read(examples / "notebook.ipynb", as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(examples)}}
    ).execute()
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def test_the_examples_notebook_shows_the_annotated_picture_by_itself(executed: dict[str, Any], examples: Path) -> None:
    (picture,) = executed["picture"]
    (table,) = executed["table"]
    (drawn,) = executed["drawn"]
    printed = "".join(output.text for output in executed["stream"])

    assert not {"text/html", "image/png"} & set(picture.data)
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.data["image/jpeg"]))).convert("RGB"), int)
    bare = np.asarray(Image.open(examples / "group.jpg").convert("RGB"), int)
    assert image.shape == bare.shape
    assert 0.01 < (np.abs(image - bare).max(axis=2) > 60).mean() < 0.2  # boxes and captions, and nothing else
    assert "1 face" in table.data["text/html"]
    assert "image/png" in drawn.data
    assert len(printed.splitlines()) == len(list(examples.glob("*.jpg")))
    assert "astronaut.jpg ['without_mask" in printed


def test_the_examples_notebook_is_kept_without_outputs(examples: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(examples / "notebook.ipynb", as_version=4)

    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
