"""``TrackLabels``: the label of a face over time, which does not flicker."""

from __future__ import annotations

import math
from collections.abc import Mapping

from maskcheck.tracking.settings import TrackingSettings

_LONGEST_STEP = 0.15  # seconds: however long ago the last frame was, one frame alone does not change a label


class TrackLabels:
    """Averages the probabilities of a face over time, and keeps its label until another is clearly more probable.

    The mean is exponential in time, not in frames: five and thirty frames a second behave the same. The label changes
    when the mean of another is higher than its own by a margin (hysteresis).

    Args:
        settings: How labels are averaged.
        probabilities: Of the first frame.
        time: When, in seconds.

    Attributes:
        time: When probabilities were added last, in seconds.
        label: The label.
        settled: Whether the last probabilities agreed with the label.
        probabilities: The mean of each label; they add up to 1.
    """

    def __init__(self, settings: TrackingSettings, probabilities: Mapping[str, float], time: float) -> None:
        self._settings = settings
        self.time = time
        self.settled = False
        self.probabilities = dict(probabilities)
        self.label = max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        """Mean probability of the label, in [0, 1]."""
        return self.probabilities[self.label]

    def add(self, probabilities: Mapping[str, float], time: float) -> None:
        """Take in the probabilities of the next frame."""
        step = min(max(time - self.time, 0.0), _LONGEST_STEP)
        share = 1 - math.exp(-step / self._settings.label_time)
        self.time = time
        for label, value in probabilities.items():
            mean = self.probabilities.get(label, 0.0)
            self.probabilities[label] = mean + share * (value - mean)
        best = max(self.probabilities, key=self.probabilities.__getitem__)
        if self.probabilities[best] >= self.probabilities[self.label] + self._settings.label_margin:
            self.label = best
        self.settled = probabilities.get(self.label, 0.0) >= self._settings.sure
