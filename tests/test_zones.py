"""Zones and lines: what they contain, how they are written on a command line, and how they are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from maskcheck import Face, FrameResult
from maskcheck.events import Line, Watcher, Zone
from maskcheck.events.drawing import draw_places
from maskcheck.events.geometry_arguments import parse_line, parse_zone

SIZE = (640, 480)


def test_a_zone_contains_what_is_inside_its_corners() -> None:
    zone = Zone("door", ((100, 100), (300, 100), (300, 200), (200, 200), (200, 300), (100, 300)))  # an L

    assert zone.contains((150, 250), SIZE)
    assert zone.contains((250, 150), SIZE)
    assert not zone.contains((250, 250), SIZE)
    assert not zone.contains((50, 150), SIZE)


def test_zones_beside_each_other_share_no_point() -> None:
    left, right = (Zone(str(x), ((x, 0), (x + 100, 0), (x + 100, 100), (x, 100))) for x in (0, 100))
    points = [(x, y) for x in range(0, 200, 10) for y in range(0, 100, 10)]

    assert all(left.contains(point, SIZE) + right.contains(point, SIZE) == 1 for point in points)


def test_a_zone_in_shares_scales_with_the_picture() -> None:
    zone = Zone("left half", ((0, 0), (0.5, 0), (0.5, 1), (0, 1)), relative=True)

    assert zone.contains((319, 100), (640, 480))
    assert not zone.contains((319, 100), (320, 240))
    assert zone.pixel_points((200, 100)) == ((0, 0), (100, 0), (100, 100), (0, 100))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Zone("", ((0, 0), (1, 0), (1, 1))), "zone: expected a name, got ''"),
        (lambda: Zone("door", ((0, 0), (1, 0))), "zone 'door': expected three points or more, got 2"),
        (lambda: Zone("door", ((0, 0), (1, 1), (2, 2))), "expected points that enclose an area"),
        (lambda: Zone("door", ((0, 0), (1, 0), (1, float("nan")))), "expected finite numbers"),
        (lambda: Zone("door", ((0, 0), (1, 0), (1, 2)), relative=True), "shares of the picture, from 0 to 1"),
        (lambda: Zone("door", (0, 1, 2)), "expected points as pairs"),  # type: ignore[arg-type]
        (lambda: Line("gate", (1, 1), (1, 1)), "line 'gate': expected two different points"),
        (lambda: Line(" ", (1, 1), (2, 1)), "line: expected a name"),
    ],
)
def test_places_that_cannot_be_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_lists_are_as_good_as_tuples() -> None:
    assert Zone("door", [[0, 0], [9, 0], [9, 9]]) == Zone("door", ((0, 0), (9, 0), (9, 9)))  # type: ignore[arg-type]
    assert hash(Line("gate", [0, 1], np.array([2, 3]))) == hash(Line("gate", (0, 1), (2, 3)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("door=100,200,400,200,400,600", Zone("door", ((100, 200), (400, 200), (400, 600)))),
        ("door=10%,20%,40%,20%,40%,90.5%", Zone("door", ((0.1, 0.2), (0.4, 0.2), (0.4, 0.905)), relative=True)),
        ("front door = 1,2 30,4 30,40", Zone("front door", ((1, 2), (30, 4), (30, 40)))),
        ("a=b=0,0,9,0,9,9", Zone("a=b", ((0, 0), (9, 0), (9, 9)))),
        ("Tür=-5,0;9,0;9,9", Zone("Tür", ((-5, 0), (9, 0), (9, 9)))),
    ],
)
def test_zones_of_a_command_line(text: str, zone: Zone) -> None:
    assert parse_zone(text) == zone


def test_lines_of_a_command_line() -> None:
    assert parse_line("gate=0,300,640,300") == Line("gate", (0, 300), (640, 300))
    assert parse_line("gate=0%,50%,100%,50%") == Line("gate", (0, 0.5), (1, 0.5), relative=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("100,200,400,200,400,600", "zone: expected NAME=X,Y"),
        ("=1,2,3,4,5,6", "zone: expected NAME=X,Y"),
        ("door=", "expected three corners or more, got 0"),
        ("door=1,2,3,4", "expected three corners or more, got 2"),
        ("door=1,2,3,4,5", "expected pairs of numbers, got 5 numbers"),
        ("door=1,2,3,4,5,x", "expected numbers, got 'x'"),
        ("door=1,2,3,4,5,inf", "expected numbers, got 'inf'"),
        ("door=10%,2,3,4,5,6", "expected pixels or per cent, got both"),
        ("door=10%,20%,30%,40%,50%,101%", "expected 0% to 100%, got 101%"),
        ("door=1,1,2,2,3,3", "enclose an area"),
    ],
)
def test_zones_that_are_written_wrong_say_what_is_expected(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_zone(text)


def test_lines_that_are_written_wrong_say_what_is_expected() -> None:
    with pytest.raises(ValueError, match=r"line 'gate': expected two points, got 3; write NAME=X,Y,X,Y"):
        parse_line("gate=1,2,3,4,5,6")
    with pytest.raises(ValueError, match="two different points"):
        parse_line("gate=1,2,1,2")


def crossing_result(frame: int, y: float) -> FrameResult:
    face = Face((300, y - 40, 360, y + 40), "with_mask", 0.9, {"with_mask": 0.9, "without_mask": 0.1}, track_id=1)
    return FrameResult((face,), SIZE, source="door.mp4", frame=frame, time=frame / 25)


def test_zones_and_lines_are_drawn_with_their_counts() -> None:
    zone = Zone("door", ((0.5, 0), (1, 0), (1, 0.5), (0.5, 0.5)), relative=True)
    watcher = Watcher(zones=[zone], lines=[Line("gate", (0, 300), (640, 300))])
    before = np.zeros((480, 640, 3), np.uint8)
    draw_places(before, watcher)
    for frame, y in enumerate(range(100, 400, 6)):
        watcher.update(crossing_result(frame, y))
    after = np.zeros((480, 640, 3), np.uint8)
    draw_places(after, watcher)

    assert before[120, 480].any()  # the fill of the zone
    assert not before[120, 160].any()
    assert before[300, 600].max() > 200  # the line
    assert before[310, 320].any()  # the arrow points to the side that is in, which is below
    assert not before[290, 320].any()
    changed = np.argwhere((before != after).any(axis=2))
    assert len(changed)  # the count of the line, at its start
    assert changed[:, 1].max() < 320
    assert abs(changed[:, 0] - 290).max() < 40


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (3000, 40)])
def test_places_outside_the_picture_can_be_drawn(size: tuple[int, int]) -> None:
    watcher = Watcher(
        zones=[Zone("Büro", ((-5000, -10), (9000, 0), (20, 99999)))], lines=[Line("gate", (-100000, 3), (100000, 3))]
    )
    canvas = np.zeros((size[1], size[0], 3), np.uint8)

    draw_places(canvas, watcher)

    assert canvas.any()
