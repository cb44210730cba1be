"""Which multivariate normal variables are non-centred, and into what."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.compile.logp import log_density_function
from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from exmc.ir.nodes import Centering, RandomVariable
from exmc.ir.text import expression_text
from exmc.rewrite.noncenter import noncenter
from exmc.rewrite.run import rewrite
from tests.rewrite.models import gaussian_processes


def test_what_depends_on_variables_or_correlates_is_split() -> None:
    result, changes = noncenter(gaussian_processes().build())
    split = {c.variable: expression_text(result[c.variable].expression) for c in changes if c.variable != "beta"}
    assert split == {
        "f": "0.5 + cholesky(exp_quad(x, eta, 1.5) + white_noise(x, 0.1)) @ f_raw",
        "g": "eta + g_raw @ transpose(cholesky(matern32(x, 1, 2)))",
        "h": "cholesky(inverse_posdef(inverse_posdef(matern52(x, eta, 1)))) @ h_raw",
        "known": "known_raw @ transpose(cholesky(matern12(x, 1, 2)))",
        "asked": "cholesky(white_noise(x, 2)) @ asked_raw",
    }
    raw = result["f_raw"]
    assert isinstance(raw, RandomVariable)
    assert (raw.call.distribution, raw.dims, raw.shape, raw.auxiliary) == ("Normal", ("place",), (3,), True)
    assert all(isinstance(result[name], RandomVariable) for name in ("plain", "declined"))


def test_deeper_batches_are_left() -> None:
    def deep(centering: Centering) -> Model:
        builder = Builder().data("d", [1.0, 2.0, 3.0]).rv("s", "HalfNormal")
        return builder.rv("f", "MvNormal", chol="diag(s * d)", shape=(2, 2, 3), centering=centering).build()

    source = deep("auto")
    assert noncenter(source) == (source, ())
    with pytest.raises(ModelError, match="MvNormal cannot be non-centred"):
        noncenter(deep("noncentered"))


def test_counts_of_zero_cannot_make_a_covariance_without_factor_likely() -> None:
    """The factor's infinities would be log rates of -inf, which explain them perfectly."""
    source = (
        Builder()
        .data("x", [0.0, 1.0])
        .rv("a", "Normal")
        .rv("f", "MvNormal", mu=0.0, cov="white_noise(x, 1) * a")
        .rv("n", "Poisson", mu="exp(f)", observed=[0, 0])
    )
    model = rewrite(source.build()).model
    density = log_density_function(model)
    assert np.isfinite(density(np.array([0.5, -1.0, -1.0])))
    with np.errstate(invalid="ignore"):
        assert np.isnan(density(np.array([-0.5, -1.0, -1.0])))
