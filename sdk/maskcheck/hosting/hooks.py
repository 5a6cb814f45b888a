"""The hooks through which plugins offer detectors and classifiers.

A plugin is an installed distribution with an entry point of the group ``maskcheck``. The entry point names a module (or
an object) with one or both of these functions::

    from maskcheck.plugins import DetectorSpec, hookimpl

    @hookimpl
    def maskcheck_register_detectors():
        return [DetectorSpec("mine", "Finds faces my way", MyDetector, api_version=2)]
"""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from maskcheck.classifier.spec import ClassifierSpec
from maskcheck.detectors.spec import DetectorSpec

PROJECT = "maskcheck"
"""Name of the pluggy project, of its marker and of the entry-point group."""

_hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks the functions of a plugin that the host calls."""


class HookSpecs:
    """The hooks that a plugin may implement."""

    @_hookspec
    def maskcheck_register_detectors(self) -> Sequence[DetectorSpec]:  # type: ignore[empty-body]
        """Detectors that the plugin offers."""

    @_hookspec
    def maskcheck_register_classifiers(self) -> Sequence[ClassifierSpec]:  # type: ignore[empty-body]
        """Classifiers that the plugin offers."""
