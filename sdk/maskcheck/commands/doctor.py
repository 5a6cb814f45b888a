"""``maskcheck doctor``: what is installed here, what does not work, and what to do about it."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click

from maskcheck._version import __version__
from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.commands.options import json_flag
from maskcheck.cpu import affinity, cgroup_quota, cpu_features, default_thread_count, int8_features
from maskcheck.distributions import installed_versions
from maskcheck.errors import MaskCheckError
from maskcheck.execution import find_choice
from maskcheck.model import find_model, hash_model
from maskcheck.runtime import OnnxSession, import_runtime, installed_runtimes

_OPENCV_DISTRIBUTIONS = (
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
    help="With --tune: the embedded classifier in another precision, to try as well; repeat.",
)
@json_flag
@click.pass_context
def doctor(
    ctx: click.Context, pictures: tuple[str, ...], tune: bool, model: str | None, files: tuple[Path, ...], as_json: bool
) -> None:
    """Check this installation: versions, runtime, providers, OpenCV, CPU, model and plugins.

    Exit status 1 if there is a problem.

    With --tune, time the classifier in every precision, with every number of threads and on every provider that loads,
    and compare its results, on the faces in PICTURES or on drawn ones. The fastest that gives the same labels is used
    from then on, wherever no --device, --provider or --precision is given. Exit status 1 if there is none.
    """
    if not tune and (pictures or model or files):
        raise click.UsageError("PICTURES, --model and --candidate are for --tune")
    if model and files:
        raise click.UsageError(
            "--candidate is for the embedded classifier: a --model is never replaced by another file"
        )
    if tune:
        from maskcheck.commands.tune import tune as find_fastest

        ctx.exit(SUCCESS if find_fastest(model, files, pictures, as_json=as_json) else SOMETHING_FAILED)
    findings = [finding for check in _CHECKS for finding in check()]
    healthy = all(finding.status != "problem" for finding in findings)
    if as_json:
        content = {"schema": "maskcheck-doctor/1", "ok": healthy, "findings": [asdict(one) for one in findings]}
        click.echo(json.dumps(content, indent=2))
    else:
        _print(findings)
    ctx.exit(SUCCESS if healthy else SOMETHING_FAILED)


def _problem(topic: str, error: MaskCheckError) -> Finding:
    """An error as a finding: messages say what is wrong, then, behind a semicolon, what to do."""
    detail, _, advice = str(error).partition(";")
    return Finding(topic, "problem", detail, advice.strip() or detail)


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
        active = OnnxSession(find_model(None), providers=[provider]).active_providers
    except MaskCheckError as error:
        return Finding(provider, "note", f"compiled in, but does not load: {error}")
    return Finding(provider, "ok", f"loads; a session has {', '.join(active)}")


def _check_opencv() -> Iterator[Finding]:
    found = installed_versions(*_OPENCV_DISTRIBUTIONS)
    names = ", ".join(f"{name} {number}" for name, number in found.items())
    if len(found) > 1:
        yield Finding(
            "OpenCV",
            "problem",
            f"several distributions overwrite each other: {names}",
            f'pip uninstall -y {" ".join(found)}, then pip install "opencv-python>=4.10,<5"',
        )
    try:
        import cv2
    except ImportError as error:
        advice = 'pip install "opencv-python>=4.10,<5"'
        if "lib" in str(error):
            advice = "install the system library that is named (Debian, Ubuntu: apt install libgl1 libglib2.0-0)"
        yield Finding("OpenCV", "problem", f"{names or 'not installed'}; import failed: {error}", advice)
        return
    if len(found) <= 1:
        yield Finding("OpenCV", "ok", names or f"{cv2.__version__}, of no known distribution")
    from maskcheck.detectors.haar.cascades import check_cascades

    try:
        yield Finding("Haar cascades", "ok", check_cascades())
    except MaskCheckError as error:
        yield _problem("Haar cascades", error)


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
    except ImportError:  # of OpenCV, which has a finding of its own
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
    try:
        choice, problem = find_choice(find_model(None))
    except MaskCheckError:  # of the model, which has a finding of its own
        return
    if choice is not None:
        yield Finding(
            "tuned choice",
            "ok",
            f"{Path(choice.model).name if choice.model else 'the embedded model'}, {choice.precision}, on"
            f" {choice.provider}, {choice.threads} threads, batches of {choice.batch_size}",
        )
    elif problem:
        detail, _, advice = problem.rpartition("; ")
        yield Finding("tuned choice", "note", f"{detail}; on the CPU, the model runs in {flags}", advice)
    else:
        yield Finding("tuned choice", "ok", f"none; on the CPU, the model runs in {flags}")


def _check_plugins() -> Iterator[Finding]:
    from maskcheck.detectors.registry import default_registry

    registry = default_registry()
    for one in registry.registered():
        yield Finding(f"detector {one.name}", "ok", f"from {one.distribution} {one.version}")
    for failed in registry.failed():
        yield Finding(
            f"detector {failed.name}",
            "note" if failed.wanted else "problem",
            f"{failed.distribution} {failed.version}: {failed.reason}",
            failed.advice,
        )


_CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _check_versions,
    _check_runtime,
    _check_opencv,
    _check_cpu,
    _check_model,
    _check_execution,
    _check_plugins,
)


def _print(findings: list[Finding]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from maskcheck.commands.console import console

    colours = {"ok": "green", "note": "yellow", "problem": "red"}
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        colour = colours[finding.status]
        detail = escape(finding.detail) + (f"\n[bold]-> {escape(finding.advice)}[/bold]" if finding.advice else "")
        table.add_row(f"[{colour}]{finding.status}[/{colour}]", escape(finding.topic), detail)
    console().print(table)
