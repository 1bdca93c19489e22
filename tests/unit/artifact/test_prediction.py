import numpy as np
import pytest
from steadfit_artifact.prediction import probabilities_of


def test_rounding_beyond_0_and_1_is_taken_off_probabilities() -> None:
    found = probabilities_of("scores", np.array([[1.0000001, -1.2e-7], [0.3, 0.7]], np.float32), 2, 2)
    np.testing.assert_array_equal(found, np.array([[1, 0], [0.3, 0.7]], np.float32))


@pytest.mark.parametrize("value", [1.01, -0.01, np.nan, np.inf])
def test_a_number_that_is_no_probability_stays_to_be_refused(value: float) -> None:
    found = probabilities_of("scores", np.array([[value, 0.5]], np.float32), 1, 2)
    np.testing.assert_array_equal(found, np.array([[value, 0.5]], np.float32))
