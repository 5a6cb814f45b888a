"""Whether results that are to be continued were made with the same settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from maskcheck.errors import MaskCheckError

# What does not change results: the number of threads, and by which name or for which reason a model was taken.
_IRRELEVANT = frozenset({"schema", "threads", "model", "chosen_by", "unfinished"})


def check_same_settings(results: Path, receipt: Path, now: Mapping[str, Any]) -> dict[str, Any]:
    """Check that results were made with the settings of this run.

    Args:
        results: The results that are to be continued, for messages.
        receipt: Their receipt.
        now: The receipt of this run, with its settings.

    Returns:
        Their receipt.

    Raises:
        MaskCheckError: They were made with others, or there is no telling.
    """
    try:
        then = json.loads(receipt.read_text("utf-8"))
        if not isinstance(then, dict) or not isinstance(then.get("settings"), dict):
            raise ValueError("it does not say with which settings they were made")
    except (OSError, ValueError) as error:
        raise MaskCheckError(
            f"--resume cannot continue {results}: its receipt {receipt} cannot be used"
            f" ({error.strerror if isinstance(error, OSError) else error}); without --resume, a new run begins"
        ) from error
    differences = settings_differences(then, now)
    if differences:
        raise MaskCheckError(
            f"--resume cannot continue {results}: it was made with other settings: {'; '.join(differences)}."
            " Give the same options, or leave --resume out to begin a new run"
        )
    return then


def settings_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In which settings two receipts differ, in words; the threads, say, do not count.

    Args:
        then: A receipt with its settings.
        now: Another one.
    """
    before, after = dict(_flat(then)), dict(_flat(now))
    return [
        f"{name} was {_shown(before.get(name))}, now {_shown(after.get(name))}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if key in _IRRELEVANT:
            continue
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, "" if key == "settings" else f"{name}.")
        elif key == "stages":
            for stage in value:
                yield from _flat({each: stage[each] for each in stage if each != "kind"}, f"{stage['kind']}.")
        else:
            yield name, value


def _shown(value: object) -> str:
    return "unset" if value is None else str(value)
