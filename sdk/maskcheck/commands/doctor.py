"""``maskcheck doctor``: what is installed here, what does not work, and what to do about it."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from maskcheck._version import __version__
from maskcheck.classifier.model import find_model, hash_model
from maskcheck.classifier.tuned_choices import NO_FOLDER, choices_file, find_choice
from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.commands.group import lacks_opencv
from maskcheck.commands.options import json_flag
from maskcheck.commands.standard_streams import own_standard_output
from maskcheck.errors import MaskCheckError
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.cpu import affinity, cgroup_quota, cpu_features, default_thread_count, int8_features
from maskcheck.runtime.distributions import installed_versions, owns_package
from maskcheck.runtime.installed import import_runtime, installed_runtimes
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
    """One thing that was looked at.

    Attributes:
        topic: What was looked at.
        status: ``ok``; ``note``, for what works but could surprise; ``problem``, for what does not work.
        detail: What was found.
        advice: What to do about it.
    """

    topic: str
    status: Literal["ok", "note", "problem"]
    detail: str
    advice: str = ""


@click.command(short_help="Check this installation and say what to do; or tune it.")
@click.argument("pictures", nargs=-1)
@click.option("--tune", is_flag=True, help="Find the fastest way to run the classifier here, and keep it.")
@click.option("--model", type=click.Path(), help="With --tune: another classifier.  [default: the embedded one]")
@click.option(
    "--candidate",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="With --tune: the same classifier in another precision, to compare with; repeat.",
)
@json_flag
@click.pass_context
def doctor(
    ctx: click.Context, pictures: tuple[str, ...], tune: bool, model: str | None, files: tuple[Path, ...], as_json: bool
) -> None:
    """Check this installation: versions, runtime, providers, OpenCV, CPU, model and detectors.

    Exit status 1 if there is a problem.

    With --tune, time the classifier in every precision, with every number of threads and on every provider that loads,
    and compare its results, on the faces in PICTURES or on drawn ones. The fastest that gives the same labels is used
    from then on, wherever no --device, --provider or --precision is given. A --candidate that is faster yet is named:
    to use it, pass it as --model. Exit status 1 if there is none.
    """
    if not tune and (pictures or model or files):
        raise click.UsageError("PICTURES, --model and --candidate are for --tune")
    if tune:
        from maskcheck.commands.tune import tune as find_fastest

        ctx.exit(SUCCESS if find_fastest(model, files, pictures, as_json=as_json) else SOMETHING_FAILED)
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
        except BaseException as error:  # whatever is broken, a plugin's sys.exit too: the other checks go on
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
    """An error as a finding: messages say what is wrong, then, behind a semicolon, what to do; if not, `otherwise`."""
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
    yield Finding("ONNX Runtime", "ok", distributions or f"{runtime.__version__}, of no known distribution")
    for provider in runtime.get_available_providers():
        yield _check_provider(provider)


def _check_provider(provider: str) -> Finding:
    # What was compiled in and what loads are two things: only a session tells.
    try:
        active = OnnxSession(find_model(None), SessionConfig(providers=[provider]), trusted=True).active_providers
    except MaskCheckError as error:
        return Finding(provider, "note", f"compiled in, but does not load: {error}")
    return Finding(provider, "ok", f"loads; a session has {', '.join(active)}")


def _check_opencv() -> Iterator[Finding]:
    found = {name: number for name, number in installed_versions(*_OPENCV).items() if owns_package(name, "cv2")}
    names = ", ".join(f"{name} {number}" for name, number in found.items())
    again = f"pip install --force-reinstall --no-deps {_requirement(found)}"
    if len(found) > 1:
        again = f"pip uninstall -y {' '.join(found)}, then pip install {_requirement(found)}"
    try:
        import cv2

        missing = [name for name in ("__version__", "imdecode", "resize") if not hasattr(cv2, name)]
    except Exception as error:  # OpenCV's own loader may raise anything where half of its files are gone
        advice = again
        if "lib" in str(error) and ".so" in str(error):
            advice = "install the system library that is named (Debian, Ubuntu: apt install libgl1 libglib2.0-0)"
        yield Finding("OpenCV", "problem", f"{names or 'not installed'}; import failed: {error}", advice)
        return
    if missing:  # uninstalling one of two distributions leaves such a folder
        yield Finding("OpenCV", "problem", f"{names or 'no distribution'}; damaged: cv2 has no {missing[0]}", again)
        return
    if len(set(found.values())) > 1:
        detail = f"distributions of several versions overwrite each other: {names}; now {cv2.__version__} is loaded"
        yield Finding("OpenCV", "problem", detail, again)
    elif len(found) > 1:
        yield Finding(
            "OpenCV",
            "note",
            f"{names}: they share their files, which are of one version and work",
            "nothing now; after one of them is uninstalled, install the other again",
        )
    else:
        yield Finding("OpenCV", "ok", names or f"{cv2.__version__}, of no known distribution")
    from maskcheck.detectors.haar.cascades import check_cascades

    try:
        yield Finding("Haar cascades", "ok", check_cascades())
    except MaskCheckError as error:
        yield _problem("Haar cascades", error)


def _requirement(found: dict[str, str]) -> str:
    """What to install: the distribution that is there; ours where there is none, or several."""
    name = next(iter(found)) if len(found) == 1 else "opencv-python"
    return f'"{name}>=4.10,<5"'


def _check_cpu() -> Iterator[Finding]:
    quota = cgroup_quota()
    yield Finding(
        "CPU",
        "ok",
        f"{affinity()} usable, quota {'none' if quota is None else f'{quota:g}'};"
        f" a session has {default_thread_count()} threads by default",
    )
    try:
        present = cpu_features()
    except (ImportError, AttributeError):  # of OpenCV, which has a finding of its own
        return
    found = [name for name in _CPU_FEATURES if name in present]
    yield Finding("CPU features", "ok", ", ".join(found) or "none of " + ", ".join(_CPU_FEATURES))


def _check_model() -> Iterator[Finding]:
    try:
        path = find_model(None)
        yield Finding("embedded model", "ok", f"{path.name}, SHA-256 {hash_model(path)[:12]}... as released")
    except MaskCheckError as error:
        yield _problem("embedded model", error)


def _check_execution() -> Iterator[Finding]:
    fast = ", ".join(int8_features())
    flags = f"int8, for which this CPU has {fast}" if fast else "float32, as this CPU has no instructions for int8"
    if choices_file() is None:
        detail, _, advice = NO_FOLDER.partition("; ")
        yield Finding("tuned choice", "note", f"none, as {detail}; on the CPU, the model runs in {flags}", advice)
        return
    try:
        choice, problem = find_choice(find_model(None))
    except MaskCheckError:  # of the model, which has a finding of its own
        return
    if choice is not None:
        yield Finding("tuned choice", "ok", str(choice))
    elif problem:
        detail, _, advice = problem.rpartition("; ")
        yield Finding("tuned choice", "note", f"{detail}; on the CPU, the model runs in {flags}", advice)
    else:
        yield Finding("tuned choice", "ok", f"none; on the CPU, the model runs in {flags}")


def _check_detectors() -> Iterator[Finding]:
    from maskcheck.hosting.registry import default_registry

    registry = default_registry()
    for one in registry.registered():
        yield _check_detector(one)
    for failed in registry.failed():
        yield Finding(
            f"detector {failed.name}",
            "note" if failed.wanted else "problem",
            f"{failed.distribution} {failed.version}: {failed.reason}",
            failed.advice,
        )


def _check_detector(one: RegisteredStage[DetectorSpec]) -> Finding:
    """Whether a detector can be made as it is by default, and loads what it needs."""
    from maskcheck.detectors.guard import warm_up_detector
    from maskcheck.hosting.creation import create_detector

    source = f"from {one.distribution} {one.version}"
    try:
        warm_up_detector(create_detector(one.spec), name=one.name)
    except MaskCheckError as error:
        otherwise = f"update {one.distribution}, or report this to those who make it"
        if lacks_opencv(error.__cause__):
            otherwise = "mend OpenCV first, see above"
        return _problem(f"detector {one.name}", error, f"{source}: ", otherwise)
    return Finding(f"detector {one.name}", "ok", source)


_CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "versions": _check_versions,
    "ONNX Runtime": _check_runtime,
    "OpenCV": _check_opencv,
    "CPU": _check_cpu,
    "embedded model": _check_model,
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
