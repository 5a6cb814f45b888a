"""Which ONNX Runtime is installed."""

from __future__ import annotations

from typing import Any

from maskcheck.errors import RuntimeConflict, RuntimeNotInstalled, RuntimeUnavailable
from maskcheck.runtime.distributions import installed_versions, owns_package

# Every one of these installs the same import package, `onnxruntime`.
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
        RuntimeNotInstalled: There is none.
        RuntimeConflict: Several distributions are installed, which overwrite each other's files.
        RuntimeUnavailable: It is installed but does not import.
    """
    found = list(installed_runtimes())
    if len(found) > 1:  # some come as a plugin in a package of their own, or stand in for another by name alone
        found = [name for name in found if owns_package(name, "onnxruntime")]
    if len(found) > 1:
        names = " ".join(found)
        raise RuntimeConflict(
            f"several ONNX Runtime distributions are installed and overwrite each other: {names};"
            f" keep one: pip uninstall -y {names}, then pip install the one that you want",
            distributions=tuple(found),
        )
    try:
        import onnxruntime as runtime  # by this statement, tools that freeze applications find it
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise RuntimeUnavailable(f"onnxruntime does not import: {error}; install it again") from error
        raise RuntimeNotInstalled(
            'no ONNX Runtime is installed; for a CPU: pip install "maskcheck[cpu]",'
            ' for an NVIDIA GPU: pip install "maskcheck[gpu]"'
        ) from None
    except Exception as error:  # its own files may raise anything where half of them are another version's
        raise RuntimeUnavailable(f"onnxruntime does not import: {error}; install it again") from error
    if not hasattr(runtime, "InferenceSession"):  # uninstalling one of two distributions leaves such a folder
        raise RuntimeUnavailable(
            f"onnxruntime is damaged: {runtime.__name__} has no InferenceSession;"
            " pip uninstall all its distributions, then install one again"
        )
    return runtime
