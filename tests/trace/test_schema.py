from __future__ import annotations

import json

import numpy as np
import pytest

from exmc.compile.layout import layout_of
from exmc.errors import StoreError
from exmc.ir.builder import Builder
from exmc.ir.expressions import Reference
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Observation, RandomVariable
from exmc.sampling.statistics import STATISTICS
from exmc.trace.schema import GROUPS, Schema, Variable, from_document, label_array, schema_of, to_document
from tests.trace.models import SCHOOLS, hierarchical, schema


def names(found: Schema, group: str) -> list[str]:
    return [v.name for v in found.groups[group]]


def noncentred() -> tuple[Model, Model]:
    source = (
        Builder()
        .rv("mu", "Normal", mu=0.0, sigma=1.0)
        .rv("theta", "Normal", mu="mu", sigma=2.0, shape=(2,))
        .rv("y", "Normal", mu="theta", sigma=1.0, observed=[1.0, 2.0])
        .build()
    )
    mu, theta, y = source.nodes
    assert isinstance(theta, RandomVariable)
    raw = RandomVariable("theta_raw", Call("Normal", theta.call.parameters), None, (2,), auxiliary=True)
    rewritten = source.with_nodes((mu, raw, Deterministic("theta", Reference("theta_raw")), y))
    return source, rewritten


def test_posterior_has_the_users_variables_in_the_users_order() -> None:
    found = schema()
    assert names(found, "posterior") == ["mu", "tau", "theta", "noise", "gap"]
    assert names(found, "log_prior") == ["mu", "tau", "theta", "noise"]
    assert names(found, "prior") == ["mu", "tau", "theta", "noise", "gap"]
    for group in ("log_likelihood", "posterior_predictive", "prior_predictive", "observed_data"):
        assert names(found, group) == ["y"]
    assert names(found, "constant_data") == ["error"]
    assert list(found.groups) == [g for g in GROUPS if g in found.groups]


def test_auxiliary_variables_are_no_users() -> None:
    source, rewritten = noncentred()
    found = schema_of(source, rewritten, layout_of(rewritten), 10, 5, 2, save_warmup=True)
    assert names(found, "posterior") == names(found, "warmup_posterior") == ["mu", "theta"]
    assert names(found, "unconstrained_posterior") == ["mu", "theta_raw"]
    assert names(found, "log_prior") == ["mu", "theta"]


def test_statistics_are_those_of_the_sampler() -> None:
    variables = schema(save_warmup=True).groups["sample_stats"]
    assert [(v.name, v.dtype) for v in variables] == [(s.name, s.dtype) for s in STATISTICS]
    assert schema(save_warmup=True).groups["warmup_sample_stats"] == variables
    assert "warmup_sample_stats" not in schema().groups


def test_dims_and_shapes() -> None:
    found = schema(draws=25, warmup=10, chains=3, save_warmup=True)
    theta = next(v for v in found.groups["posterior"] if v.name == "theta")
    noise = next(v for v in found.groups["posterior"] if v.name == "noise")
    assert found.dims("posterior", theta) == ("chain", "draw", "school")
    assert found.shape("posterior", theta) == (3, 25, 3)
    assert found.shape("warmup_posterior", theta) == (3, 10, 3)
    assert found.dims("observed_data", found.groups["observed_data"][0]) == ("school",)
    assert noise.dims == ("noise_dim_0",)
    assert found.coords == {"school": SCHOOLS, "noise_dim_0": (0, 1)}
    posterior = 8 * (1 + 1 + 3 + 2 + 3)
    statistics = sum(np.dtype(s.dtype).itemsize for s in STATISTICS)
    assert found.bytes_per_draw == posterior + statistics + 8 * (1 + 1 + 3 + 2)


def test_a_joint_observation_has_one_log_likelihood() -> None:
    source, rewritten = noncentred()
    y = rewritten["y"]
    assert isinstance(y, Observation)
    joint = Observation("y", y.target, y.value, joint=True)
    rewritten = rewritten.with_nodes((*rewritten.nodes[:-1], joint))
    found = schema_of(source, rewritten, layout_of(rewritten), 10, 5, 2)
    assert found.groups["log_likelihood"] == (Variable("y", (), ()),)
    assert found.groups["posterior_predictive"] == (Variable("y", (2,), ("y_dim_0",)),)


def test_predictions_have_the_distributions_kind_not_the_datas() -> None:
    model = (
        Builder()
        .rv("p", "Beta", alpha=1.0, beta=1.0)
        .rv("k", "Binomial", n=5, p="p", observed=[1.0, 2.0])
        .rv("x", "Normal", mu="p", sigma=1.0, observed=[1, 2])
        .build()
    )
    found = schema_of(model, model, layout_of(model), 10, 5, 2)
    assert [v.dtype for v in found.groups["posterior_predictive"]] == ["int64", "float64"]
    # Whole numbers under a continuous distribution are what the model sees, as are floats that count.
    assert [v.dtype for v in found.groups["observed_data"]] == ["float64", "float64"]
    assert [v.dtype for v in found.groups["log_likelihood"]] == ["float64", "float64"]


def test_a_dim_never_meets_a_variable_of_its_name_or_itself() -> None:
    model = (
        Builder()
        .data("county", [0, 1, 1], dims=["row"])
        .data("county_size", [5.0, 6.0], dims=["county_size"])
        .rv("c", "Normal", mu=0.0, sigma=1.0, dims=["row", "row"])
        .rv("y", "Normal", mu="c[0]", sigma=1.0, observed=[1.0, 2.0, 3.0])
        .build()
    )
    found = schema_of(model, model, layout_of(model), 10, 5, 2)
    assert found.groups["posterior"][0].dims == ("row", "c_dim_1")
    dims = {v.name: v.dims for v in found.groups["constant_data"]}
    assert dims["county_size"] == ("county_size_dim",)


def test_documents_round_trip_through_json() -> None:
    found = schema(save_warmup=True)
    assert from_document(json.loads(json.dumps(to_document(found)))) == found
    with pytest.raises(StoreError, match="schema of this run is damaged"):
        from_document({"groups": {}})


@pytest.mark.parametrize(
    ("labels", "kind"), [((1, 2), "i"), ((1, 2.5), "f"), (("a", "é"), "O"), ((1, "a"), "O"), ((True, False), "O")]
)
def test_labels_keep_their_kind(labels: tuple[str | int | float, ...], kind: str) -> None:
    found = label_array(labels)
    assert found.dtype.kind == kind
    assert found.tolist() == [str(x) for x in labels] if kind == "O" else list(labels)


def test_a_model_without_observations_has_no_such_groups() -> None:
    model = Builder().rv("x", "Normal", mu=0.0, sigma=1.0).build()
    found = schema_of(model, model, layout_of(model), 10, 5, 2)
    assert set(found.groups) == {"posterior", "sample_stats", "unconstrained_posterior", "log_prior", "prior"}
    assert hierarchical()["y"] is not None
