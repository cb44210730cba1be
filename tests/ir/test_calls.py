"""Calls of distributions at values of a model."""

from __future__ import annotations

import numpy as np
from scipy import stats

from exmc.ir.calls import call_bounds, call_log_density
from exmc.ir.expressions import Constant, ref
from exmc.ir.nodes import Call


def test_bools_count_in_values_parameters_and_bounds() -> None:
    values = {"f": np.array([True, False])}
    normal = Call("Normal", (("mu", ref("f")), ("sigma", Constant(True))))
    assert np.allclose(call_log_density(normal, values["f"], values), stats.norm.logpdf([0.0, 0.0]), rtol=1e-15)
    low, high = call_bounds(Call("Uniform", (("low", ref("f")), ("high", ref("h")))), values | {"h": 2.0})
    assert (low.tolist(), high) == ([1, 0], 2.0)
    assert low.dtype.kind == "i"
