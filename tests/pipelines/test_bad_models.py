"""Whatever is wrong with a model is one message with its variable, place and value, from YAML and from Python alike."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import exmc
from exmc.errors import ExmcError
from exmc.ir.builder import Builder
from pipelines.cli import main
from tests.pipelines.test_bad_input import expect, tree_of

MODEL = """\
name: bad
model:
  coords: {{g: [a, b, c]}}
  data:
    y: {{values: [0.5, -0.2, 1.1], dims: [g]}}
    x: {{values: [1.0, 2.0, 3.0], dims: [g]}}
    k: {{values: [0, 1, 2], dims: [g]}}
    S: {{values: [[1.0, 2.0], [2.0, 1.0]]}}
    Y: {{values: [[0.1, 0.2], [0.3, 0.4], [1.0, 2.0]]}}
    {data}
  variables:
    mu: {{dist: Normal, mu: 0, sigma: 1}}
    z: {z}
    {more}
sampler: {{draws: 20, warmup: 20, chains: 1, seed: 1, engine: {engine}}}
cluster: {{kind: local, workers: 1}}
run: {{out: out}}
"""
LINE = 13
"""Of the variable z."""

OWN = """\
import autograd.numpy as np
import numpy
import sys
NUMBER = 3
def good(value, loc): return -0.5 * (value - loc) ** 2
def raises(value, loc): raise RuntimeError("first line\\nsecond line")
def exits(value, loc): sys.exit(3)
def seven(value, loc): return np.zeros(7) + loc
def total(value, loc): return np.sum(-(value - loc) ** 2)
def text(value, loc): return "hello"
def nothing(value, loc): return None
def plain(value, loc): return numpy.array([float(v) for v in value - loc])
def branches(value, loc): return -value if loc > 0 else value
def changes(value, loc):
    found = value - loc
    found[0] = 3.0
    return found
"""


@dataclass(frozen=True)
class Bad:
    """A wrong variable z, what stands beside it, and what the message must hold after its place."""

    name: str
    z: str
    key: str
    expected: tuple[str, ...]
    data: str = "e: {values: [1.0]}"
    more: str = "w: {expr: mu}"
    place: str = f":{LINE}: model.variables.z"
    engine: str = "native"


def z(name: str, z: str, key: str, *expected: str, **more: str) -> Bad:
    return Bad(name, z, key, expected, **more)


def normal(rest: str) -> str:
    return f"{{dist: Normal, {rest}}}"


def own(function: str, rest: str = "loc: mu, observed: y") -> str:
    return f"{{dist: Custom, function: 'own_densities:{function}', {rest}}}"


MIX = "{{dist: Mixture, weights: {}, components: [{}], observed: y}}"
TWO = "{dist: Normal}, {dist: Normal, mu: 1}"

TABLE = [
    # Parameters outside their supports
    z("constant expression", normal("mu: mu, sigma: 1 - 3, observed: y"), "sigma", "-2 is not a positive number",
      "Give 'sigma' another value"),
    z("one row of data", normal("mu: mu, sigma: y, observed: x"), "sigma", "-0.2 at [1] is not a positive number"),
    z("rows of an expression of data", normal("mu: mu, sigma: x - 2, observed: y"), "sigma", "-1.0 at [0]"),
    z("logarithm of negative data", normal("mu: log(y), sigma: 1, observed: x"), "mu", "nan at [1]", "finite"),
    z("division by zero in data", normal("mu: 1 / k, sigma: 1, observed: x"), "mu", "inf at [0]", "finite"),
    z("NaN", normal("mu: .nan, sigma: 1"), "mu", "nan is no finite number"),
    z("infinite scale", normal("mu: 0, sigma: .inf, observed: y"), "sigma", "inf is no finite number"),
    z("alpha below zero", "{dist: Dirichlet, alpha: [1, -1, 1]}", "alpha", "-1 at [1] is not a positive number"),
    z("probability over one", "{dist: ZeroInflated, of: {dist: Poisson, mu: 1}, zero: 1.2, observed: k}", "zero",
      "1.2 is not a number between 0 and 1"),
    z("probabilities that do not add up", "{dist: Categorical, p: [0.5, 0.6, 0.1], observed: k}", "p",
      "[0.5, 0.6, 0.1]", "sum to 1"),
    z("eta of zero", "{dist: LKJCholesky, eta: 0, shape: [2, 2]}", "eta", "0 is not a positive number"),
    # Matrices
    z("covariance not positive definite", "{dist: MvNormal, mu: 0, cov: [[1, 2], [2, 1]], observed: Y}", "cov",
      "[[1, 2], [2, 1]]", "symmetric positive definite"),
    z("covariance of data not positive definite", "{dist: MvNormal, mu: 0, cov: S, observed: Y}", "cov",
      "[[1.0, 2.0], [2.0, 1.0]]", "symmetric positive definite"),
    z("covariance not symmetric", "{dist: MvNormal, mu: 0, cov: [[1, 0.5], [0, 1]], observed: Y}", "cov", "symmetric"),
    z("covariance not square", "{dist: MvNormal, mu: 0, cov: [[1, 0.5]], observed: Y}", "cov", "(1, 2)"),
    z("covariance too large", "{dist: MvNormal, mu: 0, cov: [[1, 0, 0], [0, 1, 0], [0, 0, 1]], observed: Y}", "cov",
      "(3, 3)", "length 2"),
    z("factor not triangular", "{dist: MvNormal, mu: 0, chol: [[1, 1], [0, 1]], observed: Y}", "chol", "triangular"),
    z("factor of negative diagonal", "{dist: MvNormal, mu: 0, chol: [[1, 0], [0, -1]], observed: Y}", "chol",
      "positive diagonal"),
    z("covariance and factor", "{dist: MvNormal, mu: 0, chol: [[1, 0], [0, 1]], cov: S, observed: Y}", "",
      "(mu, cov, chol)", "(mu, cov) or (mu, chol)"),
    z("mean too long", "{dist: MvNormal, mu: [0, 0, 0], cov: [[1, 0], [0, 1]], observed: Y}", "mu", "(3,)", "length 2"),
    z("LKJ of a vector", "{dist: LKJCholesky, eta: 2, shape: 3}", "", "2 axes or more", "(3,)"),
    z("LKJ not square", "{dist: LKJCholesky, eta: 2, shape: [2, 3]}", "", "(2, 3) is not square"),
    z("LKJ of unknown size", "{dist: LKJCholesky, eta: 2}", "", "how long a value is", "dims or a shape"),
    # Bounds
    z("bounds of data the wrong way round", "{dist: Uniform, low: x, high: y, shape: 3}", "low",
      "low = 1.0 is not below high = 0.5 at [0]", "exchange"),
    z("equal bounds", "{dist: Uniform, low: 1, high: 1}", "low", "low = 1 is not below high = 1"),
    z("truncated the wrong way round", "{dist: Truncated, of: {dist: Normal}, lower: 2, upper: 1}", "",
      "2 is not below the upper one = 1"),
    z("truncated beyond all values", "{dist: Truncated, of: {dist: Uniform, low: 0, high: 1}, lower: 2}", "",
      "2 is not below the upper one = 1"),
    z("flat the wrong way round", "{dist: Flat, lower: 2, upper: 1}", "", "2 is not below the upper one = 1"),
    z("integers the wrong way round", "{dist: DiscreteUniform, lower: 3, upper: 1, observed: k}", "lower",
      "lower = 3 is not below upper = 1"),
    # Observed values
    z("not between 0 and 1", "{dist: Beta, alpha: 1, beta: 1, observed: y}", "observed", "-0.2 at [1]", "mask it"),
    z("fractions of a count", "{dist: Poisson, mu: 1, observed: y}", "observed", "0.5 at [0]", "integer"),
    z("codes of a coin", "{dist: Bernoulli, p: 0.5, observed: k}", "observed", "2 at [2] is not 0 or 1"),
    z("more successes than trials", "{dist: Binomial, n: 1, p: 0.5, observed: k}", "observed", "2 at [2]", "(1)"),
    z("code out of range", "{dist: Categorical, p: w, observed: k}", "observed", "2 at [2] is not an integer from 0 to"
      " its bound (1)", more="w: {dist: Dirichlet, alpha: [1, 1]}"),
    z("outside of bounds", "{dist: Uniform, low: 0, high: 1, observed: y}", "observed", "-0.2 at [1]", "(0 and 1)"),
    z("truncated away", "{dist: Truncated, of: {dist: Normal}, lower: 0, observed: y}", "observed", "-0.2 at [1]"),
    z("beyond the detector", "{dist: Censored, of: {dist: Normal}, upper: 1, observed: y}", "observed", "1.1 at [2]"),
    z("no simplex", "{dist: Dirichlet, alpha: [1, 1], observed: Y}", "observed", "[0.1, 0.2] at [0]", "sum to 1"),
    z("texts", normal("observed: [a, b]"), "observed", "'a' at [0] is not a number"),
    z("masked altogether", normal("observed: y, mask: y > 5"), "mask", "leaves out every value"),
    z("mask of numbers", normal("observed: y, mask: x"), "mask", "true and false", "comparison"),
    z("mask of another length", normal("observed: y, mask: [true, false]"), "mask", "(2,)", "(3,)"),
    z("weight below zero", normal("observed: y, weight: -1"), "weight", "-1"),
    z("weight that is drawn", normal("observed: y, weight: mu"), "weight", "must be data"),
    # Shapes, dims, indices
    z("dim without coordinates", normal("dims: [h]"), "dims", "'h' has no coordinates", "Known: g"),
    z("alpha of another length", "{dist: Dirichlet, alpha: [1, 1], dims: [g]}", "alpha", "length 2", "length 3"),
    z("alpha of no length", "{dist: Dirichlet, alpha: 1}", "", "how long a value is", "dims or a shape"),
    z("index of data out of range", normal("mu: 'w[k]', observed: y"), "mu", "index 2 at [2]", "from 0 to 1",
      more="w: {dist: Normal, shape: 2}"),
    z("index of data below zero", normal("mu: 'w[k - 1]', observed: y"), "mu", "index -1 at [0]", "from 0 to 1",
      more="w: {dist: Normal, shape: 2}"),
    z("index out of range", normal("mu: 'w[5]', observed: y"), "mu", "index 5", "size 2",
      more="w: {dist: Normal, shape: 2}"),
    z("index of fractions", normal("mu: 'w[x]', observed: y"), "mu", "whole numbers", "floats",
      more="w: {dist: Normal, shape: 2}"),
    z("index that is drawn", normal("mu: 'w[mu]', observed: y"), "mu", "whole numbers",
      more="w: {dist: Normal, shape: 2}"),
    z("product that does not fit", normal("mu: Y @ x, observed: y"), "mu", "(3, 2)", "(3,)"),
    z("sum over another dim", "{expr: \"sum(x, dim='h')\"}", "expr", "'h'", "'g'"),
    z("shape below zero", normal("shape: -1"), "shape", "-1 is not at least 0"),
    z("shape of a fraction", normal("shape: 2.5"), "shape", "2.5 is not a whole number"),
    z("far too large", normal("shape: [1000000, 1000000, 1000000]"), "", "EiB", "this machine has"),
    # References and names
    z("itself", normal("mu: z"), "", "circle: z -> z"),
    z("a circle of two", "{expr: w + 1}", "", "circle", "z -> w", "Break it", more="w: {expr: z + 1}",
      place=":14: model.variables.w"),
    z("text for a number", normal("sigma: large"), "sigma", "'large'", "Known:"),
    z("a mapping for a number", normal("sigma: {value: 1}"), "sigma", "is not a distribution"),
    z("a transform that is a number", "{dist: HalfNormal, transform: 3}", "transform", "3 is not text"),
    z("name with a space", "{expr: mu}", "", "'my w' is not a name", more="'my w': {expr: mu}",
      place=":14: model.variables.my w"),
    z("name of a keyword", "{expr: mu}", "", "'lambda'", "lambda_", more="lambda: {expr: mu}",
      place=":14: model.variables.lambda"),
    z("name of a dim", "{expr: mu}", "", "also that of a dim", more="g: {dist: Normal}",
      place=":14: model.variables.g"),
    z("name of data", "{expr: mu}", "", "used twice", more="y: {dist: Normal}", place=":14: model.variables.y"),
    z("name of a sample dimension", "{expr: mu}", "", "reserved", more="draw: {dist: Normal}",
      place=":14: model.variables.draw"),
    z("no data", normal("observed: e"), "", "there are no values", data="e: {values: []}", place=":10: model.data.e"),
    z("infinite covariate", normal("mu: e, observed: y"), "", "inf", "Drop", data="e: {values: [1.0, .inf, 2.0]}",
      place=":10: model.data.e"),
    z("expression far too deep", f"{{expr: '{3000 * '('}mu{3000 * ')'}'}}", "expr", "cannot read the expression"),
    # Transforms, discrete and improper variables
    z("transform of a line for a half line", "{dist: HalfNormal, transform: identity}", "transform", "Use log"),
    z("simplex of numbers", normal("shape: 3, transform: simplex"), "transform", "'simplex'"),
    z("order of one number", normal("transform: ordered"), "", "takes vectors", "shape ()", "dims or a shape"),
    z("transform of what is observed", normal("transform: identity, observed: y"), "transform", "not observed"),
    z("free Poisson", "{dist: Poisson, mu: 1}", "", "discrete", "'z' is not observed"),
    z("free negative binomial", "{dist: NegativeBinomial, mu: 1, alpha: 2}", "", "discrete", "'z' is not observed"),
    z("free censored", "{dist: Censored, of: {dist: Normal}, lower: 0}", "", "for observations"),
    z("flat and unseen", "{dist: Flat}", "", "Flat is improper", "'z'", "proper prior"),
    z("half flat and unseen", "{dist: HalfFlat, shape: 2}", "", "HalfFlat is improper", "'z'", "proper prior"),
    z("flat above a prior only", "{dist: Flat, lower: 0}", "", "Flat is improper", "'z'",
      more="w: {dist: Normal, mu: z, sigma: 1}"),
    # Mixtures
    z("weights that do not add up", MIX.format("[0.5, 0.6]", TWO), "weights", "[0.5, 0.6]", "sum to 1"),
    z("weights of another number", MIX.format("[0.5, 0.2, 0.3]", TWO), "components", "length 2", "length 3"),
    z("components of unequal shapes", MIX.format("[0.5, 0.5]", "{dist: Normal, mu: [1, 2]}, {dist: Normal}"),
      "components.0.mu", "(2,)", "(3,)"),
    z("discrete with continuous", MIX.format("[0.5, 0.5]", "{dist: Normal}, {dist: Poisson, mu: 1}"), "components.1",
      "another kind"),
    z("no components", MIX.format("[]", ""), "components", "list of distributions"),
    z("inflated by zeros nobody counts", "{dist: ZeroInflated, of: {dist: Normal}, zero: 0.2, observed: y}", "of",
      "whole numbers", "Hurdle"),
    # Scans and differential equations
    z("scan without a step", "{scan: {carry: {a: 1.0}}}", "scan.step", "missing"),
    z("scan without a next value", "{scan: {carry: {a: 1.0}, sequences: {q: x}, step: {b: a + q}}}", "scan.step",
      "'a' has no next value"),
    z("sequences of unequal lengths", "{scan: {carry: {a: 1.0}, sequences: {q: x, r: 'x[:-1]'}, step: {a: a + q + r}}}",
      "scan.sequences", "q of 3, r of 2"),
    z("carry that grows", "{scan: {carry: {a: 1.0}, sequences: {q: x}, step: {a: 'concatenate(a, q)'}}}",
      "scan.step.a", "starts as a scalar", "(2,)"),
    z("scan without end", "{scan: {carry: {a: 1.0}, step: {a: a + 1}}}", "scan.length", "neither sequences nor"),
    z("scan of an unknown name", "{scan: {carry: {a: 1.0}, step: {a: a + mew}, length: 3}}", "scan.step.a", "'mew'"),
    z("state without a derivative", "{ode: {state: {a: 1.0, b: 2.0}, derivative: {a: -a}, times: x}}",
      "ode.derivative", "'b' has no derivative"),
    z("times that fall", "{ode: {state: {a: 1.0}, derivative: {a: -a}, times: [3.0, 2.0]}}", "ode.times",
      "2.0 at [1] follows 3.0", "Sort"),
    z("times before the start", "{ode: {state: {a: 1.0}, derivative: {a: -a}, times: x, start: 2}}", "ode.times",
      "1.0", "2.0", "earlier start"),
    z("no such method", "{ode: {state: {a: 1.0}, derivative: {a: -a}, times: x, method: rk45}}", "ode.method",
      "'rk45'"),
    z("derivative of another shape", "{ode: {state: {a: 1.0}, derivative: {a: -a * x}, times: x}}", "ode.derivative.a",
      "a scalar", "(3,)"),
    # Functions of one's own
    z("no such function", own("nowhere"), "function", "has no 'nowhere'"),
    z("no function", own("NUMBER"), "function", "is not a function"),
    z("no function to draw", own("good", "draw: 'own_densities:nowhere', loc: mu, observed: y"), "draw", "'nowhere'"),
    z("it raises", own("raises"), "", "RuntimeError: first line second line", "autograd.numpy"),
    z("it exits", own("exits"), "", "SystemExit: 3", "autograd.numpy"),
    z("it returns seven", own("seven"), "", "(7,)", "(3,)", "event_rank"),
    z("it returns a sum", own("total"), "", "shape ()", "(3,)", "event_rank"),
    z("it returns text", own("text"), "", "shape ()", "(3,)"),
    z("it returns nothing", own("nothing"), "", "shape ()", "(3,)"),
    z("it is not differentiable", own("plain"), "", "float()", "np.where"),
    z("it branches", own("branches"), "", "truth", "np.where"),
    z("it assigns to elements", own("changes"), "", "TypeError", "autograd.numpy"),
    z("it raises when interpreted", own("raises"), "", "RuntimeError: first line second line", engine="autograd"),
    z("it is given another parameter", own("good", "place: mu, observed: y"), "", "'place'", "by name"),
    z("it is given too many axes", own("good", "event_rank: two, loc: mu, observed: y"), "event_rank", "'two'"),
    z("misspelt support", own("good", "loc: mu, support: postive"), "support", "'positive'"),
    z("a part of a mixture raises", MIX.format("[0.5, 0.5]", f"{{dist: Normal}}, {own('raises', 'loc: mu')}"), "",
      "RuntimeError"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_densities", raising=False)
    (tmp_path / "own_densities.py").write_text(OWN)
    return tmp_path


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_one_message_and_nothing_written(bad: Bad, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.yaml").write_text(MODEL.format(z=bad.z, data=bad.data, more=bad.more, engine=bad.engine))
    before = {name: raw for name, raw in tree_of(folder).items() if "__pycache__" not in name}
    status = main(["run", "bad.yaml", "--code", "."])
    captured = capfd.readouterr()
    place = f"bad.yaml{bad.place}{bad.key and '.'}{bad.key}"
    expect(status, captured.out, captured.err, 2, (place, *bad.expected))
    assert {name: raw for name, raw in tree_of(folder).items() if "__pycache__" not in name} == before


IN_PYTHON = {
    "texts": "'a' is not a number",
    "shape below zero": "-1 is no shape",
    "shape of a fraction": "2.5 is no shape",
    "far too large": "do not fit in memory",
    "a mapping for a number": "{'value': 1} (dict) cannot stand in an expression",
    "a transform that is a number": "3 is no name",
    "no data": "variables.z.observed: there are no values",
}
"""What the builder says where it meets other types than a config holds, by the rows' names."""


@pytest.mark.parametrize("bad", [bad for bad in TABLE if bad.z.startswith("{dist")], ids=lambda bad: bad.name)
def test_the_same_from_python(bad: Bad, folder: Path) -> None:
    """The builder or `exmc.sample` says what is wrong with a distribution, with the same place in the model."""
    text = MODEL.format(z=bad.z, data=bad.data, more=bad.more, engine=bad.engine)
    model = yaml.safe_load(text)["model"]
    with pytest.raises(ExmcError) as caught:
        exmc.sample(built(model), draws=20, warmup=20, chains=1, seed=1, engine=bad.engine, predictive=False)
    message = str(caught.value)
    if bad.name in IN_PYTHON:
        assert IN_PYTHON[bad.name] in message
        return
    assert bad.place.split(" model.")[1] in message
    for part in bad.expected:
        assert part in message, message


def built(model: dict[str, dict[str, dict[str, object]]]) -> Builder:
    """The builder's calls that say what the YAML says."""
    builder = Builder().coords(**model["coords"])
    for name, row in model["data"].items():
        builder = builder.data(name, row["values"], dims=row.get("dims"))
    for name, row in model["variables"].items():
        rest = {key: given(value) for key, value in row.items() if key not in ("dist", "expr")}
        builder = builder.det(name, row["expr"]) if "expr" in row else builder.rv(name, row["dist"], **rest)
    return builder


def given(value: object) -> object:
    """A parameter, or the distribution that stands in its place."""
    if isinstance(value, list):
        return [given(part) for part in value]
    if isinstance(value, dict) and "dist" in value:
        row = getattr(exmc, str(value["dist"]))
        return row(**{key: given(part) for key, part in value.items() if key != "dist"})
    return value


GOOD: list[Callable[[], Builder]] = [
    lambda: Builder().rv("z", exmc.Flat()).rv("w", exmc.Normal("z", 1)).rv("y", exmc.Normal("w", 1), observed=[1.0]),
    lambda: Builder().rv("z", exmc.Flat()).potential("p", "-z**2"),
    lambda: Builder().rv("z", exmc.Flat(lower=0, upper=1)),
    lambda: Builder().rv("z", exmc.Flat()).det("d", "z + 1").rv("y", exmc.Normal("d", 1)).obs("o", "y", [1.0]),
]


@pytest.mark.parametrize("number", range(len(GOOD)))
def test_what_is_held_by_data_may_be_flat(number: int) -> None:
    tree = exmc.sample(GOOD[number](), draws=5, warmup=20, chains=1, seed=1, predictive=False)
    assert "z" in tree["posterior"]


def test_no_starting_point_names_the_variable(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Where only drawing shows it, the message says whose density is not finite; the status is that of a failed run."""
    impossible = "{dist: IntervalCensored, of: {dist: Normal, mu: mu}, upper: 0, observed: x}"
    (folder / "bad.yaml").write_text(MODEL.format(z=impossible, data="e: 1.0", more="w: {expr: mu}", engine="native"))
    assert main(["run", "bad.yaml", "--quiet"]) == 1
    err = capfd.readouterr().err
    assert "the log likelihood of 'z' is -inf at [0]" in err
    assert "Traceback (most" not in err
    builder = Builder().rv("mu", "Normal").rv("p", exmc.Custom("own_densities:good", loc="log(mu - 100)"))
    with pytest.raises(ExmcError, match="the log prior of 'p' is nan"):
        exmc.sample(builder, draws=5, warmup=5, chains=1, seed=1)
