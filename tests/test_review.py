"""Reviewing annotations: questions, sheets, answers, and the completed annotations."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from maskcheck import Detections, DetectorSpec, hookimpl
from maskcheck.evaluation.coco import AnnotatedPicture, read_coco
from maskcheck.hosting.registry import InstalledPlugins
from maskcheck.pictures.drawing.faces import colour_of
from maskcheck.stages import StageOption
from maskcheck_export.annotations.pool import LEAST_BELIEF, belief
from maskcheck_export.commands import main

LABELS = ("with_mask", "without_mask", "mask_worn_incorrectly")
BRIGHT, DARK, GREY = 255, 0, 127

RIGHT = (10, 10, 30, 30)  # bright, annotated with_mask
MISSED = (60, 10, 80, 30)  # bright, not annotated
DOUBTED = (100, 10, 120, 30)  # dark, annotated with_mask
EMPTY = (150, 10, 170, 30)  # nothing, annotated without_mask
REGION = (10, 60, 50, 96)  # ignored, with something bright in it
SMALL = (150, 34, 158, 42)  # nothing, annotated, too small to be found
FAINT = (100, 60, 120, 80)  # dark, not annotated


class Squares:
    """Finds bright and dark squares on a grey picture; the bright ones with a higher score."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        boxes, scores = [], []
        for colour, score in ((BRIGHT, 0.9), (DARK, 0.4)):
            mask = (image[..., 0] == colour).astype(np.uint8)
            for x, y, width, height, _ in cv2.connectedComponentsWithStats(mask)[2][1:].tolist():
                boxes.append([x, y, x + width, y + height])
                scores.append(score * self.factor)
        return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))


@hookimpl
def maskcheck_register_detectors() -> Sequence[DetectorSpec]:
    factor = StageOption("factor", float, 1.0, "Of all scores", minimum=0, maximum=1)
    return [DetectorSpec("squares", "Finds squares", Squares, options=(factor,), api_version=2)]


@pytest.fixture(autouse=True)
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = InstalledPlugins(lambda: [EntryPoint("squares", __name__, "maskcheck")]).detectors
    monkeypatch.setattr("maskcheck.hosting.registry.default_registry", lambda: registry)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pictures with squares for faces, annotated as the names above say, and a file that is no picture."""
    folder = tmp_path / "data"
    draw(folder / "images" / "a.png", {RIGHT: BRIGHT, MISSED: BRIGHT, DOUBTED: DARK, (20, 70, 40, 90): BRIGHT})
    draw(folder / "images" / "b.png", {FAINT: DARK})
    (folder / "images" / "torn.png").write_bytes(b"torn")
    boxes = ((RIGHT, 1), (DOUBTED, 1), (EMPTY, 2), (SMALL, 2))
    annotations = [
        {"id": i, "image_id": 0, "category_id": category, "bbox": [x1, y1, x2 - x1, y2 - y1]}
        for i, ((x1, y1, x2, y2), category) in enumerate(boxes)
    ]
    annotations.append({"id": 9, "image_id": 0, "bbox": [10, 60, 40, 36], "iscrowd": 1})
    content = {
        "images": [
            {"id": i, "file_name": f"{name}.png", "width": 200, "height": 100}
            for i, name in enumerate(("a", "b", "torn"))
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(LABELS, 1)],
        "annotations": annotations,
    }
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def model(make_toy_model: Callable[..., Path]) -> Path:
    """Bright faces wear a mask, dark ones none."""
    return make_toy_model(labels=LABELS[:2])


def draw(path: Path, squares: Mapping[tuple[int, int, int, int], int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((100, 200, 3), GREY, np.uint8)
    for (x1, y1, x2, y2), colour in squares.items():
        picture[y1:y2, x1:x2] = colour
    cv2.imwrite(str(path), picture)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def review(data: Path, model: Path, output: Path, *options: str) -> list[dict[str, str]]:
    done = run("review", data, "--model", model, "--output", output, *(options or ("--detector", "squares")))
    assert done.exit_code == 0, done.output
    with (output / "table.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def fill_in(table: Path, answers: Mapping[tuple[int, int, int, int], str]) -> None:
    """Put answers, by box, into a table; the other rows stay empty."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    by_box = {" ".join(map(str, box)): answer for box, answer in answers.items()}
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([row | {"answer": by_box.get(row["box"], "")} for row in rows])


def faces(picture: AnnotatedPicture) -> dict[tuple[int, ...], str]:
    """The labels by box; "ignored" for regions."""
    rows = zip(picture.boxes.round().astype(int).tolist(), picture.labels, picture.ignored, strict=True)
    return {tuple(box): "ignored" if ignored else label for box, label, ignored in rows}


PUBLISHED = {
    RIGHT: "with_mask",
    DOUBTED: "with_mask",
    EMPTY: "without_mask",
    SMALL: "without_mask",
    REGION: "ignored",
}


# --- Questions


def test_questions_are_asked_about_missed_faces_doubted_labels_and_empty_boxes(
    data: Path, model: Path, tmp_path: Path
) -> None:
    rows = review(data, model, tmp_path / "review")

    assert [(row["number"], row["picture"], row["box"], row["question"], row["answer"]) for row in rows] == [
        ("1", "a.png", "60 10 80 30", "a face that is not annotated?", ""),
        ("2", "b.png", "100 60 120 80", "a face that is not annotated?", ""),
        ("3", "a.png", "100 10 120 30", "annotated with_mask; the model: without_mask", ""),
        ("4", "a.png", "150 10 170 30", "annotated without_mask; no detector finds a face", ""),
    ]
    assert [float(row["score"]) for row in rows[:2]] == pytest.approx([0.9, 0.4])


def test_several_detectors_are_pooled_and_ask_once_about_a_face(data: Path, model: Path, tmp_path: Path) -> None:
    rows = review(data, model, tmp_path / "review", "--detector", "squares", "--detector", "squares factor=0.25")

    missed = [row for row in rows if row["question"] == "a face that is not annotated?"]
    assert [row["box"] for row in missed] == ["60 10 80 30"]  # that of b.png is below the least score
    assert float(missed[0]["score"]) == pytest.approx((0.9 * 0.225) ** 0.5, abs=1e-3)


def test_the_belief_of_detectors_is_a_mean_that_one_of_them_lowers_and_does_not_end() -> None:
    box = np.array([[0, 0, 10, 10]], np.float32)
    sure = Detections(box + np.float32(1), np.array([0.8], np.float32))
    elsewhere = Detections(box + np.float32(50), np.array([0.9], np.float32))

    assert belief(box, [sure]) == pytest.approx([0.8])
    assert belief(box, [sure, elsewhere]) == pytest.approx([(0.8 * LEAST_BELIEF) ** 0.5])
    assert belief(box, [sure, Detections.empty()]) == pytest.approx([(0.8 * LEAST_BELIEF) ** 0.5])


def test_least_score_and_most_limit_the_questions(data: Path, model: Path, tmp_path: Path) -> None:
    detector = ("--detector", "squares")

    few = review(data, model, tmp_path / "few", *detector, "--most", "1")
    sure = review(data, model, tmp_path / "sure", *detector, "--least-score", "0.8")

    assert [row["box"] for row in few] == ["60 10 80 30", "100 10 120 30", "150 10 170 30"]
    assert [row["box"] for row in sure] == ["60 10 80 30", "100 10 120 30", "150 10 170 30"]


def test_what_was_asked_and_skipped_is_reported(data: Path, model: Path, tmp_path: Path) -> None:
    done = run("review", data, "--model", model, "--output", tmp_path / "out", "--detector", "squares", "--most", "1")

    assert "skipped: " in done.output
    assert "torn.png" in done.output
    assert "1 faces that may not be annotated, 1 more left out" in done.output
    assert "wrote 1 sheets" in done.output


def test_a_sheet_shows_each_box_in_question_white_and_annotated_boxes_in_colour(
    data: Path, model: Path, tmp_path: Path
) -> None:
    draw(data / "images" / "b.png", {(number * 14, 50, number * 14 + 6, 56): DARK for number in range(14)})
    draw(
        data / "images" / "torn.png",
        {(n % 12 * 14, n // 12 * 20, n % 12 * 14 + 6, n // 12 * 20 + 6): 0 for n in range(60)},
    )

    rows = review(data, model, tmp_path / "review")

    sheets = sorted((tmp_path / "review" / "sheets").iterdir())
    assert [sheet.name for sheet in sheets] == ["001.png", "002.png"]
    assert len(rows) == 77
    first, second = (cv2.imread(str(sheet)) for sheet in sheets)
    assert first is not None
    assert second is not None
    assert first.shape == second.shape == (22 + 5 * 204, 8 * 204, 3)
    tile = first[22:222, :200]  # of the face that is not annotated, 20 of 50 pixels wide
    assert tile[100, 100].tolist() == [BRIGHT] * 3
    assert tile[30, 30].tolist() == [GREY] * 3
    assert tile[60, 60:141].tolist() == [[255] * 3] * 81  # the upper edge of the box in question
    empty = second[22 + 4 * 204 : 222 + 4 * 204, 4 * 204 : 4 * 204 + 200]  # number 77
    assert (empty[60, 60:141] == 255).all()
    assert (empty[156, 60:93] == colour_of("without_mask")).all()  # the small box below it


def test_a_table_that_may_hold_answers_is_not_overwritten(data: Path, model: Path, tmp_path: Path) -> None:
    review(data, model, tmp_path / "review")
    fill_in(tmp_path / "review" / "table.csv", {MISSED: "with_mask"})
    before = (tmp_path / "review" / "table.csv").read_bytes()

    again = run("review", data, "--model", model, "--output", tmp_path / "review", "--detector", "squares")

    assert again.exit_code == 2
    assert "perhaps with answers" in again.output
    assert (tmp_path / "review" / "table.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("detector", "problem"),
    [("nobody", "no detector 'nobody'"), ("squares factor", "expected 'DETECTOR"), ("squares factor=7", "factor")],
)
def test_a_detector_that_cannot_be_made_is_named(data: Path, model: Path, detector: str, problem: str) -> None:
    done = run("review", data, "--model", model, "--output", data / "out", "--detector", detector)

    assert done.exit_code == 2
    assert problem in done.output


# --- Answers


def test_answers_become_annotations_that_are_read_back(data: Path, model: Path, tmp_path: Path) -> None:
    review(data, model, tmp_path / "review")
    table = tmp_path / "review" / "table.csv"
    fill_in(table, {MISSED: "mask_worn_incorrectly", FAINT: "undecided", DOUBTED: "without_mask", EMPTY: "no_face"})

    done = run("complete", data, "--answers", table, "--output", tmp_path / "complete.json")

    assert done.exit_code == 0, done.output
    assert "1 faces added, 1 labels changed, 1 boxes removed, 1 regions undecided" in done.output
    a, b, _ = read_coco(data, annotations=tmp_path / "complete.json").pictures
    assert faces(a) == {
        RIGHT: "with_mask",
        DOUBTED: "without_mask",
        SMALL: "without_mask",
        REGION: "ignored",
        MISSED: "mask_worn_incorrectly",
    }
    assert faces(b) == {FAINT: "ignored"}
    assert faces(read_coco(data).pictures[0]) == PUBLISHED


def test_rows_without_an_answer_change_nothing_and_are_counted(data: Path, model: Path, tmp_path: Path) -> None:
    review(data, model, tmp_path / "review")
    table = tmp_path / "review" / "table.csv"
    fill_in(table, {FAINT: "no_face", DOUBTED: "keep"})

    done = run("complete", data, "--answers", table, "--output", tmp_path / "complete.json")

    assert done.exit_code == 0, done.output
    assert "rows without an answer: 2" in done.output
    a, b, _ = read_coco(data, annotations=tmp_path / "complete.json").pictures
    assert faces(a) == PUBLISHED
    assert faces(b) == {}


def test_an_annotated_box_may_become_undecided_or_be_removed(data: Path, model: Path, tmp_path: Path) -> None:
    review(data, model, tmp_path / "review")
    table = tmp_path / "review" / "table.csv"
    fill_in(table, {DOUBTED: "undecided", EMPTY: "remove"})

    run("complete", data, "--answers", table, "--output", tmp_path / "complete.json")

    completed = faces(read_coco(data, annotations=tmp_path / "complete.json").pictures[0])
    assert completed[DOUBTED] == "ignored"
    assert EMPTY not in completed


def test_a_box_on_which_two_people_differ_becomes_undecided(data: Path, model: Path, tmp_path: Path) -> None:
    tables = [tmp_path / name / "table.csv" for name in ("one", "two")]
    for table, answer in zip(tables, ("with_mask", "without_mask"), strict=True):
        review(data, model, table.parent)
        fill_in(table, {MISSED: answer, FAINT: "with_mask"})

    done = run("complete", data, "--answers", tables[0], "--answers", tables[1], "--output", tmp_path / "complete.json")

    assert "boxes undecided, as answers differ: 1" in done.output
    a, b, _ = read_coco(data, annotations=tmp_path / "complete.json").pictures
    assert faces(a)[MISSED] == "ignored"
    assert faces(b) == {FAINT: "with_mask"}


def table_of(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["number,picture,box,score,question,answer", *rows, ""]), encoding="utf-8")
    return path


def test_of_several_boxes_on_one_face_the_surest_stays(data: Path, tmp_path: Path) -> None:
    table = table_of(
        tmp_path / "table.csv",
        "1,b.png,10 10 30 30,0.5,,with_mask",
        "2,b.png,12 10 32 30,0.9,,with_mask",  # on the same face, surer
        "3,b.png,14 14 20 20,0.8,,undecided",  # inside it
        "4,b.png,60 10 80 30,0.9,,with_mask",
        "5,b.png,62 10 82 30,0.4,,without_mask",  # the same face with another label
        "6,b.png,100 10 120 30,0.3,,without_mask",
    )

    done = run("complete", data, "--answers", table, "--output", tmp_path / "complete.json")

    assert "boxes left out, as another is on the same face: 3" in done.output
    assert "boxes undecided, as answers differ: 1" in done.output
    assert faces(read_coco(data, annotations=tmp_path / "complete.json").pictures[1]) == {
        (12, 10, 32, 30): "with_mask",
        (60, 10, 80, 30): "ignored",
        (100, 10, 120, 30): "without_mask",
    }


def test_a_spreadsheet_may_have_changed_the_delimiter_and_added_a_mark(data: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    lines = "number;picture;box;score;question;answer\r\n1;b.png;10 10 30 30;0.5;;with_mask\r\n"
    table.write_text(lines, encoding="utf-8-sig", newline="")

    done = run("complete", data, "--answers", table, "--output", tmp_path / "complete.json")

    assert done.exit_code == 0, done.output
    assert faces(read_coco(data, annotations=tmp_path / "complete.json").pictures[1]) == {(10, 10, 30, 30): "with_mask"}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            "1,b.png,10 10 30 30,0.5,,hat",
            "line 2: answer: expected with_mask, without_mask, mask_worn_incorrectly, no_",
        ),
        ("1,gone.png,10 10 30 30,0.5,,with_mask", "line 2: picture: no annotated picture gone.png"),
        ("1,b.png,10 10 30,0.5,,with_mask", "line 2: expected a box as four numbers"),
        ("1,b.png,30 10 10 30,0.5,,with_mask", "line 2: box: expected x1 < x2"),
        ("1,b.png,10 10 nan 30,0.5,,with_mask", "line 2: box: expected x1 < x2"),
        ("1,b.png,10 10 30 30,high,,with_mask", "line 2: expected a box as four numbers and a score"),
        ("1,b.png", "line 2: expected a box"),
        ("1,b.png,10 10 30 30,0.5,,keep", "line 2: keep is an answer for annotated boxes"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_nothing_is_written(
    data: Path, tmp_path: Path, row: str, problem: str
) -> None:
    table = table_of(tmp_path / "table.csv", row)

    done = run("complete", data, "--answers", table, "--output", tmp_path / "complete.json")

    assert done.exit_code == 2
    assert problem in done.output
    assert "table.csv" in done.output
    assert not (tmp_path / "complete.json").exists()


def test_all_rows_that_cannot_be_used_are_counted_and_the_first_are_named(data: Path, tmp_path: Path) -> None:
    table = table_of(tmp_path / "table.csv", *["1,b.png,10 10 30 30,0.5,,hat"] * 9)

    done = run("complete", data, "--answers", table, "--output", tmp_path / "complete.json")

    assert done.output.count("got hat") == 5
    assert "and 4 more" in done.output


@pytest.mark.parametrize("content", ["", "number,picture\n1,b.png\n"])
def test_a_table_without_the_columns_is_refused(data: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "table.csv").write_text(content)

    done = run("complete", data, "--answers", tmp_path / "table.csv", "--output", tmp_path / "complete.json")

    assert done.exit_code == 2
    assert "expected the columns number, picture, box, score, question, answer; there is no" in done.output


def test_a_table_in_another_encoding_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes("number,picture,box,score,question,answer\n1,é,,,,\n".encode("latin-1"))

    done = run("complete", data, "--answers", tmp_path / "table.csv", "--output", tmp_path / "complete.json")

    assert done.exit_code == 2
    assert "is no CSV file in UTF-8" in done.output


# --- Overlays


def test_an_overlay_that_was_written_gives_the_same_annotations(data: Path, model: Path, tmp_path: Path) -> None:
    review(data, model, tmp_path / "review")
    table, overlay = tmp_path / "review" / "table.csv", tmp_path / "mine.json"
    fill_in(table, {MISSED: "with_mask", FAINT: "undecided", DOUBTED: "without_mask", EMPTY: "remove"})
    about = "drawn squares, looked at twice"
    options = ("--about", about, "--write-overlay", overlay)

    run("complete", data, "--answers", table, "--output", tmp_path / "first.json", *options)
    done = run("complete", data, "--overlay", overlay, "--output", tmp_path / "second.json")

    assert done.exit_code == 0, done.output
    first, second = (json.loads((tmp_path / name).read_text()) for name in ("first.json", "second.json"))
    assert first == second
    assert first["info"]["description"] == about


def test_an_overlay_that_does_not_fit_a_picture_is_reported_by_the_exit_status(
    data: Path, model: Path, tmp_path: Path
) -> None:
    review(data, model, tmp_path / "review")
    table, overlay = tmp_path / "review" / "table.csv", tmp_path / "mine.json"
    fill_in(table, {MISSED: "with_mask", FAINT: "with_mask"})
    run("complete", data, "--answers", table, "--output", tmp_path / "first.json", "--write-overlay", overlay)
    draw(data / "images" / "b.png", {RIGHT: DARK})

    done = run("complete", data, "--overlay", overlay, "--output", tmp_path / "second.json")

    assert done.exit_code == 1
    assert "b.png: the overlay is for another file" in done.output
    a, b, _ = read_coco(data, annotations=tmp_path / "second.json").pictures
    assert faces(a)[MISSED] == "with_mask"
    assert faces(b) == {}


def test_the_annotations_themselves_are_not_overwritten(data: Path, tmp_path: Path) -> None:
    table = table_of(tmp_path / "table.csv", "1,b.png,10 10 30 30,0.5,,with_mask")
    before = (data / "annotations.json").read_bytes()

    done = run("complete", data, "--answers", table, "--output", data / "annotations.json")

    assert done.exit_code == 2
    assert "write to another file" in done.output
    assert (data / "annotations.json").read_bytes() == before


@pytest.mark.parametrize("options", [(), ("--answers", "table.csv", "--overlay", "crowd")])
def test_answers_and_an_overlay_are_alternatives(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Sequence[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table_of(tmp_path / "table.csv")

    done = run("complete", data, *options, "--output", "complete.json")

    assert done.exit_code == 2
    assert "expected --answers or --overlay, one of them" in done.output
