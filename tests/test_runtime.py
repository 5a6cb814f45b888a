from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import threading
import types
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from maskcheck import (
    MaskCheckError,
    ModelError,
    ProviderUnavailable,
    RuntimeConflict,
    RuntimeNotInstalled,
    RuntimeUnavailable,
)
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.installed import import_runtime, installed_runtimes
from maskcheck.runtime.precision import Precision
from maskcheck.runtime.providers import CPU, CUDA, Provider, check_device
from maskcheck.runtime.session import OnnxSession

TENSORRT = "TensorrtExecutionProvider"


class FakeRuntime(types.ModuleType):
    """An ``onnxruntime`` that offers some providers, of which only some become active in a session."""

    __version__ = "1.99"

    def __init__(self, offers: Sequence[str], activates: Sequence[str] | None = None) -> None:
        super().__init__("onnxruntime")
        self.offers = list(offers)
        self.activates = list(offers if activates is None else activates)
        self.sessions: list[FakeSession] = []
        self.steps: list[str] = []
        self.before_session: Callable[[], None] = lambda: None
        self.broken: dict[str, str] = {}  # why sessions with a provider cannot be made
        self.SessionOptions = FakeOptions

    def get_available_providers(self) -> list[str]:
        return self.offers

    def preload_dlls(self) -> None:
        self.steps.append("preload_dlls")

    def InferenceSession(  # noqa: N802
        self, model: bytes | str, options: Any, *, providers: Sequence[Any], enable_fallback: int
    ) -> FakeSession:
        self.steps.append("InferenceSession")
        self.before_session()
        assert not enable_fallback, "with it, the runtime prints to standard output"
        for provider in providers:
            name = provider if isinstance(provider, str) else provider[0]
            if name in self.broken:
                raise RuntimeError(self.broken[name])
        self.sessions.append(FakeSession(self, model, options, providers))
        return self.sessions[-1]


class FakeOptions:
    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def add_session_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value


class FakeSession:
    def __init__(self, runtime: FakeRuntime, model: bytes | str, options: Any, requested: Sequence[Any]) -> None:
        self.model, self.options, self.requested = model, options, list(requested)
        self.pid = os.getpid()
        self.may_fall_back = True
        names = [provider if isinstance(provider, str) else provider[0] for provider in requested]
        self._active = [name for name in names if name in runtime.activates]

    def get_providers(self) -> list[str]:
        return self._active

    def disable_fallback(self) -> None:
        self.may_fall_back = False


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeRuntime]:
    """Puts a fake runtime in the place of the real one."""

    def put(offers: Sequence[str], activates: Sequence[str] | None = None) -> FakeRuntime:
        runtime = FakeRuntime(offers, activates)
        monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
        return runtime

    return put


def crops(count: int) -> dict[str, Any]:
    return {"faces": np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), np.uint8)}


def cpu_session(
    path: Path, *, threads: int | None = 1, providers: Sequence[Provider] | None = None, **others: Any
) -> OnnxSession:
    return OnnxSession(path, SessionConfig(device="cpu", providers=providers, threads=threads), **others)


# --- Which runtime


def test_the_installed_runtime_is_imported_and_listed() -> None:
    import onnxruntime

    assert import_runtime() is onnxruntime
    assert onnxruntime.__version__ in installed_runtimes().values()


def test_without_a_runtime_the_error_names_both_extras(monkeypatch: pytest.MonkeyPatch, toy_model: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    for attempt in (import_runtime, lambda: cpu_session(toy_model).session):
        with pytest.raises(RuntimeNotInstalled) as refused:
            attempt()
        assert 'pip install "maskcheck[cpu]"' in str(refused.value)
        assert 'pip install "maskcheck[gpu]"' in str(refused.value)


def test_two_runtimes_that_overwrite_each_other_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, toy_model: Path
) -> None:
    for name in ("onnxruntime", "onnxruntime-gpu"):
        information = tmp_path / f"{name.replace('-', '_')}-1.20.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.20.0\n")
    monkeypatch.syspath_prepend(tmp_path)

    for attempt in (import_runtime, lambda: cpu_session(toy_model).session):
        with pytest.raises(RuntimeConflict, match="pip uninstall -y onnxruntime onnxruntime-gpu") as refused:
            attempt()
        assert {"onnxruntime", "onnxruntime-gpu"} <= set(refused.value.distributions)
    assert installed_runtimes()["onnxruntime-gpu"] == "1.20.0"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("raise ImportError('DLL load failed')", "DLL load failed"),
        ("import no_such_module_anywhere", "no_such_module_anywhere"),
    ],
)
def test_a_runtime_that_does_not_import_is_not_reported_as_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, problem: str
) -> None:
    (tmp_path / "onnxruntime.py").write_text(source)
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(RuntimeUnavailable, match=f"onnxruntime does not import: .*{problem}") as refused:
        import_runtime()

    assert not isinstance(refused.value, RuntimeNotInstalled)


def test_an_empty_folder_left_by_an_uninstall_is_no_runtime(monkeypatch: pytest.MonkeyPatch, toy_model: Path) -> None:
    # Python imports it as a namespace package, without any attribute.
    monkeypatch.setitem(sys.modules, "onnxruntime", types.ModuleType("onnxruntime"))

    with pytest.raises(RuntimeUnavailable):
        _ = cpu_session(toy_model).session


# --- Arguments


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "cuda:12"])
def test_known_devices_are_accepted(device: str) -> None:
    check_device(device)


@pytest.mark.parametrize("device", ["", "gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:0,1", " cpu", "cpu\n"])
def test_an_unknown_device_is_refused_and_the_error_lists_the_known_ones(device: str, toy_model: Path) -> None:
    with pytest.raises(ValueError, match="device: expected auto, cpu, cuda or cuda:N") as refused:
        OnnxSession(toy_model, SessionConfig(device=device))

    assert str(refused.value).endswith(f"got {device!r}")


@pytest.mark.parametrize("threads", [0, -1])
def test_fewer_than_one_thread_is_refused(threads: int, toy_model: Path) -> None:
    with pytest.raises(ValueError, match=f"threads: expected 1 or more, or None for the default, got {threads}"):
        OnnxSession(toy_model, SessionConfig(threads=threads))


# --- Providers


def test_the_cpu_runs_the_model(toy_model: Path) -> None:
    session = cpu_session(toy_model)

    (probabilities,) = session.run(crops(3))

    assert session.active_providers == (CPU,)
    assert probabilities.shape == (3, 2)


def test_no_runtime_is_touched_before_the_first_use(install: Callable[..., FakeRuntime], toy_model: Path) -> None:
    runtime = install([CPU])

    session = OnnxSession(toy_model)

    assert runtime.steps == []
    assert session.active_providers == (CPU,)
    assert runtime.steps == ["InferenceSession"]
    assert runtime.sessions[0].model == toy_model.read_bytes()


def test_auto_runs_on_the_cpu_without_a_warning_if_there_is_no_cuda(
    install: Callable[..., FakeRuntime], toy_model: Path
) -> None:
    runtime = install(["AzureExecutionProvider", CPU])

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        active = OnnxSession(toy_model, SessionConfig(device="auto")).active_providers

    assert active == (CPU,)
    assert runtime.sessions[0].requested == [CPU]
    assert caught == []


@pytest.mark.parametrize(("device", "number"), [("auto", "0"), ("cuda", "0"), ("cuda:0", "0"), ("cuda:3", "3")])
def test_cuda_is_used_if_it_becomes_active(
    install: Callable[..., FakeRuntime], toy_model: Path, device: str, number: str
) -> None:
    runtime = install([TENSORRT, CUDA, CPU])

    assert OnnxSession(toy_model, SessionConfig(device=device)).active_providers == (CUDA, CPU)

    (name, options), fallback = runtime.sessions[0].requested
    assert (name, options["device_id"], fallback) == (CUDA, number, CPU)
    assert runtime.steps == ["preload_dlls", "InferenceSession"]


def test_cuda_is_used_with_a_runtime_that_cannot_preload_its_libraries(
    install: Callable[..., FakeRuntime], toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install([CUDA, CPU])
    monkeypatch.delattr(FakeRuntime, "preload_dlls")  # it came with 1.21

    assert OnnxSession(toy_model, SessionConfig(device="cuda")).active_providers == (CUDA, CPU)


def test_cpu_never_asks_for_cuda(install: Callable[..., FakeRuntime], toy_model: Path) -> None:
    runtime = install([CUDA, CPU])

    assert OnnxSession(toy_model, SessionConfig(device="cpu")).active_providers == (CPU,)
    assert runtime.steps == ["InferenceSession"]


def test_auto_warns_once_and_runs_on_the_cpu_if_cuda_does_not_become_active(
    install: Callable[..., FakeRuntime], toy_model: Path
) -> None:
    install([CUDA, CPU], activates=[CPU])
    session = OnnxSession(toy_model, SessionConfig(device="auto"))

    with pytest.warns(RuntimeWarning) as caught:
        active = [session.active_providers for _ in range(2)]

    assert active == [(CPU,), (CPU,)]
    (warning,) = caught
    assert f"{CUDA} was requested, but only {CPU} can be used; running on {CPU}." in str(warning.message)
    assert 'pip install "maskcheck[gpu]"' in str(warning.message)


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
@pytest.mark.parametrize("offers", [[CPU], [CUDA, CPU]], ids=["a build without CUDA", "CUDA does not become active"])
def test_requested_cuda_is_never_replaced_silently(
    install: Callable[..., FakeRuntime], toy_model: Path, device: str, offers: list[str]
) -> None:
    install(offers, activates=[CPU])
    session = OnnxSession(toy_model, SessionConfig(device=device))

    for _ in range(2):  # the failed session is not kept either
        with pytest.raises(ProviderUnavailable, match=f"{CUDA} was requested, but only {CPU} can be used") as refused:
            _ = session.session
        assert refused.value.requested == (CUDA, CPU)
        assert refused.value.active == (CPU,)
        assert 'pip install "maskcheck[gpu]"' in str(refused.value)
        assert "nvidia-smi" in str(refused.value)


def test_a_provider_that_the_installed_runtime_does_not_have_is_refused(toy_model: Path) -> None:
    session = OnnxSession(toy_model, SessionConfig(providers=["NoSuchExecutionProvider", CPU]))

    with pytest.raises(ProviderUnavailable, match="NoSuchExecutionProvider was requested") as refused:
        _ = session.session

    assert refused.value.requested == ("NoSuchExecutionProvider", CPU)
    assert CPU in refused.value.active
    assert "maskcheck doctor" in str(refused.value)


def test_a_requested_provider_that_does_not_become_active_is_an_error(
    install: Callable[..., FakeRuntime], toy_model: Path
) -> None:
    install([TENSORRT, CUDA, CPU], activates=[CUDA, CPU])

    with pytest.raises(ProviderUnavailable, match=f"{TENSORRT} was requested") as refused:
        _ = OnnxSession(toy_model, SessionConfig(providers=[(TENSORRT, {"device_id": 1}), CUDA])).session

    assert refused.value.requested == (TENSORRT, CUDA)
    assert refused.value.active == (CUDA,)


def test_an_empty_list_of_providers_is_refused(install: Callable[..., FakeRuntime], toy_model: Path) -> None:
    runtime = install([CPU])

    with pytest.raises(ProviderUnavailable):
        _ = OnnxSession(toy_model, SessionConfig(providers=[])).session

    assert runtime.sessions == []


def test_providers_go_to_the_runtime_with_their_options_instead_of_the_device(
    install: Callable[..., FakeRuntime], toy_model: Path
) -> None:
    runtime = install([TENSORRT, CPU])
    providers: list[Provider] = [(TENSORRT, {"trt_fp16_enable": True}), CPU]

    assert OnnxSession(toy_model, SessionConfig(device="cpu", providers=providers)).active_providers == (TENSORRT, CPU)
    assert runtime.sessions[0].requested == providers


# --- Threads


def test_threads_go_to_the_session(toy_model: Path) -> None:
    session = cpu_session(toy_model, threads=3)

    assert session.thread_count == 3
    assert session.session.get_session_options().intra_op_num_threads == 3


AT_REST = {"session.force_spinning_stop": "1", "session.intra_op.spin_duration_us": "50"}
ONE_FILE = {"session.load_model_format", "session.model_external_initializers_file_folder_path"}


def entries_of(session: FakeSession) -> dict[str, str]:
    """What the options say, beside how the file is loaded."""
    return {key: value for key, value in session.options.entries.items() if key not in ONE_FILE}


def test_threads_do_not_spin_between_runs(toy_model: Path) -> None:
    options = cpu_session(toy_model, threads=2).session.get_session_options()

    assert {key: options.get_session_config_entry(key) for key in AT_REST} == AT_REST


def test_by_default_a_session_has_the_threads_that_the_process_may_use(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskcheck.runtime.session.default_thread_count", lambda: 2)
    session = cpu_session(toy_model, threads=None)

    assert session.thread_count == 2
    assert session.session.get_session_options().intra_op_num_threads == 2


# --- Precision

IN_FLOAT = {"session.disable_quant_qdq": "1"}


@pytest.mark.parametrize(
    ("precision", "features", "in_float"),
    [
        ("auto", ["avx2", "avx512_vnni"], False),
        ("auto", [], True),
        ("stored", [], False),
        ("int8", [], False),
        ("float32", ["avx512_vnni"], True),
    ],
)
def test_int8_is_computed_in_float32_on_cpus_without_int8_or_on_request(
    cpu_has: Callable[..., None], toy_model: Path, precision: Precision, features: list[str], in_float: bool
) -> None:
    cpu_has(*features)
    session = cpu_session(toy_model, precision=precision)

    assert session.int8_as_float32 == in_float
    options = session.session.get_session_options()
    assert not in_float or options.get_session_config_entry("session.disable_quant_qdq") == "1"


@pytest.mark.parametrize(
    ("provider", "entries"),
    [
        (CUDA, IN_FLOAT),
        ("CoreMLExecutionProvider", IN_FLOAT),  # it has no int8: those operations would run on the CPU
        (TENSORRT, {}),
        ("OpenVINOExecutionProvider", {}),
        ("DmlExecutionProvider", {}),
    ],
)
def test_of_the_other_providers_only_cuda_and_coreml_compute_int8_in_float32(
    install: Callable[..., FakeRuntime], toy_model: Path, provider: str, entries: dict[str, str]
) -> None:
    runtime = install([provider, CPU])

    _ = OnnxSession(toy_model, SessionConfig(providers=[provider, CPU])).session

    assert entries_of(runtime.sessions[-1]) == AT_REST | entries


def test_if_cuda_does_not_load_the_precision_is_that_of_the_cpu(
    install: Callable[..., FakeRuntime], cpu_has: Callable[..., None], toy_model: Path
) -> None:
    runtime = install([CUDA, CPU], activates=[CPU])
    cpu_has("avx_vnni")
    session = OnnxSession(toy_model, SessionConfig(device="auto"))

    with pytest.warns(RuntimeWarning, match="running on CPU") as caught:
        _ = session.session

    assert len(caught) == 1
    assert not session.int8_as_float32
    assert entries_of(session.session) == AT_REST
    assert runtime.sessions[-1].requested == [CPU]


@pytest.mark.parametrize(("weight", "in_float"), [(64, False), (-64, False), (65, True), (-128, True)])
@pytest.mark.parametrize("trusted", [False, True])
def test_with_avx2_int8_runs_as_it_is_if_its_weights_have_seven_bits(
    cpu_has: Callable[..., None], tmp_path: Path, weight: int, in_float: bool, trusted: bool
) -> None:
    cpu_has("avx2")
    path = tmp_path / "int8.onnx"
    tensor = helper.make_tensor("weights", TensorProto.INT8, [2], np.array([weight, 3], np.int8).tobytes(), raw=True)
    output = helper.make_tensor_value_info("out", TensorProto.INT8, [2])
    graph = helper.make_graph([helper.make_node("Identity", ["weights"], ["out"])], "g", [], [output], [tensor])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)

    session = cpu_session(path, trusted=trusted)

    assert session.int8_as_float32 == in_float
    assert session.run({})[0].tolist() == [weight, 3]


def test_a_damaged_file_is_a_model_error_on_a_cpu_with_avx2(cpu_has: Callable[..., None], tmp_path: Path) -> None:
    cpu_has("avx2")
    path = tmp_path / "damaged.onnx"
    path.write_bytes(b"\x80" * 20)

    with pytest.raises(ModelError, match=r"damaged\.onnx"):
        _ = cpu_session(path).session


def test_an_unknown_precision_is_refused_and_the_error_lists_the_known_ones(toy_model: Path) -> None:
    with pytest.raises(ValueError, match="precision: expected auto, stored, int8, float32, got 'half'"):
        OnnxSession(toy_model, precision="half")  # type: ignore[arg-type]


@pytest.mark.parametrize("offers", [[CPU], [TENSORRT, CPU]], ids=["is not in this build", "does not become active"])
def test_a_provider_that_is_not_required_is_replaced_with_one_warning(
    install: Callable[..., FakeRuntime], toy_model: Path, offers: list[str]
) -> None:
    install(offers, activates=[CPU])
    session = OnnxSession(toy_model, SessionConfig(providers=[TENSORRT, CPU]), required=False)

    with pytest.warns(RuntimeWarning, match=f"{TENSORRT} was requested.*running on {CPU}") as caught:
        assert session.active_providers == (CPU,)

    assert len(caught) == 1


# --- Model files


@pytest.mark.parametrize("content", [b"", b"this is no model", b"\x08\x08\x12\x00"], ids=["empty", "text", "no graph"])
def test_a_broken_file_is_a_model_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)

    with pytest.raises(ModelError, match="cannot load") as refused:
        _ = cpu_session(path).session

    assert refused.value.path == str(path)
    assert str(path) in str(refused.value)
    assert refused.value.__cause__ is not None


def test_a_file_cut_off_is_a_model_error(toy_model: Path) -> None:
    toy_model.write_bytes(toy_model.read_bytes()[:200])

    with pytest.raises(ModelError, match="cannot load"):
        _ = cpu_session(toy_model).session


def test_a_model_in_a_folder_with_other_letters_loads(toy_model: Path) -> None:
    folder = toy_model.parent / "модель 模型 é"
    folder.mkdir()
    moved = toy_model.rename(folder / "maskë.onnx")

    assert cpu_session(moved).run(crops(1))[0].shape == (1, 2)


# --- Threads and processes


def test_a_session_that_was_used_can_be_pickled(toy_model: Path) -> None:
    session = cpu_session(toy_model, threads=2, providers=[(CPU, {})], required=False, precision="float32")
    before = session.run(crops(4))

    copy = pickle.loads(pickle.dumps(session))

    assert copy.path == toy_model
    assert copy.config == SessionConfig("cpu", ((CPU, {}),), 2)
    assert (copy.required, copy.precision) == (False, "float32")
    assert copy.session is not session.session
    assert np.array_equal(copy.run(crops(4)), before)


def test_a_pickled_session_is_made_where_it_arrives(install: Callable[..., FakeRuntime], toy_model: Path) -> None:
    runtime = install([CPU])
    session = OnnxSession(toy_model)
    _ = session.session

    copy = pickle.loads(pickle.dumps(session))

    assert len(runtime.sessions) == 1
    assert copy.session is runtime.sessions[1]


def test_threads_that_race_for_the_first_use_share_one_session(
    install: Callable[..., FakeRuntime], toy_model: Path
) -> None:
    runtime = install([CPU])
    company = threading.Barrier(2)
    start = threading.Barrier(8)
    session = OnnxSession(toy_model)

    def wait_for_company() -> None:
        with suppress(threading.BrokenBarrierError):
            company.wait(timeout=0.2)  # could another thread get in here, it would come now

    def use() -> Any:
        start.wait(timeout=60)
        return session.session

    runtime.before_session = wait_for_company
    with ThreadPoolExecutor(8) as pool:
        seen = [running.result(timeout=60) for running in [pool.submit(use) for _ in range(8)]]

    assert len(runtime.sessions) == 1
    assert all(session is runtime.sessions[0] for session in seen)


def in_a_forked_child(task: Callable[[], Any]) -> Any:
    """What the task returns, or the name of what it raises, in a child made by ``fork``; a child that hangs fails."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)

    def run() -> None:
        try:
            sending.send(task())
        except BaseException as error:
            sending.send(f"{type(error).__name__}: {error}")

    child = context.Process(target=run)
    child.start()
    sending.close()  # so that a child that dies ends the waiting
    try:
        assert receiving.poll(20), "the child hangs"
        return receiving.recv()
    finally:
        child.kill()
        child.join()
        child.close()
        receiving.close()


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
# Python 3.12 warns of what these tests are about: threads do not exist in the child.
may_fork = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@needs_fork
@may_fork
def test_a_forked_child_makes_a_session_of_its_own(install: Callable[..., FakeRuntime], toy_model: Path) -> None:
    install([CPU])
    session = OnnxSession(toy_model)
    parent = session.session.pid

    child, again = in_a_forked_child(lambda: (session.session.pid, session.session.pid))

    assert parent == os.getpid()
    assert child == again != parent
    assert session.session.pid == parent


@needs_fork
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS ends children that use its frameworks after a fork")
@may_fork
def test_a_forked_child_gets_the_same_results(toy_model: Path) -> None:
    session = cpu_session(toy_model, threads=2)
    (before,) = session.run(crops(256))

    inside = in_a_forked_child(lambda: session.run(crops(256))[0].tolist())

    assert inside == before.tolist()


@needs_fork
@may_fork
def test_a_child_forked_while_another_thread_makes_the_session_can_make_its_own(
    install: Callable[..., FakeRuntime], toy_model: Path
) -> None:
    runtime = install([CPU])
    session = OnnxSession(toy_model)
    parent = os.getpid()
    inside, leave = threading.Event(), threading.Event()

    def be_slow() -> None:
        if os.getpid() == parent:
            inside.set()
            leave.wait(timeout=120)

    runtime.before_session = be_slow
    maker = threading.Thread(target=lambda: session.session)
    maker.start()
    try:
        assert inside.wait(timeout=60)
        child = in_a_forked_child(lambda: session.session.pid)
    finally:
        leave.set()
        maker.join()

    assert child != parent


def test_a_failure_to_make_a_session_is_not_kept(install: Callable[..., FakeRuntime], toy_model: Path) -> None:
    runtime = install([CPU])
    session = OnnxSession(toy_model)

    def out_of_memory() -> None:
        raise RuntimeError("out of memory")

    runtime.before_session = out_of_memory
    with pytest.raises(MaskCheckError, match="out of memory"):
        _ = session.session
    runtime.before_session = lambda: None

    assert session.active_providers == (CPU,)


# --- What a failing provider must not do


def test_the_streams_of_the_process_are_never_replaced(
    install: Callable[..., FakeRuntime], toy_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime = install([CUDA, CPU], activates=[CPU])
    streams = sys.stdout, sys.stderr
    seen: list[Any] = []

    def look() -> None:
        seen.append((sys.stdout, sys.stderr))
        print("what the host prints meanwhile")

    runtime.before_session = look
    with pytest.raises(ProviderUnavailable):
        _ = OnnxSession(toy_model, SessionConfig(device="cuda")).session

    assert seen == [streams]
    assert capsys.readouterr().out == "what the host prints meanwhile\n"


def test_a_provider_with_wrong_options_is_not_reported_as_a_broken_file(
    install: Callable[..., FakeRuntime], toy_model: Path
) -> None:
    runtime = install([TENSORRT, CPU])
    runtime.broken = {TENSORRT: "unknown option trt_colour"}

    with pytest.raises(ProviderUnavailable, match=r"only CPU.* can be used \(unknown option trt_colour\)"):
        _ = OnnxSession(toy_model, SessionConfig(providers=[(TENSORRT, {"trt_colour": "red"})])).session
    with pytest.warns(RuntimeWarning, match="unknown option trt_colour.*running on CPU"):
        assert OnnxSession(toy_model, SessionConfig(providers=[TENSORRT]), required=False).active_providers == (CPU,)
    runtime.broken[CPU] = "no graph"
    with pytest.raises(ModelError, match=r"cannot load .*unknown option"):
        _ = OnnxSession(toy_model, SessionConfig(providers=[TENSORRT])).session


def test_a_provider_that_fails_later_is_not_replaced_silently(
    install: Callable[..., FakeRuntime], toy_model: Path
) -> None:
    install([CUDA, CPU])

    assert not OnnxSession(toy_model, SessionConfig(device="cuda")).session.may_fall_back


@pytest.mark.parametrize(
    ("provider", "together"), [("DmlExecutionProvider", 1), ("WebGpuExecutionProvider", 1), (CUDA, 2)]
)
def test_providers_that_crash_in_parallel_run_once_at_a_time(
    install: Callable[..., FakeRuntime], toy_model: Path, provider: str, together: int
) -> None:
    install([provider, CPU])
    company = threading.Barrier(2)
    inside: list[int] = []
    seen: list[int] = []

    def run(session: OnnxSession) -> None:
        with session.guarded(None, 1):
            inside.append(1)
            with suppress(threading.BrokenBarrierError):
                company.wait(timeout=0.2)  # could another run go on at the same time, it would come now
            seen.append(len(inside))
            inside.pop()

    sessions = [OnnxSession(toy_model, SessionConfig(providers=[provider, CPU])) for _ in range(2)]
    for session in sessions:
        _ = session.session
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, sessions))

    assert max(seen) == together


def test_directml_gets_the_options_that_it_requires(install: Callable[..., FakeRuntime], toy_model: Path) -> None:
    runtime = install(["DmlExecutionProvider", CPU])

    _ = OnnxSession(toy_model, SessionConfig(providers=["DmlExecutionProvider", CPU])).session

    assert runtime.sessions[0].options.enable_mem_pattern is False


def test_more_threads_than_can_be_started_are_refused_and_the_limit_says_why(toy_model: Path) -> None:
    with pytest.raises(ValueError, match="threads: expected at most 512, got 100000; a session starts them all"):
        OnnxSession(toy_model, SessionConfig(threads=100_000))


def test_a_run_that_fails_is_an_error_of_the_runtime(toy_model: Path) -> None:
    with pytest.raises(RuntimeUnavailable, match=r"failed while running toy\.onnx"):
        cpu_session(toy_model).run({"faces": np.zeros((1, 5, 5, 3), np.uint8)})
