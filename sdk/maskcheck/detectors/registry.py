"""Finds detectors: the built-in ones at once, those of plugins when they are asked for.

Each entry point is loaded on its own. One that fails is kept with its reason and never stops the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from maskcheck._version import __version__
from maskcheck.detectors import haar
from maskcheck.detectors.api import API_VERSIONS, PROJECT, Detector, DetectorSpec, HookSpecs
from maskcheck.errors import DetectorNotFound, DetectorOptionError, PluginError

BUILT_IN = "maskcheck"
"""Distribution of the detectors that come with the SDK."""

UNKNOWN = "an unknown distribution"
"""Distribution of an entry point whose metadata do not name one."""


@dataclass(frozen=True)
class RegisteredDetector:
    """A detector that can be used.

    Attributes:
        spec: What the plugin says of it.
        distribution: Distribution that it comes from.
        version: Version of that distribution.
    """

    spec: DetectorSpec
    distribution: str
    version: str


@dataclass(frozen=True)
class FailedPlugin:
    """A plugin, or one detector of it, that cannot be used.

    Attributes:
        name: Name of the entry point or of the detector.
        distribution: Distribution that it comes from.
        version: Version of that distribution.
        reason: What went wrong, in a line.
    """

    name: str
    distribution: str
    version: str
    reason: str

    @property
    def advice(self) -> str:
        """What to do about it."""
        known = self.distribution != UNKNOWN
        return "mend or update it" + (f": pip install --upgrade {self.distribution}" if known else "")


class DetectorRegistry:
    """All detectors of this process.

    Args:
        find_plugins: Gives the entry points of installed plugins; called once, when a plugin may be needed.
    """

    def __init__(self, find_plugins: Callable[[], Iterable[EntryPoint]] | None = None) -> None:
        self._find_plugins = find_plugins or (lambda: entry_points(group=PROJECT))
        self._registered: dict[str, RegisteredDetector] = {}
        self._failed: list[FailedPlugin] = []
        self._plugins_loaded = False
        self._loading = threading.RLock()  # a plugin may itself look for detectors while it loads
        for spec in _specs_of(haar):
            self._registered[spec.name] = RegisteredDetector(spec, BUILT_IN, __version__)

    def registered(self) -> tuple[RegisteredDetector, ...]:
        """Every detector that can be used; loads the plugins."""
        self._load_plugins()
        return tuple(self._registered.values())

    def failed(self) -> tuple[FailedPlugin, ...]:
        """Every plugin that cannot be used; loads the plugins."""
        self._load_plugins()
        return tuple(self._failed)

    def find(self, name: str) -> DetectorSpec:
        """The detector of that name. Plugins are loaded only if no built-in one has it.

        Raises:
            PluginError: A plugin of that name is installed, but failed.
            DetectorNotFound: There is none; the error lists what there is.
        """
        if name not in self._registered:
            self._load_plugins()
        if name in self._registered:
            return self._registered[name].spec
        for failed in self._failed:
            if failed.name == name:
                raise PluginError(
                    f"detector {name!r} of {failed.distribution} {failed.version} cannot be used: {failed.reason};"
                    f" {failed.advice}",
                    plugin=name,
                    distribution=None if failed.distribution == UNKNOWN else failed.distribution,
                )
        reasons = {failed.name: failed.reason for failed in self._failed}
        raise DetectorNotFound(
            f"no detector {name!r}; there are: {', '.join(self._registered)}"
            + "".join(f"; failed: {plugin} ({reason})" for plugin, reason in reasons.items())
            + "; `maskcheck detectors` lists them",
            name=name,
            available=tuple(self._registered),
            failed=reasons,
        )

    def _load_plugins(self) -> None:
        with self._loading:
            if self._plugins_loaded:
                return
            self._plugins_loaded = True
            before = dict(self._registered)
            try:
                self._load_each_plugin()
            except BaseException:  # Ctrl-C, say: the next one to ask starts again
                self._plugins_loaded, self._registered, self._failed = False, before, []
                raise

    def _load_each_plugin(self) -> None:
        for entry_point in sorted(self._find_plugins(), key=lambda found: (_distribution(found), found.name)):
            origin = _distribution(entry_point), _version(entry_point)
            try:
                for spec in _specs_of(entry_point.load()):
                    self._add(RegisteredDetector(spec, *origin))
            except (Exception, SystemExit) as error:  # whatever a plugin does at import, the host goes on
                reason = " ".join(f"{type(error).__name__}: {error}".strip(": ").split())
                self._failed.append(FailedPlugin(entry_point.name, *origin, reason))

    def _add(self, found: RegisteredDetector) -> None:
        spec = found.spec
        reason = None
        if spec.api_version not in API_VERSIONS:
            supported = ", ".join(map(str, sorted(API_VERSIONS)))
            reason = f"it was written for plugin API {spec.api_version}, this maskcheck speaks {supported}"
        elif spec.name in self._registered:
            owner = self._registered[spec.name]
            reason = (
                f"the name {spec.name!r} is taken by {owner.distribution} {owner.version}; uninstall one of the two"
            )
        if reason:
            self._failed.append(FailedPlugin(spec.name, found.distribution, found.version, reason))
        else:
            self._registered[spec.name] = found


def create_detector(spec: DetectorSpec, options: Mapping[str, Any] | None = None) -> Detector:
    """Make a detector from its declared options; those not given have their defaults.

    Args:
        spec: Which detector.
        options: Values by name, as Python values or as text.

    Raises:
        DetectorOptionError: No such option, or a value that it does not take.
        PluginError: The factory raised, or what it made is no detector.
    """
    declared = {option.name: option for option in spec.options}
    values = {option.name: option.default for option in spec.options}
    for name, value in (options or {}).items():
        if name not in declared:
            known = ", ".join(f"{option.name} ({option.allowed})" for option in spec.options) or "none"
            raise DetectorOptionError(
                f"detector {spec.name} has no option {name!r}; its options: {known}", detector=spec.name, option=name
            )
        try:
            values[name] = declared[name].parse(value)
        except ValueError as error:
            raise DetectorOptionError(
                f"option {name} of detector {spec.name}: {error}", detector=spec.name, option=name
            ) from None
    try:
        detector = spec.factory(**values)
    except (Exception, SystemExit) as error:
        raise PluginError(f"detector {spec.name} cannot be made: {error}", plugin=spec.name) from error
    if not isinstance(detector, Detector):
        raise PluginError(
            f"detector {spec.name}: its factory gave {type(detector).__name__}, which has no method `detect`",
            plugin=spec.name,
        )
    return detector


@cache
def default_registry() -> DetectorRegistry:
    """The registry of installed detectors, one for the process."""
    return DetectorRegistry()


def _specs_of(plugin: object) -> list[DetectorSpec]:
    # A manager for each plugin: pluggy checks its hooks, and no plugin's failure can touch another.
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(HookSpecs)
    manager.register(plugin)
    manager.check_pending()
    specs = [spec for group in manager.hook.maskcheck_register_detectors() for spec in group]
    if not specs:
        raise TypeError("it registers no detector: maskcheck_register_detectors is missing or gave an empty list")
    for spec in specs:
        if not isinstance(spec, DetectorSpec):
            raise TypeError(f"maskcheck_register_detectors: expected DetectorSpec, got {type(spec).__name__}")
    return specs


def _distribution(entry_point: EntryPoint) -> str:
    return _metadata(entry_point, "Name") or UNKNOWN


def _version(entry_point: EntryPoint) -> str:
    return _metadata(entry_point, "Version")


def _metadata(entry_point: EntryPoint, key: str) -> str:
    # A half-uninstalled distribution has entry points, but no name any more.
    if entry_point.dist is None or key not in entry_point.dist.metadata:
        return ""
    return entry_point.dist.metadata[key]
