from __future__ import annotations

from exmc.blame import explained
from exmc.compile.program import CompiledModel, compile_model
from exmc.distributions import Normal
from exmc.errors import SamplingError
from exmc.ir.builder import Builder
from exmc.rewrite.run import rewrite

NO_START = SamplingError("no starting point.", where=("initial",), remedy="Look.")


def compiled(scale: str) -> CompiledModel:
    model = (
        Builder()
        .rv("m", Normal(0, 1))
        .rv("v", Normal(0, scale), shape=2)
        .rv("y", Normal("m", 1), observed=[1.0])
        .build()
    )
    return compile_model(model, rewrite(model).model)


def test_the_variable_and_its_element_are_named() -> None:
    found = explained(NO_START, compiled("log(m - 3)"))
    assert found.message == "no starting point. At 0 in every coordinate the log prior of 'v' is nan at [0]."
    assert (found.where, found.remedy) == (NO_START.where, NO_START.remedy)


def test_nothing_is_said_without_cause() -> None:
    assert explained(NO_START, compiled("exp(m)")) is NO_START
    other = SamplingError("another.", where=("step_size",))
    assert explained(other, compiled("log(m - 3)")) is other
