from __future__ import annotations

import numpy as np
import pytest

from maskcheck_export.errors import DataError
from maskcheck_export.evaluation.calibration import Reliability, apply_temperature, fit_temperature


def test_the_calibration_error_is_the_distance_of_confidence_from_accuracy() -> None:
    probabilities = np.array([[0.8, 0.2]] * 10, np.float32)
    half_right = np.array([0] * 5 + [1] * 5)

    assert Reliability.measure(probabilities, half_right).error == pytest.approx(0.3, abs=1e-6)


def test_the_calibration_error_weighs_bins_by_their_faces() -> None:
    probabilities = np.array([[0.75, 0.25]] * 3 + [[1.0, 0.0]], np.float32)
    all_right = np.zeros(4, int)

    assert Reliability.measure(probabilities, all_right).error == pytest.approx(0.25 * 3 / 4)


def test_full_confidence_is_in_the_last_bin() -> None:
    assert Reliability.measure(np.array([[1.0, 0.0]], np.float32), np.array([0])).faces[-1] == 1


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_fitted_temperature_undoes_a_known_one(sharpness: float) -> None:
    rng = np.random.default_rng(0)
    honest = rng.dirichlet((1, 1, 1), size=20_000)
    true = (honest.cumsum(axis=1) < rng.random((len(honest), 1))).sum(axis=1)
    said = apply_temperature(honest, 1 / sharpness)  # too sure by this factor

    temperature = fit_temperature(said, true)

    assert temperature == pytest.approx(sharpness, rel=0.05)
    assert Reliability.measure(apply_temperature(said, temperature), true).error < 0.02


def test_a_temperature_changes_no_label_and_keeps_probabilities() -> None:
    probabilities = np.random.default_rng(0).dirichlet((1, 1, 1), size=100).astype(np.float32)

    cooled = apply_temperature(probabilities, 2.5)

    assert cooled.dtype == np.float32
    np.testing.assert_allclose(cooled.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(cooled.argmax(axis=1), probabilities.argmax(axis=1))
    np.testing.assert_allclose(apply_temperature(probabilities, 1), probabilities, atol=1e-6)


def test_a_probability_that_is_rounded_to_zero_is_usable() -> None:
    probabilities = np.array([[1.0, 0.0]] * 9 + [[1.0, 0.0]], np.float32)
    one_wrong = np.array([0] * 9 + [1])

    temperature = fit_temperature(probabilities, one_wrong)

    assert temperature > 1
    assert np.isfinite(apply_temperature(probabilities, temperature)).all()


def test_a_temperature_without_faces_is_refused() -> None:
    with pytest.raises(DataError, match="validation"):
        fit_temperature(np.empty((0, 2), np.float32), np.empty(0, int))
