"""The final report of a job, as JSON and as text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from time import perf_counter
from typing import Any

from maskcheck.commands.batch.part_report import Counts, PartReport
from maskcheck.commands.detect.result_files.settings_check import settings_differences

SCHEMA = "maskcheck-batch/1"
_SHOWN = 10  # quarantined pictures that the text names


class JobReport:
    """Adds up what became of parts.

    Args:
        output: Address of the output folder.
        engine: Name of the engine.
        resumed: What is in parts that earlier runs have finished.
        left_out: What the search for pictures passed over, in words.
    """

    def __init__(self, output: str, engine: str, resumed: Counts, left_out: str) -> None:
        self._output, self._engine, self._left_out = output, engine, left_out
        self._resumed = resumed
        self.total = Counts()
        self.total.add(resumed)
        self._now = Counts()
        self._retries = self._bytes = self._parts = 0
        self._workers: Counter[str] = Counter()
        self._receipts: list[dict[str, Any]] = []
        self._started = perf_counter()

    def add(self, report: PartReport) -> None:
        """Add a part that this run has finished."""
        counts = Counts.from_dict(report.counts)
        self.total.add(counts)
        self._now.add(counts)
        self._retries += report.retries
        self._bytes += report.bytes_read
        self._parts += 1
        self._workers[report.worker] += counts.pictures
        receipt = report.receipt
        if receipt is not None and not any(not settings_differences(known, receipt) for known in self._receipts):
            self._receipts.append(receipt)

    @property
    def done(self) -> int:
        """Pictures that have rows."""
        return self.total.pictures

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        seconds = perf_counter() - self._started
        return {
            "schema": SCHEMA,
            "output": self._output,
            "engine": self._engine,
            **self.total.to_dict(),
            "resumed": self._resumed.pictures,
            "retries": self._retries,
            "this_run": {
                "pictures": self._now.pictures,
                "parts": self._parts,
                "bytes_read": self._bytes,
                "seconds": round(seconds, 3),
                "pictures_a_second": round(self._now.pictures / seconds, 3) if seconds else 0.0,
                "workers": dict(sorted(self._workers.items())),
            },
            "left_out": self._left_out,
            "made_with": self._receipts,
        }

    def to_json(self) -> bytes:
        """As a file."""
        return json.dumps(self.to_dict(), indent=2).encode("ascii") + b"\n"

    def lines(self) -> Iterator[str]:
        """As text, line by line."""
        content = self.to_dict()
        now, failed = content["this_run"], self.total.failed
        yield f"{self.total.pictures:,} pictures, {self.total.faces:,} faces, {failed:,} failed: {self._output}"
        if self.total.labels:
            yield "faces: " + _counted(self.total.labels)
        if failed:
            yield "failed: " + _counted(self.total.errors)
        for source in content["quarantined"][:_SHOWN]:
            yield f"quarantined: {source}"
        if len(content["quarantined"]) > _SHOWN:
            yield f"quarantined: {len(content['quarantined']) - _SHOWN:,} more"
        text = (
            f"this run: {now['pictures']:,} pictures in {now['seconds']:.0f} s, {now['pictures_a_second']:.1f} a second"
        )
        yield f"{text}; {self._retries:,} retries; {self._resumed.pictures:,} resumed from earlier runs"
        if len(self._workers) > 1:
            yield "workers: " + _counted(self._workers)
        if len(self._receipts) > 1:
            different = "; ".join(settings_differences(*self._receipts[:2]))
            yield f"not all machines work in the same way, so rows may differ slightly: {different}"
        if self._left_out:
            yield f"left out: {self._left_out}"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
