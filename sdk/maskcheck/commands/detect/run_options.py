"""The options of ``maskcheck detect`` that become its :class:`RunSettings`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from maskcheck.commands.options import PIPELINE_SECTIONS, FilePath
from maskcheck.commands.sections import read_time

if TYPE_CHECKING:
    from maskcheck.events.mqtt_address import MQTTAddress

Command = TypeVar("Command", bound=Callable[..., Any])

_PICTURES = (
    click.option(
        "--min-confidence",
        type=click.FloatRange(0, 1),
        default=0.0,
        help="Count and draw faces with less confidence as unsure; --fail-on ignores them. The JSON is the same.",
    ),
    click.option(
        "--fail-on", multiple=True, metavar="LABEL", help="Exit with status 1 if a face has this label; repeat."
    ),
)
_VIDEOS = (
    click.option("--every", type=click.IntRange(1), default=1, metavar="N", help="Read every Nth frame of a video."),
    click.option("--start", callback=read_time, metavar="TIME", help="Begin there: seconds, m:ss or h:mm:ss."),
    click.option("--end", callback=read_time, metavar="TIME", help="End there."),
    click.option(
        "--detect-every",
        type=click.IntRange(1),
        default=1,
        metavar="N",
        help="Search every Nth of these frames for faces; the tracker predicts where they are in the others.",
    ),
    click.option("--show", is_flag=True, help="Show the frames in a window; q ends the run."),
    click.option(
        "--read-timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="A camera or stream that gives no frame for so long counts as lost.",
    ),
    click.option(
        "--no-reconnect", "reconnect", is_flag=True, flag_value=False, default=True, help="End where a stream is lost."
    ),
)
_EVENTS = (
    click.option(
        "--events",
        type=FilePath(allow_dash=True),
        metavar="FILE|-",
        help="Write a line of JSON when a person enters or leaves, and when a mask comes off or is put on.",
    ),
    click.option(
        "--mqtt",
        metavar="URL",
        help="Publish these events: mqtt://user@host:1883/prefix. The password is in MASKCHECK_MQTT_PASSWORD.",
    ),
    click.option(
        "--home-assistant",
        is_flag=True,
        help="Make each count that --mqtt publishes a sensor in Home Assistant, by its discovery.",
    ),
    click.option(
        "--zone",
        "zones",
        multiple=True,
        metavar="NAME=X,Y,...",
        help="An area, by the corners of a polygon in pixels or percent: events say who enters and leaves it; repeat.",
    ),
    click.option(
        "--line",
        "lines",
        multiple=True,
        metavar="NAME=X,Y,X,Y",
        help="A line: events say who crosses it, and in which direction; repeat.",
    ),
)
_PRIVACY = (
    click.option(
        "--blur",
        type=click.Choice(["all", "without_mask", "with_mask"]),
        help="Blur these faces in all pictures and videos that are written.",
    ),
    click.option(
        "--no-images", "images", is_flag=True, flag_value=False, default=True, help="Write results, and no pictures."
    ),
)
_FOLDERS = (
    click.option(
        "--resume",
        is_flag=True,
        help="Go on with the results of a run that was killed or stopped, or with pictures that are new.",
    ),
    click.option("--retry-failed", is_flag=True, help="With --resume: try again what failed."),
    click.option(
        "--workers",
        type=click.IntRange(0, 512),
        default=0,
        metavar="N",
        help="Work on pictures in N processes; one that dies is replaced, and the run goes on.  [default: threads]",
    ),
)

SECTIONS = {
    "Results": ("output", "json_file", "form", "min_confidence", "fail_on"),
    "Videos and cameras": ("every", "start", "end", "detect_every", "show", "read_timeout", "reconnect"),
    "Events": ("events", "mqtt", "home_assistant", "zones", "lines"),
    "Privacy": ("blur", "images"),
    "Large folders": ("resume", "retry_failed", "workers"),
    **PIPELINE_SECTIONS,
    "Detector": (*PIPELINE_SECTIONS["Detector"], "no_detector", "timeout"),
}
"""Titles of sections of the help, with the options in them."""


def run_options(command: Command) -> Command:
    """All options of the run, as the argument ``settings``."""

    @functools.wraps(command)
    def with_settings(*args: Any, **values: Any) -> Any:
        from maskcheck.commands.detect.settings import RunSettings

        given = {field.name: values.pop(field.name) for field in fields(RunSettings)}
        given["zones"], given["lines"] = _shapes(given["zones"], given["lines"])
        given["mqtt"] = _broker(given["mqtt"])
        start, end = given["start"], given["end"]
        if end is not None and end <= (start or 0.0):
            raise click.UsageError(f"--end: expected a later time than --start ({start or 0.0:g} s), got {end:g} s")
        if given["home_assistant"] and given["mqtt"] is None:
            raise click.UsageError("--home-assistant: expected --mqtt as well, with the address of the broker")
        if given["retry_failed"] and not given["resume"]:
            raise click.UsageError("--retry-failed: expected --resume as well")
        return command(*args, settings=RunSettings(**given), **values)

    for option in reversed((*_PICTURES, *_VIDEOS, *_EVENTS, *_PRIVACY, *_FOLDERS)):
        with_settings = option(with_settings)
    return cast(Command, with_settings)


def _shapes(zones: tuple[str, ...], lines: tuple[str, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    if not zones and not lines:
        return (), ()
    from maskcheck.events import Watcher
    from maskcheck.events.geometry_arguments import parse_line, parse_zone

    try:
        watcher = Watcher(zones=map(parse_zone, zones), lines=map(parse_line, lines))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return watcher.zones, watcher.lines


def _broker(address: str | None) -> MQTTAddress | None:
    if address is None:
        return None
    from maskcheck.events.mqtt_address import PASSWORD_VARIABLE, MQTTAddress

    try:
        return MQTTAddress.parse(address, password=os.environ.get(PASSWORD_VARIABLE))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
