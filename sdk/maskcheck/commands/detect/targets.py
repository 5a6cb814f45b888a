"""Where the results of a run go, and what is written of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from maskcheck.commands.console import is_terminal
from maskcheck.commands.detect.result_files.output_folder import RECEIPT, RESULTS
from maskcheck.commands.detect.result_files.receipt_file import receipt_path
from maskcheck.commands.detect.result_files.result_writers import Form
from maskcheck.commands.detect.result_files.safe_files import PART


@dataclass(frozen=True)
class Targets:
    """Where results go.

    Attributes:
        folder: The folder for annotated pictures and results; None for none.
        form: The form of the results in it.
        json_file: The file for lines of JSON; None for none.
        standard_form: The form of the results on standard output; None if the table goes there.
        standard_output: The stream for these results, or for events.
        events_on_standard_output: Whether events go there.
    """

    folder: Path | None
    form: Form
    json_file: str | None
    standard_form: Form | None
    standard_output: IO[str] | None
    events_on_standard_output: bool = False

    @property
    def events_output(self) -> IO[str] | None:
        """The stream for events; None if they do not go to standard output."""
        return self.standard_output if self.events_on_standard_output else None

    def files(self) -> list[Path]:
        """The files of results and receipts, also those of the time of the run."""
        files = []
        if self.folder is not None:
            files += [self.folder / name for name in (RESULTS["jsonl"], RESULTS[self.form], RECEIPT)]
        if self.json_file is not None:
            files += [Path(self.json_file), receipt_path(Path(self.json_file))]
        return files + [file.with_name(file.name + PART) for file in files]

    def table_stream(self) -> IO[str] | None:
        """Where the table goes; None for nowhere."""
        if self.standard_form is None and not self.events_on_standard_output:
            return sys.stdout
        return sys.stderr if is_terminal(sys.stderr) else None
