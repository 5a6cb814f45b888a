"""What a stage of the pipeline, a detector or a classifier, says of itself to the host."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

API_VERSIONS = frozenset({1, 2})
"""Versions of the interface of plugins that the host understands."""

OptionValue: TypeAlias = int | float | str | bool

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What a name may be: a colon would be that of ``distribution:name``, and brackets speak to terminals."""


@dataclass(frozen=True)
class StageDescription:
    """What a stage runs with. A stage that has no model, or no session, leaves the fields as they are.

    Attributes:
        model: File name of its model.
        model_sha256: SHA-256 of that file, in hexadecimal.
        providers: Execution providers that are active in its session, in order.
        threads: Threads of its session.
        precision: Arithmetic that its model runs in: ``int8``, ``float32``, ...
    """

    model: str | None = None
    model_sha256: str | None = None
    providers: tuple[str, ...] = ()
    threads: int | None = None
    precision: str | None = None


@dataclass(frozen=True)
class StageOption:
    """An option of a detector or classifier, such as ``--detector-option name=value`` sets.

    Attributes:
        name: Keyword that the factory takes.
        type: ``int``, ``float``, ``str`` or ``bool``.
        default: Value when it is not given; None if the stage then decides, by a preset, say.
        help: What it does, and its unit.
        minimum: Least value, for numbers.
        maximum: Greatest value, for numbers.
        choices: Allowed values, if they are few.
        check: Called with a value of the type; raises a ValueError that says what is allowed, where `minimum`,
            `maximum` and `choices` cannot.

    Raises:
        TypeError: `name` is no Python name, or `type` none of the four.
    """

    name: str
    type: type[int] | type[float] | type[str] | type[bool]
    default: OptionValue | None
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[OptionValue, ...] | None = None
    check: Callable[[Any], object] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise TypeError(f"StageOption.name: expected a Python name, got {self.name!r}")
        if self.type not in (int, float, str, bool):
            raise TypeError(f"StageOption.type: expected int, float, str or bool, got {self.type!r}")

    def parse(self, value: Any) -> OptionValue:
        """Turn text or a Python value into a value of the option.

        Raises:
            ValueError: It is none; the message says what is allowed.
        """
        try:
            parsed = _convert(self.type, value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"expected {self.allowed}, got {value!r}") from None
        too_low = self.minimum is not None and not isinstance(parsed, str) and parsed < self.minimum
        too_high = self.maximum is not None and not isinstance(parsed, str) and parsed > self.maximum
        if too_low or too_high or (self.choices is not None and parsed not in self.choices):
            raise ValueError(f"expected {self.allowed}, got {value!r}")
        if self.check is not None:
            self.check(parsed)
        return parsed

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if self.choices is not None:
            return "one of " + ", ".join(map(str, self.choices))
        bounds = [f">= {self.minimum:g}"] if self.minimum is not None else []
        bounds += [f"<= {self.maximum:g}"] if self.maximum is not None else []
        return " ".join([self.type.__name__, *bounds])


def _convert(kind: type[OptionValue], value: Any) -> OptionValue:
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() not in words:
            raise ValueError
        return words[str(value).lower()]
    if isinstance(value, bool):
        raise ValueError
    converted = kind(value)
    if kind is int and not isinstance(value, str) and converted != value:  # 3.5 is no whole number
        raise ValueError
    if isinstance(converted, float) and not np.isfinite(converted):
        raise ValueError
    return converted


@dataclass(frozen=True)
class StageSpec:
    """What a plugin says of a stage that it offers: see :class:`DetectorSpec` and :class:`ClassifierSpec`."""

    name: str
    summary: str
    factory: Callable[..., Any]
    options: tuple[StageOption, ...] = ()
    uses_session: bool = field(default=False, kw_only=True)
    api_version: int = field(kw_only=True)

    def __post_init__(self) -> None:
        kind = type(self).__name__
        for name in ("name", "summary"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise TypeError(f"{kind}.{name}: expected a text, got {value!r}")
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"{kind}.name: expected letters, digits, '-', '_' and '.', the first one a letter or a digit,"
                f" got {self.name!r}"
            )
        if not callable(self.factory):
            raise TypeError(f"{kind}.factory: expected a class or function, got {self.factory!r}")
        if not isinstance(self.options, tuple) or not all(isinstance(option, StageOption) for option in self.options):
            raise TypeError(f"{kind}.options: expected a tuple of StageOption, got {self.options!r}")
        if isinstance(self.api_version, bool) or not isinstance(self.api_version, int):
            raise TypeError(f"{kind}.api_version: expected a whole number, got {self.api_version!r}")
        if not isinstance(self.uses_session, bool):
            raise TypeError(f"{kind}.uses_session: expected True or False, got {self.uses_session!r}")
        if self.uses_session and self.api_version == 1:
            raise ValueError(f"{kind}.uses_session: expected False in version 1; it is of api_version=2")
        if self.uses_session and any(option.name == "session" for option in self.options):
            raise ValueError(f"{kind}.options: expected none named 'session', which uses_session=True gives")
