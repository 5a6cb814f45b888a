"""Classifiers of plugins: found, made and refused as detectors are, and neither kind costs the other."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest

from maskcheck import (
    ClassifierNotFound,
    ClassifierOptionError,
    MaskClassifier,
    ModelNotFound,
    PluginError,
)
from maskcheck.hosting.creation import create_classifier
from maskcheck.hosting.registry import InstalledPlugins
from maskcheck.plugins import ClassifierSpec, DetectorSpec, SessionConfig, StageOption, hookimpl

Spec = DetectorSpec | ClassifierSpec


class Finds:
    def detect(self, image: Any, /) -> Any: ...


class Tells:
    """A classifier that keeps the options it was made with."""

    labels = ("red", "other")
    batch_size = 4

    def __init__(self, **options: Any) -> None:
        self.options = options

    def crop(self, image: Any, boxes: Any) -> Any: ...

    def __call__(self, crops: Any) -> Any: ...


def detector(name: str = "faces") -> DetectorSpec:
    return DetectorSpec(name, "Finds faces", Finds, api_version=2)


def classifier(name: str = "red", factory: Callable[..., Any] = Tells, **fields: Any) -> ClassifierSpec:
    return ClassifierSpec(name, "Says how red a face is", factory, api_version=2, **fields)


def plugin_with(
    detectors: Callable[[], Any] | None = None, classifiers: Callable[[], Any] | None = None
) -> SimpleNamespace:
    """A plugin with one hook or both, each of which gives what a function gives."""
    plugin = SimpleNamespace()
    if detectors is not None:
        give_detectors = detectors

        @hookimpl
        def maskcheck_register_detectors() -> Any:
            return give_detectors()

        plugin.maskcheck_register_detectors = maskcheck_register_detectors
    if classifiers is not None:
        give_classifiers = classifiers

        @hookimpl
        def maskcheck_register_classifiers() -> Any:
            return give_classifiers()

        plugin.maskcheck_register_classifiers = maskcheck_register_classifiers
    return plugin


def installed(**plugins: Any) -> InstalledPlugins:
    """Plugins by the names of their entry points."""

    class Point:
        def __init__(self, name: str) -> None:
            self.name = name
            self.dist = SimpleNamespace(metadata={"Name": f"{name}-dist", "Version": "1"})

        def load(self) -> Any:
            if isinstance(plugins[self.name], Exception):
                raise plugins[self.name]
            return plugins[self.name]

    points: list[Any] = [Point(name) for name in plugins]

    def find_plugins() -> list[EntryPoint]:
        return points

    return InstalledPlugins(find_plugins)


def raising(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


# --- Finding


def test_the_mask_classifier_is_built_in_and_found_without_looking_for_plugins() -> None:
    def forbidden() -> Any:
        raise AssertionError("plugins were looked for")

    found = InstalledPlugins(forbidden).classifiers.find("mask")

    assert (found.name, found.distribution) == ("mask", "maskcheck")
    assert [stage.name for stage in InstalledPlugins(list).classifiers.registered()] == ["mask"]


def test_a_plugin_may_offer_detectors_and_classifiers() -> None:
    plugins = installed(acme=plugin_with(lambda: [detector()], lambda: [classifier()]))

    assert plugins.classifiers.find("red").distribution == "acme-dist"
    assert plugins.detectors.find("faces").distribution == "acme-dist"
    assert [stage.name for stage in plugins.classifiers.registered()] == ["mask", "red"]
    assert plugins.classifiers.failed() == plugins.detectors.failed() == ()


def test_a_plugin_with_one_kind_is_no_failure_of_the_other() -> None:
    plugins = installed(eyes=plugin_with(lambda: [detector()]), brain=plugin_with(None, lambda: [classifier()]))

    assert plugins.detectors.failed() == plugins.classifiers.failed() == ()
    assert "red" not in {stage.name for stage in plugins.detectors.registered()}
    assert "faces" not in {stage.name for stage in plugins.classifiers.registered()}


def test_a_detector_and_a_classifier_may_have_the_same_name() -> None:
    plugins = installed(acme=plugin_with(lambda: [detector("same")], lambda: [classifier("same")]))

    assert plugins.detectors.find("same").spec.factory is Finds
    assert plugins.classifiers.find("same").spec.factory is Tells


def test_an_unknown_classifier_is_refused_with_what_there_is_and_what_failed() -> None:
    plugins = installed(acme=plugin_with(None, lambda: [classifier()]), broken=ValueError("no licence"))

    with pytest.raises(
        ClassifierNotFound, match=r"no classifier 'blue'; there are: mask, red; failed: broken"
    ) as error:
        plugins.classifiers.find("blue")

    assert error.value.available == ("mask", "red")
    assert error.value.failed == {"broken": "ValueError: no licence"}


def test_no_plugin_takes_the_name_of_the_built_in_classifier() -> None:
    plugins = installed(acme=plugin_with(None, lambda: [classifier("mask")]))

    assert plugins.classifiers.find("mask").distribution == "maskcheck"
    assert plugins.classifiers.find("acme-dist:mask").distribution == "acme-dist"
    assert [failed.advice for failed in plugins.classifiers.failed()] == ["ask for acme-dist:mask"]


# --- Plugins that fail


def not_for_version_1() -> ClassifierSpec:
    return ClassifierSpec("red", "Says how red a face is", Tells, api_version=1)


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        (raising(KeyError("weights")), "KeyError: 'weights'"),
        (list, "it registers no classifier: maskcheck_register_classifiers gave an empty list"),
        (lambda: [detector()], "maskcheck_register_classifiers: expected ClassifierSpec, got DetectorSpec"),
        (lambda: [classifier(), classifier()], "it registers two classifiers of the name 'red'"),
        (not_for_version_1, "version 1 has no classifiers"),
    ],
    ids=["raises", "empty", "detectors", "twice", "version 1"],
)
def test_a_classifier_hook_that_fails_costs_neither_the_detectors_nor_other_plugins(
    hook: Callable[[], Any], reason: str
) -> None:
    plugins = installed(
        acme=plugin_with(lambda: [detector()], hook), other=plugin_with(None, lambda: [classifier("blue")])
    )

    assert [stage.name for stage in plugins.classifiers.registered()] == ["mask", "blue"]
    (failed,) = plugins.classifiers.failed()
    assert failed.name == "acme"
    assert reason in failed.reason
    assert plugins.detectors.find("faces").distribution == "acme-dist"
    assert plugins.detectors.failed() == ()
    with pytest.raises(PluginError, match="classifier 'acme' of acme-dist 1 cannot be used"):
        plugins.classifiers.find("acme")


def test_a_detector_hook_that_fails_does_not_cost_the_classifiers() -> None:
    plugins = installed(acme=plugin_with(raising(RuntimeError("no camera")), lambda: [classifier()]))

    assert plugins.classifiers.find("red").distribution == "acme-dist"
    assert [failed.reason for failed in plugins.detectors.failed()] == ["RuntimeError: no camera"]


def test_a_plugin_that_does_not_import_fails_for_both_kinds() -> None:
    plugins = installed(broken=RuntimeError("no camera"))

    assert [failed.reason for failed in plugins.detectors.failed()] == ["RuntimeError: no camera"]
    assert plugins.classifiers.failed() == plugins.detectors.failed()


def test_a_classifier_for_another_version_of_the_interface_fails_alone() -> None:
    future = ClassifierSpec("future", "Says what is to come", Tells, api_version=99)
    plugins = installed(acme=plugin_with(None, lambda: [future, classifier()]))

    assert [stage.name for stage in plugins.classifiers.registered()] == ["mask", "red"]
    with pytest.raises(PluginError, match="written for plugin API 99, this maskcheck speaks 1, 2"):
        plugins.classifiers.find("future")


# --- Making a classifier


def test_a_classifier_is_made_with_its_options_and_the_session_if_it_uses_it() -> None:
    options = (StageOption("depth", int, 2, "how deep", minimum=1),)
    session = SessionConfig("cpu", threads=3)

    chosen: Any = create_classifier(classifier(options=options), {"depth": "5"}, session)
    default: Any = create_classifier(classifier(options=options, uses_session=True), None, session)

    assert chosen.options == {"depth": 5}
    assert default.options == {"depth": 2, "session": session}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 1}, "classifier red has no option 'width'; its options: depth"),
        ({"depth": 0}, "option depth of classifier red: expected int >= 1, got 0"),
    ],
)
def test_an_option_that_a_classifier_does_not_take_is_refused(options: dict[str, Any], message: str) -> None:
    spec = classifier(options=(StageOption("depth", int, 2, "how deep", minimum=1),))

    with pytest.raises(ClassifierOptionError, match=message) as error:
        create_classifier(spec, options)

    assert (error.value.classifier, error.value.option) == ("red", next(iter(options)))


def test_a_factory_that_makes_no_classifier_or_raises_is_a_fault_of_its_plugin() -> None:
    with pytest.raises(
        PluginError, match="classifier red: its factory gave Finds, which has no labels, batch_size, crop"
    ):
        create_classifier(classifier(factory=Finds))
    with pytest.raises(PluginError, match="classifier red cannot be made: OSError: no weights"):
        create_classifier(classifier(factory=lambda: raising(OSError("no weights"))()))


def test_errors_of_ours_that_a_factory_raises_stay_what_they_are() -> None:
    mask = InstalledPlugins(list).classifiers.find("mask").spec

    with pytest.raises(ModelNotFound):
        create_classifier(mask, {"model": "nowhere.onnx"})


def test_the_built_in_classifier_runs_where_the_session_says(toy_model: Any) -> None:
    mask = InstalledPlugins(list).classifiers.find("mask").spec

    made = create_classifier(mask, {"model": str(toy_model), "batch_size": "5"}, SessionConfig("cpu", threads=1))

    assert isinstance(made, MaskClassifier)
    assert made.labels == ("bright", "dark")
    assert (made.batch_size, made.threads, made.providers) == (5, 1, ("CPUExecutionProvider",))
