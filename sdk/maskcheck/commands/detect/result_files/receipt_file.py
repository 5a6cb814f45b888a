"""The receipt of a file of results: what they were made with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from maskcheck.commands.detect.result_files.safe_files import KILLED, PART, write_whole
from maskcheck.results import Receipt


def receipt_path(results: Path) -> Path:
    """Where the receipt of a file of ``--json`` is: beside ``NAME.jsonl``, it is ``NAME.receipt.json``."""
    return results.with_name(results.name.removesuffix(".jsonl") + ".receipt.json")


class ReceiptFile:
    """The file of a receipt. It is written as NAME.part when the run begins, and takes its place when it ends.

    So a run that was killed can be continued with the same settings, and an earlier receipt stays as long as its
    results.

    Args:
        path: The file.
        receipt: What the results are made with.
        settings: Settings of the run that change results, JSON-ready.

    Attributes:
        path: The file.
        part: The file of a run that has not ended.
        content: The receipt with the settings, JSON-ready.
    """

    def __init__(self, path: Path, receipt: Receipt, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.part = path.with_name(path.name + PART)
        self.content = {**receipt.to_dict(), "settings": json.loads(json.dumps(dict(settings)))}

    def begin(self) -> None:
        """Write it when the run begins.

        Raises:
            OSError: It cannot be written.
        """
        self._write(self.part, self.content)

    def finish(self, unfinished: str | None) -> None:
        """Write it when the run ends.

        Args:
            unfinished: Name of the video at the end of the results that was not read to its end; None if there is none.

        Raises:
            OSError: It cannot be written.
        """
        try:
            self._write(self.path, {**self.content, "unfinished": unfinished})
        except OSError as error:
            try:  # on a full disk, that is still possible; a video at the end is then worked on anew
                self.part.replace(self.path)
            except OSError:
                raise error from None
        self.part.unlink(missing_ok=True)

    def drop(self) -> None:
        """Remove what was written when the run began."""
        with suppress(OSError):
            self.part.unlink()

    def set_aside(self) -> None:
        """Keep the receipt of a run that was killed under another name."""
        with suppress(OSError):
            self.part.replace(killed_name(self.path))

    def restore(self) -> None:
        """Undo :meth:`set_aside`."""
        with suppress(OSError):
            killed_name(self.path).replace(self.part)

    def _write(self, path: Path, content: Mapping[str, Any]) -> None:
        encoded = json.dumps(content, indent=2, allow_nan=False).encode("ascii") + b"\n"
        write_whole(path, encoded, temporary=self.path.with_name(self.path.name + ".new"))


def killed_name(path: Path) -> Path:
    """The name under which a file of a run that was killed is kept, once another run has begun."""
    return path.with_name(path.name + KILLED)
