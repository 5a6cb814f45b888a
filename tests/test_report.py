"""``maskcheck report``: the page holds what the results say, and nothing that a file's name could smuggle in."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from maskcheck import SourceError
from maskcheck.commands import main
from maskcheck.commands.report.reading import read_results
from maskcheck.results import Face, FrameResult

SIZE = (200, 160)


def face(
    confidence: float,
    label: str = "with_mask",
    *,
    box: tuple[float, float, float, float] = (60, 40, 120, 110),
    score: float | None = 0.9,
    track: int | None = None,
    predicted: bool = False,
) -> Face:
    others = {"with_mask": "without_mask", "without_mask": "with_mask"}
    probabilities = {label: confidence, others.get(label, "with_mask"): round(1 - confidence, 6)}
    return Face(box, label, confidence, probabilities, score, track_id=track, predicted=predicted)


def result(source: str | Path, *faces: Face, frame: int = 0, time: float | None = None) -> FrameResult:
    return FrameResult(faces, SIZE, source=str(source), frame=frame, time=time)


def write_run(
    folder: Path, results: Iterable[FrameResult], *, settings: dict[str, Any] | None = None, name: str = "results.jsonl"
) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(each.to_dict()) + "\n" for each in results), encoding="utf-8")
    receipt: dict[str, Any] = {"schema": "maskcheck-receipt/1"}
    if settings is not None:
        receipt["settings"] = settings
    (folder / "receipt.json").write_text(json.dumps(receipt), encoding="utf-8")
    return folder


def stripes(path: Path, size: tuple[int, int] = SIZE) -> Path:
    """A picture with stripes that are 2 pixels wide, which no blurred area shows."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[:, 0::4] = pixels[:, 1::4] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    _, encoded = cv2.imencode(".png", pixels)
    path.write_bytes(encoded.tobytes())
    return path


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def made(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    """The data of the page that the command makes of a folder."""
    outcome = report(folder, *arguments)
    assert outcome.exit_code == 0, outcome.output
    return data_of(folder / "report.html")


def data_of(page: Path) -> dict[str, Any]:
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert len(found) == 1
    data: dict[str, Any] = json.loads(found[0])
    return data


def thumbnail(address: str) -> NDArray[np.uint8]:
    kind, _, encoded = address.partition("base64,")
    assert kind == "data:image/jpeg;"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)


def sharpness(image: NDArray[np.uint8]) -> float:
    """Mean step between neighbours in the middle, where the face is."""
    middle = image[44:84, 44:84].astype(int)
    return float(np.abs(np.diff(middle, axis=1)).mean())


def test_faces_come_with_their_thumbnails_the_least_sure_first(tmp_path: Path) -> None:
    first, second = stripes(tmp_path / "one.png"), stripes(tmp_path / "two.png")
    run = write_run(
        tmp_path / "out",
        [
            result(first, face(0.99), face(0.6, "without_mask", box=(10, 10, 30, 34))),
            result(second, face(0.8)),
            result(tmp_path / "empty.png"),
        ],
    )

    data = made(run)

    assert [(Path(f["source"]).name, f["confidence"], f["label"]) for f in data["faces"]] == [
        ("one.png", 0.6, "without_mask"),
        ("two.png", 0.8, "with_mask"),
        ("one.png", 0.99, "with_mask"),
    ]
    assert data["faces"][0]["box"] == [10, 10, 30, 34]
    assert data["counts"] == [["pictures", 3], ["with_mask", 2], ["without_mask", 1]]
    for each in data["faces"]:
        assert thumbnail(each["image"]).shape == (128, 128, 3)
        assert sharpness(thumbnail(each["image"])) > 20
    assert data["errors"] == []


def test_what_could_not_be_read_is_there_with_its_reason(tmp_path: Path) -> None:
    failed = FrameResult(
        (), (0, 0), source="broken.jpg", error=SourceError("it is <b>damaged</b>", source="broken.jpg")
    )
    run = write_run(tmp_path / "out", [failed, result("gone.jpg", face(0.9))])

    data = made(run)

    assert data["errors"] == [{"source": "broken.jpg", "time": None, "reason": "it is <b>damaged</b>"}]
    assert data["failed"] == 1
    assert ["not read", 1] in data["counts"]


def test_a_thumbnail_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    other_size = stripes(tmp_path / "changed.png", (100, 100))
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"\x89PNG\r\n\x1a\nno more")
    sources: list[str | Path] = [tmp_path / "gone.png", other_size, damaged, tmp_path, "rtsp://camera/1", "0", "-"]
    run = write_run(tmp_path / "out", [result(source, face(0.9)) for source in sources])

    outcome = report(run)

    assert outcome.exit_code == 0
    assert "no picture of 7 faces; the page says why" in outcome.stderr
    found = {each["source"]: each["missing"] for each in data_of(run / "report.html")["faces"]}
    assert list(found.values()) == [
        "the file is gone",
        "the file has changed",
        "cannot be read any more",
        "from a folder",
        "from a camera or stream",
        "from a camera or stream",
        "the file is gone",
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_opened_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    run = write_run(tmp_path / "out", [result(tmp_path / "pipe", face(0.9))])

    assert made(run)["faces"][0]["missing"] == "from a pipe"


EVIL = [
    "<img src=x onerror=alert(1)>.jpg",
    "</script><script>alert(1)</script>",
    "\"'><svg onload=alert(1)>&amp;",
    "<!-- <script>",
    "{data}{script}{style}{policy}",
    "\u202egpj.exe",
    "bell\x07 escape\x1b[31m null",
    "\u2028line",
    "byte\udce9",
    "javascript:alert(1)//",
]


def test_names_and_labels_are_data_and_nothing_else(tmp_path: Path) -> None:
    label = "</script><script>alert(2)</script>"
    results = [result(name, face(0.9, label)) for name in EVIL]
    results += [FrameResult((), (0, 0), source=name, error=SourceError(name, source=name)) for name in EVIL]
    run = write_run(tmp_path / "out", results)

    data = made(run)

    shown = [each["source"] for each in data["faces"]]
    assert shown[:5] == EVIL[:5]
    assert shown[5:9] == ["\\u202egpj.exe", "bell\\x07 escape\\x1b[31m null", "\\u2028line", "byte\\xe9"]
    assert [error["reason"] for error in data["errors"]] == shown
    page = (run / "report.html").read_text("utf-8")
    assert page.count("<script") == page.count("</script>") == 2
    for text in ("<img", "<svg", "onerror=", "alert(1)<", "\u202e", "\x07"):
        assert text not in re.sub(r'(?s)<script type="application/json".*?</script>', "", page)
    body = page.partition('id="data">')[2].partition("</script>")[0]
    assert "<" not in body
    assert body.isascii()


def test_the_policy_of_the_page_allows_its_own_script_and_nothing_else(tmp_path: Path) -> None:
    run = write_run(tmp_path / "out", [result("a.jpg", face(0.9))])
    made(run)

    page = (run / "report.html").read_text("utf-8")

    policy = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)[0]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)[0]
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)[0]

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert rules == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "img-src": "data:",
        "style-src": digest(style),
        "script-src": digest(script),
    }
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(|innerHTML|eval\(|\bon[a-z]+=", page)


@pytest.mark.parametrize(
    ("settings", "arguments", "blurred"),
    [
        (None, (), {"without_mask": False, "with_mask": False}),
        ({"blur": None}, (), {"without_mask": False, "with_mask": False}),
        ({"blur": "all"}, (), {"without_mask": True, "with_mask": True}),
        ({"blur": "without_mask"}, (), {"without_mask": True, "with_mask": False}),
        ({"blur": "all"}, ("--blur", "with_mask"), {"without_mask": False, "with_mask": True}),
        ({"blur": "all"}, ("--blur", "none"), {"without_mask": False, "with_mask": False}),
    ],
)
def test_faces_are_blurred_as_in_the_run(
    tmp_path: Path, settings: dict[str, Any] | None, arguments: tuple[str, ...], blurred: dict[str, bool]
) -> None:
    source = stripes(tmp_path / "a.png")
    left, right = (20, 40, 60, 90), (140, 40, 180, 90)
    run = write_run(
        tmp_path / "out",
        [result(source, face(0.95, box=left), face(0.96, "without_mask", box=right))],
        settings=settings,
    )

    data = made(run, *arguments)

    for each in data["faces"]:
        assert (sharpness(thumbnail(each["image"])) < 10) == blurred[each["label"]]
    assert any("blurred" in remark for remark in data["remarks"]) == any(blurred.values())


def test_others_in_the_thumbnail_of_a_face_are_blurred_too(tmp_path: Path) -> None:
    source = stripes(tmp_path / "a.png")
    bare = face(0.9, "without_mask", box=(60, 40, 120, 110))
    run = write_run(
        tmp_path / "out", [result(source, face(0.95, box=(62, 42, 118, 108)), bare)], settings={"blur": "without_mask"}
    )

    assert all(sharpness(thumbnail(each["image"])) < 10 for each in made(run)["faces"])


@pytest.mark.parametrize("settings", [{"images": False}, None])
def test_no_pictures_where_none_are_wanted(tmp_path: Path, settings: dict[str, Any] | None) -> None:
    run = write_run(tmp_path / "out", [result(stripes(tmp_path / "a.png"), face(0.95))], settings=settings)

    data = made(run, *([] if settings else ["--no-images"]))

    assert [(each["image"], each["missing"]) for each in data["faces"]] == [(None, "no pictures wanted")]
    assert "data:image" not in (run / "report.html").read_text("utf-8")


@pytest.mark.parametrize("receipt", [None, "not JSON", '{"settings": {"blur": "hats"}}', "[]"])
def test_who_does_not_know_what_the_run_blurred_must_say_it(tmp_path: Path, receipt: str | None) -> None:
    run = write_run(tmp_path / "out", [result(stripes(tmp_path / "a.png"), face(0.95))])
    (run / "receipt.json").unlink()
    if receipt is not None:
        (run / "receipt.json").write_text(receipt)

    outcome = report(run)

    assert outcome.exit_code == 2
    assert "which says whether the run blurred faces; give --blur, or --no-images" in outcome.stderr
    assert not (run / "report.html").exists()
    assert made(run, "--blur", "none")["faces"][0]["image"]


def test_only_the_least_sure_faces_are_on_the_page(tmp_path: Path) -> None:
    confidences = np.random.default_rng(0).permutation(200) / 400 + 0.5
    run = write_run(tmp_path / "out", [result("gone.jpg", face(float(value))) for value in confidences])

    data = made(run, "--max-faces", "50")

    assert [each["confidence"] for each in data["faces"]] == pytest.approx(sorted(confidences)[:50])
    assert data["counts"] == [["pictures", 200], ["with_mask", 200]]
    assert "Shown are the 50 faces whose label is least sure; 150 are left out (--max-faces)." in data["remarks"]


def test_of_a_person_in_a_video_the_best_picture_is_shown_once_for_each_label(tmp_path: Path) -> None:
    def frames() -> Iterator[FrameResult]:
        for frame in range(60):
            label = "with_mask" if frame < 40 else "without_mask"
            score, predicted = (0.99, False) if frame in (17, 50) else (0.7, False)
            if frame % 10 == 5:
                score, predicted = 1.0, True
            people = [face(0.9, label, score=score, track=1, predicted=predicted)]
            if frame >= 30:
                people.insert(0, face(0.8, score=0.5 + frame / 200, track=2))
            yield result("street.mp4", *people, frame=frame, time=frame / 10)

    data = made(write_run(tmp_path / "out", frames()))

    rows = [
        (each["track"], each["label"], each["frame"], each["first"], each["last"], each["frames"])
        for each in data["faces"]
    ]
    assert rows == [
        (2, "with_mask", 59, 3.0, 5.9, 30),
        (1, "with_mask", 17, 0.0, 3.9, 40),
        (1, "without_mask", 50, 4.0, 5.9, 20),
    ]
    assert data["counts"] == [
        ["frames of videos", 60],
        ["tracks in videos", 2],
        ["with_mask", 2],
        ["without_mask", 1],
    ]


def test_memory_does_not_grow_with_the_results() -> None:
    def lines(count: int) -> Iterator[bytes]:
        line = json.dumps(result("PATH", face(0.5), face(0.75, "without_mask")).to_dict())
        for number in range(count):
            confidence = 0.5 + (number * 7919 % count) / (2 * count)
            yield line.replace("PATH", f"folder/{number}.jpg").replace("0.5,", f"{confidence:.6f},", 1).encode()

    peaks = []
    for count in (2000, 10_000):
        tracemalloc.start()
        found = read_results(lines(count), most=500, blur="all")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.pictures == count
        assert found.labels.total() == 2 * count
        assert len(found.faces) == 500

    assert peaks[1] < 1.2 * peaks[0]


BAD_LINES = [
    b'{"schema": "maskcheck/1", "source": "a.jpg", "fr',
    b"hello",
    b"[1, 2]",
    b"\xff\xfe",
    b'{"source": "a.jpg", "error": null, "frame": 0, "width": 9, "height": 9, "faces": [{"box": [1, 2, 3]}]}',
    json.dumps(result("a", face(0.9)).to_dict()).replace("0.9,", "NaN,").encode(),
    json.dumps(result("a", face(0.9)).to_dict()).replace("110", "1e999").encode(),
    json.dumps({**result("a", face(0.9)).to_dict(), "time": float("inf")}).encode(),
    b"[" * 100_000,
]


def test_lines_that_are_no_results_are_left_out_and_counted(tmp_path: Path) -> None:
    run = write_run(tmp_path / "out", [result("a.jpg", face(0.9)), result("b.jpg", face(0.8))])
    with (run / "results.jsonl").open("ab") as file:
        file.write(b"\n\n" + b"\n".join(BAD_LINES))

    outcome = report(run)

    assert outcome.exit_code == 1
    assert f"{len(BAD_LINES)} lines are no results, and were left out" in outcome.stderr
    data = data_of(run / "report.html")
    assert len(data["faces"]) == 2
    assert f"{len(BAD_LINES)} lines of the results could not be read." in data["remarks"]


def test_relative_paths_start_where_the_run_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stripes(tmp_path / "work" / "a.png")
    run = write_run(tmp_path / "out", [result("a.png", face(0.9))], settings={"folder": str(tmp_path / "work")})
    monkeypatch.chdir(tmp_path)

    assert made(run)["faces"][0]["image"]


def test_only_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    run = write_run(tmp_path / "out", [result("a.jpg", face(0.9))])
    made(run)
    made(run)
    (run / "report.html").write_text("my own page")

    outcome = report(run)

    assert outcome.exit_code == 2
    assert "exists and is no report of maskcheck, so it is kept" in outcome.stderr
    assert (run / "report.html").read_text() == "my own page"
    assert report(run, "--output", tmp_path / "page.html").exit_code == 0
    assert data_of(tmp_path / "page.html")["faces"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "out", [result("a.jpg", face(0.9))])
    target = tmp_path / "elsewhere"
    target.write_text("")
    try:
        (run / "report.html").symlink_to(target)
    except OSError:
        pytest.skip("no symbolic links here")

    assert report(run).exit_code == 2
    assert target.read_text() == ""


def test_a_run_that_has_not_finished_has_a_page_too(tmp_path: Path) -> None:
    run = write_run(tmp_path / "out", [result("a.jpg", face(0.9))], name="results.jsonl.part")
    assert report(run).exit_code == 2, "what the run blurs is not known"
    (run / "receipt.json").rename(run / "receipt.json.part")

    assert "The run has not finished." in made(run)["remarks"]


def test_a_file_of_json_has_its_page_beside_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "out", [result("a.jpg", face(0.9))], name="faces.jsonl")
    (run / "receipt.json").rename(run / "faces.receipt.json")

    assert report(run / "faces.jsonl").exit_code == 0
    assert data_of(run / "faces.report.html")["faces"]


def test_a_folder_without_results_is_refused_with_advice(tmp_path: Path) -> None:
    assert "has no results.jsonl; expected the folder of" in report(tmp_path).stderr
    (tmp_path / "results.csv").write_text("source,frame,width,height,x1,\n")
    assert "has results.csv, but no results.jsonl" in report(tmp_path).stderr
    assert "no such file or folder" in report(tmp_path / "nothing").stderr
    (tmp_path / "other.jsonl").write_text('{"a": 1}\n')
    assert "holds no results of maskcheck" in report(tmp_path / "other.jsonl", "--blur", "none").stderr


def test_the_page_of_a_real_run(examples: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke(main, ["detect", str(examples / "group.jpg"), "--output", str(tmp_path / "out")])
    assert run.exit_code == 0, run.output

    data = made(tmp_path / "out")

    assert len(data["faces"]) >= 5
    assert all(each["image"] for each in data["faces"])
