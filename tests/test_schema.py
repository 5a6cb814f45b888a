"""Every line that the commands write follows the JSON Schema that ``maskcheck schema`` prints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator, ValidationError
from PIL import Image

from maskcheck import Face, FrameResult, ImageError, MaskPipeline
from maskcheck.commands import main

FACE = Face((10, 20, 50, 55), "with_mask", 0.75, {"with_mask": 0.75, "without_mask": 0.25}, 0.5)


def printed_schema(*arguments: str) -> Draft202012Validator:
    printed = CliRunner().invoke(main, ["schema", *arguments], catch_exceptions=False)
    assert printed.exit_code == 0
    content = json.loads(printed.stdout)
    Draft202012Validator.check_schema(content)
    return Draft202012Validator(content)


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    return printed_schema()


@pytest.fixture
def detected(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """The lines that ``maskcheck detect`` writes, with the toy model."""
    # The command lifts Pillow's limit for its process, which here is also that of the other tests.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)

    def detect(*arguments: str | Path) -> list[dict[str, Any]]:
        command = ["detect", "--model", str(toy_model), "--json", "-", *map(str, arguments)]
        done = CliRunner().invoke(main, command, catch_exceptions=False)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return detect


def test_a_picture_with_faces_follows_the_schema(
    schema: Draft202012Validator, detected: Callable[..., list[dict[str, Any]]], portrait: Path
) -> None:
    (line,) = detected(portrait)

    schema.validate(line)
    assert line["faces"]


def test_a_picture_without_faces_follows_the_schema(
    schema: Draft202012Validator, detected: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    Image.new("RGB", (60, 40)).save(tmp_path / "black.png")

    (line,) = detected(tmp_path / "black.png")

    schema.validate(line)
    assert line["faces"] == []


def test_pictures_that_fail_follow_the_schema(
    schema: Draft202012Validator, detected: Callable[..., list[dict[str, Any]]], portrait: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.jpg").write_bytes(portrait.read_bytes()[:2000])

    written = detected(tmp_path / "empty.jpg", tmp_path / "text.png", tmp_path / "cut.jpg", tmp_path / "missing.jpg")

    assert len(written) == 4
    for line in written:
        schema.validate(line)
        assert line["error"]["message"]


def test_a_picture_with_a_note_follows_the_schema(
    schema: Draft202012Validator, detected: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    frames = [Image.new("L", (60, 40), shade) for shade in (0, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])

    (line,) = detected(tmp_path / "moving.gif")

    schema.validate(line)
    assert line["notes"]


def test_the_results_file_of_a_folder_follows_the_schema(
    schema: Draft202012Validator,
    detected: Callable[..., list[dict[str, Any]]],
    portrait: Path,
    masked_portrait: Path,
    tmp_path: Path,
) -> None:
    pictures, output = tmp_path / "pictures", tmp_path / "output"
    pictures.mkdir()
    shutil.copy(portrait, pictures / "naïve.jpg")
    shutil.copy(masked_portrait, pictures)
    (pictures / "empty.jpg").touch()

    detected(pictures, "--output", output)

    written = (output / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(written) == 3
    for line in written:
        schema.validate(json.loads(line))


@pytest.mark.parametrize(
    "result",
    [
        FrameResult((FACE,), (100, 60)),
        FrameResult((Face((0, 0, 1, 1), "a", 1.0, {"a": 1.0}),), (1, 1), source="a.jpg", frame=3),
        FrameResult((), (100, 60), notes=("only the first of 3 frames was read",)),
        FrameResult((), (0, 0), source="\udce9.jpg", error=ImageError("no such file")),
        FrameResult((), (100, 60), error=ImageError("read, but something failed later")),
        FrameResult((replace(FACE, landmarks=((-0.5, 3.25), (101, 7)), track_id=0),), (100, 60), time=0.04),
        FrameResult((Face(tuple(np.int64([1, 2, 3, 4])), "a", np.float32(1), {"a": np.float32(1)}),), (9, 9)),  # type: ignore[arg-type, dict-item]
    ],
    ids=["face", "no score", "note", "name that is not UTF-8", "error after reading", "video", "numpy's numbers"],
)
def test_every_kind_of_result_follows_the_schema_and_can_be_read_back(
    schema: Draft202012Validator, result: FrameResult
) -> None:
    line = json.loads(json.dumps(result.to_dict(), allow_nan=False))

    schema.validate(line)
    assert FrameResult.from_dict(line).to_dict() == line


def changed(**values: Any) -> dict[str, Any]:
    return FrameResult((FACE,), (100, 60), source="a.jpg").to_dict() | values


def face(**values: Any) -> dict[str, Any]:
    return changed(faces=[FACE.to_dict() | values])


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(changed(schema="maskcheck/2"), id="another schema"),
        pytest.param(changed(frame=-1), id="frame"),
        pytest.param(changed(width="100"), id="width"),
        pytest.param(changed(width=0), id="no width and no error"),
        pytest.param(changed(error="failed"), id="error"),
        pytest.param(changed(error={"type": "ImageError", "message": "faces, too"}), id="faces and an error"),
        pytest.param(changed(timings_ms={"decode": 1.0}), id="timings"),
        pytest.param(changed(notes=[]), id="no notes"),
        pytest.param({key: value for key, value in changed().items() if key != "faces"}, id="no faces"),
        pytest.param(face(box=[1, 2, 3]), id="box"),
        pytest.param(face(box=[1.5, 2, 3, 4]), id="box of fractions"),
        pytest.param(face(confidence=1.5), id="confidence"),
        pytest.param(face(confidence=None), id="no confidence"),
        pytest.param(face(probabilities={}), id="probabilities"),
        pytest.param(face(landmarks=None), id="no landmarks"),
        pytest.param(face(landmarks=[[1, 2, 3]]), id="landmarks"),
        pytest.param(face(track_id="7"), id="track"),
        pytest.param(changed(time=-1), id="time"),
    ],
)
def test_the_schema_refuses_other_json(schema: Draft202012Validator, line: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        schema.validate(line)


def test_the_schema_allows_additional_keys(schema: Draft202012Validator) -> None:
    line = face(age=30)

    schema.validate(line | {"camera": "door", "timings_ms": line["timings_ms"] | {"track": 1.0}})


def test_receipts_follow_their_schema(
    detected: Callable[..., list[dict[str, Any]]], portrait: Path, toy_model: Path, tmp_path: Path
) -> None:
    schema = printed_schema("receipt")

    detected(portrait, "--output", tmp_path / "output", "--tile", "256")

    receipt = json.loads((tmp_path / "output" / "receipt.json").read_text("utf-8"))
    schema.validate(receipt)
    assert receipt["tile"] == 256
    assert receipt["settings"]["max_faces"] == 1000
    assert receipt["unfinished"] is None
    of_pipeline = MaskPipeline(model=toy_model).receipt.to_dict()
    schema.validate(of_pipeline)
    for key in of_pipeline:
        with pytest.raises(ValidationError):
            schema.validate({name: value for name, value in receipt.items() if name != key})
