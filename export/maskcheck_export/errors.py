"""The errors of the export tool."""

from __future__ import annotations

from maskcheck.errors import MaskCheckError


class DataError(MaskCheckError):
    """Pictures, annotations, weights or a run that cannot be used."""


class RecipeError(MaskCheckError):
    """A recipe that is missing, is not TOML, or has a key or a value that is not allowed."""
