"""``maskcheck doctor``: what is installed, what does not work, and what to do about it."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from maskcheck._version import __version__
from maskcheck.classifier.model import EMBEDDED_MODELS, find_model, hash_model
from maskcheck.classifier.tuned_choices import NO_FOLDER, choices_file, find_choice
from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.commands.group import lacks_opencv
from maskcheck.commands.options import json_flag
from maskcheck.commands.standard_streams import own_standard_output
from maskcheck.errors import MaskCheckError
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.cpu import affinity, cgroup_quota, cpu_features, default_thread_count
from maskcheck.runtime.distributions import installed_versions, owns_package
from maskcheck.runtime.installed import import_runtime, installed_runtimes
from maskcheck.runtime.precision import int8_instructions
from maskcheck.runtime.session import OnnxSession

if TYPE_CHECKING:
    from maskcheck.detectors.spec import DetectorSpec
    from maskcheck.hosting.registry import RegisteredStage

_OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
_CPU_FEATURES = ("AVX2", "AVX512-SKX", "AVX512VNNI", "NEON", "NEON_DOTPROD", "NEON_BF16")  # as OpenCV names them


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes:
        topic: What was checked.
        status: ``ok``, ``problem`` (it does not work) or ``note`` (it works, but there is something to know).
        detail: What was found.
        advice: What to do about it; may be empty.
    """

    topic: str
    status: Literal["ok", "note", "problem"]
    detail: str
    advice: str = ""


@click.command(short_help="Check this installation, or tune it.")
@click.argument("pictures", nargs=-1)
@click.option("--tune", is_flag=True, help="Find the fastest settings for the classifier here, and save them.")
@click.option("--model", type=click.Path(), help="With --tune: the model file, or small.  [default: the embedded one]")
@click.option(
    "--candidate",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="With --tune: the same classifier in another precision, to compare with; may be repeated.",
)
@json_flag
@click.pass_context
def doctor(
    ctx: click.Context, pictures: tuple[str, ...], tune: bool, model: str | None, files: tuple[Path, ...], as_json: bool
) -> None:
    """Check this installation: versions, runtime, providers, OpenCV, CPU, model and detectors.

    Exit status 1 if there is a problem.

    With --tune, run the classifier on the faces in PICTURES, or on drawn faces: in each precision, on each provider,
    with different numbers of threads. The fastest settings that give the same labels are saved. From then on, they are
    used if no --device, --provider or --precision is given. A --candidate file is never used by itself: if it is
    faster, pass it as --model. Exit status 1 if no settings give the same labels.
    """
    if not tune and (pictures or model or files):
        raise click.UsageError("PICTURES, --model and --candidate need --tune")
    if tune:
        from maskcheck.commands.tune import tune as tune_classifier

        ctx.exit(SUCCESS if tune_classifier(model, files, pictures, as_json=as_json) else SOMETHING_FAILED)
    if as_json:
        with own_standard_output() as stream:
            findings = _examine()
            content = {"schema": "maskcheck-doctor/1", "ok": _healthy(findings), "findings": [*map(asdict, findings)]}
            stream.write(json.dumps(content, indent=2) + "\n")
    else:
        findings = _examine()
        _print(findings)
    ctx.exit(SUCCESS if _healthy(findings) else SOMETHING_FAILED)


def _examine() -> list[Finding]:
    findings: list[Finding] = []
    for topic, check in _CHECKS.items():
        try:
            findings.extend(check())
        except BaseException as error:  # also a plugin's sys.exit: the other checks go on
            if isinstance(error, KeyboardInterrupt):
                raise
            findings.append(
                Finding(
                    topic, "problem", f"the check failed: {type(error).__name__}: {error}", "install maskcheck again"
                )
            )
    return findings


def _healthy(findings: list[Finding]) -> bool:
    return all(finding.status != "problem" for finding in findings)


def _problem(topic: str, error: MaskCheckError, start: str = "", otherwise: str = "install maskcheck again") -> Finding:
    """The finding for an error. The advice is the part of its message after a semicolon, or else `otherwise`."""
    detail, _, advice = str(error).partition(";")
    return Finding(topic, "problem", start + detail, advice.strip() or otherwise)


def _check_versions() -> Iterator[Finding]:
    yield Finding("maskcheck", "ok", __version__)
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.platform()} {platform.machine()}")
    for name, number in installed_versions("numpy", "pillow", "pluggy").items():
        yield Finding(name, "ok", number)


def _check_runtime() -> Iterator[Finding]:
    distributions = ", ".join(f"{name} {number}" for name, number in installed_runtimes().items())
    try:
        runtime = import_runtime()
    except MaskCheckError as error:
        yield _problem("ONNX Runtime", error)
        return
    yield Finding("ONNX Runtime", "ok", distributions or f"{runtime.__version__}, distribution unknown")
    for provider in runtime.get_available_providers():
        yield _check_provider(provider)


def _check_provider(provider: str) -> Finding:
    # A provider that was compiled in may still not load; only a session shows that.
    try:
        active = OnnxSession(find_model(None), SessionConfig(providers=[provider]), trusted=True).active_providers
    except MaskCheckError as error:
        return Finding(provider, "note", f"available, but does not load: {error}")
    return Finding(provider, "ok", f"loads; active in a session: {', '.join(active)}")


def _check_opencv() -> Iterator[Finding]:
    installed = {name: number for name, number in installed_versions(*_OPENCV).items() if owns_package(name, "cv2")}
    names = ", ".join(f"{name} {number}" for name, number in installed.items())
    reinstall = f"pip install --force-reinstall --no-deps {_requirement(installed)}"
    if len(installed) > 1:
        reinstall = f"pip uninstall -y {' '.join(installed)}, then pip install {_requirement(installed)}"
    try:
        import cv2

        missing = [name for name in ("__version__", "imdecode", "resize") if not hasattr(cv2, name)]
    except Exception as error:  # OpenCV's loader may raise anything if some of its files are missing
        advice = reinstall
        if "lib" in str(error) and ".so" in str(error):
            advice = "install the missing system library (Debian, Ubuntu: apt install libgl1 libglib2.0-0)"
        yield Finding("OpenCV", "problem", f"{names or 'not installed'}; import failed: {error}", advice)
        return
    if missing:  # uninstalling one of two distributions leaves such a folder
        yield Finding("OpenCV", "problem", f"{names or 'no distribution'}; damaged: cv2 has no {missing[0]}", reinstall)
        return
    if len(set(installed.values())) > 1:
        detail = f"distributions of different versions overwrite each other: {names}; {cv2.__version__} is loaded"
        yield Finding("OpenCV", "problem", detail, reinstall)
    elif len(installed) > 1:
        yield Finding(
            "OpenCV",
            "note",
            f"{names}: they install the same files, which work",
            "nothing now; if you uninstall one of them, install the other again",
        )
    else:
        yield Finding("OpenCV", "ok", names or f"{cv2.__version__}, distribution unknown")
    from maskcheck.detectors.haar.cascades import check_cascades

    try:
        yield Finding("Haar cascades", "ok", check_cascades())
    except MaskCheckError as error:
        yield _problem("Haar cascades", error)


def _requirement(installed: dict[str, str]) -> str:
    """What to install: the installed distribution, or opencv-python if there is none or more than one."""
    name = next(iter(installed)) if len(installed) == 1 else "opencv-python"
    return f'"{name}>=4.10,<5"'


def _check_cpu() -> Iterator[Finding]:
    quota = cgroup_quota()
    yield Finding(
        "CPU",
        "ok",
        f"{affinity()} usable, quota: {'none' if quota is None else f'{quota:g}'};"
        f" threads of a session by default: {default_thread_count()}",
    )
    try:
        present = cpu_features()
    except (ImportError, AttributeError):  # OpenCV has its own finding
        return
    known = [name for name in _CPU_FEATURES if name in present]
    yield Finding("CPU features", "ok", ", ".join(known) or "none of " + ", ".join(_CPU_FEATURES))


def _check_models() -> Iterator[Finding]:
    for name in EMBEDDED_MODELS:
        try:
            path = find_model(name)
            yield Finding(f"model {name}", "ok", f"{path.name}, SHA-256 {hash_model(path)[:12]}... as released")
        except MaskCheckError as error:
            yield _problem(f"model {name}", error)


def _check_execution() -> Iterator[Finding]:
    instructions = ", ".join(int8_instructions(lambda: True))  # the default model has weights of 7 bits
    precision = (
        f"int8, for which this CPU has {instructions}" if instructions else "float32: it lacks int8 instructions"
    )
    default = f"on the CPU, the model runs in {precision}"
    if choices_file() is None:
        detail, _, advice = NO_FOLDER.partition("; ")
        yield Finding("tuned choice", "note", f"none, because {detail}; {default}", advice)
        return
    try:
        choice, problem = find_choice(find_model(None))
    except MaskCheckError:  # the model has its own finding
        return
    if choice is not None:
        yield Finding("tuned choice", "ok", str(choice))
    elif problem:
        detail, _, advice = problem.rpartition("; ")
        yield Finding("tuned choice", "note", f"{detail}; {default}", advice)
    else:
        yield Finding("tuned choice", "ok", f"none; {default}")


def _check_detectors() -> Iterator[Finding]:
    from maskcheck.hosting.registry import default_registry

    registry = default_registry()
    for registered in registry.registered():
        yield _check_detector(registered)
    for failed in registry.failed():
        yield Finding(
            f"detector {failed.name}",
            "note" if failed.wanted else "problem",
            f"{failed.distribution} {failed.version}: {failed.reason}",
            failed.advice,
        )


def _check_detector(registered: RegisteredStage[DetectorSpec]) -> Finding:
    """Whether a detector can be made with its default options, and loads what it needs."""
    from maskcheck.detectors.guard import warm_up_detector
    from maskcheck.hosting.creation import create_detector

    source = f"from {registered.distribution} {registered.version}"
    try:
        warm_up_detector(create_detector(registered.spec), name=registered.name)
    except MaskCheckError as error:
        otherwise = f"update {registered.distribution}, or report this to its authors"
        if lacks_opencv(error.__cause__):
            otherwise = "repair OpenCV first, see above"
        return _problem(f"detector {registered.name}", error, f"{source}: ", otherwise)
    return Finding(f"detector {registered.name}", "ok", source)


_CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "versions": _check_versions,
    "ONNX Runtime": _check_runtime,
    "OpenCV": _check_opencv,
    "CPU": _check_cpu,
    "embedded models": _check_models,
    "tuned choice": _check_execution,
    "detectors": _check_detectors,
}


def _print(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    from maskcheck.commands.console import console, plain

    colours = {"ok": "green", "note": "yellow", "problem": "red"}
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        detail = plain(finding.detail)
        if finding.advice:
            detail = Text.assemble(detail, "\n", plain(f"-> {finding.advice}", "bold"))
        table.add_row(Text(finding.status, colours[finding.status]), plain(finding.topic), detail)
    console().print(table)
