from __future__ import annotations

import numpy as np
import pytest

from exmc.density import from_function
from exmc.errors import SamplingError
from exmc.sampling.initial import draw_initial, use_initial
from exmc.sampling.options import SamplerOptions
from exmc.sampling.seeds import chain_key
from tests.sampling.targets import python_normal

OPTIONS = SamplerOptions(seed=5, initial_radius=2.0, initial_attempts=100)
KEY = chain_key(5, 0)


def test_points_are_uniform_within_the_radius() -> None:
    points = np.array(
        [draw_initial(python_normal(2), OPTIONS, chain, chain_key(5, chain)).position for chain in range(2000)]
    )
    assert np.abs(points).max() < 2.0
    # The mean of 4000 uniforms on (-2, 2), and of their squares, in standard errors.
    assert abs(points.mean() / np.sqrt(4 / 3 / points.size)) < 4
    assert abs((np.square(points).mean() - 4 / 3) / np.sqrt((16 / 5 - 16 / 9) / points.size)) < 4


@pytest.mark.parametrize("fault", ["value", "infinite value", "gradient"])
def test_candidates_are_tried_until_value_and_gradient_are_finite(fault: str) -> None:
    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        good = x[0] > 1.0
        value = {"value": np.nan, "infinite value": np.inf, "gradient": 0.0}[fault]
        slope = np.full(3, np.inf if fault == "gradient" else 0.0)
        return (0.0, np.ones(3)) if good else (value, slope)

    point = draw_initial(from_function(3, function), OPTIONS, 0, KEY)
    assert point.position[0] > 1.0
    assert np.isfinite(point.gradient).all()


def test_giving_up_says_which_chain_how_often_and_what_was_found() -> None:
    density = from_function(3, lambda x: (-np.inf, np.zeros(3)))
    with pytest.raises(
        SamplingError, match=r"Chain 7 found no starting point: at each of 100 points .* was -inf"
    ) as info:
        draw_initial(density, OPTIONS, 7, KEY)
    assert "initial_radius" in info.value.remedy


def test_a_given_point_is_used_or_refused() -> None:
    density = from_function(2, lambda x: (-0.5 * float(x @ x), x / 0.0 if x[0] == 3 else -x))
    point = use_initial(density, 0, np.array([1.0, 2.0]))
    assert (point.log_density, *point.gradient) == (-2.5, -1.0, -2.0)
    with pytest.raises(SamplingError, match=r"shape \(3,\), but the density has 2"):
        use_initial(density, 0, np.zeros(3))
    with (
        pytest.raises(SamplingError, match=r"Chain 4 cannot start .* component 0 of its gradient"),
        np.errstate(all="ignore"),
    ):
        use_initial(density, 4, np.array([3.0, 1.0]))


def test_the_callers_array_is_not_kept() -> None:
    mine = np.array([1.0, 2.0])
    point = use_initial(python_normal(2), 0, mine)
    mine[0] = 9.0
    assert point.position[0] == 1.0
