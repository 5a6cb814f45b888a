"""Videos that ``examples/make_video.py`` draws, as frames for the pipeline, with their truth."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskcheck.errors import SourceError
from maskcheck.frames import Frame
from maskcheck.pictures.box import Box

if TYPE_CHECKING:
    from make_video import TrueEvent, TrueFace

_EXAMPLES = Path("examples")  # of the checkout in which the command runs
_VISIBLE = 0.5  # least share of a face that a box can be about
_OVERLAP = 0.3  # of a box with the face that it is about, as intersection over union


def _find_make_video() -> None:
    """Let ``make_video``, which is no part of any package, be imported.

    Raises:
        SourceError: It is not there.
    """
    if find_spec("make_video") is not None:
        return
    if not (_EXAMPLES / "make_video.py").is_file():
        raise SourceError(f"{_EXAMPLES / 'make_video.py'} is missing: run this in a checkout", source=str(_EXAMPLES))
    sys.path.append(str(_EXAMPLES.resolve()))


class DrawnVideo:
    """Frames of a scene, drawn while they are read; the truth grows with them.

    Args:
        name: A scene of ``make_video.py``.
        options: As ``make_scene`` takes them.

    Raises:
        SourceError: The folder `examples` is not there: this is no checkout of the project.
    """

    def __init__(self, name: str, **options: Any) -> None:
        _find_make_video()
        from make_video import make_scene

        self.name = name
        self.scene = make_scene(name, **options)
        self.frames: list[tuple[float, list[TrueFace]]] = []

    def __iter__(self) -> Iterator[Frame]:
        from make_video import render

        self.frames = []
        for index, frame in enumerate(render(self.scene)):
            self.frames.append((frame.time, frame.faces))
            yield Frame(image=frame.image, source=f"{self.name}-{self.scene.seed}", index=index, time=frame.time)

    def events(self) -> list[TrueEvent]:
        """What happened in the frames that were read."""
        from make_video import true_events

        return true_events(self.scene, self.frames)

    def person_at(self, frame: int, box: Box) -> int | None:
        """Whose face a box shows, by the truth; None if it is nobody's, or of somebody who is mostly hidden."""
        # Behind somebody, a face has nearly the box of the one in front.
        faces = [face for face in self.frames[frame][1] if face.visible >= _VISIBLE]
        overlaps = [(_overlap(box, self._inside(face.box)), face.track) for face in faces]
        best = max(overlaps, default=(0.0, 0))
        return best[1] if best[0] >= _OVERLAP else None

    def _inside(self, box: Box) -> Box:
        x1, y1, x2, y2 = box
        return max(x1, 0.0), max(y1, 0.0), min(x2, self.scene.width), min(y2, self.scene.height)


def _overlap(first: Box, second: Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (first, second))
    return width * height / (areas - width * height)
