"""Results of a run as JSON lines, CSV and COCO, and their receipts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from maskcheck import Face, FrameResult, ImageError, Receipt
from maskcheck.commands import main
from maskcheck.commands.detect.result_files.result_writers import Form, open_results
from maskcheck.evaluation.coco import read_coco

LABELS = ("with_mask", "without_mask", "mask_worn_incorrectly")


def face(box: tuple[int, int, int, int], label: str, confidence: float, score: float | None = 0.5) -> Face:
    rest = {other: (1 - confidence) / 2 for other in LABELS if other != label}
    return Face(box, label, confidence, {each: rest.get(each, confidence) for each in LABELS}, score)


TWO_FACES = FrameResult(
    (replace(face((10, 20, 50, 60), "without_mask", 0.8), face=0.875), face((1, 2, 4, 9), "with_mask", 0.75, None)),
    (100, 80),
    source="a.jpg",
)
NO_FACE = FrameResult((), (64, 48), source="empty street.jpg", notes=("only the first of 3 frames was read", "dark"))
FAILED = FrameResult((), (0, 0), source="bad.jpg", error=ImageError('bad.jpg is "empty", 0 bytes'))
RUN = (NO_FACE, TWO_FACES, FAILED)


def written(form: Form, results: Iterable[FrameResult] = RUN, labels: Sequence[str] = LABELS) -> str:
    stream = io.StringIO(newline="")
    with closing(open_results(form, stream, labels)) as writer:
        for result in results:
            writer.write(result)
    return stream.getvalue()


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("form", ["jsonl", "csv", "coco"])
def test_the_stream_is_not_closed(form: Form) -> None:
    stream = io.StringIO()

    open_results(form, stream, LABELS).close()

    assert not stream.closed


@pytest.mark.parametrize("form", ["jsonl", "csv", "coco"])
@pytest.mark.parametrize("name", ["\udce9t\udce9.jpg", "naïve 口罩 🙂.jpg", "two\nlines.jpg", "\x1b[31m.jpg"])
def test_every_name_can_be_written_in_any_encoding(form: Form, name: str, tmp_path: Path) -> None:
    result = FrameResult(TWO_FACES.faces, (100, 80), source=name, error=None)

    with (
        (tmp_path / "results").open("w", encoding="utf-8", newline="") as stream,
        closing(open_results(form, stream, LABELS)) as writer,
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


def test_a_line_is_written_as_soon_as_its_picture_is_done(tmp_path: Path) -> None:
    with (tmp_path / "results").open("w") as stream:
        writer = open_results("jsonl", stream, LABELS)
        writer.write(TWO_FACES)

        assert json.loads((tmp_path / "results").read_text()) == TWO_FACES.to_dict()


# --- CSV


def test_csv_has_a_row_for_each_face_and_for_each_picture_without_faces() -> None:
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
        "time": "",
        "track_id": "",
        "predicted": "false",
        "landmarks": "",
        "face": "0.875",
    }
    assert (second["label"], second["detection_score"], second["face"]) == ("with_mask", "", "")
    assert (nothing["source"], nothing["x1"], nothing["label"]) == ("empty street.jpg", "", "")
    assert nothing["notes"] == "only the first of 3 frames was read; dark"
    assert (failed["width"], failed["error"]) == ("0", 'ImageError: bad.jpg is "empty", 0 bytes')


def test_csv_of_a_run_without_faces_has_its_pictures() -> None:
    rows = table(written("csv", [NO_FACE, FAILED]))

    assert [row["source"] for row in rows] == ["empty street.jpg", "bad.jpg"]


def test_csv_of_no_picture_has_its_header() -> None:
    (header,) = written("csv", []).splitlines()

    assert header.startswith("source,frame,width,")


def test_a_row_is_written_as_soon_as_its_picture_is_done(tmp_path: Path) -> None:
    with (tmp_path / "results").open("w", newline="") as stream:
        writer = open_results("csv", stream, LABELS)
        writer.write(TWO_FACES)

        assert len(table((tmp_path / "results").read_text())) == 2


def test_rows_end_with_the_same_character_on_every_system() -> None:
    text = written("csv")

    assert "\r" not in text
    assert text.endswith("\n")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@"])
def test_no_cell_is_a_formula_and_a_relative_name_is_still_valid(begin: str) -> None:
    name, label = f"{begin}cmd|' C'!A0.jpg", f"{begin}1+1"
    result = FrameResult(
        (Face((0, 0, 9, 9), label, 1.0, {label: 1.0}),), (9, 9), source=name, notes=(f"{begin}2+2",), error=None
    )

    (row,) = table(written("csv", [result], [label]))

    assert row["source"] == f"./{name}"
    assert row["label"] == f"'{label}"
    assert row["notes"] == f"'{begin}2+2"
    assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_faces_of_another_model_are_refused() -> None:
    other = FrameResult((Face((0, 0, 9, 9), "bright", 1.0, {"bright": 1.0}),), (9, 9))

    for form in ("csv", "coco"):
        with pytest.raises(ValueError, match=r"with_mask, without_mask, mask_worn_incorrectly, got also bright"):
            written(form, [TWO_FACES, other])


# --- COCO


def test_coco_has_images_annotations_and_categories() -> None:
    content = json.loads(written("coco"))

    assert [(image["id"], image["file_name"], image["width"], image["height"]) for image in content["images"]] == [
        (1, "empty street.jpg", 64, 48),
        (2, "a.jpg", 100, 80),
    ]
    assert [(category["id"], category["name"]) for category in content["categories"]] == list(enumerate(LABELS, 1))
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
        "face": 0.875,
    }
    assert second["score"] == 0.75  # a box of the caller has no detection score


def test_coco_keeps_pictures_that_failed_apart_from_those_without_faces() -> None:
    content = json.loads(written("coco"))

    assert content["maskcheck_errors"] == [
        {"file_name": "bad.jpg", "frame": 0, "type": "ImageError", "message": 'bad.jpg is "empty", 0 bytes'}
    ]
    assert "bad.jpg" not in [image["file_name"] for image in content["images"]]
    assert content["images"][0]["notes"] == list(NO_FACE.notes)


def test_coco_of_a_run_without_faces_has_the_models_labels() -> None:
    content = json.loads(written("coco", [NO_FACE]))

    assert [category["name"] for category in content["categories"]] == list(LABELS)
    assert content["annotations"] == []
    assert len(content["images"]) == 1


def test_coco_names_frames_that_have_no_file() -> None:
    content = json.loads(written("coco", [FrameResult((), (9, 9), frame=number) for number in (0, 7)]))

    assert [image["file_name"] for image in content["images"]] == ["frame_000000", "frame_000007"]


def test_coco_closed_twice_is_written_once() -> None:
    stream = io.StringIO()
    with closing(open_results("coco", stream, LABELS)) as writer:
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
    assert pictured.labels == tuple(face.label for face in TWO_FACES)
    np.testing.assert_array_equal(pictured.boxes, [face.box for face in TWO_FACES])


def test_coco_is_read_by_other_tools() -> None:
    tools = pytest.importorskip("faster_coco_eval")
    content: dict[str, Any] = json.loads(written("coco"))

    truth = tools.COCO(content)
    detections = truth.loadRes(content["annotations"])  # as detections, which have a score

    assert sorted(truth.getImgIds()) == [1, 2]
    assert [category["name"] for category in truth.loadCats(truth.getCatIds())] == list(LABELS)
    assert [each["score"] for each in detections.loadAnns(detections.getAnnIds(imgIds=[2]))] == [0.4, 0.75]
    evaluation = tools.COCOeval_faster(truth, detections, iouType="bbox", print_function=lambda *_: None)
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


def test_detect_writes_coco_to_standard_output(detected: Callable[..., str], portrait: Path, tmp_path: Path) -> None:
    content = json.loads(detected(portrait, tmp_path / "missing.jpg", "--format", "coco"))

    assert [image["file_name"] for image in content["images"]] == [str(portrait)]
    assert [category["name"] for category in content["categories"]] == ["bright", "dark"]
    assert len(content["annotations"]) == 1
    assert [error["type"] for error in content["maskcheck_errors"]] == ["SourceError"]


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


# --- receipts


@pytest.mark.parametrize("form", ["jsonl", "csv", "coco"])
def test_the_output_folder_has_the_receipt_of_its_results(
    detected: Callable[..., str], form: str, portrait: Path, toy_model: Path, tmp_path: Path
) -> None:
    detected(portrait, portrait, "--format", form, "--min-score", "0.25", "--output", tmp_path / "output")

    receipt = Receipt.from_dict(json.loads((tmp_path / "output" / "receipt.json").read_text("utf-8")))
    assert receipt.min_score == 0.25
    assert receipt.model == toy_model.name
    assert receipt.detector == "haar"


@pytest.mark.parametrize(
    ("name", "receipt"), [("faces.jsonl", "faces.receipt.json"), ("faces.txt", "faces.txt.receipt.json")]
)
def test_the_file_of_json_has_its_receipt_beside_it(
    detected: Callable[..., str], name: str, receipt: str, portrait: Path, tmp_path: Path
) -> None:
    (tmp_path / "results").mkdir()

    detected(portrait, "--json", tmp_path / "results" / name)

    assert {path.name for path in (tmp_path / "results").iterdir()} == {name, receipt}
    assert Receipt.from_dict(json.loads((tmp_path / "results" / receipt).read_text("utf-8"))).detector == "haar"


def test_standard_output_gets_no_receipt(
    detected: Callable[..., str], portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    (line,) = detected(portrait, "--json", "-").splitlines()

    assert json.loads(line)["schema"] == "maskcheck/1"
    assert list((tmp_path / "here").iterdir()) == []


def test_a_receipt_is_replaced_by_that_of_the_next_run(
    detected: Callable[..., str], portrait: Path, tmp_path: Path
) -> None:
    for score in ("0.25", "0.5"):
        detected(portrait, "--min-score", score, "--json", tmp_path / "faces.jsonl")

    assert json.loads((tmp_path / "faces.receipt.json").read_text("utf-8"))["min_score"] == 0.5


@pytest.mark.parametrize(("option", "name"), [("--output", "receipt.json"), ("--json", "faces.receipt.json")])
def test_no_other_file_is_replaced_by_a_receipt(
    toy_model: Path, option: str, name: str, portrait: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / name).write_text('{"shop": "bakery", "total": 7.5}')
    target = folder if option == "--output" else folder / "faces.jsonl"

    done = CliRunner().invoke(main, ["detect", "--model", str(toy_model), str(portrait), option, str(target)])

    assert done.exit_code == 2
    assert f"{name} exists and holds no receipt of maskcheck, so it is kept" in done.stderr
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text() == '{"shop": "bakery", "total": 7.5}'


def test_results_and_receipt_cannot_have_the_same_file(toy_model: Path, portrait: Path, tmp_path: Path) -> None:
    arguments = ["--output", str(tmp_path), "--json", str(tmp_path / "receipt.json")]

    done = CliRunner().invoke(main, ["detect", "--model", str(toy_model), str(portrait), *arguments])

    assert done.exit_code == 2
    assert "receipt.json is the receipt of --output; choose another file for --json" in done.stderr
