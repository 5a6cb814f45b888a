from __future__ import annotations

from maskcheck_export.writing.markdown import table


def test_names_from_outside_stay_one_cell_of_text() -> None:
    text = table(["name", "value"], [["a|b\nc <img src=x>", "1"]])

    assert text.splitlines() == ["| name | value |", "| --- | --- |", r"| a\|b c &lt;img src=x> | 1 |"]
