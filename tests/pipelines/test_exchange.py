"""Models out of configs, and configs out of models: nothing is lost between them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import exmc
from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.check import DEEPEST
from exmc.ir.model import Model
from exmc.ir.serial import digest
from exmc.rewrite.run import rewrite
from pipelines.config import config_text, load_config, resolved
from pipelines.exchange import LARGEST_INLINE, load_model, model_yaml, write_config
from pipelines.places import LocatedError
from tests.conformance.agreement_models import subjects
from tests.ir.sequential import SEQUENTIAL
from tests.language.case import written
from tests.language.test_models import CASES
from tests.rewrite.models import MODELS, lifted_twice, schools
from tests.test_readme import blocks, is_config

ODD = np.array([0.1, -0.0, 5e-324, 1.7976931348623157e308, 1 / 3, 1e16, 1e-5, 2.0**53])


ROOT = Path(__file__).parents[2]
"""Where the functions of the tests' own are imported from."""


def edges() -> Builder:
    """What is easily lost: kinds and bits of numbers, words that YAML knows, axes without a name, every key."""
    return (
        Builder()
        .coords(on=["yes", "1", "null", "a: b", "012", "12:30", "", "é # x"], year=[2001, -1, 0.5])
        .data("odd", ODD, dims="on", source="a table: of #1")
        .data("whole", [[-(2**63), 2**63 - 1, 0]], dims=(None, "year"))
        .data("truths", [True, False])
        .data("gaps", [1.0, np.nan, np.copysign(np.nan, -1.0)], dims="year")
        .data("no", 7)
        .data("true", 1.0)
        .rv("y", "Normal", mu=-0.0, sigma=1e-300, dims=("year",), centering="noncentered")
        .rv("null_", "Normal", mu=2, sigma=[[1.0, 2.0]], shape=(1, 2), transform="ordered")
        .rv("off", "Normal", mu="no", sigma="true", dims=())
        .rv("row", "Normal", mu="y", dims=("year",), observed="gaps", weight=[1.0, 0.5, 2.0], mask=[True, True, False])
        .rv("either", "Bernoulli", p=0.5, observed=True, mask=True)
        .rv("n", "Normal", shape="no - 5", dims=(None,))
        .obs("n_seen", "n", [1.0, 2.0], weight="1 + truths", mask="truths", dims=(None,))
        .rv("own", exmc.Custom("tests.distributions.own_density:log_density", expr=1.0, target="off", rate="true"))
        .rv("cut", exmc.Truncated(exmc.Mixture([0.5, 0.5], [exmc.Normal(), exmc.Cauchy([0.5], 1)]), lower=0), shape=1)
        .rv("L", exmc.LKJCholeskyCov(n=2, eta=2, sd_dist=exmc.Exponential(1)))
        .det("kept", exmc.math.sum(exmc.ref("whole") * 2.0, axis=None), keep=False)
        .det("flag", "True")
        .det("power", (-2) ** exmc.ref("y") ** -1 - -exmc.ref("off") * (3 // exmc.ref("no") % 2))
        .det("looked_up", exmc.ref("null_")[0, ::-1][None, :].T)
        .det("long", " + ".join(f"{i}.5 * square(y[{i % 3}])" for i in range(40)), dims=())
        .potential("soft", "-square(off)", keep=True)
        .scan("s", carry={"a": 1, "b": [0.5, 1.0]}, step={"a": "a + sum(odd[:no - 5])", "b": "b * a"}, output="b",
              length="no")
        .ode("z", state={"on": 1.0}, derivative={"on": "-on * true * off"}, times=[0.5, 1.0], max_steps=np.int64(50),
             relative_tolerance=1, keep=0)
    )  # fmt: skip


def deep() -> Builder:
    """Formulas as deep as `check` allows them: in brackets all the way down, to the left, and to the right."""
    called = left = right = mixed = exmc.ref("x")
    indexed = exmc.ref("v")[0]
    for level in range(DEEPEST - 1):
        called, left, right = exmc.math.exp(called), left - 1.5, 1.5 - right
        mixed = (mixed * 2, mixed + 1, -mixed, 1 - mixed)[level % 4]
        indexed = exmc.ref("v")[indexed] if level else indexed
    builder = Builder().data("v", [0, 1]).rv("x", "Normal")
    for name, formula in {"called": called, "left": left, "right": right, "mixed": mixed, "indexed": indexed}.items():
        builder.det(name, formula)
    return builder


def long() -> Builder:
    """A formula of many terms, as a program makes them."""
    terms = [exmc.ref("x") * exmc.ref("a_name_that_is_rather_long")[i % 3] for i in range(3000)]
    while len(terms) > 1:
        terms = [terms[i] + terms[i + 1] if i + 1 < len(terms) else terms[i] for i in range(0, len(terms), 2)]
    return Builder().data("a_name_that_is_rather_long", [1.0, 2.0, 3.0]).rv("x", "Normal").det("sum", terms[0])


BUILDERS: dict[str, Callable[[], Builder | Model]] = {
    "edges": edges,
    "deep": deep,
    "long": long,
    **SEQUENTIAL,
    **{name: row[0] for name, row in MODELS.items()},
    **{subject.name: subject.build for subject in subjects()},
}


@pytest.mark.parametrize("name", BUILDERS)
def test_python_to_yaml_and_back(name: str, tmp_path: Path) -> None:
    made = BUILDERS[name]()
    model = made.build() if isinstance(made, Builder) else made
    path = tmp_path / "config.yaml"
    path.write_text(model_yaml(model), encoding="utf-8")
    again = load_model(path, code=ROOT)
    assert digest(again) == digest(model)
    assert model_yaml(again) == path.read_text(encoding="utf-8")
    write_config(model, path)
    assert digest(load_model(path, code=ROOT)) == digest(model)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_of_the_language_and_back(case, tmp_path: Path) -> None:
    model = load_model(written(case, tmp_path, {}))
    path = tmp_path / "again.yaml"
    write_config(model, path)
    assert digest(load_model(path)) == digest(model)


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if is_config(block)])
def test_a_config_of_the_readme_and_back(block: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(block, encoding="utf-8")
    model = load_model(path)
    path.write_text(model_yaml(model), encoding="utf-8")
    assert digest(load_model(path)) == digest(model)


def test_what_is_small_stands_in_the_config_and_what_is_large_beside_it(tmp_path: Path) -> None:
    many = np.where(np.arange(LARGEST_INLINE + 1) % 3 == 0, np.nan, np.pi * np.arange(LARGEST_INLINE + 1))
    model = (
        Builder()
        .data("few", many[:LARGEST_INLINE], dims="row")
        .rv("x", "Normal")
        .rv("a", "Normal", mu="x", observed="few")
        .rv("b", "Normal", mu="x", observed=many)
        .build()
    )
    path = tmp_path / "of many.yaml"
    write_config(model, path, name="many", sampler={"draws": 5, "seed": 1})
    text = path.read_text(encoding="utf-8")
    assert "few: {path" not in text
    assert "b_observed: {path: of many.data.json, column: b_observed}" in text
    assert json.loads((tmp_path / "of many.data.json").read_text(), parse_constant=pytest.fail).keys() == {"b_observed"}
    config = load_config(path)
    assert (config.name, config.sampler.draws, config.seed) == ("many", 5, 1)
    assert digest(load_model(path)) == digest(model)


def test_a_config_is_not_written_over_its_own_data(tmp_path: Path) -> None:
    (tmp_path / "y.json").write_text(json.dumps(list(range(LARGEST_INLINE + 1))))
    path = tmp_path / "y.yaml"
    path.write_text("model:\n  data: {y: {path: y.json}}\n  variables:\n    x: {dist: Normal, observed: y}\n")
    model = load_model(path)
    write_config(model, path)
    assert json.loads((tmp_path / "y.json").read_text()) == list(range(LARGEST_INLINE + 1))
    assert digest(load_model(path)) == digest(model)


def test_the_config_that_a_run_records_is_of_the_same_model(tmp_path: Path) -> None:
    model = edges().build()
    path = tmp_path / "config.yaml"
    write_config(model, path)
    path.write_text(config_text(resolved(load_config(path, code=ROOT))), encoding="utf-8")
    assert digest(load_model(path, code=ROOT)) == digest(model)


def test_a_config_is_written_as_a_person_would() -> None:
    model = (
        Builder()
        .coords(school=["A", "B"])
        .data("error", [15, 10], dims="school")
        .rv("mu", "Normal", mu=0, sigma=5.0)
        .rv("theta", "Normal", mu="mu", sigma=[1.0, 2.0], dims="school")
        .rv("y", "Normal", mu="theta * 2", sigma="error", observed=[28.0, None])
        .obs("z", "mu", 0.5)
    )
    assert model_yaml(model, "schools", {"draws": 100}) == (
        "name: schools\n"
        "model:\n"
        "  coords:\n"
        "    school: [A, B]\n"
        "  data:\n"
        "    error: {values: [15, 10], dims: [school]}\n"
        "  variables:\n"
        "    mu: {dist: Normal, mu: 0, sigma: 5.0}\n"
        "    theta: {dist: Normal, mu: mu, sigma: [1.0, 2.0], dims: [school]}\n"
        "    y: {dist: Normal, mu: theta * 2, sigma: error, observed: [28.0, null]}\n"
        "    z: {target: mu, observed: 0.5}\n"
        "sampler: {draws: 100}\n"
    )


@pytest.mark.parametrize("made", [schools, lifted_twice], ids=["auxiliary", "joint"])
def test_what_rewriting_made_is_refused(made: Callable[[], Builder]) -> None:
    model = rewrite(made().build()).model
    with pytest.raises(ModelError, match="only rewriting makes"):
        model_yaml(model)


def test_data_without_values_are_refused() -> None:
    with pytest.raises(ModelError, match=r"data\.w: a config holds no data without values"):
        model_yaml(Builder().data("w", np.ones((2, 0))).rv("x", "Normal"))


def test_a_model_without_variables_is_refused() -> None:
    with pytest.raises(ModelError, match="without variables"):
        model_yaml(Builder())


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(LocatedError, match=r"model.yaml: the config cannot be written: No such file"):
        write_config(Builder().rv("x", "Normal"), tmp_path / "none" / "model.yaml")
    path = tmp_path / "config.yaml"
    path.write_text("model:\n  variables:\n    x: {dist: Normal, mu: y}\n")
    with pytest.raises(LocatedError, match=r"config.yaml:3: model.variables.x.mu: there is no variable"):
        load_model(path)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{target: x}", "observed"),
        ("{target: x, observed: null}", r"\(null\) is not a value"),
        ("{target: x, observed: 1, weight: true}", "weight: true is not a value"),
        ("{target: x, observed: 1, sigma: 2}", "unknown key 'sigma'"),
        ("{target: w, observed: 1}", "'w' is no variable that could be observed|no variable or data named 'w'"),
        ("{target: 3, observed: 1}", "target"),
    ],
)
def test_a_wrong_observation_is_refused(entry: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"model:\n  variables:\n    x: {{dist: Normal}}\n    y: {entry}\n")
    with pytest.raises(LocatedError, match=message):
        load_model(path)
