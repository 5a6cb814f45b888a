"""Logging: a library user sees none of it, and ``-v`` shows it on standard error."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from maskcheck.commands import main
from maskcheck.commands.group import CommandGroup


@pytest.fixture(autouse=True)
def _limit_of_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    # The command lifts Pillow's limit for its process, which here is also that of the other tests.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def test_a_library_user_sees_nothing(toy_model: Path, portrait: Path) -> None:
    code = (
        "import logging, sys, maskcheck\n"
        "maskcheck.MaskPipeline(model=sys.argv[1])(sys.argv[2])\n"
        "assert all(isinstance(handler, logging.NullHandler) for handler in logging.getLogger('maskcheck').handlers)\n"
        "assert logging.getLogger('maskcheck').level == logging.NOTSET\n"
        "assert not logging.getLogger().handlers\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(toy_model), str(portrait)], capture_output=True, text=True, timeout=120
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_program_that_configures_logging_sees_the_model_being_loaded(
    toy_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from maskcheck import MaskPipeline

    with caplog.at_level(logging.INFO, "maskcheck"):
        MaskPipeline(model=toy_model, device="cpu", threads=1).warm_up()

    assert [message for message in caplog.messages if message.startswith("loaded toy.onnx in ")]
    assert "CPUExecutionProvider, threads: 1" in caplog.text


@pytest.mark.parametrize(
    "arguments",
    [("-v", "detect"), ("detect", "-v"), ("-v", "detect", "-v"), ("-vv", "detect"), ("detect", "--verbose")],
)
def test_verbose_commands_report_the_loading_of_the_model_on_standard_error(
    arguments: tuple[str, ...], toy_model: Path, portrait: Path
) -> None:
    done = run(*arguments, "--model", toy_model, portrait, "--json", "-")

    assert done.exit_code == 0
    assert " INFO maskcheck: loaded toy.onnx in " in done.stderr
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["schema"] == "maskcheck/1"


def test_a_command_that_is_not_verbose_reports_nothing(toy_model: Path, portrait: Path) -> None:
    assert run("detect", "--model", toy_model, portrait, "--json", "-").stderr == ""


@pytest.fixture
def talking() -> CommandGroup:
    """A command that logs a line at each level."""

    @click.command()
    def say() -> None:
        logger = logging.getLogger("maskcheck")
        logger.warning("of a \x1b[31mname")
        logger.info("of information")
        logger.debug("of detail")

    group = CommandGroup("talk")
    group.add_command(say)
    return group


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["-v", "say"], ["warning", "info"]),
        (["say", "-v"], ["warning", "info"]),
        (["say", "-vv"], ["warning", "info", "debug"]),
        (["-v", "say", "-v"], ["warning", "info", "debug"]),
    ],
)
def test_twice_verbose_shows_details(talking: CommandGroup, arguments: list[str], shown: list[str]) -> None:
    done = CliRunner().invoke(talking, arguments, catch_exceptions=False)

    assert [line.split()[1].lower() for line in done.stderr.splitlines()] == shown


def test_what_is_logged_is_harmless_to_a_terminal(talking: CommandGroup) -> None:
    done = CliRunner().invoke(talking, ["say", "-v"], catch_exceptions=False)

    assert done.stderr.splitlines()[0].endswith(" WARNING maskcheck: of a \\x1b[31mname")


def test_logging_is_as_before_when_a_command_has_ended(talking: CommandGroup) -> None:
    logger = logging.getLogger("maskcheck")
    before = list(logger.handlers), logger.level

    CliRunner().invoke(talking, ["-vv", "say", "-v"], catch_exceptions=False)

    assert (logger.handlers, logger.level) == before


@pytest.mark.parametrize("command", ["detect", "detectors", "classifiers", "doctor", "info", "schema"])
def test_every_command_has_the_option(command: str) -> None:
    assert "-v, --verbose" in run(command, "--help").stdout
