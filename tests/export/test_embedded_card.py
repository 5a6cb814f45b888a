"""The model card of the embedded model."""

from __future__ import annotations

from pathlib import Path

from maskcheck.classifier.model import EMBEDDED_MODEL
from maskcheck_export.conversion.card import write_card

NOTES = Path(__file__).parents[2] / "export" / "embedded" / "card-notes.md"


def test_the_card_is_made_of_the_file_and_the_notes(tmp_path: Path) -> None:
    made = write_card(EMBEDDED_MODEL, tmp_path / "card.md", more=NOTES.read_text(encoding="utf-8"))

    committed = EMBEDDED_MODEL.with_suffix(".md")
    assert made.read_text(encoding="utf-8") == committed.read_text(encoding="utf-8")
