"""What became of the pictures of a part, and of all parts together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

_QUARANTINE = frozenset({"WorkerDied", "PictureTimeout"})


@dataclass
class Counts:
    """What is in some rows. It depends on the pictures alone, not on the run.

    Attributes:
        pictures: Pictures, those that failed included.
        faces: Their faces.
        labels: Faces of each label.
        errors: Pictures that failed with each error, by its class.
        quarantined: Sources of pictures that ended their process, or took too long, each twice.
    """

    pictures: int = 0
    faces: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    quarantined: list[str] = field(default_factory=list)

    @classmethod
    def of_lines(cls, lines: Iterable[Mapping[str, Any]]) -> Self:
        """The counts of results, as :meth:`FrameResult.to_dict` gives them."""
        counts = cls()
        for line in lines:
            counts.pictures += 1
            counts.faces += len(line["faces"])
            counts.labels.update(face["label"] for face in line["faces"])
            if line["error"]:
                counts.errors[line["error"]["type"]] += 1
                if line["error"]["type"] in _QUARANTINE:
                    counts.quarantined.append(line["source"])
        return counts

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The counts that :meth:`to_dict` gave."""
        return cls(
            content["pictures"],
            content["faces"],
            Counter(content["labels"]),
            Counter(content["errors"]),
            list(content["quarantined"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values, always in the same order."""
        return {
            "pictures": self.pictures,
            "faces": self.faces,
            "labels": dict(sorted(self.labels.items())),
            "errors": dict(sorted(self.errors.items())),
            "quarantined": sorted(self.quarantined),
        }

    def add(self, other: Counts) -> None:
        """Add the counts of other rows."""
        self.pictures += other.pictures
        self.faces += other.faces
        self.labels += other.labels
        self.errors += other.errors
        self.quarantined += other.quarantined

    @property
    def failed(self) -> int:
        """Pictures that have an error."""
        return self.errors.total()


@dataclass(frozen=True)
class PartReport:
    """How a part was worked on.

    Attributes:
        part: Its number.
        counts: What is in it, as JSON-ready values of :class:`Counts`.
        bytes_read: Of its pictures.
        retries: Pictures that were tried again, and processes that were replaced.
        seconds: It took.
        worker: Machine, or node of the cluster, that it was worked on.
        receipt: What it was made with, JSON-ready; None if no picture could be read.
    """

    part: int
    counts: dict[str, Any]
    bytes_read: int
    retries: int
    seconds: float
    worker: str
    receipt: dict[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The report that :meth:`to_dict` gave."""
        return cls(**{each.name: content[each.name] for each in fields(cls)})
