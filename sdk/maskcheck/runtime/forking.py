"""What a forked child must make anew: locks and sessions, since its parent's threads do not exist there."""

from __future__ import annotations

import os
import weakref
from typing import Any, Protocol


class Renewable(Protocol):
    """An object with locks, or with objects that have threads."""

    def renew(self) -> Any:
        """Make new locks, and let go of objects that have threads: they are returned, and never destroyed."""


_renewables: weakref.WeakSet[Any] = weakref.WeakSet()
_inherited: list[Any] = []


def renew_after_fork(renewable: Renewable) -> None:
    """Have ``renewable.renew()`` called in every forked child.

    Another thread may have held a lock when the process was forked; in the child, nobody would ever release it. An
    inherited session of ONNX Runtime must not even be destroyed: it would wait for threads that do not exist.
    """
    _renewables.add(renewable)


def _renew_all() -> None:
    _inherited.extend(renewable.renew() for renewable in list(_renewables))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
