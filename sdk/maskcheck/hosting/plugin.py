"""A plugin: listed from its metadata, imported only when it may be needed; if it fails, it fails alone."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from typing import Any

import pluggy

from maskcheck.hosting.hooks import PROJECT, HookSpecs
from maskcheck.hosting.kinds import KINDS, SpecT, StageKind
from maskcheck.stages import API_VERSIONS, StageSpec

UNKNOWN = "an unknown distribution"
"""Distribution of an entry point whose metadata do not name one."""

ALLOW = "MASKCHECK_PLUGINS"
"""Environment variable: distributions whose plugins may be loaded, separated by commas; unset for all."""

DISABLE = "MASKCHECK_DISABLE_PLUGINS"
"""Environment variable: ``1`` for no plugin at all, or distributions whose plugins are not loaded, by commas."""


@dataclass(frozen=True)
class PluginMetadata:
    """What is known of a plugin without importing it.

    Attributes:
        name: Name of the entry point; it should be the name of a detector or classifier.
        distribution: Distribution that it comes from.
        version: Version of that distribution.
        summary: What the distribution says of itself, in a line.
    """

    name: str
    distribution: str
    version: str
    summary: str = ""


@dataclass(frozen=True)
class FailedPlugin:
    """A plugin, or one detector or classifier of it, that cannot be used by its name.

    Attributes:
        name: Name of the entry point, or of the detector or classifier.
        distribution: Distribution that it comes from.
        version: Version of that distribution.
        reason: What went wrong, in a line.
        advice: What to do about it.
        wanted: Whether the user wants it so: the environment says that the plugin is not to be loaded.
    """

    name: str
    distribution: str
    version: str
    reason: str
    advice: str
    wanted: bool = False


class Plugin:
    """One entry point. Whatever its code does when it is imported, nothing but :meth:`load` notices.

    Args:
        metadata: What is known of it.
        read: Imports it and gives the module or object that has the hooks.
    """

    def __init__(self, metadata: PluginMetadata, read: Callable[[], object]) -> None:
        self.metadata = metadata
        self._read = read
        self._manager: pluggy.PluginManager | None = None
        self._broken: FailedPlugin | None = None
        self._loaded: dict[str, tuple[tuple[Any, ...], tuple[FailedPlugin, ...]]] = {}
        self._loading = False

    @classmethod
    def of_entry_point(cls, entry_point: EntryPoint, policy: PluginPolicy) -> Plugin:
        """The plugin of an entry point, unless it is not to be loaded, or nobody knows whose it is."""
        try:
            fields = {key: _field(entry_point, key) for key in ("Name", "Version", "Summary")}
        except Exception as error:  # of a distribution without METADATA, newer Pythons say so, in words of their own
            plugin = cls(PluginMetadata(entry_point.name, UNKNOWN, ""), entry_point.load)
            reason = f"the metadata of its distribution cannot be read: {type(error).__name__}: {error}"
            plugin._broken = plugin._failure(entry_point.name, _in_a_line(reason), "install it again")
            return plugin
        metadata = PluginMetadata(entry_point.name, fields["Name"] or UNKNOWN, fields["Version"], fields["Summary"])
        plugin = cls(metadata, entry_point.load)
        objection = policy.objection(metadata)
        if objection:
            plugin._broken = replace(plugin._failure(metadata.name, *objection), wanted=True)
        return plugin

    def load(self, kind: StageKind[SpecT]) -> tuple[tuple[SpecT, ...], tuple[FailedPlugin, ...]]:
        """Its usable detectors or classifiers, and which failed; imports it at the first call."""
        if self._broken is not None:
            return (), (self._broken,)
        if kind.hook not in self._loaded:
            if self._loading:  # its own code looks for detectors
                return (), ()
            self._loading = True
            try:
                self._loaded[kind.hook] = self._load(kind)
            finally:
                self._loading = False
        return self._loaded[kind.hook]

    def _load(self, kind: StageKind[SpecT]) -> tuple[tuple[SpecT, ...], tuple[FailedPlugin, ...]]:
        try:
            if self._manager is None:
                self._manager = _manager_of(self._read())
            specs = _specs_of(self._manager, kind)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a plugin does, the host goes on
            reason = _in_a_line(f"{type(error).__name__}: {error}".strip(": "))
            failure = self._failure(self.metadata.name, reason, f"mend or update it{self._upgrade}")
            if self._manager is None:  # none of its hooks can be called
                self._broken = failure
            return (), (failure,)
        usable = tuple(spec for spec in specs if spec.api_version in API_VERSIONS)
        return usable, tuple(self._foreign(spec) for spec in specs if spec.api_version not in API_VERSIONS)

    def clash(self, spec: StageSpec, others: Iterable[Plugin]) -> FailedPlugin:
        """Why the bare name of one of its detectors or classifiers is not enough."""
        owners = " and ".join(f"{other.metadata.distribution} {other.metadata.version}" for other in others)
        return self._failure(
            spec.name,
            f"the name {spec.name!r} is taken by {owners}",
            f"ask for {self.metadata.distribution}:{spec.name}",
        )

    def _foreign(self, spec: StageSpec) -> FailedPlugin:
        supported = ", ".join(map(str, sorted(API_VERSIONS)))
        newer = spec.api_version > max(API_VERSIONS)
        return self._failure(
            spec.name,
            f"it was written for plugin API {spec.api_version}, this maskcheck speaks {supported}",
            "update maskcheck: pip install --upgrade maskcheck" if newer else f"update the plugin{self._upgrade}",
        )

    def _failure(self, name: str, reason: str, advice: str) -> FailedPlugin:
        return FailedPlugin(name, self.metadata.distribution, self.metadata.version, reason, advice)

    @property
    def _upgrade(self) -> str:
        known = self.metadata.distribution != UNKNOWN
        return f": pip install --upgrade {self.metadata.distribution}" if known else ""


@dataclass(frozen=True)
class PluginPolicy:
    """Which distributions may bring plugins into this process.

    Attributes:
        allowed: Names of distributions; None for all.
        disabled: Names of distributions that may not, even if allowed; None for all, so that no plugin is loaded.
    """

    allowed: frozenset[str] | None = None
    disabled: frozenset[str] | None = frozenset()

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> PluginPolicy:
        """What ``MASKCHECK_PLUGINS`` and ``MASKCHECK_DISABLE_PLUGINS`` say."""
        allowed, disabled = environment.get(ALLOW), environment.get(DISABLE, "")
        everything = disabled.strip().lower() in {"1", "true", "yes", "all"}
        nothing = disabled.strip().lower() in {"0", "false", "no"}
        return cls(
            allowed=None if allowed is None else _names(allowed),
            disabled=None if everything else frozenset() if nothing else _names(disabled),
        )

    def objection(self, plugin: PluginMetadata) -> tuple[str, str] | None:
        """Why a plugin is not to be loaded, and what to do about it; None if it may be."""
        name = canonical(plugin.distribution)
        if self.disabled is None or name in self.disabled:
            return f"not loaded: disabled by {DISABLE}", f"change {DISABLE} to use it"
        if self.allowed is not None and name not in self.allowed:
            return f"not loaded: not named by {ALLOW}", f"add {plugin.distribution} to {ALLOW} to use it"
        return None


def canonical(distribution: str) -> str:
    """Name of a distribution as the packaging standards compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def installed_entry_points() -> list[EntryPoint]:
    """Entry points of all installed plugins; a distribution whose files are damaged does not hide those of others."""
    try:
        return list(entry_points(group=PROJECT))
    except Exception:  # of one distribution; it does not say which
        points = [point for distribution in distributions() for point in _entry_points_of(distribution)]
        return list({(point.name, point.value): point for point in reversed(points)}.values())[::-1]


def _entry_points_of(distribution: Distribution) -> list[EntryPoint]:
    try:
        return list(distribution.entry_points.select(group=PROJECT))
    except Exception:  # damaged: what it offers cannot be known
        return []


def _in_a_line(text: str) -> str:
    return " ".join(text.split())


def _field(entry_point: EntryPoint, key: str) -> str:
    # A half-uninstalled distribution has entry points, but no name any more.
    if entry_point.dist is None or key not in entry_point.dist.metadata:
        return ""
    return entry_point.dist.metadata[key]


def _names(text: str) -> frozenset[str]:
    return frozenset(canonical(name.strip()) for name in text.split(",") if name.strip())


def _manager_of(plugin: object) -> pluggy.PluginManager:
    """A manager for a single plugin: pluggy checks its hooks, and no plugin's failure can touch another."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(HookSpecs)
    manager.register(plugin)
    manager.check_pending()
    if not any(_has_hook(manager, kind) for kind in KINDS):
        hooks = " and ".join(kind.hook for kind in KINDS)
        raise TypeError(f"it registers nothing: {hooks} are missing, or are not marked with hookimpl")
    return manager


def _has_hook(manager: pluggy.PluginManager, kind: StageKind[Any]) -> bool:
    return bool(getattr(manager.hook, kind.hook).get_hookimpls())


def _specs_of(manager: pluggy.PluginManager, kind: StageKind[SpecT]) -> list[SpecT]:
    """What a plugin registers of a kind.

    Raises:
        TypeError: Something else, or nothing though it has the hook.
    """
    if not _has_hook(manager, kind):
        return []
    specs = [spec for group in getattr(manager.hook, kind.hook)() for spec in group]
    if not specs:
        raise TypeError(f"it registers no {kind.name}: {kind.hook} gave an empty list")
    for spec in specs:
        if not isinstance(spec, kind.spec):
            raise TypeError(f"{kind.hook}: expected {kind.spec.__name__}, got {type(spec).__name__}")
    names = [spec.name for spec in specs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TypeError(f"it registers two {kind.name}s of the name {twice!r}")
    return specs
