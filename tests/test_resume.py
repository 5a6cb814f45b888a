"""A run that was killed is continued: each source has its results once, none is missing, nothing is lost unsaid."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from maskcheck import Face, FrameResult, ImageError, MaskCheckError, Receipt
from maskcheck.commands.detect.result_files import receipt_file
from maskcheck.commands.detect.result_files.done_sources import DoneSources
from maskcheck.commands.detect.result_files.part_file import PartFile
from maskcheck.commands.detect.result_files.results_file import ResultsFile
from maskcheck.sources import Source

RECEIPT = Receipt(
    detector="haar",
    detector_options={"preset": "fast"},
    min_score=0.5,
    tile=None,
    model="mask.onnx",
    model_sha256="ab",
    providers=("CPUExecutionProvider",),
    threads=2,
    precision="int8",
    chosen_by="cpu",
    versions={"maskcheck": "1"},
)
LABELS = ("with_mask", "without_mask")


def picture(name: str, error: str = "") -> FrameResult:
    face = Face((1, 2, 30, 40), "with_mask", 0.75, {"with_mask": 0.75, "without_mask": 0.25}, 0.5)
    if error:
        return FrameResult((), (0, 0), source=name, error=ImageError(error, source=name))
    return FrameResult((face,), (60, 50), source=name)


def frames(name: str, count: int) -> list[FrameResult]:
    return [replace(picture(name), frame=number, time=number / 25) for number in range(count)]


def source(name: str, kind: Any = "picture") -> Source:
    return Source(Path(name), Path(name), kind=kind)


@pytest.fixture
def results(tmp_path: Path) -> Callable[..., ResultsFile]:
    """Opens the file of results of a run, as the command does."""

    def open_results(*, path: str = "out/results.jsonl", form: Any = "jsonl", **others: Any) -> ResultsFile:
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        arguments = {"receipt": RECEIPT, "settings": {"blur": None, "max_faces": 1000}, "option": "--output", **others}
        return ResultsFile(file, form, receipt_path=file.parent / "receipt.json", labels=LABELS, **arguments)

    return open_results


def killed(file: ResultsFile, written: Sequence[FrameResult], cut: bytes = b"") -> None:
    """A run that writes results, and is killed."""
    file.begin()
    for result in written:
        file.write(result)
    assert isinstance(file._part, PartFile)
    file._part.append(cut)
    os.close(file._part.descriptor)  # the system does so, and releases the lock


def finished(file: ResultsFile, written: Sequence[FrameResult]) -> None:
    with file:
        for result in written:
            file.write(result)


def sources(path: Path) -> list[str]:
    return [json.loads(line)["source"] for line in path.read_text().splitlines()]


def todo(file: ResultsFile, *names: str) -> list[str]:
    return [each.display_name for each in file.remaining([source(name) for name in names])]


# --- what counts as done


@pytest.mark.parametrize(
    "cut", [b"", b'{"schema": "maskcheck/1", "sou', b'{"schema": "maskcheck/1"', bytes(3000), b"\n", b"\x00\x00\n"]
)
def test_whole_lines_are_done_and_a_cut_one_is_dropped(
    results: Callable[..., ResultsFile], tmp_path: Path, cut: bytes
) -> None:
    killed(results(), [picture("a"), picture("b", "it is empty")], cut)

    with results(resume=True) as file:
        assert todo(file, "a", "b", "c", "d") == ["c", "d"]
        assert "continues 2 results" in file.begin()
        assert [result.source for result in file.earlier_results()] == ["a", "b"]
        for name in "cd":
            file.write(picture(name))

    assert sources(tmp_path / "out/results.jsonl") == ["a", "b", "c", "d"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["receipt.json", "results.jsonl"]


@pytest.mark.parametrize("cut", [b"", b'{"sche', b'{"schema": "maskcheck/1", "source": "a"', bytes(100)])
def test_a_run_that_was_killed_before_its_first_line_begins_anew(
    results: Callable[..., ResultsFile], tmp_path: Path, cut: bytes
) -> None:
    killed(results(), [], cut)

    with results(resume=True) as file:
        assert todo(file, "a") == ["a"]
        assert file.begin() == ""
        file.write(picture("a"))

    assert sources(tmp_path / "out/results.jsonl") == ["a"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["receipt.json", "results.jsonl"]


def test_where_there_is_nothing_a_run_begins(results: Callable[..., ResultsFile], tmp_path: Path) -> None:
    with results(resume=True) as file:
        assert todo(file, "a") == ["a"]
        file.write(picture("a"))

    assert sources(tmp_path / "out/results.jsonl") == ["a"]


def test_earlier_results_are_what_was_written(results: Callable[..., ResultsFile]) -> None:
    written = [picture("a"), picture("b", "it is empty"), *frames("v.mp4", 2), picture("\udce9t\udce9 口罩\n.jpg")]
    killed(results(), written)

    with results(resume=True) as file:
        file.begin()
        earlier = list(file.earlier_results())

    assert [result.to_dict() for result in earlier] == [result.to_dict() for result in written]


def test_a_line_in_the_middle_that_is_no_result_is_an_error_and_stays(
    results: Callable[..., ResultsFile], tmp_path: Path
) -> None:
    killed(results(), [picture("a"), picture("b")])
    part = tmp_path / "out/results.jsonl.part"
    first, second = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(first + b"{}\n" + second)

    with pytest.raises(MaskCheckError, match="line 2 is no result, and others follow"):
        results(resume=True)
    assert part.read_bytes() == first + b"{}\n" + second


def test_finished_results_are_continued_with_what_is_new(results: Callable[..., ResultsFile], tmp_path: Path) -> None:
    finished(results(), [picture("b"), picture("c")])

    with results(resume=True) as file:
        assert todo(file, "a", "b", "c") == ["a"]
        file.write(picture("a"))

    assert sources(tmp_path / "out/results.jsonl") == ["b", "c", "a"]


def test_finished_results_with_nothing_new_stay_as_they_are(
    results: Callable[..., ResultsFile], tmp_path: Path
) -> None:
    finished(results(), [picture("a")])
    before = (tmp_path / "out/results.jsonl").read_bytes()

    with results(resume=True) as file:
        assert todo(file, "a") == []
        file.begin()

    assert (tmp_path / "out/results.jsonl").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["receipt.json", "results.jsonl"]


def test_a_run_that_continues_finished_results_may_be_killed_as_well(
    results: Callable[..., ResultsFile], tmp_path: Path
) -> None:
    finished(results(), [picture("a")])
    killed(results(resume=True), [picture("b")], b'{"sch')
    killed(results(resume=True), [])
    killed(results(resume=True), [picture("c")])

    with results(resume=True) as file:
        assert todo(file, "a", "b", "c", "d") == ["d"]
        file.write(picture("d"))

    assert sources(tmp_path / "out/results.jsonl") == ["a", "b", "c", "d"]


def test_a_source_that_was_named_twice_is_done_twice(results: Callable[..., ResultsFile]) -> None:
    killed(results(), [picture("gone", "no such file"), picture("a")])

    with results(resume=True) as file:
        assert todo(file, "gone", "a", "gone") == ["gone"]


# --- videos and cameras


def test_a_video_is_done_when_another_source_follows_or_it_says_why_it_broke_off(
    results: Callable[..., ResultsFile],
) -> None:
    broken = picture("broken.mp4", "cut off")
    killed(results(), [*frames("whole.mp4", 3), *frames("broken.mp4", 2), broken, *frames("half.mp4", 2)])

    with results(resume=True) as file:
        assert todo(file, "whole.mp4", "broken.mp4", "half.mp4") == ["half.mp4"]
        file.begin()
        assert [result.source for result in file.earlier_results()] == ["whole.mp4"] * 3 + ["broken.mp4"] * 3


def test_a_video_that_ctrl_c_cut_short_is_worked_on_anew_and_one_that_ended_is_not(
    results: Callable[..., ResultsFile], tmp_path: Path
) -> None:
    with results() as file:
        for frame in frames("whole.mp4", 2):
            file.write(frame)
        file.finish_source()
    with results(resume=True) as file:
        assert todo(file, "whole.mp4", "half.mp4") == ["half.mp4"]
        file.write(frames("half.mp4", 1)[0])  # and then Ctrl-C
    assert sources(tmp_path / "out/results.jsonl") == ["whole.mp4"] * 2 + ["half.mp4"]

    with results(resume=True) as file:
        assert todo(file, "whole.mp4", "half.mp4") == ["half.mp4"]
        for frame in frames("half.mp4", 2):
            file.write(frame)
    assert sources(tmp_path / "out/results.jsonl") == ["whole.mp4"] * 2 + ["half.mp4"] * 2


def test_what_a_camera_saw_stays_and_the_camera_is_never_done(
    results: Callable[..., ResultsFile], tmp_path: Path
) -> None:
    cameras = [source("0", "live"), source("door", "live")]
    seen = [frame for pair in zip(frames("0", 3), frames("door", 3), strict=True) for frame in pair]
    killed(results(sources=cameras), [picture("a"), *seen])

    with results(sources=cameras, resume=True) as file:
        assert file.remaining([source("a"), *cameras]) == cameras
        file.write(frames("0", 1)[0])

    assert sources(tmp_path / "out/results.jsonl") == ["a", *["0", "door"] * 3, "0"]


# --- what is tried again


def test_failed_pictures_are_tried_again_on_request(results: Callable[..., ResultsFile], tmp_path: Path) -> None:
    written = [picture("a"), picture("b", "no memory"), picture("c"), *frames("v.mp4", 2), picture("v.mp4", "cut")]
    finished(results(), [*written, picture("d")])

    with results(resume=True) as file:
        assert todo(file, "a", "b", "c", "v.mp4", "d") == []
    with results(resume=True, retry_failed=True) as file:
        assert todo(file, "a", "b", "c", "v.mp4", "d") == ["b", "v.mp4"]
        assert "continues 3 results" in file.begin()
        assert [result.source for result in file.earlier_results()] == ["a", "c", "d"]
        file.write(picture("b"))

    assert sources(tmp_path / "out/results.jsonl") == ["a", "c", "d", "b"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["receipt.json", "results.jsonl"]


# --- the same settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"receipt": replace(RECEIPT, min_score=0.25)}, "min_score was 0.5, now 0.25"),
        ({"receipt": replace(RECEIPT, detector_options={"preset": "full"})}, "preset was fast, now full"),
        ({"receipt": replace(RECEIPT, tile=640)}, "tile was unset, now 640"),
        ({"receipt": replace(RECEIPT, versions={"maskcheck": "2"})}, "versions.maskcheck was 1, now 2"),
        ({"settings": {"blur": "all", "max_faces": 1000}}, "blur was unset, now all"),
        ({"settings": {"blur": None, "max_faces": 1000, "every": 2}}, "every was unset, now 2"),
    ],
)
@pytest.mark.parametrize("end", [killed, finished])
def test_results_made_with_other_settings_are_not_continued_and_stay(
    results: Callable[..., ResultsFile], tmp_path: Path, change: dict[str, Any], message: str, end: Callable[..., None]
) -> None:
    end(results(), [picture("a")])
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    with pytest.raises(MaskCheckError, match=message) as error:
        results(resume=True, **change)

    assert "Give the same options, or leave --resume out" in str(error.value)
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert after == before


def test_the_number_of_threads_does_not_matter(results: Callable[..., ResultsFile]) -> None:
    killed(results(), [picture("a")])

    with results(resume=True, receipt=replace(RECEIPT, threads=16, model="renamed.onnx", chosen_by="asked")) as file:
        assert todo(file, "a", "b") == ["b"]


def test_results_without_a_receipt_are_not_continued(results: Callable[..., ResultsFile], tmp_path: Path) -> None:
    killed(results(), [picture("a")])
    (tmp_path / "out/receipt.json.part").unlink()

    with pytest.raises(MaskCheckError, match=r"receipt.json cannot be used \(No such file"):
        results(resume=True)


def test_results_of_another_folder_are_not_continued(results: Callable[..., ResultsFile]) -> None:
    killed(results(), [picture("here/a")])

    with results(resume=True) as file, pytest.raises(MaskCheckError, match="none of its 1 sources is among those"):
        todo(file, "there/a", "there/b")


# --- what is not continued is not lost


def test_without_resume_the_lines_of_a_killed_run_are_kept_and_told(
    results: Callable[..., ResultsFile], tmp_path: Path
) -> None:
    finished(results(), [picture("old")])
    killed(results(), [picture("a")])

    with results() as file:
        assert sources(tmp_path / "out/results.jsonl.part") == ["a"]
        assert "results.jsonl.killed; to continue such a run, give --resume" in file.begin()
        file.write(picture("b"))

    assert sources(tmp_path / "out/results.jsonl") == ["b"]
    assert sources(tmp_path / "out/results.jsonl.killed") == ["a"]


def test_a_run_that_writes_nothing_leaves_the_killed_one_to_be_continued(
    results: Callable[..., ResultsFile],
) -> None:
    killed(results(), [picture("a")])
    with results():
        pass  # a wrong option, say
    with results() as file:
        file.begin()  # and then a full disk

    with results(resume=True) as file:
        assert todo(file, "a", "b") == ["b"]


def test_a_disk_that_is_full_at_the_end_leaves_results_that_can_be_continued(
    results: Callable[..., ResultsFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(target: Path, _data: bytes, **_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    with monkeypatch.context() as full:
        file = results()
        file.write(picture("a"))
        full.setattr(receipt_file, "write_whole", fail)
        file.close()

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["receipt.json", "results.jsonl"]
    with results(resume=True) as file:
        assert todo(file, "a", "b") == ["b"]


@pytest.mark.parametrize("end", [killed, finished])
@pytest.mark.parametrize("resume", [False, True])
def test_a_disk_that_is_full_at_the_start_loses_nothing(
    results: Callable[..., ResultsFile], monkeypatch: pytest.MonkeyPatch, end: Callable[..., None], resume: bool
) -> None:
    end(results(), [picture("a"), picture("b")])

    def fail(_target: Path, _data: bytes, **_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(receipt_file, "write_whole", fail)
        with pytest.raises(OSError, match="No space left"), results(resume=resume) as file:
            file.begin()

    with results(resume=True) as file:
        assert todo(file, "a", "b", "c") == ["c"]


def test_two_runs_do_not_continue_the_same_results(results: Callable[..., ResultsFile]) -> None:
    killed(results(), [picture("a")])

    with results(resume=True) as first:
        first.begin()
        with pytest.raises(MaskCheckError, match="another run is writing"):
            results(resume=True)


def test_what_cannot_be_continued_is_refused(results: Callable[..., ResultsFile]) -> None:
    with pytest.raises(click.UsageError, match="--resume needs a file of results"):
        results(path="../../../../../../dev/null", resume=True)


# --- files beside it


def test_a_second_file_gets_what_the_first_one_continues(results: Callable[..., ResultsFile], tmp_path: Path) -> None:
    first = results()
    killed(first, [picture("a"), picture("b")])
    other = {"path": "other/r.jsonl", "option": "--json"}
    killed(results(**other), [picture("a")])  # it was killed between the two files

    with results(resume=True) as first, results(**other, resume=True, copy_of=first) as second:
        for file in (first, second):
            file.begin()
            file.write(picture("c"))

    assert sources(tmp_path / "out/results.jsonl") == sources(tmp_path / "other/r.jsonl") == ["a", "b", "c"]
    assert sorted(path.name for path in (tmp_path / "other").iterdir()) == ["r.jsonl", "receipt.json"]


@pytest.mark.parametrize(("form", "name"), [("csv", "results.csv"), ("coco", "annotations.json")])
def test_other_forms_have_the_results_of_both_runs(
    results: Callable[..., ResultsFile], tmp_path: Path, form: str, name: str
) -> None:
    killed(results(path=f"out/{name}", form=form), [picture("a.jpg")])

    with results(path=f"out/{name}", form=form, resume=True) as file:
        file.write(picture("b.jpg"))

    text = (tmp_path / "out" / name).read_text()
    assert text.count("a.jpg") == text.count("b.jpg") == 1
    assert sources(tmp_path / "out/results.jsonl") == ["a.jpg", "b.jpg"]


def test_finished_results_can_be_had_in_another_form(results: Callable[..., ResultsFile], tmp_path: Path) -> None:
    finished(results(), [picture("a.jpg")])

    with results(path="out/results.csv", form="csv", resume=True) as file:
        assert todo(file, "a.jpg") == []
        file.begin()

    assert (tmp_path / "out/results.csv").read_text().count("a.jpg") == 1


# --- names that are done


def test_done_sources_are_taken_as_often_as_they_were_added() -> None:
    done = DoneSources()
    for name in ("b", "a", "b", "\udce9\n", ""):
        done.add(name)

    assert len(done) == 5
    assert [done.take(name) for name in ("a", "a", "b", "b", "b", "c", "\udce9\n", "")] == [
        *(True, False, True, True, False, False, True, True)
    ]
    assert done.taken == 5


def test_a_hundred_thousand_names_take_few_bytes() -> None:
    done = DoneSources()
    names = [f"/pictures/2026/some folder/with a long name/IMG_{number:06}.jpg" for number in range(100_000)]
    for name in names:
        done.add(name)

    assert all(map(done.take, names))
    assert done._names.nbytes + done._taken.nbytes == 17 * len(names)
