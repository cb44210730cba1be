"""From a config's model section to the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from exmc.errors import ExmcError
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from exmc.ir.nodes import RandomVariable
from exmc.ir.serial import digest
from pipelines.building import build_model
from pipelines.checking import check_config
from pipelines.config import load_config
from tests.pipelines.running import write_config


@pytest.mark.parametrize("centering", ["centered", "noncentered", "auto"])
def test_the_default_centering_is_for_what_is_sampled(centering: str, tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path), [f"sampler.centering={centering}"])
    model = build_model(config.model, config.sampler.centering)
    assert model.observations
    variable = model["mu"]
    assert isinstance(variable, RandomVariable)
    assert variable.centering == centering


LOOPS = """
name: loops
model:
  coords: {species: [hare, lynx]}
  data:
    y: {values: [0.3, -1.2, 0.8], dims: [time]}
    ts: {values: [1.0, 2.0, 3.0], dims: [year]}
  variables:
    base: {dist: HalfNormal}
    variance:
      scan:
        carry: {variance: 1}
        sequences: {last: "y[:-1]"}
        step: {variance: base + 0.1 * last**2 + 0.4 * variance}
        collect: all
    returns: {dist: Normal, mu: 0, sigma: sqrt(variance), observed: y}
    population:
      ode:
        state: {hares: 3.0, lynxes: base}
        derivative: {hares: (0.5 - 0.1 * lynxes) * hares, lynxes: 0.1 * hares * lynxes - 0.4 * lynxes + 0 * clock}
        times: ts
        time: clock
        method: rodas
        relative_tolerance: 1e-5
      dims: [year, species]
    seen: {dist: LogNormal, mu: "log(population[:, 0])", sigma: 1, observed: [3.0, 2.0, 1.0]}
run: {out: out}
"""


def build(tmp_path: Path, text: str) -> Model:
    path = tmp_path / "loops.yaml"
    path.write_text(text, encoding="utf-8")
    return build_model(load_config(path).model)


def test_scans_and_differential_equations_are_those_of_the_builder(tmp_path: Path) -> None:
    builder = (
        Builder()
        .coords(species=["hare", "lynx"])
        .data("y", [0.3, -1.2, 0.8], "time")
        .data("ts", [1.0, 2.0, 3.0], "year")
        .rv("base", "HalfNormal")
        .scan(
            "variance",
            carry={"variance": 1},
            sequences={"last": "y[:-1]"},
            step={"variance": "base + 0.1 * last**2 + 0.4 * variance"},
            collect="all",
        )
        .rv("returns", "Normal", mu=0, sigma="sqrt(variance)", observed="y")
        .ode(
            "population",
            state={"hares": 3.0, "lynxes": "base"},
            derivative={
                "hares": "(0.5 - 0.1 * lynxes) * hares",
                "lynxes": "0.1 * hares * lynxes - 0.4 * lynxes + 0 * clock",
            },
            times="ts",
            time="clock",
            method="rodas",
            relative_tolerance=1e-5,
            dims=["year", "species"],
        )
        .rv("seen", "LogNormal", mu="log(population[:, 0])", sigma=1, observed=[3.0, 2.0, 1.0])
    )
    assert digest(build(tmp_path, LOOPS)) == digest(builder.build())


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ("variance: base + 0.1", "variance: bass + 0.1", "scan.step.variance", "Did you mean 'base'?"),
        ("carry: {variance: 1}", "carry: [1]", "scan.carry", "is not a mapping"),
        ("collect: all", "colect: all", "scan.colect", "Did you mean 'collect'?"),
        ("collect: all", "collect: every", "scan.collect", "none of steps, all, last"),
        ("times: ts", "times: [1, 3, 2]", "ode.times", "follows 3"),
        ("times: ts", "start: 0", "ode.times", "'times' is missing"),
        ("method: rodas", "method: radau", "ode.method", "none of dormand_prince, rodas"),
        ("1e-5", "0", "ode.relative_tolerance", "not above 0"),
        ("lynxes: base}", "lynxs: base}", "ode.derivative", "'lynxs' has no derivative. Did you mean 'lynxes'?"),
    ],
)
def test_faults_of_loops_are_placed(old: str, new: str, where: str, message: str, tmp_path: Path) -> None:
    assert LOOPS.count(old) == 1
    path = tmp_path / "loops.yaml"
    path.write_text(LOOPS.replace(old, new), encoding="utf-8")
    with pytest.raises(ExmcError) as caught:
        check_config(load_config(path))
    assert message in str(caught.value)
    assert where in str(caught.value)
