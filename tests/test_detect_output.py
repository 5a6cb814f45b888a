"""Files that ``maskcheck detect`` writes: whole or not at all, with metadata of the original, replacing no others."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from maskcheck.commands import main
from maskcheck.commands.detect.result_files import part_file


@pytest.fixture
def detect(toy_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs ``maskcheck detect`` with the toy model in a folder with two pictures, a.png and b.png."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for name in ("a.png", "b.png"):
        Image.new("RGB", (50, 40), "grey").save(name)
    return lambda *arguments: CliRunner().invoke(main, ["detect", "--model", str(toy_model), *map(str, arguments)])


def sources(path: str) -> list[str]:
    return [json.loads(line)["source"] for line in Path(path).read_text().splitlines()]


def link(place: str, target: str) -> None:
    Path(place).parent.mkdir(exist_ok=True)
    try:
        Path(place).symlink_to(target)
    except OSError:
        pytest.skip("no symbolic links here")


# --- --json


@pytest.mark.parametrize("kind", ["name", "hard link", "symbolic link", "other file", "absent picture"])
def test_json_overwrites_no_other_file(detect: Callable[..., Result], kind: str) -> None:
    name, other = "a.png", ["b.png"]
    if kind == "hard link":
        name, other = "r.jsonl", ["a.png"]
        Path(name).hardlink_to("a.png")
    elif kind == "symbolic link":
        name, other = "r.jsonl", ["a.png"]
        link(name, "a.png")
    elif kind == "other file":
        name = "notes.jsonl"
        Path(name).write_text('{"note": 1}\n')
    elif kind == "absent picture":
        name = "absent.jpg"
    before = Path(name).read_bytes() if Path(name).exists() else None

    result = detect("--json", name, *other)

    assert result.exit_code == 2
    assert "--json takes the file to write results to" in " ".join(result.stderr.split())
    assert (Path(name).read_bytes() if before is not None else None) == before
    assert not [path for path in Path().iterdir() if path.name.endswith(".part")]


def test_json_does_not_overwrite_an_input_even_if_it_is_empty(detect: Callable[..., Result]) -> None:
    Path("empty").touch()

    assert detect("empty", "--json", "empty").exit_code == 2


def test_json_replaces_results_of_an_earlier_run_and_fills_an_empty_file(detect: Callable[..., Result]) -> None:
    Path("empty.jsonl").touch()

    assert detect("a.png", "b.png", "--json", "r.jsonl").exit_code == 0
    assert detect("b.png", "--json", "r.jsonl").exit_code == 0
    assert detect("b.png", "--json", "empty.jsonl").exit_code == 0

    assert sources("r.jsonl") == sources("empty.jsonl") == ["b.png"]


@pytest.mark.skipif(os.name == "nt", reason="no /dev/null")
def test_json_may_go_to_a_device(detect: Callable[..., Result]) -> None:
    assert detect("a.png", "--json", "/dev/null").exit_code == 0


def test_a_tilde_in_an_option_is_the_home_folder(
    detect: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    Image.new("RGB", (50, 40)).save(home / "h.png")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))

    assert detect("~/h.png", "--output=~/x", "--json", "~/r.jsonl").exit_code == 0
    assert sources(str(home / "r.jsonl")) == sources(str(home / "x" / "results.jsonl")) == [str(home / "h.png")]
    assert not Path("~").exists()


# --- forms


@pytest.mark.parametrize(
    ("form", "name"), [("jsonl", "results.jsonl"), ("csv", "results.csv"), ("coco", "annotations.json")]
)
def test_results_in_each_form_go_to_the_folder_or_to_standard_output(
    detect: Callable[..., Result], form: str, name: str
) -> None:
    first = detect("a.png", "--format", form, "--output", "out")
    again = detect("b.png", "--format", form, "--output", "out")
    printed = detect("b.png", "--format", form)

    assert [first.exit_code, again.exit_code, printed.exit_code] == [0, 0, 0], again.output
    written = Path("out", name).read_text()
    assert "b.png" in written
    assert "a.png" not in written
    if form != "jsonl":  # which has timings
        assert printed.stdout == written


def test_coco_annotations_of_other_programs_are_kept(detect: Callable[..., Result]) -> None:
    Path("out").mkdir()
    Path("out/annotations.json").write_text('{"images": []}')

    result = detect("a.png", "--format", "coco", "--output", "out")

    assert result.exit_code == 2
    assert Path("out/annotations.json").read_text() == '{"images": []}'


# --- the output folder


def test_pictures_in_the_output_folder_that_no_run_wrote_are_kept(detect: Callable[..., Result]) -> None:
    Path("out").mkdir()
    Path("out/a.png").write_bytes(b"mine")

    result = detect("a.png", "--output", "out")

    assert result.exit_code == 2
    assert "which no earlier run wrote" in " ".join(result.stderr.split())
    assert Path("out/a.png").read_bytes() == b"mine"


def test_links_in_the_output_folder_are_not_followed(detect: Callable[..., Result]) -> None:
    assert detect("a.png", "--output", "out").exit_code == 0
    Path("out/a.png").unlink()
    Path("precious").write_text("precious")
    link("out/a.png", "../precious")

    picture = detect("a.png", "b.png", "--output", "out")
    Path("out/results.jsonl").unlink()
    Path("out/a.png").unlink()
    link("out/results.jsonl", "../precious")
    results = detect("a.png", "--output", "out")

    assert picture.exit_code == 1
    assert "a link" in picture.stdout
    assert "2 pictures, 0 faces, 1 not annotated" in picture.stdout
    assert results.exit_code == 2
    assert "results.jsonl is a link" in " ".join(results.stderr.split())
    assert Path("precious").read_text() == "precious"


def test_a_linked_subfolder_of_the_output_folder_is_not_followed(detect: Callable[..., Result]) -> None:
    Path("in/sub").mkdir(parents=True)
    Path("a.png").rename("in/sub/a.png")
    Path("elsewhere").mkdir()
    link("out/sub", "../elsewhere")

    assert detect("in", "--output", "out").exit_code == 1
    assert not list(Path("elsewhere").iterdir())


def full_disk(monkeypatch: pytest.MonkeyPatch, on: str) -> None:
    """Moving a file to a name that ends with `on` fails, as on a full disk."""
    replace = Path.replace

    def guarded(self: Path, target: Path) -> Path:
        if str(target).endswith(on):
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", guarded)


def test_results_are_kept_if_their_receipt_cannot_be_written(
    detect: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert detect("a.png", "--json", "r.jsonl").exit_code == 0
    earlier = Path("r.receipt.json").read_text()
    full_disk(monkeypatch, "r.receipt.json")

    result = detect("b.png", "--json", "r.jsonl", "--min-score", "0.9")

    assert result.exit_code == 2
    assert "cannot read or write r.receipt.json: No space left on device" in result.stderr
    assert sources("r.jsonl") == ["b.png"]
    assert Path("r.receipt.json").read_text() == earlier


def test_on_a_full_disk_there_is_no_truncated_picture(
    detect: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch, "a.png")

    result = detect("a.png", "b.png", "--output", "out")

    assert result.exit_code == 1
    assert f"not annotated: cannot write {Path('out', 'a.png')}: No space left on device" in result.stdout
    assert sorted(path.name for path in Path("out").iterdir()) == ["b.png", "receipt.json", "results.jsonl"]


@pytest.mark.parametrize("earlier", [False, True])
def test_on_a_full_disk_the_results_end_with_a_whole_line_and_the_error_names_the_file(
    detect: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, earlier: bool
) -> None:
    if earlier:
        assert detect("b.png", "--json", "r.jsonl").exit_code == 0
    from maskcheck.commands.detect.result_files.safe_files import write_all

    def guarded(descriptor: int, data: bytes) -> None:
        if b'"b.png"' in data:  # half a line gets onto the disk
            os.write(descriptor, data[:20])
            raise OSError(errno.ENOSPC, "No space left on device")
        write_all(descriptor, data)

    monkeypatch.setattr(part_file, "write_all", guarded)

    result = detect("a.png", "b.png", "--json", "r.jsonl")

    assert result.exit_code == 2
    assert result.stderr.endswith(": cannot read or write r.jsonl: No space left on device\n")
    assert "stopped after 1 of 2" in result.stdout
    assert sources("r.jsonl") == ["a.png"]


def test_earlier_results_stay_if_a_run_has_none(detect: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    assert detect("a.png", "--json", "r.jsonl").exit_code == 0

    def fail(_descriptor: int, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(part_file, "write_all", fail)

    assert detect("b.png", "--json", "r.jsonl").exit_code == 2
    assert sources("r.jsonl") == ["a.png"]
    assert sorted(path.name for path in Path().iterdir()) == ["a.png", "b.png", "r.jsonl", "r.receipt.json"]


def test_the_next_run_keeps_the_lines_of_a_killed_run(detect: Callable[..., Result]) -> None:
    assert detect("b.png", "--json", "r.jsonl").exit_code == 0
    lines = '{"schema": "maskcheck/1", "source": "killed.png"}\n' * 3
    Path("r.jsonl.part").write_text(lines)

    assert detect("a.png", "--json", "r.jsonl", "--fail-on", "nobody").exit_code == 2  # before it works
    assert Path("r.jsonl.part").read_text() == lines
    assert detect("a.png", "--json", "r.jsonl").exit_code == 0
    assert sources("r.jsonl") == ["a.png"]
    assert Path("r.jsonl.killed").read_text() == lines
    assert not Path("r.jsonl.part").exists()


# --- what the original says of itself


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".tiff"])
def test_exif_and_profile_are_kept_and_the_copy_is_upright(detect: Callable[..., Result], ending: str) -> None:
    from PIL import ImageCms

    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    if ending != ".tiff":  # into which Pillow writes no more than the first level
        exif[0x8769] = {0x9003: "2025:11:25 10:00:00"}
        exif[0x8825] = {1: "N"}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (50, 40), "grey").save(f"x{ending}", exif=exif, icc_profile=profile)

    assert detect(f"x{ending}", "--output", "out").exit_code == 0

    with Image.open(f"out/x{ending}") as copy:
        copy.load()
        about = copy.getexif()
        assert copy.size == (40, 50)
        assert about[0x0112] == 1
        assert about[0x010F] == "Maker"
        if ending != ".tiff":
            assert about.get_ifd(0x8769)[0x9003] == "2025:11:25 10:00:00"
            assert about.get_ifd(0x8825)[1] == "N"
        assert copy.info["icc_profile"] == profile


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_copy_is_written_without_exif_that_is_damaged_or_too_long(detect: Callable[..., Result]) -> None:
    Image.new("RGB", (50, 40)).save("damaged.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    exif = Image.Exif()
    exif[0x010E] = "long " * 20_000
    Image.new("RGB", (50, 40)).save("long.tiff", exif=exif)
    Image.new("RGB", (50, 40)).save("long.png", exif=exif)

    result = detect("damaged.jpg", "long.tiff", "long.png", "--output", "out")

    assert result.exit_code == 0, result.output
    for name in ("damaged.jpg", "long.tiff", "long.png"):
        with Image.open(Path("out", name)) as copy:
            copy.load()
            assert copy.size == (50, 40)


# --- options


def test_unsure_faces_are_counted_separately_and_the_json_is_the_same(
    detect: Callable[..., Result], portrait: Path
) -> None:
    result = detect(portrait, "--min-confidence", "1", "--json", "r.jsonl", "--fail-on", "dark", "--fail-on", "bright")

    label = json.loads(Path("r.jsonl").read_text())["faces"][0]["label"]
    assert result.exit_code == 0
    assert "1 unsure" in result.stdout
    assert label in ("bright", "dark")


def test_without_a_detector_the_whole_picture_is_the_face(detect: Callable[..., Result]) -> None:
    assert detect("a.png", "--no-detector", "--json", "r.jsonl").exit_code == 0
    assert json.loads(Path("r.jsonl").read_text())["faces"][0]["box"] == [0, 0, 50, 40]
    assert detect("a.png", "--no-detector", "--detector", "haar").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--threads", "100000"), "expected at most 512, got 100000"),
        (("--batch-size", "100000"), "batch_size: expected at most 1024, got 100000"),
        (("--max-side", "0"), "max-side"),
        (("--workers", "100000"), "0<=x<=512"),
        (("--format", "xml"), "jsonl"),
        (("--format", "csv", "--json", "-"), "both go to standard output"),
        (("--min-confidence", "2"), "0<=x<=1"),
        (("--timeout", "0"), "timeout"),
    ],
)
def test_options_out_of_bounds_are_refused_with_a_reason(
    detect: Callable[..., Result], arguments: tuple[str, ...], message: str
) -> None:
    result = detect("a.png", *arguments)

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("option", "value"), [("--max-side", "45"), ("--max-megabytes", "0.00001"), ("--max-megapixels", "0.001")]
)
def test_the_limits_of_decoding_are_options(detect: Callable[..., Result], option: str, value: str) -> None:
    result = detect("a.png", option, value)

    assert result.exit_code == 1
    assert option in result.stdout
