from __future__ import annotations

from maskcheck_bench.reporting.rendering import cell, figure


def test_names_from_outside_stay_text_in_a_single_cell() -> None:
    assert cell("a|b\nc <img src=x>") == r"a\|b c &lt;img src=x>"


def test_a_missing_figure_is_a_dash() -> None:
    assert (figure(0.12345), figure(2, 1), figure(None)) == ("0.123", "2.0", "-")
