"""Which ONNX Runtime is installed."""

from __future__ import annotations

from typing import Any

from maskcheck.errors import RuntimeConflict, RuntimeNotInstalled, RuntimeUnavailable
from maskcheck.runtime.distributions import installed_versions, owns_package

# Each of these installs the same import package, `onnxruntime`.
_DISTRIBUTIONS = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-qnn",
    "onnxruntime-rocm",
    "onnxruntime-migraphx",
    "onnxruntime-training",
    "onnxruntime-training-cpu",
    "onnxruntime-webgpu",
    "onnxruntime-windowsml",
    "onnxruntime-trt-rtx",
    "onnxruntime-cann",
    "onnxruntime-silicon",
)


def installed_runtimes() -> dict[str, str]:
    """Installed distributions that provide the import package ``onnxruntime``, with their versions."""
    return installed_versions(*_DISTRIBUTIONS)


def import_runtime() -> Any:
    """The module ``onnxruntime``.

    Raises:
        RuntimeNotInstalled: It is not installed.
        RuntimeConflict: Several distributions are installed, which overwrite each other's files.
        RuntimeUnavailable: It is installed but does not import.
    """
    installed = list(installed_runtimes())
    if len(installed) > 1:  # some have a package of their own, or only depend on another distribution
        installed = [name for name in installed if owns_package(name, "onnxruntime")]
    if len(installed) > 1:
        names = " ".join(installed)
        raise RuntimeConflict(
            f"several ONNX Runtime distributions are installed and overwrite each other: {names};"
            f" pip uninstall -y {names}, then pip install the one that you want",
            distributions=tuple(installed),
        )
    try:
        import onnxruntime as runtime  # a statement, which tools that freeze applications see
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise RuntimeUnavailable(f"onnxruntime does not import: {error}; install it again") from error
        raise RuntimeNotInstalled(
            'no ONNX Runtime is installed; for a CPU: pip install "maskcheck[cpu]",'
            ' for an NVIDIA GPU: pip install "maskcheck[gpu]"'
        ) from None
    except Exception as error:  # an installation of mixed versions may raise anything
        raise RuntimeUnavailable(f"onnxruntime does not import: {error}; install it again") from error
    if not hasattr(runtime, "InferenceSession"):  # uninstalling one of two distributions leaves such a folder
        raise RuntimeUnavailable(
            f"onnxruntime is damaged: {runtime.__name__} has no InferenceSession;"
            " pip uninstall all its distributions, then install one again"
        )
    return runtime
