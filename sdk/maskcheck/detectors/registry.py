"""Detectors by name: the built-in ones at once, those of plugins when a name asks for them.

A bare name means the built-in detector of that name; else that of the plugin whose entry point bears the name; else
that of any plugin. Where this leaves several, none is preferred: ``distribution:name`` says which.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint
from typing import Any

from maskcheck._version import __version__
from maskcheck.detectors import built_in
from maskcheck.detectors.api import Detector, DetectorSpec, OptionValue
from maskcheck.detectors.plugins import (
    UNKNOWN,
    FailedPlugin,
    Plugin,
    PluginMetadata,
    PluginPolicy,
    canonical,
    installed_entry_points,
)
from maskcheck.errors import DetectorNotFound, DetectorOptionError, PluginError
from maskcheck.runtime.config import SessionConfig

BUILT_IN = "maskcheck"
"""Distribution of the detectors that come with the SDK."""


@dataclass(frozen=True)
class RegisteredDetector:
    """A detector that can be used.

    Attributes:
        name: What to ask for: its own name, or ``distribution:name`` where others have that name.
        spec: What the plugin says of it.
        distribution: Distribution that it comes from.
        version: Version of that distribution.
    """

    name: str
    spec: DetectorSpec
    distribution: str
    version: str


class DetectorRegistry:
    """All detectors of this process.

    Args:
        find_plugins: Gives the entry points of installed plugins; called once, when a plugin may be needed.
        policy: Which plugins may be loaded; by default, what the environment says when they are looked for.
    """

    def __init__(
        self,
        find_plugins: Callable[[], Iterable[EntryPoint]] | None = None,
        *,
        policy: PluginPolicy | None = None,
    ) -> None:
        self._find_plugins = find_plugins or installed_entry_points
        self._policy = policy
        self._built_in = Plugin(PluginMetadata("haar", BUILT_IN, __version__), lambda: built_in)
        self._installed: tuple[Plugin, ...] | None = None
        self._loading = threading.RLock()  # a plugin may itself look for detectors while it loads

    def plugins(self) -> tuple[PluginMetadata, ...]:
        """Every installed plugin, by its metadata; imports none of them."""
        return tuple(plugin.metadata for plugin in self._plugins())

    def registered(self) -> tuple[RegisteredDetector, ...]:
        """Every detector that can be used; loads all plugins."""
        return tuple(detector for detector, _ in self._offers())

    def failed(self) -> tuple[FailedPlugin, ...]:
        """Every plugin, and every detector of one, that its name does not give; loads all plugins."""
        with self._loading:
            own = [failed for plugin in self._plugins() for failed in plugin.load()[1]]
        return (*own, *(clash for _, clash in self._offers() if clash is not None))

    def find(self, name: str) -> RegisteredDetector:
        """The detector of that name. Only plugins that may have it are loaded.

        Args:
            name: A detector's name, or ``distribution:name``.

        Raises:
            PluginError: A plugin of that name is installed, but failed; or several have a detector of that name.
            DetectorNotFound: There is none; the error lists what there is.
        """
        distribution, _, detector = name.rpartition(":")
        with self._loading:
            built_in = [self._built_in] if canonical(distribution) in {"", BUILT_IN} else []
            offers = _offering(built_in, detector)
            if not offers:
                installed = [
                    plugin
                    for plugin in self._plugins()
                    if not distribution or canonical(plugin.metadata.distribution) == canonical(distribution)
                ]
                namesakes = [plugin for plugin in installed if plugin.metadata.name == detector]
                offers = _offering(namesakes, detector) or _offering(installed, detector)
        if not offers:
            raise self._not_found(name, distribution, detector)
        if len(offers) > 1:
            owners = " and ".join(f"{one.metadata.distribution} {one.metadata.version}" for one, _ in offers)
            choices = " or ".join(f"{one.metadata.distribution}:{detector}" for one, _ in offers)
            raise PluginError(f"detector {detector!r} is offered by {owners}; ask for {choices}", plugin=detector)
        ((plugin, spec),) = offers
        return RegisteredDetector(name, spec, plugin.metadata.distribution, plugin.metadata.version)

    def _plugins(self) -> tuple[Plugin, ...]:
        with self._loading:
            if self._installed is None:
                policy = self._policy or PluginPolicy.of_environment()
                plugins = [Plugin.of_entry_point(entry_point, policy) for entry_point in self._find_plugins()]
                by_origin = sorted(plugins, key=lambda one: (one.metadata.distribution, one.metadata.name))
                self._installed = tuple(by_origin)
            return self._installed

    def _offers(self) -> list[tuple[RegisteredDetector, FailedPlugin | None]]:
        """Every usable detector, and why its bare name does not give it."""
        with self._loading:
            everyone = (self._built_in, *self._plugins())
            offers = [(plugin, spec) for plugin in everyone for spec in plugin.load()[0]]
        return [self._judge(plugin, spec, offers) for plugin, spec in offers]

    def _judge(
        self, plugin: Plugin, spec: DetectorSpec, offers: Sequence[tuple[Plugin, DetectorSpec]]
    ) -> tuple[RegisteredDetector, FailedPlugin | None]:
        rivals = [one for one, other in offers if other.name == spec.name]
        built_in = [one for one in rivals if one is self._built_in]
        namesakes = [one for one in rivals if one.metadata.name == spec.name]
        owners = built_in or namesakes or rivals
        clash = None if owners == [plugin] else plugin.clash(spec, (one for one in owners if one is not plugin))
        origin = plugin.metadata
        name = spec.name if clash is None else f"{origin.distribution}:{spec.name}"
        return RegisteredDetector(name, spec, origin.distribution, origin.version), clash

    def _not_found(self, name: str, distribution: str, detector: str) -> PluginError | DetectorNotFound:
        failed = self.failed()
        for one in failed:
            if one.name == detector and canonical(distribution) in {"", canonical(one.distribution)}:
                return PluginError(
                    f"detector {name!r} of {one.distribution} {one.version} cannot be used: {one.reason}; {one.advice}",
                    plugin=detector,
                    distribution=None if one.distribution == UNKNOWN else one.distribution,
                )
        available = tuple(one.name for one in self.registered())
        reasons = {one.name: one.reason for one in failed}
        return DetectorNotFound(
            f"no detector {name!r}; there are: {', '.join(available)}"
            + "".join(f"; failed: {plugin} ({reason})" for plugin, reason in reasons.items())
            + "; `maskcheck detectors` lists them",
            name=name,
            available=available,
            failed=reasons,
        )


def _offering(plugins: Iterable[Plugin], detector: str) -> list[tuple[Plugin, DetectorSpec]]:
    return [(plugin, spec) for plugin in plugins for spec in plugin.load()[0] if spec.name == detector]


_DEFAULT_SESSION = SessionConfig()


def create_detector(
    spec: DetectorSpec, options: Mapping[str, Any] | None = None, session: SessionConfig = _DEFAULT_SESSION
) -> Detector:
    """Make a detector from its declared options; those not given have their defaults.

    Args:
        spec: Which detector.
        options: Values by name, as Python values or as text; None for the default, as a receipt has it.
        session: Device, providers and threads, for a detector that uses them.

    Raises:
        DetectorOptionError: No such option, or a value that it does not take.
        PluginError: The factory raised, or what it made is no detector.
    """
    values: dict[str, Any] = check_options(spec, options)
    if spec.uses_session:
        values["session"] = session
    try:
        detector = spec.factory(**values)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a plugin raises, the host goes on
        raise PluginError(f"detector {spec.name} cannot be made: {error}", plugin=spec.name) from error
    if not isinstance(detector, Detector):
        raise PluginError(
            f"detector {spec.name}: its factory gave {type(detector).__name__}, which has no method `detect`",
            plugin=spec.name,
        )
    return detector


def check_options(spec: DetectorSpec, options: Mapping[str, Any] | None = None) -> dict[str, OptionValue | None]:
    """The values of all options of a detector, those not given by their defaults.

    Args:
        spec: Which detector.
        options: Values by name, as Python values or as text; None for the default, as a receipt has it.

    Raises:
        DetectorOptionError: No such option, or a value that it does not take.
    """
    declared = {option.name: option for option in spec.options}
    values = {option.name: option.default for option in spec.options}
    for name, value in (options or {}).items():
        if name not in declared:
            known = ", ".join(f"{option.name} ({option.allowed})" for option in spec.options) or "none"
            raise DetectorOptionError(
                f"detector {spec.name} has no option {name!r}; its options: {known}", detector=spec.name, option=name
            )
        if value is None:
            continue
        try:
            values[name] = declared[name].parse(value)
        except ValueError as error:
            raise DetectorOptionError(
                f"option {name} of detector {spec.name}: {error}", detector=spec.name, option=name
            ) from None
    return values


@cache
def default_registry() -> DetectorRegistry:
    """The registry of installed detectors, one for the process."""
    return DetectorRegistry()
