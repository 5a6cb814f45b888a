from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from maskcheck import DetectorNotFound, DetectorOption, DetectorOptionError, DetectorSpec, PluginError
from maskcheck.detectors.haar.detector import HaarDetector
from maskcheck.hosting.creation import check_options, create_detector, default_min_score
from maskcheck.hosting.registry import InstalledPlugins, StageRegistry
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.providers import check_device

GOOD = """
    from maskcheck import Detections, DetectorSpec, hookimpl

    class Nothing:
        def detect(self, image, /):
            return Detections.empty()

    hook_calls = []

    @hookimpl
    def maskcheck_register_detectors():
        hook_calls.append(1)
        return [DetectorSpec("{name}", "Finds nothing", Nothing, api_version={api_version})]
"""


def good(name: str, api_version: int = 1) -> str:
    """Source of a plugin that offers one detector."""
    return GOOD.format(name=name, api_version=api_version)


class Site:
    """A folder of installed distributions, as pip leaves them, each with one plugin."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, distribution: str, source: str, *, entry_point: str = "", version: str = "1.2") -> None:
        """Install a distribution whose entry point, named like itself, is a module with that source."""
        module = "plugin_of_" + distribution.replace("-", "_")
        (self.folder / f"{module}.py").write_text(dedent(source), encoding="utf-8")
        information = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (information / "entry_points.txt").write_text(f"[maskcheck]\n{entry_point or distribution} = {module}\n")

    def entry_points(self) -> list[EntryPoint]:
        importlib.invalidate_caches()
        return [point for distribution in distributions(path=[str(self.folder)]) for point in distribution.entry_points]

    def registry(self) -> StageRegistry[DetectorSpec]:
        return InstalledPlugins(self.entry_points).detectors


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(tmp_path)
    yield Site(tmp_path)
    for name in [name for name in sys.modules if name.startswith("plugin_of_")]:
        del sys.modules[name]


def names(registry: StageRegistry[DetectorSpec]) -> list[str]:
    return [stage.spec.name for stage in registry.registered()]


def failures(registry: StageRegistry[DetectorSpec]) -> dict[str, str]:
    return {failed.name: failed.reason for failed in registry.failed()}


def in_threads(count: int, task: Callable[[], Any]) -> list[Any]:
    """Run the task in as many threads, which begin together."""
    start = threading.Barrier(count)

    def run() -> Any:
        start.wait(timeout=60)
        return task()

    with ThreadPoolExecutor(count) as pool:
        return [running.result(timeout=60) for running in [pool.submit(run) for _ in range(count)]]


# --- Finding


def test_the_built_in_detector_is_found_without_loading_any_plugin() -> None:
    def forbidden() -> Iterable[EntryPoint]:
        raise AssertionError("plugins were looked for")

    registry = InstalledPlugins(forbidden).detectors

    assert isinstance(create_detector(registry.find("haar").spec), HaarDetector)


def test_without_plugins_there_is_the_built_in_detector() -> None:
    registry = InstalledPlugins(list).detectors

    assert names(registry) == ["haar", "haar-plain", "whole-picture"]
    assert registry.failed() == ()
    assert registry.registered()[0].distribution == "maskcheck"


def test_an_installed_plugin_is_discovered_by_its_entry_point(site: Site) -> None:
    site.install("acme-faces", good("acme"))

    assert InstalledPlugins().detectors.find("acme").spec.summary == "Finds nothing"


def test_the_detector_of_a_plugin_is_listed_with_its_origin_and_can_be_made(site: Site) -> None:
    site.install("acme-faces", good("acme"), version="3.4.5")
    registry = site.registry()

    assert names(registry) == ["haar", "haar-plain", "whole-picture", "acme"]
    assert (registry.registered()[-1].distribution, registry.registered()[-1].version) == ("acme-faces", "3.4.5")
    assert registry.failed() == ()
    assert hasattr(create_detector(registry.find("acme").spec), "detect")


def test_a_plugin_may_offer_several_detectors(site: Site) -> None:
    site.install(
        "acme-faces",
        """
        from maskcheck import DetectorSpec, hookimpl

        @hookimpl
        def maskcheck_register_detectors():
            return (DetectorSpec(name, "Finds nothing", object, api_version=1) for name in ("near", "far"))
        """,
    )

    assert names(site.registry()) == ["haar", "haar-plain", "whole-picture", "near", "far"]


def test_a_plugin_may_be_an_object_in_a_module(site: Site) -> None:
    site.install(
        "acme-faces",
        """
        from maskcheck import DetectorSpec, hookimpl

        class Plugin:
            @hookimpl
            def maskcheck_register_detectors(self):
                return [DetectorSpec("acme", "Finds nothing", object, api_version=1)]

        plugin = Plugin()
        """,
    )

    registry = InstalledPlugins(lambda: [EntryPoint("acme", "plugin_of_acme_faces:plugin", "maskcheck")]).detectors

    assert names(registry) == ["haar", "haar-plain", "whole-picture", "acme"]


def test_an_unknown_name_is_refused_with_what_there_is_and_what_failed(site: Site) -> None:
    site.install("acme-faces", good("acme"))
    site.install("broken-faces", "raise ValueError('no licence')")

    with pytest.raises(DetectorNotFound, match="no detector 'acmee'") as refused:
        site.registry().find("acmee")

    assert refused.value.name == "acmee"
    assert refused.value.available == ("haar", "haar-plain", "whole-picture", "acme")
    assert refused.value.failed == {"broken-faces": "ValueError: no licence"}
    assert "haar, haar-plain, whole-picture, acme" in str(refused.value)
    assert "broken-faces (ValueError: no licence)" in str(refused.value)


def test_a_detector_of_the_project_that_is_not_installed_names_its_plugin(site: Site) -> None:
    with pytest.raises(DetectorNotFound, match=r"pip install \./plugins/maskcheck-centerface"):
        site.registry().find("centerface")


# --- Plugins that fail

NO_HOOK = "it registers nothing: maskcheck_register_detectors and maskcheck_register_classifiers are missing"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("raise RuntimeError('no camera')", "RuntimeError: no camera", id="raises at import"),
        pytest.param("import sys; sys.exit('no licence')", "SystemExit: no licence", id="exits at import"),
        pytest.param("raise SystemExit", "SystemExit", id="exits at import without a word"),
        pytest.param("def (:", "SyntaxError: ", id="syntax error"),
        pytest.param("import no_such_module_anywhere", "ModuleNotFoundError: No module", id="missing dependency"),
        pytest.param("from maskcheck import NoSuchName", "ImportError: cannot import name", id="other maskcheck"),
        pytest.param("", f"TypeError: {NO_HOOK}", id="no hook"),
        pytest.param(
            """
            def maskcheck_register_detectors():
                return []
            """,
            f"TypeError: {NO_HOOK}",
            id="hook without its marker",
        ),
        pytest.param(
            """
            from maskcheck import hookimpl
            @hookimpl
            def maskcheck_register_detectors():
                return []
            """,
            "TypeError: it registers no detector",
            id="hook gives an empty list",
        ),
        pytest.param(
            """
            from maskcheck import hookimpl
            @hookimpl
            def maskcheck_register_detectors():
                pass
            """,
            "TypeError: it registers no detector",
            id="hook gives None",
        ),
        pytest.param(
            """
            from maskcheck import hookimpl
            @hookimpl
            def maskcheck_register_detectors():
                raise KeyError("weights")
            """,
            "KeyError: 'weights'",
            id="hook raises",
        ),
        pytest.param(
            """
            from maskcheck import DetectorSpec, hookimpl
            @hookimpl
            def maskcheck_register_detector():
                return [DetectorSpec("mine", "Finds nothing", object, api_version=1)]
            """,
            "unknown hook 'maskcheck_register_detector'",
            id="misspelt hook",
        ),
        pytest.param(
            """
            from maskcheck import hookimpl
            @hookimpl
            def maskcheck_register_detectors():
                return ["mine"]
            """,
            "TypeError: maskcheck_register_detectors: expected DetectorSpec, got str",
            id="hook gives no spec",
        ),
        pytest.param(
            """
            from maskcheck import DetectorSpec, hookimpl
            @hookimpl
            def maskcheck_register_detectors():
                return DetectorSpec("mine", "Finds nothing", object, api_version=1)
            """,
            "TypeError: 'DetectorSpec' object is not iterable",
            id="hook gives a spec instead of a list",
        ),
    ],
)
def test_a_plugin_that_fails_is_listed_with_its_reason_and_the_others_work(
    site: Site, source: str, reason: str
) -> None:
    site.install("acme-faces", good("acme"))
    site.install("broken-faces", source, version="0.3")
    site.install("zebra-faces", good("zebra"))
    registry = site.registry()

    assert names(registry) == ["haar", "haar-plain", "whole-picture", "acme", "zebra"]
    (failed,) = registry.failed()
    assert (failed.name, failed.distribution, failed.version) == ("broken-faces", "broken-faces", "0.3")
    assert reason in failed.reason


def test_asking_for_a_failed_plugin_says_why_it_failed_and_what_to_update(site: Site) -> None:
    site.install("broken-faces", "raise RuntimeError('no camera')", entry_point="broken", version="0.3")

    with pytest.raises(PluginError, match="RuntimeError: no camera") as refused:
        site.registry().find("broken")

    assert refused.value.plugin == "broken"
    assert refused.value.distribution == "broken-faces"
    assert "broken-faces 0.3" in str(refused.value)
    assert "pip install --upgrade broken-faces" in str(refused.value)


def test_the_reason_of_a_failure_is_one_line(site: Site) -> None:
    # As pluggy's own messages are, about a hook with an argument too many.
    site.install(
        "broken-faces",
        """
        from maskcheck import hookimpl
        @hookimpl
        def maskcheck_register_detectors(settings):
            return []
        """,
    )

    (failed,) = site.registry().failed()

    assert "settings" in failed.reason
    assert "\n" not in failed.reason


def test_a_detector_for_another_api_version_fails_alone(site: Site) -> None:
    site.install(
        "acme-faces",
        """
        from maskcheck import DetectorSpec, hookimpl

        @hookimpl
        def maskcheck_register_detectors():
            return [
                DetectorSpec("future", "Finds nothing", object, api_version=99),
                DetectorSpec("present", "Finds nothing", object, api_version=1),
            ]
        """,
    )
    registry = site.registry()

    assert names(registry) == ["haar", "haar-plain", "whole-picture", "present"]
    assert failures(registry) == {"future": "it was written for plugin API 99, this maskcheck speaks 1, 2"}
    with pytest.raises(PluginError, match="plugin API 99") as refused:
        registry.find("future")
    assert refused.value.distribution == "acme-faces"


def test_a_plugin_cannot_take_the_name_of_the_built_in_detector(site: Site) -> None:
    site.install("acme-faces", good("haar"))
    registry = site.registry()

    assert [stage.name for stage in registry.registered()] == ["haar", "haar-plain", "whole-picture", "acme-faces:haar"]
    assert "'haar' is taken by maskcheck " in failures(registry)["haar"]
    assert isinstance(create_detector(registry.find("haar").spec), HaarDetector)


@pytest.mark.parametrize("installed", [["acme-faces", "zebra-faces"], ["zebra-faces", "acme-faces"]])
def test_of_two_plugins_with_one_name_neither_is_preferred(site: Site, installed: list[str]) -> None:
    for distribution in installed:
        site.install(distribution, good("same"))
    in_order = sorted(site.entry_points(), key=lambda point: installed.index(point.name))
    registry = InstalledPlugins(lambda: in_order).detectors

    assert [stage.name for stage in registry.registered()][-2:] == ["acme-faces:same", "zebra-faces:same"]
    assert [(failed.name, failed.distribution, failed.advice) for failed in registry.failed()] == [
        ("same", "acme-faces", "ask for acme-faces:same"),
        ("same", "zebra-faces", "ask for zebra-faces:same"),
    ]
    assert "'same' is taken by zebra-faces 1.2" in registry.failed()[0].reason
    with pytest.raises(PluginError, match=r"acme-faces 1.2 and zebra-faces 1.2; ask for acme-faces:same or zebra-"):
        registry.find("same")
    assert registry.find("zebra-faces:same").distribution == "zebra-faces"
    assert registry.find("Zebra_Faces:same").distribution == "zebra-faces"


def test_a_plugin_whose_entry_point_bears_the_name_goes_before_one_that_has_it_by_the_way(site: Site) -> None:
    site.install("acme-faces", good("zebra"))
    site.install("zebra-faces", good("zebra"), entry_point="zebra")
    registry = site.registry()

    assert registry.find("zebra").distribution == "zebra-faces"
    assert "plugin_of_acme_faces" not in sys.modules
    assert [stage.name for stage in registry.registered()] == [
        "haar",
        "haar-plain",
        "whole-picture",
        "acme-faces:zebra",
        "zebra",
    ]
    assert [(failed.name, failed.distribution) for failed in registry.failed()] == [("zebra", "acme-faces")]


def test_a_detector_behind_a_taken_name_is_there_by_its_distribution(site: Site) -> None:
    site.install("acme-faces", good("haar"))
    registry = site.registry()

    assert registry.find("acme-faces:haar").spec.summary == "Finds nothing"
    assert registry.find("maskcheck:haar").distribution == "maskcheck"
    with pytest.raises(DetectorNotFound, match="no detector 'acme-faces:other'"):
        registry.find("acme-faces:other")


def test_a_plugin_that_registers_one_name_twice_fails(site: Site) -> None:
    site.install(
        "acme-faces",
        """
        from maskcheck import DetectorSpec, hookimpl
        @hookimpl
        def maskcheck_register_detectors():
            return [DetectorSpec("mine", "Finds nothing", object, api_version=1)] * 2
        """,
    )

    assert failures(site.registry()) == {"acme-faces": "TypeError: it registers two detectors of the name 'mine'"}


# --- Loading no more than is asked for


def test_only_the_plugin_whose_entry_point_bears_the_name_is_imported(site: Site) -> None:
    site.install("acme-faces", good("acme"), entry_point="acme")
    site.install("broken-faces", "raise RuntimeError('no camera')")

    assert site.registry().find("acme").distribution == "acme-faces"
    assert "plugin_of_broken_faces" not in sys.modules


def test_plugins_are_listed_by_their_metadata_without_being_imported(site: Site) -> None:
    site.install("acme-faces", good("acme"), entry_point="acme")
    site.install("broken-faces", "raise RuntimeError('no camera')", version="0.3")

    listed = site.registry().plugins()

    assert [(plugin.name, plugin.distribution, plugin.version) for plugin in listed] == [
        ("acme", "acme-faces", "1.2"),
        ("broken-faces", "broken-faces", "0.3"),
    ]
    assert not [name for name in sys.modules if name.startswith("plugin_of_")]


@pytest.mark.parametrize(
    ("allow", "disable", "loaded"),
    [
        (None, "", ["haar", "haar-plain", "whole-picture", "acme", "zebra"]),
        (None, "0", ["haar", "haar-plain", "whole-picture", "acme", "zebra"]),
        (None, "1", ["haar", "haar-plain", "whole-picture"]),
        (None, "Zebra_Faces, other", ["haar", "haar-plain", "whole-picture", "acme"]),
        ("acme_faces", "", ["haar", "haar-plain", "whole-picture", "acme"]),
        ("", "", ["haar", "haar-plain", "whole-picture"]),
        ("acme-faces, zebra-faces", "acme-faces", ["haar", "haar-plain", "whole-picture", "zebra"]),
    ],
)
def test_the_environment_says_which_plugins_are_loaded(
    site: Site, monkeypatch: pytest.MonkeyPatch, allow: str | None, disable: str, loaded: list[str]
) -> None:
    site.install("acme-faces", good("acme"), entry_point="acme")
    site.install("zebra-faces", good("zebra"), entry_point="zebra")
    monkeypatch.setenv("MASKCHECK_DISABLE_PLUGINS", disable)
    if allow is not None:
        monkeypatch.setenv("MASKCHECK_PLUGINS", allow)
    registry = site.registry()

    assert names(registry) == loaded
    assert {failed.name for failed in registry.failed() if failed.wanted} == {"acme", "zebra"} - set(loaded)
    assert len([name for name in sys.modules if name.startswith("plugin_of_")]) == len(loaded) - 3


def test_asking_for_a_disabled_plugin_says_by_what_it_is_disabled(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("acme-faces", good("acme"), entry_point="acme")
    monkeypatch.setenv("MASKCHECK_PLUGINS", "other-faces")

    with pytest.raises(PluginError, match="not named by MASKCHECK_PLUGINS; add acme-faces to MASKCHECK_PLUGINS"):
        site.registry().find("acme")


def test_a_plugin_may_look_for_detectors_while_it_is_imported(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    look = "from maskcheck.hosting import registry as host\nregistered = host.under_test.registered()\n"
    site.install("acme-faces", look + dedent(good("acme")))
    registry = site.registry()
    monkeypatch.setattr("maskcheck.hosting.registry.under_test", registry, raising=False)

    assert names(registry) == ["haar", "haar-plain", "whole-picture", "acme"]
    assert [stage.name for stage in sys.modules["plugin_of_acme_faces"].registered] == [
        "haar",
        "haar-plain",
        "whole-picture",
    ]


def test_a_distribution_that_was_half_uninstalled_does_not_stop_the_others(site: Site) -> None:
    site.install("acme-faces", good("acme"))
    site.install("ghost-faces", "raise RuntimeError('gone')")
    (site.folder / "ghost_faces-1.2.dist-info" / "METADATA").unlink()
    registry = site.registry()

    assert names(registry) == ["haar", "haar-plain", "whole-picture", "acme"]
    assert list(failures(registry)) == ["ghost-faces"]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        pytest.param(
            "5, 'Finds nothing', object, api_version=1", "name: expected a text, got 5", id="name is a number"
        ),
        pytest.param(
            "'mine', 'Finds nothing', object, options=DetectorOption('x', int, 1, 'x'), api_version=1",
            "expected a tuple of StageOption",
            id="forgotten comma",
        ),
        *(
            pytest.param(
                f"{name!r}, 'Finds nothing', object, api_version=1",
                f"name: expected letters, digits, '-', '_' and '.', the first one a letter or a digit, got {name!r}",
                id=f"named {name}",
            )
            for name in ("a[/b]", "a:b", "a b", "-a", "\x1b[31ma", "gesicht\xe4")
        ),
        *(
            pytest.param(
                f"'mine', 'Finds nothing', object, default_min_score={score}, api_version=1",
                f"default_min_score: expected {expected}, got {score}",
                id=f"threshold {score}",
            )
            for score, expected in (
                ("60", "a score in [0, 1]"),
                ("-0.1", "a score in [0, 1]"),
                ("'0.6'", "a number"),
                ("None", "a number"),
                ("True", "a number"),
            )
        ),
        pytest.param(
            "'mine', 'Finds nothing', object, default_min_score=float('nan'), api_version=1",
            "expected a score in [0, 1], got nan",
            id="threshold nan",
        ),
        *(
            pytest.param(
                f"'mine', 'Finds nothing', object, api_version={version}",
                f"api_version: expected a whole number, got {version}",
                id=f"API {version}",
            )
            for version in ("[1]", "'1'", "None", "1.0", "True")
        ),
        pytest.param("'mine', 'Finds nothing', object", "api_version", id="no API"),
        pytest.param(
            "'mine', 'Finds nothing', object, (DetectorOption('a b', int, 1, 'x'),), api_version=1",
            "StageOption.name: expected a Python name, got 'a b'",
            id="option that is no keyword",
        ),
        pytest.param(
            "'mine', 'Finds nothing', object, (DetectorOption('a', list, 1, 'x'),), api_version=1",
            "StageOption.type: expected int, float, str or bool, got <class 'list'>",
            id="option of another type",
        ),
    ],
)
def test_a_spec_that_cannot_be_is_a_failure_of_its_plugin(site: Site, spec: str, reason: str) -> None:
    site.install("acme-faces", good("acme"))
    site.install(
        "broken-faces",
        f"""
        from maskcheck import DetectorOption, DetectorSpec, hookimpl
        @hookimpl
        def maskcheck_register_detectors():
            return [DetectorSpec({spec})]
        """,
    )
    registry = site.registry()

    with pytest.raises(DetectorNotFound, match="there are: haar, haar-plain, whole-picture, acme"):
        registry.find("unknown")
    (failed,) = registry.failed()
    assert failed.distribution == "broken-faces"
    assert reason in failed.reason


def test_a_distribution_whose_metadata_cannot_be_read_is_listed_as_failed(site: Site) -> None:
    class Damaged(Distribution):
        def read_text(self, filename: str) -> str | None:
            raise PermissionError(13, "Permission denied", filename)

        def locate_file(self, path: Any) -> Any:
            raise NotImplementedError

    site.install("acme-faces", good("acme"))
    damaged = EntryPoint("ghost", "plugin_of_ghost", "maskcheck")
    vars(damaged)["dist"] = Damaged()
    registry = InstalledPlugins(lambda: [damaged, *site.entry_points()]).detectors

    assert names(registry) == ["haar", "haar-plain", "whole-picture", "acme"]
    (failed,) = registry.failed()
    assert (failed.name, failed.advice) == ("ghost", "install it again")
    assert "the metadata of its distribution cannot be read: PermissionError" in failed.reason
    with pytest.raises(PluginError, match="metadata of its distribution cannot be read"):
        registry.find("ghost")


def test_one_damaged_distribution_does_not_hide_the_plugins_of_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Damaged(Distribution):
        def read_text(self, filename: str) -> str | None:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, filename)

        def locate_file(self, path: Any) -> Any:
            raise NotImplementedError

    def fails(**_arguments: Any) -> Any:
        raise KeyError("Name")  # what a newer Python raises while it looks through all of them

    site.install("acme-faces", good("acme"))
    sound = [point.dist for point in site.entry_points()]
    monkeypatch.setattr("maskcheck.hosting.plugin.entry_points", fails)
    monkeypatch.setattr("maskcheck.hosting.plugin.distributions", lambda: [Damaged(), *sound])

    assert names(InstalledPlugins().detectors) == ["haar", "haar-plain", "whole-picture", "acme"]


def test_an_entry_point_of_no_known_distribution_is_used_all_the_same(site: Site) -> None:
    site.install("acme-faces", good("acme"))
    registry = InstalledPlugins(lambda: [EntryPoint("acme", "plugin_of_acme_faces", "maskcheck")]).detectors

    assert names(registry) == ["haar", "haar-plain", "whole-picture", "acme"]
    assert registry.failed() == ()


def test_after_ctrl_c_while_plugins_load_they_can_be_loaded_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKCHECK_TEST_INTERRUPT", "yes")
    site.install("acme-faces", good("acme"))
    interrupted = "import os\nif os.environ.get('MASKCHECK_TEST_INTERRUPT'):\n    raise KeyboardInterrupt\n"
    site.install("slow-faces", interrupted + dedent(good("slow")))
    registry = site.registry()

    with pytest.raises(KeyboardInterrupt):
        registry.registered()
    monkeypatch.delenv("MASKCHECK_TEST_INTERRUPT")

    assert names(registry) == ["haar", "haar-plain", "whole-picture", "acme", "slow"]
    assert registry.failed() == ()


# --- Loading once


def test_plugins_are_loaded_once_by_threads_that_need_them_together(site: Site) -> None:
    site.install("acme-faces", good("acme"))
    site.install("broken-faces", "raise RuntimeError('no camera')")
    searches = []
    company = threading.Barrier(2)

    def search() -> Iterable[EntryPoint]:
        searches.append(1)
        with suppress(threading.BrokenBarrierError):
            company.wait(timeout=0.2)  # could another thread get in here, it would come now
        return site.entry_points()

    registry = InstalledPlugins(search).detectors
    seen = in_threads(8, lambda: (names(registry), failures(registry), registry.find("acme").name))

    assert (
        seen
        == [(["haar", "haar-plain", "whole-picture", "acme"], {"broken-faces": "RuntimeError: no camera"}, "acme")] * 8
    )
    assert len(searches) == 1
    assert len(sys.modules["plugin_of_acme_faces"].hook_calls) == 1


# --- Making a detector


class Recorder:
    """A detector that keeps the options it was made with."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def detect(self, _image: Any, /) -> Any: ...


OPTIONS = (
    DetectorOption("size", int, 320, "side, in pixels", minimum=32, maximum=640),
    DetectorOption("strict", bool, False, "whether to be strict"),
    DetectorOption("mode", str, "near", "which faces", choices=("near", "far")),
)


def spec_of(factory: Callable[..., Any], options: tuple[DetectorOption, ...] = OPTIONS) -> DetectorSpec:
    return DetectorSpec("mine", "Finds nothing", factory, options=options, api_version=1)


def made_with(options: dict[str, Any] | None) -> dict[str, Any]:
    detector = create_detector(spec_of(Recorder), options)
    assert isinstance(detector, Recorder)
    return detector.options


@pytest.mark.parametrize("none", [None, {}])
def test_options_that_are_not_given_have_their_defaults(none: dict[str, Any] | None) -> None:
    assert made_with(none) == {"size": 320, "strict": False, "mode": "near"}


def test_options_come_as_text_from_the_command_line_or_as_values() -> None:
    typed = {"size": 64, "strict": True, "mode": "far"}

    assert made_with({"size": "64", "strict": "yes", "mode": "far"}) == typed
    assert made_with(typed) == typed


def test_the_options_of_the_built_in_detector_reach_it() -> None:
    spec = InstalledPlugins(list).detectors.find("haar").spec

    assert create_detector(spec, {"min_size": "40", "scale_factor": "1.3"}) == HaarDetector(
        min_size=40, scale_factor=1.3
    )


def test_a_detector_made_from_its_declared_defaults_is_the_default_detector() -> None:
    assert create_detector(InstalledPlugins(list).detectors.find("haar").spec) == HaarDetector()


def test_none_is_the_default_so_that_a_receipt_can_be_used_again() -> None:
    spec = InstalledPlugins(list).detectors.find("haar").spec
    receipt = check_options(spec, {"min_size": 40})

    assert receipt["enlarge"] is None
    assert check_options(spec, receipt) == receipt
    assert made_with({"size": None, "mode": "far"}) == {"size": 320, "strict": False, "mode": "far"}


def test_an_option_may_bring_a_check_of_its_own() -> None:
    option = DetectorOption("device", str, "auto", "where to run", check=check_device)

    assert create_detector(spec_of(Recorder, (option,)), {"device": "cuda:1"})
    with pytest.raises(DetectorOptionError, match=r"option device of detector mine: .*expected auto"):
        create_detector(spec_of(Recorder, (option,)), {"device": "tpu"})


def test_an_unknown_option_is_refused_with_the_right_ones() -> None:
    with pytest.raises(DetectorOptionError, match="detector mine has no option 'sise'") as refused:
        create_detector(spec_of(Recorder), {"size": 64, "sise": 64})

    assert (refused.value.detector, refused.value.option) == ("mine", "sise")
    assert "size (int >= 32 <= 640), strict (bool), mode (one of near, far)" in str(refused.value)


def test_an_option_for_a_detector_without_any_is_refused() -> None:
    with pytest.raises(DetectorOptionError, match="its options: none"):
        create_detector(spec_of(Recorder, ()), {"size": 64})


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("size", "big", "expected int >= 32 <= 640, got 'big'"),
        ("size", 31, "expected int >= 32 <= 640, got 31"),
        ("strict", "perhaps", "expected bool, got 'perhaps'"),
        ("mode", "between", "expected one of near, far, got 'between'"),
    ],
)
def test_a_bad_value_is_refused_with_the_option_and_what_it_takes(option: str, value: Any, problem: str) -> None:
    with pytest.raises(DetectorOptionError) as refused:
        create_detector(spec_of(Recorder), {option: value})

    assert (refused.value.detector, refused.value.option) == ("mine", option)
    assert str(refused.value) == f"option {option} of detector mine: {problem}"


def test_a_detector_that_uses_the_session_gets_that_of_the_user() -> None:
    spec = DetectorSpec("mine", "Finds nothing", Recorder, OPTIONS, uses_session=True, api_version=2)
    session = SessionConfig(device="cpu", threads=2)

    chosen, default = create_detector(spec, {"size": 64}, session), create_detector(spec)

    assert isinstance(chosen, Recorder)
    assert isinstance(default, Recorder)
    assert chosen.options == {"size": 64, "strict": False, "mode": "near", "session": session}
    assert default.options["session"] == SessionConfig()


def test_a_detector_that_does_not_ask_for_the_session_does_not_get_it() -> None:
    spec = DetectorSpec("mine", "Finds nothing", Recorder, api_version=2)

    detector = create_detector(spec, session=SessionConfig(threads=2))

    assert isinstance(detector, Recorder)
    assert detector.options == {}


def test_listings_show_the_threshold_of_the_detector_or_none_where_it_cannot_be_made() -> None:
    class Sure(Recorder):
        default_min_score = 0.75

    def needs_opencv(**_options: Any) -> Any:
        raise ImportError("no OpenCV", name="cv2")

    def spec(factory: Callable[..., Any], **fields: Any) -> DetectorSpec:
        return DetectorSpec("mine", "Finds nothing", factory, **fields)

    assert default_min_score(spec(Sure, api_version=2)) == 0.75
    assert default_min_score(spec(Recorder, api_version=2)) == 0
    assert default_min_score(spec(Recorder, default_min_score=0.5, api_version=1)) == 0.5
    assert default_min_score(spec(needs_opencv, api_version=2)) is None


def test_a_threshold_in_the_spec_is_of_version_1() -> None:
    with pytest.raises(ValueError, match=r"write default_min_score = 0\.5 in the class of the detector"):
        DetectorSpec("mine", "Finds nothing", Recorder, default_min_score=0.5, api_version=2)


def test_a_factory_that_raises_is_a_fault_of_its_plugin() -> None:
    def factory(**_options: Any) -> Any:
        raise OSError("weights.onnx is gone")

    with pytest.raises(PluginError, match=r"detector mine cannot be made: .*weights\.onnx is gone") as refused:
        create_detector(spec_of(factory))

    assert refused.value.plugin == "mine"
    assert isinstance(refused.value.__cause__, OSError)


def test_a_factory_that_does_not_take_its_declared_options_is_a_fault_of_its_plugin() -> None:
    def factory(_unrelated: int = 0) -> Any:
        return Recorder()

    with pytest.raises(PluginError, match=r"detector mine cannot be made: .*unexpected keyword argument"):
        create_detector(spec_of(factory))


@pytest.mark.parametrize("product", [None, object(), "haar"])
def test_a_factory_that_makes_no_detector_is_a_fault_of_its_plugin(product: Any) -> None:
    def factory(**_options: Any) -> Any:
        return product

    with pytest.raises(PluginError, match=f"gave {type(product).__name__}, which has no method `detect`") as refused:
        create_detector(spec_of(factory))

    assert refused.value.plugin == "mine"
