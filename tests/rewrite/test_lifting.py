"""What the lifting passes share."""

from __future__ import annotations

from exmc.ir.builder import Builder
from exmc.ir.expressions import ref
from exmc.rewrite.lifting import candidates, inlined, observed_deterministics


def test_candidates_reach_the_values_and_nothing_else() -> None:
    model = (
        Builder()
        .rv("first", "Normal")
        .rv("shared", "Normal")
        .rv("last", "Normal")
        .det("inner", "first + shared")
        .det("y", "inner * last")
        .rv("child", "Normal", mu="shared")
        .rv("after", "Normal", mu="o", observed=1.0)
        .obs("o", "y", 2.0)
        .build()
    )
    ((observation, target),) = observed_deterministics(model)
    assert (observation.name, target.name) == ("o", "y")
    assert [v.name for v in candidates(model, observation, target)] == ["last", "first"]


def test_deterministics_are_inlined_only_on_the_way_to_the_variable() -> None:
    model = (
        Builder()
        .rv("z", "Normal")
        .rv("m", "Normal")
        .det("other", "2 * m")
        .det("a", "z + other")
        .det("b", "a * 3")
        .det("y", "b - other")
        .build()
    )
    assert inlined(model["y"], "z", model) == (ref("z") + ref("other")) * 3 - ref("other")
