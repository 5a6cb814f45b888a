from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from maskcheck.commands import main
from maskcheck.commands.console import printable

# Red text, a bell, a window's title (OSC 0), the clipboard (OSC 52), a link (OSC 8), C1's own escape, a name written
# from right to left, a line break, and half of a pair.
NASTY = {
    "\x1b[31mred": r"\x1b[31mred",
    "\x07": r"\x07",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "\x1b]52;c;aGk=\x1b\\": r"\x1b]52;c;aGk=\x1b" + "\\",
    "\x1b]8;;http://x\x1b\\": r"\x1b]8;;http://x\x1b" + "\\",
    "\x9b31m": r"\x9b31m",
    "gpj\u202e": r"gpj\u202e",
    "a\nb\tc\r": r"a\nb\tc\r",
    "\ud800": r"\ud800",
    os.fsdecode(b"caf\xe9") if os.name != "nt" else "caf\udce9": r"caf\xe9",
}


@pytest.mark.parametrize(("text", "shown"), NASTY.items())
def test_characters_that_a_terminal_obeys_become_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["", "plain", "Ärger 写真 [1].jpg", "😀", "C:\\photos\\[2020] trip", "cam:100:.jpg"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_line_breaks_are_kept_where_they_are_asked_for() -> None:
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"


@pytest.fixture
def detect(toy_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs ``maskcheck detect`` with the toy model, in an empty folder."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["detect", "--model", str(toy_model), *map(str, arguments)])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize(
    "name", ["esc\x1b[31mred.png", "bell\x07.png", "c1\x9b.png", "rtl\u202egnp.png", "two\nlines.png"]
)
def test_control_characters_in_names_are_never_printed(detect: Callable[..., Result], name: str) -> None:
    Image.new("RGB", (50, 40)).save(name)
    Path("folder").mkdir()
    Path("folder", name).write_text("no picture")

    for arguments in ((name,), ("folder",), (f"absent {name}",), (name, "--output", f"out {name}"), (f"--{name}",)):
        result = detect(*arguments)
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(result.output), arguments
        assert "red\nlines" not in result.output


@pytest.mark.skipif(os.name == "nt", reason="there, these are no names of files")
@pytest.mark.parametrize(
    "name", ["C:\\photos\\[2020] trip.png", "cam:100:.png", "[red]a[bold].png", ":smile: a.png", "写真 [1].png"]
)
def test_names_are_shown_as_they_are(detect: Callable[..., Result], name: str) -> None:
    Image.new("RGB", (50, 40)).save(name)

    result = detect(name, "--output", "out[/x]")

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1].startswith(f"{name} ")
    assert result.stdout.splitlines()[2].endswith("are in out[/x]")


def test_an_address_is_shown_as_it_was_typed(detect: Callable[..., Result]) -> None:
    result = detect("http://host/a.jpg", "file:///tmp//a.jpg")

    assert [line.split()[0] for line in result.stdout.splitlines()[1:3]] == ["http://host/a.jpg", "file:///tmp//a.jpg"]


def test_each_picture_has_one_line_even_if_its_name_and_error_are_long(detect: Callable[..., Result]) -> None:
    folder = Path(*["a folder with a long name"] * 8)
    folder.mkdir(parents=True)
    (folder / "text.png").write_text("no picture")

    result = detect(folder / "text.png", "absent.png")

    assert len(result.stdout.splitlines()) == 4
    assert str(folder / "text.png") in result.stdout


def test_an_error_of_wrong_usage_is_printable_too(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "maskcheck", "no\x1b[31m"], capture_output=True, text=True, cwd=tmp_path, check=False
    )

    assert result.returncode == 2
    assert "\x1b" not in result.stderr
    assert r"no\x1b[31m" in result.stderr
