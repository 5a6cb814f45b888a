"""Results of a run as lines of JSON, CSV and COCO."""

from __future__ import annotations

import csv
import io
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from maskcheck import Face, FrameResult, ImageError
from maskcheck.commands import main
from maskcheck.commands.result_files import Form, open_results
from maskcheck.evaluation.coco import read_coco

LABELS = ("with_mask", "without_mask", "mask_worn_incorrectly")


def face(box: tuple[int, int, int, int], label: str, confidence: float, score: float | None = 0.5) -> Face:
    rest = {other: (1 - confidence) / 2 for other in LABELS if other != label}
    return Face(box, label, confidence, {one: rest.get(one, confidence) for one in LABELS}, score)


TWO_FACES = FrameResult(
    (face((10, 20, 50, 60), "without_mask", 0.8), face((1, 2, 4, 9), "with_mask", 0.75, None)),
    (100, 80),
    source="a.jpg",
)
NO_FACE = FrameResult((), (64, 48), source="empty street.jpg", notes=("only the first of 3 frames was read", "dark"))
FAILED = FrameResult((), (0, 0), source="bad.jpg", error=ImageError('bad.jpg is "empty", 0 bytes'))
RUN = (NO_FACE, TWO_FACES, FAILED)


def written(form: Form, results: Iterable[FrameResult] = RUN, labels: tuple[str, ...] | None = LABELS) -> str:
    stream = io.StringIO(newline="")
    with open_results(form, stream, labels=labels) as writer:
        for result in results:
            writer.write(result)
    return stream.getvalue()


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_form_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"expected jsonl, csv, coco, got 'xml'"):
        open_results("xml", io.StringIO())  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["jsonl", "csv", "coco"])
def test_the_stream_is_not_closed(form: Form) -> None:
    stream = io.StringIO()

    open_results(form, stream).close()

    assert not stream.closed


@pytest.mark.parametrize("form", ["jsonl", "csv", "coco"])
def test_what_is_done_before_an_error_is_whole(form: Form) -> None:
    stream = io.StringIO(newline="")

    def interrupted() -> Iterator[FrameResult]:
        yield TWO_FACES
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_results(form, stream) as writer:
        deque(map(writer.write, interrupted()))

    assert stream.getvalue() == written(form, [TWO_FACES], None)


@pytest.mark.parametrize("form", ["jsonl", "csv", "coco"])
@pytest.mark.parametrize("name", ["\udce9t\udce9.jpg", "naïve 口罩 🙂.jpg", "two\nlines.jpg", "\x1b[31m.jpg"])
def test_every_name_can_be_written_in_any_encoding(form: Form, name: str, tmp_path: Path) -> None:
    result = FrameResult(TWO_FACES.faces, (100, 80), source=name, error=None)

    with (
        (tmp_path / "results").open("w", encoding="utf-8", newline="") as stream,
        open_results(form, stream) as writer,
    ):
        writer.write(result)
        writer.write(FrameResult((), (0, 0), source=name, error=ImageError(f"{name} is empty")))

    text = (tmp_path / "results").read_text(encoding="utf-8")
    assert "\x1b" not in text
    if form != "csv":
        assert text.isascii()
        assert json.dumps(name) in text


# --- lines of JSON


def test_lines_of_json_are_those_of_the_results() -> None:
    assert [json.loads(line) for line in written("jsonl").splitlines()] == [result.to_dict() for result in RUN]


def test_a_line_is_there_as_soon_as_its_picture_is_done(tmp_path: Path) -> None:
    with (tmp_path / "results").open("w") as stream:
        writer = open_results("jsonl", stream)
        writer.write(TWO_FACES)

        assert json.loads((tmp_path / "results").read_text()) == TWO_FACES.to_dict()


# --- CSV


def test_csv_has_a_row_a_face_and_one_for_a_picture_without() -> None:
    nothing, first, second, failed = table(written("csv"))

    assert first == {
        "source": "a.jpg",
        "frame": "0",
        "width": "100",
        "height": "80",
        "x1": "10",
        "y1": "20",
        "x2": "50",
        "y2": "60",
        "label": "without_mask",
        "confidence": "0.8",
        "probability_with_mask": "0.1",
        "probability_without_mask": "0.8",
        "probability_mask_worn_incorrectly": "0.1",
        "detection_score": "0.5",
        "notes": "",
        "error": "",
    }
    assert (second["label"], second["detection_score"]) == ("with_mask", "")
    assert (nothing["source"], nothing["x1"], nothing["label"]) == ("empty street.jpg", "", "")
    assert nothing["notes"] == "only the first of 3 frames was read; dark"
    assert (failed["width"], failed["error"]) == ("0", 'ImageError: bad.jpg is "empty", 0 bytes')


def test_csv_without_known_labels_takes_those_of_the_first_face_and_loses_no_row_before_it() -> None:
    assert written("csv", labels=None) == written("csv")


def test_csv_of_a_run_without_faces_has_its_pictures() -> None:
    rows = table(written("csv", [NO_FACE, FAILED], None))

    assert [row["source"] for row in rows] == ["empty street.jpg", "bad.jpg"]


def test_csv_of_no_picture_has_its_header() -> None:
    assert written("csv", []).startswith("source,frame,width,")
    assert len(written("csv", [], None).splitlines()) == 1


def test_a_row_is_there_as_soon_as_its_picture_is_done(tmp_path: Path) -> None:
    with (tmp_path / "results").open("w", newline="") as stream:
        writer = open_results("csv", stream)
        writer.write(TWO_FACES)

        assert len(table((tmp_path / "results").read_text())) == 2


def test_rows_end_alike_everywhere() -> None:
    text = written("csv")

    assert "\r" not in text
    assert text.endswith("\n")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@"])
def test_no_cell_is_a_formula_and_a_relative_name_still_leads_to_its_file(begin: str) -> None:
    name, label = f"{begin}cmd|' C'!A0.jpg", f"{begin}1+1"
    result = FrameResult(
        (Face((0, 0, 9, 9), label, 1.0, {label: 1.0}),), (9, 9), source=name, notes=(f"{begin}2+2",), error=None
    )

    (row,) = table(written("csv", [result], None))

    assert row["source"] == f"./{name}"
    assert row["label"] == f"'{label}"
    assert row["notes"] == f"'{begin}2+2"
    assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_faces_of_another_model_are_refused() -> None:
    other = FrameResult((Face((0, 0, 9, 9), "bright", 1.0, {"bright": 1.0}),), (9, 9))

    for form in ("csv", "coco"):
        with pytest.raises(ValueError, match=r"with_mask, without_mask, mask_worn_incorrectly, got also bright"):
            written(form, [TWO_FACES, other], None)


# --- COCO


def test_coco_has_images_annotations_and_categories() -> None:
    content = json.loads(written("coco"))

    assert [(image["id"], image["file_name"], image["width"], image["height"]) for image in content["images"]] == [
        (1, "empty street.jpg", 64, 48),
        (2, "a.jpg", 100, 80),
    ]
    assert [(one["id"], one["name"]) for one in content["categories"]] == list(enumerate(LABELS, 1))
    first, second = content["annotations"]
    assert (first["id"], first["image_id"], first["category_id"]) == (1, 2, 2)
    assert first["bbox"] == [10, 20, 40, 40]
    assert first["area"] == 1600
    assert first["iscrowd"] == 0
    assert first["score"] == pytest.approx(0.8 * 0.5)
    assert first["attributes"] == {
        "confidence": 0.8,
        "detection_score": 0.5,
        "probabilities": pytest.approx({"with_mask": 0.1, "without_mask": 0.8, "mask_worn_incorrectly": 0.1}),
    }
    assert second["score"] == 0.75  # a box of the caller has no detection score


def test_coco_keeps_pictures_that_failed_apart_from_those_without_faces() -> None:
    content = json.loads(written("coco"))

    assert content["maskcheck_errors"] == [
        {"file_name": "bad.jpg", "frame": 0, "type": "ImageError", "message": 'bad.jpg is "empty", 0 bytes'}
    ]
    assert "bad.jpg" not in [image["file_name"] for image in content["images"]]
    assert content["images"][0]["notes"] == list(NO_FACE.notes)


def test_coco_without_known_labels_takes_those_of_the_faces() -> None:
    assert written("coco", labels=None) == written("coco")


def test_coco_of_a_run_without_faces_has_the_models_labels() -> None:
    content = json.loads(written("coco", [NO_FACE]))

    assert [one["name"] for one in content["categories"]] == list(LABELS)
    assert content["annotations"] == []
    assert len(content["images"]) == 1


def test_coco_names_frames_that_have_no_file() -> None:
    content = json.loads(written("coco", [FrameResult((), (9, 9), frame=number) for number in (0, 7)]))

    assert [image["file_name"] for image in content["images"]] == ["frame_000000", "frame_000007"]


def test_coco_closed_twice_is_written_once() -> None:
    stream = io.StringIO()
    with open_results("coco", stream) as writer:
        writer.close()

    json.loads(stream.getvalue())


def test_coco_is_read_by_our_own_reader(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for result in (NO_FACE, TWO_FACES):
        Image.new("RGB", result.size).save(tmp_path / "images" / str(result.source))
    (tmp_path / "annotations.json").write_text(written("coco"), encoding="utf-8")

    nothing, pictured = read_coco(tmp_path).pictures

    assert len(nothing.boxes) == 0
    assert pictured.size == TWO_FACES.size
    assert pictured.labels == tuple(one.label for one in TWO_FACES)
    np.testing.assert_array_equal(pictured.boxes, [one.box for one in TWO_FACES])


def test_coco_is_read_by_the_fields_own_tools() -> None:
    tools = pytest.importorskip("faster_coco_eval")
    content: dict[str, Any] = json.loads(written("coco"))

    truth = tools.COCO(content)
    found = truth.loadRes(content["annotations"])  # as detections, of which the score counts

    assert sorted(truth.getImgIds()) == [1, 2]
    assert [one["name"] for one in truth.loadCats(truth.getCatIds())] == list(LABELS)
    assert [one["score"] for one in found.loadAnns(found.getAnnIds(imgIds=[2]))] == [0.4, 0.75]
    evaluation = tools.COCOeval_faster(truth, found, iouType="bbox", print_function=lambda *_: None)
    evaluation.run()
    assert evaluation.stats_as_dict["AP_50"] == pytest.approx(1.0)


# --- as ``maskcheck detect`` writes them


@pytest.fixture
def detected(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What ``maskcheck detect`` writes to standard output, with the toy model."""
    # The command lifts Pillow's limit for its process, which here is also that of the other tests.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)

    def detect(*arguments: str | Path) -> str:
        command = ["detect", "--model", str(toy_model), *map(str, arguments)]
        return CliRunner().invoke(main, command, catch_exceptions=False).stdout

    return detect


def test_detect_writes_whole_coco_to_standard_output(
    detected: Callable[..., str], portrait: Path, tmp_path: Path
) -> None:
    content = json.loads(detected(portrait, tmp_path / "missing.jpg", "--format", "coco"))

    assert [image["file_name"] for image in content["images"]] == [str(portrait)]
    assert [one["name"] for one in content["categories"]] == ["bright", "dark"]
    assert len(content["annotations"]) == 1
    assert [one["type"] for one in content["maskcheck_errors"]] == ["SourceError"]


def test_detect_writes_csv_to_standard_output(detected: Callable[..., str], portrait: Path, tmp_path: Path) -> None:
    found, missing = table(detected(portrait, tmp_path / "missing.jpg", "--format", "csv"))

    assert found["source"] == str(portrait)
    assert found["label"] in ("bright", "dark")
    assert missing["error"].startswith("SourceError: ")


@pytest.mark.parametrize(("form", "name"), [("csv", "results.csv"), ("coco", "annotations.json")])
def test_detect_writes_the_form_into_the_folder_of_output(
    detected: Callable[..., str], form: str, name: str, portrait: Path, tmp_path: Path
) -> None:
    expected = detected(portrait, "--format", form)

    detected(portrait, "--format", form, "--output", tmp_path / "output")

    assert (tmp_path / "output" / name).read_text(encoding="utf-8") == expected
