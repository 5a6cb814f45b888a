"""What the document about privacy says of numbers and code is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from maskcheck.privacy import HOLD, SURE
from maskcheck.privacy.blurring import MOST_CELLS
from maskcheck.privacy.delayed import DELAY, MOST_BYTES
from maskcheck.privacy.plan import AROUND_CHANGE

TEXT = (Path(__file__).parents[1] / "sdk" / "PRIVACY.md").read_text(encoding="utf-8")
SENTENCES = " ".join(TEXT.split())


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"a probability of at least {SURE}" in SENTENCES
    assert f"at most {MOST_CELLS} x {MOST_CELLS} averages" in SENTENCES
    assert (HOLD, AROUND_CHANGE) == (1.0, 1.0)
    assert "for a second before it was first found and after it was last found" in SENTENCES
    assert "for a second before and after its label" in SENTENCES
    assert DELAY == 0.5
    assert "wait for half a second" in SENTENCES
    assert f"more than {MOST_BYTES / 1e6:.0f} MB" in SENTENCES


def test_its_code_runs(examples: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "street.jpg").write_bytes((examples / "astronaut.jpg").read_bytes())
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}

    exec(code, names)

    assert (names["blurred"] != names["pixels"]).any()  # type: ignore[attr-defined]
