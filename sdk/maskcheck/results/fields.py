"""Checked access to the fields of parsed JSON: a value of another kind is a ValueError that names its field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from maskcheck.texts import shortened

T = TypeVar("T")


class Fields:
    """The fields of a JSON object.

    Args:
        content: The object, as :func:`json.loads` gives it.
        path: Where it is in the document, for messages; empty for the document itself.

    Raises:
        ValueError: `content` is no object.
    """

    def __init__(self, content: object, path: str = "") -> None:
        self._path = path
        self._content = _mapping(content, path or "the JSON")

    def check_schema(self, name: str) -> None:
        """Check the field ``schema``.

        Raises:
            ValueError: It has another value than `name`, or is missing.
        """
        if self._content.get("schema") != name:
            raise ValueError(f"schema: expected {name!r}, got {shortened(repr(self._content.get('schema')))}")

    def text(self, name: str) -> str:
        """A string."""
        return str(self._get(name, "a string", lambda value: isinstance(value, str)))

    def choice(self, name: str, *choices: str) -> Any:
        """One of these strings."""
        return self._get(name, " or ".join(map(repr, choices)), lambda value: value in choices)

    def integer(self, name: str) -> int:
        """A whole number."""
        return int(self._get(name, "a whole number", lambda value: _is_number(value, int)))

    def size(self, name: str) -> int:
        """A whole number from 0."""
        return int(self._get(name, "a whole number from 0", lambda value: _is_number(value, int) and value >= 0))

    def number(self, name: str) -> float:
        """A number."""
        return float(self._get(name, "a number", _is_number))

    def boolean(self, name: str) -> bool:
        """True or false."""
        return bool(self._get(name, "true or false", lambda value: isinstance(value, bool)))

    def numbers(self, name: str, count: int) -> tuple[float, ...]:
        """A list of so many numbers."""
        return tuple(self._get(name, f"a list of {count} numbers", lambda value: _are_numbers(value, count)))

    def points(self, name: str) -> tuple[tuple[float, float], ...]:
        """A list of pairs of numbers."""
        pairs = self._get(
            name,
            "a list of pairs of numbers",
            lambda value: isinstance(value, list) and all(_are_numbers(pair, 2) for pair in value),
        )
        return tuple((float(x), float(y)) for x, y in pairs)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(
            self._get(
                name,
                "a list of strings",
                lambda value: isinstance(value, list) and all(isinstance(text, str) for text in value),
            )
        )

    def mapping(self, name: str, *kinds: type) -> dict[str, Any]:
        """An object whose values are all of these types."""
        names = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
        return dict(
            self._get(
                name,
                f"an object with values of type {names}",
                lambda value: isinstance(value, Mapping) and all(type(item) in kinds for item in value.values()),
            )
        )

    def object(self, name: str) -> Fields:
        """The fields of an object."""
        return Fields(self._content.get(name), self._named(name))

    def objects(self, name: str) -> list[Fields]:
        """The fields of each object of a list."""
        items = self._get(name, "a list", lambda value: isinstance(value, list))
        return [Fields(item, f"{self._named(name)}[{index}]") for index, item in enumerate(items)]

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """What `read`, a method of this object, gives for a field; None where the field is null or missing."""
        return None if self._content.get(name) is None else read(name)

    def _get(self, name: str, expected: str, fits: Callable[[Any], bool]) -> Any:
        value = self._content.get(name)
        if not fits(value):
            got = shortened(repr(value)) if name in self._content else "nothing"
            raise ValueError(f"{self._named(name)}: expected {expected}, got {got}")
        return value

    def _named(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name


def _mapping(content: object, name: str) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise ValueError(f"{name}: expected an object, got {shortened(repr(content))}")
    return content


def _is_number(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds or (int, float)) and not isinstance(value, bool)


def _are_numbers(value: object, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(map(_is_number, value))
