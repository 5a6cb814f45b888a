"""Counts of a run: pictures, faces, videos, people and failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from maskcheck.results import FrameResult, count_labels


class Tally:
    """Counts of a run.

    Args:
        min_confidence: Faces below it are counted as unsure.
        fail_on: Labels that make the run fail.

    Attributes:
        pictures: Pictures that were searched for faces.
        failed: Pictures that have an error instead, and videos that ended with one.
        labels: Faces of pictures that have each label; those that are unsure count as ``unsure``.
        videos: Videos and cameras whose end was reached.
        frames: Their frames.
        people: Their people of each label: the last one that a person had.
        not_annotated: Pictures whose annotated copy could not be written.
        not_summed_up: Videos whose summary or chart could not be written.
        undelivered: Whether events were lost.
    """

    def __init__(self, min_confidence: float = 0.0, fail_on: Iterable[str] = ()) -> None:
        self._min_confidence = min_confidence
        self._fail_on = frozenset(fail_on)
        self.pictures = 0
        self.failed = 0
        self.labels: Counter[str] = Counter()
        self.videos = 0
        self.frames = 0
        self.people: Counter[str] = Counter()
        self.not_annotated = 0
        self.not_summed_up = 0
        self.undelivered = False
        self._has_label_to_fail_on = False

    def count(self, result: FrameResult) -> Counter[str]:
        """Count the result of a picture.

        Returns:
            How many of its faces have each label, or are unsure.
        """
        labels = count_labels([result], min_confidence=self._min_confidence)
        self.labels += labels
        if result.error is None:
            self.pictures += 1
        else:
            self.failed += 1
        self._has_label_to_fail_on |= not self._fail_on.isdisjoint(labels)
        return labels

    def count_frame(self, result: FrameResult) -> None:
        """Count the result of a frame of a video."""
        self.frames += 1
        labels = count_labels([result], min_confidence=self._min_confidence)
        self._has_label_to_fail_on |= not self._fail_on.isdisjoint(labels)

    def count_video(self, people: Counter[str], *, failed: bool) -> None:
        """Count a video that has ended.

        Args:
            people: How many of its people have each label.
            failed: Whether it ended with an error, which is counted already.
        """
        self.people += people
        self.videos += not failed

    @property
    def done(self) -> int:
        """Pictures and videos that have a result, failed ones included."""
        return self.pictures + self.videos + self.failed

    @property
    def something_failed(self) -> bool:
        """Whether something failed, was not written or delivered, or a face has a label that makes the run fail."""
        not_written = self.not_annotated or self.not_summed_up
        return bool(self.failed or not_written or self.undelivered or self._has_label_to_fail_on)

    def __str__(self) -> str:
        parts = []
        if self.pictures or not self.frames:
            parts.append(f"{_plural(self.pictures, 'picture')}, {_plural(self.labels.total(), 'face')}")
        if self.frames:
            people = self.people.total()
            parts.append(
                f"{_plural(self.videos, 'video')}, {_plural(self.frames, 'frame')},"
                f" {people} {'person' if people == 1 else 'people'}"
            )
        text = "; ".join(parts)
        if self.failed:
            text += f", {self.failed} failed"
        if self.not_annotated:
            text += f", {self.not_annotated} not annotated"
        if self.not_summed_up:
            text += f", {self.not_summed_up} not summed up"
        return text


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
