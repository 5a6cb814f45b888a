"""Chooses the devices and the arithmetic of Keras."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from maskcheck_export.errors import RecipeError
from maskcheck_export.recipes.settings import Training


@contextmanager
def training_devices(settings: Training) -> Iterator[None]:
    """Use the devices and the arithmetic of a recipe for the network that is built and trained inside.

    Several devices share each batch (data parallelism): with JAX by ``keras.distribution``, with TensorFlow, which that
    does not support, by ``tf.distribute.MirroredStrategy``.

    Raises:
        RecipeError: The backend cannot train on several devices.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(settings.precision)
    try:
        if settings.devices == "one":
            yield
        elif keras.backend.backend() == "jax":
            keras.distribution.set_distribution(keras.distribution.DataParallel())
            try:
                yield
            finally:
                keras.distribution.set_distribution(None)
        elif keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            with tf.distribute.MirroredStrategy().scope():
                yield
        else:
            raise RecipeError(
                f'training.devices = "all" needs the jax or tensorflow backend, Keras runs on'
                f' {keras.backend.backend()}; set KERAS_BACKEND, or training.devices = "one"'
            )
    finally:
        keras.config.set_dtype_policy(policy)
