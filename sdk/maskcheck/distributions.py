"""Which distributions are installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed_versions(*names: str) -> dict[str, str]:
    """Versions of those distributions that are installed, by name, in the order asked for."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
