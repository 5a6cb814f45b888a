"""What can go wrong with data, recipes, runs and weights."""

from __future__ import annotations

from maskcheck.errors import MaskCheckError


class DataError(MaskCheckError):
    """Pictures, annotations, weights or a run that cannot be used."""


class RecipeError(MaskCheckError):
    """A recipe that cannot be followed: it does not parse, or a value is not one that it may have."""
