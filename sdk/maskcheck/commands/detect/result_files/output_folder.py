"""The folder of ``--output``: one run at a time writes to it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from maskcheck.commands.detect.result_files.replaceable import holds_receipt, holds_results
from maskcheck.commands.detect.result_files.result_writers import Form
from maskcheck.commands.detect.result_files.safe_files import PART, InUse, locked
from maskcheck.errors import MaskCheckError

RESULTS: dict[Form, str] = {
    "jsonl": "results.jsonl",
    "csv": "results.csv",
    "coco": "annotations.json",
    "parquet": "results.parquet",
}
"""Names of the results in an output folder."""

RECEIPT = "receipt.json"
"""Name of their receipt."""

_LOCK = ".maskcheck.lock"


class OutputFolder:
    """A folder that one run at a time writes to. While it is open as a context manager, it is locked.

    Args:
        path: The folder; it is made if it does not exist.

    Raises:
        MaskCheckError: Another run is writing to it.
        OSError: It cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._held.enter_context(locked(self.path / _LOCK))
        except InUse:
            raise MaskCheckError(
                f"another run is writing to {self.path}; wait until it ends, or choose another folder"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def is_own(self) -> bool:
        """Whether an earlier run wrote here, so that its pictures may be replaced."""
        # A run that was killed before its first result has left the receipt, and perhaps a picture.
        names = [*RESULTS.values(), *(name + PART for name in RESULTS.values())]
        return holds_receipt(self.path / (RECEIPT + PART)) or any(holds_results(self.path / name) for name in names)
