"""The model card of the embedded model."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskcheck.classifier.model import EMBEDDED_MODELS
from maskcheck_export.conversion.card import write_card

NOTES = Path(__file__).parents[2] / "export" / "embedded"


@pytest.mark.parametrize("name", EMBEDDED_MODELS)
def test_the_card_is_made_of_the_file_and_the_notes(name: str, tmp_path: Path) -> None:
    model = EMBEDDED_MODELS[name].path
    notes = NOTES / f"{name}-card-notes.md"

    made = write_card(model, tmp_path / "card.md", more=notes.read_text(encoding="utf-8"))

    committed = model.with_suffix(".md")
    assert made.read_text(encoding="utf-8") == committed.read_text(encoding="utf-8")
