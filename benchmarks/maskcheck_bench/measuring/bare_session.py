"""ONNX Runtime without the SDK: what the classifier is compared with."""

from __future__ import annotations

from typing import Any

from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.runtime.installed import import_runtime


def open_bare_session(classifier: MaskClassifier) -> Any:
    """An ``InferenceSession`` with a classifier's model, providers and threads, and the runtime's other defaults."""
    runtime = import_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = classifier.threads, 1
    return runtime.InferenceSession(classifier.path, options, providers=list(classifier.providers))
