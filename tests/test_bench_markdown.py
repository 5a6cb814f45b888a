from __future__ import annotations

from maskcheck_bench.reporting.markdown import table


def test_names_from_outside_stay_one_cell_of_text() -> None:
    lines = table(["name", "value"], [["a|b\nc <img src=x>", "1"]])

    assert lines == ["| name | value |", "| --- | --- |", r"| a\|b c &lt;img src=x> | 1 |"]
