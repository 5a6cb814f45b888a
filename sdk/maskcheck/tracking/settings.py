"""Settings of the tracker."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class TrackingSettings:
    """How faces are followed.

    Times are in seconds and distances in sides of the face, so neither the frame rate nor the size of a face matters.

    Attributes:
        forget_after: A face that is not found for so long has left; if it comes back, it has another number.
        reach: How far from where it is expected a face may be found, beside what is uncertain of its motion.
        most_reach: How far at most, however uncertain its motion is.
        start_score: Least detection score of a face that begins a track; one below it may only go on with one.
        label_time: Over how long labels are averaged: the time constant of an exponential mean.
        label_margin: How much more probable than the label of a track another one must be, to take its place.
        sure: A face is sure of its label if its last probability of it was so high; then it is classified less often.
        classify_every: Seconds after which a face that is sure of its label is classified again. With a second look,
            what was no face is looked at again after them, too.
        frame_rate: Frames a second, for frames that have no time.

    Raises:
        ValueError: A value is not above 0, or `start_score`, `label_margin` or `sure` is not in [0, 1].
    """

    forget_after: float = 2.0
    reach: float = 0.3
    most_reach: float = 2.0
    start_score: float = 0.0
    label_time: float = 0.25
    label_margin: float = 0.35
    sure: float = 0.9
    classify_every: float = 0.18
    frame_rate: float = 25.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("start_score", "label_margin", "sure"):
                if not 0 <= value <= 1:
                    raise ValueError(f"{field.name}: expected a number in [0, 1], got {value!r}")
            elif not 0 < value < float("inf"):
                raise ValueError(f"{field.name}: expected a number above 0, got {value!r}")
