"""Small models and synthetic draws for the tests of results."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.compile.layout import layout_of
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from exmc.trace.schema import GROUPS, Schema, schema_of

SCHOOLS = ("Choate", "Deerfield", "Exeter")


def hierarchical() -> Model:
    """Three schools: labelled and unnamed axes, a kept and a dropped deterministic, an integer datum."""
    return (
        Builder()
        .coords(school=list(SCHOOLS))
        .data("effect", [28.0, 8.0, -3.0], dims=["school"])
        .data("error", [15.0, 10.0, 16.0], dims=["school"])
        .rv("mu", "Normal", mu=0.0, sigma=5.0)
        .rv("tau", "HalfNormal", sigma=5.0)
        .rv("theta", "Normal", mu="mu", sigma="tau", dims=["school"])
        .rv("noise", "Normal", mu=0.0, sigma=1.0, shape=(2,))
        .det("gap", "theta - mu")
        .det("hidden", "2 * mu", keep=False)
        .rv("y", "Normal", mu="theta", sigma="error", observed="effect")
        .build()
    )


def schema(draws: int = 25, warmup: int = 10, chains: int = 3, save_warmup: bool = False) -> Schema:
    """The schema of `hierarchical`."""
    model = hierarchical()
    return schema_of(model, model, layout_of(model), draws, warmup, chains, save_warmup)


def segment(
    schema: Schema, chain: int, first: int, count: int, warmup: bool = False
) -> dict[str, dict[str, NDArray[Any]]]:
    """Draws that depend on chain and number alone, as a sampler's do."""
    axis = "warmup" if warmup else "draws"
    groups: dict[str, dict[str, NDArray[Any]]] = {}
    for group, variables in schema.sampled():
        if GROUPS[group] != axis:
            continue
        groups[group] = {}
        for variable in variables:
            words = [chain, *group.encode(), *variable.name.encode()]
            rows = [
                np.random.default_rng([draw, *words]).normal(size=variable.shape)
                for draw in range(first, first + count)
            ]
            values = np.reshape(rows, (count, *variable.shape))
            kind = np.dtype(variable.dtype).kind
            groups[group][variable.name] = (
                values > 0 if kind == "b" else (100 * np.abs(values)).astype(variable.dtype) if kind == "i" else values
            )
    return groups
