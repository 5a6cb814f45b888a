"""The zones and lines of a watcher with their counts, drawn on a frame."""

from __future__ import annotations

from maskcheck.events.watcher import Watcher
from maskcheck.pictures.decoding import BGRImage
from maskcheck.pictures.drawing.zones import draw_line, draw_zone


def draw_places(canvas: BGRImage, watcher: Watcher) -> None:
    """Draw each zone with the number of people in it, and each line with those who went in and out.

    Args:
        canvas: uint8 (H, W, 3), BGR: the upright frame that the watcher has got last, or a copy; it is changed.
        watcher: Whose zones, lines and counts are drawn.
    """
    size = canvas.shape[1], canvas.shape[0]
    inside, counts = watcher.inside, watcher.counts
    for zone in watcher.zones:
        draw_zone(canvas, zone.pixel_points(size), f"{zone.name}: {inside[zone.name]}")
    for line in watcher.lines:
        count = counts[line.name]
        draw_line(canvas, *line.pixel_ends(size), f"{line.name}: in {count['in']}, out {count['out']}")
