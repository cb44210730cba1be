"""The pointwise log likelihood in numpy agrees with the compiler's, which shares no code with it."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.compile.layout import layout_of
from exmc.compile.logp import pointwise_function
from exmc.ir.builder import Builder
from exmc.ir.infer import infer_types
from exmc.rewrite.run import rewrite
from exmc.rewrite.surface import Surface
from tests.rewrite.models import MODELS


@pytest.mark.parametrize("model_name", MODELS)
def test_rows_are_the_compiled_pointwise_log_likelihoods(model_name: str) -> None:
    result = rewrite(MODELS[model_name][0]().build()).model
    surface, layout = Surface(result, infer_types(result)), layout_of(result)
    pointwise, likelihoods, _ = pointwise_function(result, result)
    position = np.random.default_rng(3).normal(size=layout.dimension)
    with np.errstate(all="ignore"):
        found = pointwise(position)[: len(likelihoods)]
    weights = {"weighted": {"c": [1.0, 0.0, 2.0]}, "affine gamma": {"o": [1.0, 2.0, 0.5]}, "events": {"y": 2.0}}.get(
        model_name, {}
    )
    by_name = {n: np.ravel(np.multiply(weights.get(n, 1.0), f)) for n, f in zip(likelihoods, found, strict=True)}
    free = layout.unpack(position)
    rows = surface.rows(free)
    for node in result.deterministics:
        if node.potential:
            by_name[node.name] = np.ravel(surface.values(free)[node.name])
    assert rows.size == sum(v.size for v in by_name.values())
    assert np.allclose(np.sort(rows), np.sort(np.concatenate([np.empty(0), *by_name.values()])), rtol=1e-12)


def test_observed_variables_count_before_and_after_they_are_normalised() -> None:
    source = Builder().rv("m", "Normal").rv("x", "Normal", mu="m").obs("o", "x", [1.0, 2.0]).build()
    free = {"m": np.array(0.3)}
    results = [Surface(m, infer_types(m)).rows(free) for m in (source, rewrite(source).model)]
    assert np.array_equal(*results)
    assert results[0].shape == (2,)


def test_priors_include_the_jacobian() -> None:
    model = Builder().rv("h", "HalfNormal", shape=2).rv("u", "Uniform", low=0.0, high="h").build()
    surface = Surface(model, infer_types(model))
    free = surface.origin()
    assert np.isclose(surface.prior("h", free), 2.0 * (np.log(2.0) - 0.5 - 0.5 * np.log(2.0 * np.pi)))
    assert np.isclose(surface.prior("u", free), 2.0 * np.log(0.25))
    assert surface.rows(free).shape == (0,)


def test_extra_rows_and_the_count_of_evaluations() -> None:
    model = Builder().rv("m", "Normal").rv("y", "Normal", mu="m", observed=1.0).build()
    surface = Surface(model, infer_types(model))
    surface.extra.append(lambda values: np.array([values["m"], 2.0]))
    assert surface.rows({"m": np.array(0.5)})[1:].tolist() == [0.5, 2.0]
    assert surface.evaluations == 1


def test_a_weight_of_zero_leaves_out_what_is_impossible() -> None:
    build = Builder().rv("h", "HalfNormal")
    model = build.rv("y", "Uniform", low=0.0, high="h", observed=[0.5, 3.0], weight=[1.0, 0.0]).build()
    assert Surface(model, infer_types(model)).rows({"h": np.array(0.0)}).tolist() == [0.0, 0.0]
