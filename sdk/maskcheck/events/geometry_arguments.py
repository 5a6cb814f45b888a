"""Zones and lines as they are written on a command line: ``door=100,200,400,200,400,600``."""

from __future__ import annotations

import math
import re

from maskcheck.events.zones import Line, Point, Zone
from maskcheck.texts import shortened

_ZONE_FORM = "NAME=X,Y,X,Y,X,Y,... in pixels, or all in per cent of the picture: door=10%,20%,40%,20%,40%,90%"
_LINE_FORM = "NAME=X,Y,X,Y in pixels, or all in per cent of the picture: gate=0%,50%,100%,50%"


def parse_zone(text: str) -> Zone:
    """A zone from ``NAME=X,Y,X,Y,X,Y,...``, with three corners or more, in pixels or all in per cent.

    Raises:
        ValueError: It is written in another way.
    """
    name, points, relative = _parse(text, "zone", _ZONE_FORM)
    if len(points) < 3:
        raise ValueError(f"zone {name!r}: expected three corners or more, got {len(points)}; write {_ZONE_FORM}")
    return Zone(name, points, relative=relative)


def parse_line(text: str) -> Line:
    """A line from ``NAME=X,Y,X,Y``, its start and its end, in pixels or all in per cent.

    Raises:
        ValueError: It is written in another way.
    """
    name, points, relative = _parse(text, "line", _LINE_FORM)
    if len(points) != 2:
        raise ValueError(f"line {name!r}: expected two points, got {len(points)}; write {_LINE_FORM}")
    return Line(name, *points, relative=relative)


def _parse(text: str, what: str, form: str) -> tuple[str, tuple[Point, ...], bool]:
    name, equals, rest = text.rpartition("=")  # the numbers have no equals sign, a name may
    name = name.strip()
    if not equals or not name:
        raise ValueError(f"{what}: expected {form}; got {shortened(text)!r}")
    # Spaces around commas, or between the points, are how people write them.
    parts = [part for part in re.split(r"\s*[,;]\s*|\s+", rest.strip()) if part]
    relative = any(part.endswith("%") for part in parts)
    if relative and not all(part.endswith("%") or part == "0" for part in parts):  # 0 is 0 % as well
        raise ValueError(f"{what} {name!r}: expected pixels or per cent, got both in {shortened(rest)!r}")
    numbers = [_number(part, name, what, form) for part in parts]
    if len(numbers) % 2:
        raise ValueError(f"{what} {name!r}: expected pairs of numbers, got {len(numbers)} numbers; write {form}")
    if relative:
        outside = [part for part, number in zip(parts, numbers, strict=True) if not 0 <= number <= 100]
        if outside:
            raise ValueError(f"{what} {name!r}: expected 0% to 100%, got {outside[0]}")
        numbers = [number / 100 for number in numbers]
    return name, tuple(zip(numbers[::2], numbers[1::2], strict=True)), relative


def _number(part: str, name: str, what: str, form: str) -> float:
    try:
        number = float(part.removesuffix("%"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{what} {name!r}: expected numbers, got {shortened(part)!r}; write {form}")
    return number
