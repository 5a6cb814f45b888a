"""Detectors and classifiers by name: the built-in ones at once, those of plugins when a name asks for them.

A bare name means the built-in detector of that name; else that of the plugin whose entry point bears the name; else
that of any plugin. Where this leaves several, none is preferred: ``distribution:name`` says which. The same goes for
classifiers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint
from typing import Generic

from maskcheck._version import __version__
from maskcheck.classifier.spec import ClassifierSpec
from maskcheck.detectors.spec import DetectorSpec
from maskcheck.errors import ClassifierNotFound, DetectorNotFound, PluginError
from maskcheck.hosting import built_in
from maskcheck.hosting.kinds import CLASSIFIERS, DETECTORS, SpecT, StageKind
from maskcheck.hosting.plugin import (
    UNKNOWN,
    FailedPlugin,
    Plugin,
    PluginMetadata,
    PluginPolicy,
    canonical,
    installed_entry_points,
)

BUILT_IN = "maskcheck"
"""Distribution of the detectors and classifiers that come with the SDK."""


class InstalledPlugins:
    """The plugins of this process, each of which is imported once, for its detectors and its classifiers.

    Attributes:
        detectors: Their detectors, and those of the SDK.
        classifiers: Their classifiers, and that of the SDK.

    Args:
        find_plugins: Gives the entry points of installed plugins; called once, when a plugin may be needed.
        policy: Which plugins may be loaded; by default, what the environment says when they are looked for.
    """

    def __init__(
        self,
        find_plugins: Callable[[], Iterable[EntryPoint]] = installed_entry_points,
        policy: PluginPolicy | None = None,
    ) -> None:
        self._find_plugins = find_plugins
        self._policy = policy
        self._plugins: tuple[Plugin, ...] | None = None
        self.built_in = Plugin(PluginMetadata("haar", BUILT_IN, __version__), lambda: built_in)
        self.loading = threading.RLock()  # a plugin may itself look for detectors while it loads
        self.detectors = StageRegistry(DETECTORS, self)
        self.classifiers = StageRegistry(CLASSIFIERS, self)

    def all(self) -> tuple[Plugin, ...]:
        """Those that are installed, by distribution and name; none is imported for it."""
        with self.loading:
            if self._plugins is None:
                policy = self._policy or PluginPolicy.of_environment()
                plugins = [Plugin.of_entry_point(entry_point, policy) for entry_point in self._find_plugins()]
                self._plugins = tuple(
                    sorted(plugins, key=lambda plugin: (plugin.metadata.distribution, plugin.metadata.name))
                )
            return self._plugins


@dataclass(frozen=True)
class RegisteredStage(Generic[SpecT]):
    """A detector or classifier that can be used.

    Attributes:
        name: What to ask for: its own name, or ``distribution:name`` where others have that name.
        spec: What the plugin says of it.
        distribution: Distribution that it comes from.
        version: Version of that distribution.
    """

    name: str
    spec: SpecT
    distribution: str
    version: str


class StageRegistry(Generic[SpecT]):
    """All detectors, or all classifiers, of this process.

    Args:
        kind: Which of the two.
        plugins: Where they come from.
    """

    def __init__(self, kind: StageKind[SpecT], plugins: InstalledPlugins) -> None:
        self._kind = kind
        self._installed = plugins

    def plugins(self) -> tuple[PluginMetadata, ...]:
        """Every installed plugin, by its metadata; imports none of them."""
        return tuple(plugin.metadata for plugin in self._installed.all())

    def registered(self) -> tuple[RegisteredStage[SpecT], ...]:
        """Every stage that can be used; loads all plugins."""
        return tuple(stage for stage, _ in self._offers())

    def failed(self) -> tuple[FailedPlugin, ...]:
        """Every plugin that failed, and every stage that its bare name does not give; loads all plugins."""
        with self._installed.loading:
            own = [failed for plugin in self._installed.all() for failed in plugin.load(self._kind)[1]]
        return (*own, *(clash for _, clash in self._offers() if clash is not None))

    def find(self, name: str) -> RegisteredStage[SpecT]:
        """The stage of that name. Only plugins that may have it are loaded.

        Args:
            name: Its name, or ``distribution:name``.

        Raises:
            PluginError: A plugin of that name is installed, but failed; or several have a stage of that name.
            DetectorNotFound, ClassifierNotFound: There is none; the error lists what there is.
        """
        distribution, _, bare_name = name.rpartition(":")
        with self._installed.loading:
            own = [self._installed.built_in] if canonical(distribution) in {"", BUILT_IN} else []
            offers = self._offering(own, bare_name)
            if not offers:
                installed = [
                    plugin
                    for plugin in self._installed.all()
                    if not distribution or canonical(plugin.metadata.distribution) == canonical(distribution)
                ]
                namesakes = [plugin for plugin in installed if plugin.metadata.name == bare_name]
                offers = self._offering(namesakes, bare_name) or self._offering(installed, bare_name)
        if not offers:
            raise self._not_found(name, distribution, bare_name)
        if len(offers) > 1:
            owners = " and ".join(f"{plugin.metadata.distribution} {plugin.metadata.version}" for plugin, _ in offers)
            choices = " or ".join(f"{plugin.metadata.distribution}:{bare_name}" for plugin, _ in offers)
            raise PluginError(
                f"{self._kind.name} {bare_name!r} is offered by {owners}; ask for {choices}", plugin=bare_name
            )
        ((plugin, spec),) = offers
        return RegisteredStage(name, spec, plugin.metadata.distribution, plugin.metadata.version)

    def _offering(self, plugins: Iterable[Plugin], name: str) -> list[tuple[Plugin, SpecT]]:
        return [(plugin, spec) for plugin in plugins for spec in plugin.load(self._kind)[0] if spec.name == name]

    def _offers(self) -> list[tuple[RegisteredStage[SpecT], FailedPlugin | None]]:
        """Every usable stage, and why its bare name does not give it."""
        with self._installed.loading:
            everyone = (self._installed.built_in, *self._installed.all())
            offers = [(plugin, spec) for plugin in everyone for spec in plugin.load(self._kind)[0]]
        return [self._named(plugin, spec, offers) for plugin, spec in offers]

    def _named(
        self, plugin: Plugin, spec: SpecT, offers: Sequence[tuple[Plugin, SpecT]]
    ) -> tuple[RegisteredStage[SpecT], FailedPlugin | None]:
        """A stage by the name that gives it, and why its bare name does not, if so."""
        rivals = [rival for rival, other in offers if other.name == spec.name]
        built_in_rivals = [rival for rival in rivals if rival is self._installed.built_in]
        namesakes = [rival for rival in rivals if rival.metadata.name == spec.name]
        owners = built_in_rivals or namesakes or rivals
        clash = None if owners == [plugin] else plugin.clash(spec, (owner for owner in owners if owner is not plugin))
        origin = plugin.metadata
        name = spec.name if clash is None else f"{origin.distribution}:{spec.name}"
        return RegisteredStage(name, spec, origin.distribution, origin.version), clash

    def _not_found(
        self, name: str, distribution: str, bare_name: str
    ) -> PluginError | DetectorNotFound | ClassifierNotFound:
        kind, failed = self._kind, self.failed()
        for plugin in failed:
            if plugin.name == bare_name and canonical(distribution) in {"", canonical(plugin.distribution)}:
                return PluginError(
                    f"{kind.name} {name!r} of {plugin.distribution} {plugin.version} cannot be used: {plugin.reason};"
                    f" {plugin.advice}",
                    plugin=bare_name,
                    distribution=None if plugin.distribution == UNKNOWN else plugin.distribution,
                )
        available = tuple(stage.name for stage in self.registered())
        reasons = {plugin.name: plugin.reason for plugin in failed}
        own = kind.own_plugins.get(bare_name, "")
        meant = own and canonical(distribution) in {"", own}
        install = f"; install {own} to have it (in a clone: pip install ./plugins/{own})" if meant else ""
        return kind.not_found(
            f"no {kind.name} {name!r}{install}; there are: {', '.join(available)}"
            + "".join(f"; failed: {plugin} ({reason})" for plugin, reason in reasons.items())
            + kind.advice,
            name=name,
            available=available,
            failed=reasons,
        )


@cache
def _installed_plugins() -> InstalledPlugins:
    return InstalledPlugins()


def default_registry() -> StageRegistry[DetectorSpec]:
    """The registry of installed detectors, one for the process."""
    return _installed_plugins().detectors


def classifier_registry() -> StageRegistry[ClassifierSpec]:
    """The registry of installed classifiers, one for the process."""
    return _installed_plugins().classifiers


def find_classifier(name: str) -> RegisteredStage[ClassifierSpec]:
    """The classifier of that name, of those installed; see :meth:`StageRegistry.find`."""
    return classifier_registry().find(name)
