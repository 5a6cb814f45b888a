"""Errors of a backend in a stage of training."""

from __future__ import annotations

import pytest
import tensorflow as tf

from maskcheck_export.errors import DataError
from maskcheck_export.recipes.settings import Settings
from maskcheck_export.training.stages import memory_to_spare


def settings() -> Settings:
    return Settings.model_validate({"labels": ["a", "b"], "data": [{"path": "x"}], "input": {"size": 96}})


def test_a_batch_that_does_not_fit_into_memory_is_an_error_that_names_what_to_lower() -> None:
    with (
        pytest.raises(DataError, match=r"batches of 32 faces of 96 pixels; lower training.batch_size"),
        memory_to_spare(settings()),
    ):
        raise tf.errors.ResourceExhaustedError(None, None, "failed to allocate")


def test_another_error_of_the_backend_does_not_change() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError), memory_to_spare(settings()):
        raise tf.errors.InvalidArgumentError(None, None, "shapes differ")
