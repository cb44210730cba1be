"""Models that exercise the passes, each with the variables that its observed deterministics determine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from exmc.distributions import (
    AR,
    DISTRIBUTIONS,
    Censored,
    GaussianRandomWalk,
    HalfNormal,
    Mixture,
    MvGaussianRandomWalk,
    MvNormal,
    Normal,
    Poisson,
    StudentT,
    Truncated,
    ZeroInflated,
)
from exmc.ir.builder import Builder

EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
MATRIX = np.array([[2.0, 0.5, 0.0], [0.1, -1.0, 0.3], [0.0, 0.7, 1.5]])


def schools(factor: float = 1.0, centering: str = "auto", family: str = "Normal", **extra: float) -> Builder:
    """Eight schools (Rubin 1981) with the effects times `factor` at the same standard errors."""
    location, scale = {"Cauchy": ("alpha", "beta"), "Laplace": ("mu", "b")}.get(family, ("mu", "sigma"))
    return (
        Builder()
        .coords(school=["A", "B", "C", "D", "E", "F", "G", "H"])
        .data("effect", factor * EFFECT, dims="school")
        .data("error", ERROR, dims="school")
        .rv("mu", "Normal", mu=0.0, sigma=5.0 * factor)
        .rv("tau", "HalfNormal", sigma=5.0 * factor)
        .rv("theta", family, **{location: "mu", scale: "tau"}, **extra, dims="school", centering=centering)
        .rv("y", "Normal", mu="theta", sigma="error", observed="effect")
    )


LOCATION_SCALE = [name for name, distribution in DISTRIBUTIONS.items() if distribution.location_scale]
"""The families of which a variable can be non-centred."""


def location_scale(name: str, centering: str = "auto") -> Builder:
    """Three elements of the family called `name`, one of `LOCATION_SCALE`, of a population that is not known."""
    distribution = DISTRIBUTIONS[name]
    location, scale = distribution.location_scale
    others = {p.name: 3.0 for p in distribution.parameters if p.name not in (location, scale)}
    return (
        Builder()
        .rv("m", "Normal")
        .rv("t", "HalfNormal")
        .rv("x", name, **others, **{location: "m", scale: "t"}, shape=3, centering=centering)
    )


def seed_example() -> Builder:
    """An observation of a random variable, which others refer to as well."""
    return (
        Builder()
        .rv("mu", "Normal", sigma=5.0)
        .rv("sigma", "HalfNormal", sigma=2.0)
        .rv("x", "Normal", mu="mu", sigma="sigma")
        .det("deviation", "x - mu")
        .obs("x_obs", "x", [2.1, 1.8, 2.5, 2.0])
        .rv("late", "Normal", mu="2 * x", sigma=1.0, observed=[4.0, 4.1, 4.9, 4.2])
    )


def weighted() -> Builder:
    """Weights and masks that matter, and ones that do not."""
    return (
        Builder()
        .data("v", [1.0, 2.0, -1.0])
        .rv("m", "Normal")
        .rv("a", "Normal", mu="m", observed="v", weight=1.0, mask=[True, True, True])
        .rv("b", "Normal", mu="m", observed="v", weight=[1.0, 1.0, 1.0])
        .rv("c", "Normal", mu="m", observed="v", weight=[1.0, 0.0, 2.0], mask=[True, False, True])
        .rv("d", "HalfNormal", observed="v", mask="v > 0")
    )


def affine(family: str = "Normal", **parameters: float) -> Builder:
    """``y = mu + sigma * z`` through two deterministics."""
    return (
        Builder()
        .coords(row=["a", "b", "c"])
        .data("seen", [1.0, 2.5, -0.5], dims="row")
        .rv("mu", "Normal", sigma=3.0)
        .rv("sigma", "HalfNormal", sigma=2.0)
        .rv("z", family, **parameters, dims="row")
        .det("noise", "z * sigma")
        .det("y", "mu + noise", dims="row")
        .obs("o", "y", "seen")
    )


def affine_positive() -> Builder:
    """A family without location and scale, a factor of unknown sign, weights and a mask, the target used again."""
    return (
        Builder()
        .data("seen", [5.0, 6.5, 7.5])
        .rv("mu", "Normal")
        .rv("slope", "Normal", mu=1.0, sigma=0.1)
        .rv("z", "Gamma", alpha=3.0, beta=1.0, shape=3)
        .det("y", "(2 * z - mu) / slope - z / slope + 0.5")
        .obs("o", "y", "seen", weight=[1.0, 2.0, 0.5], mask=[True, True, False])
        .rv("again", "Normal", mu="o + mu", observed=[5.0, 6.0, 7.0])
    )


def matrix(text: str = "A @ z + c") -> Builder:
    """A linear map of a random vector."""
    return (
        Builder()
        .data("A", MATRIX)
        .data("seen", [1.0, 2.0, -0.5])
        .rv("c", "Normal")
        .rv("s", "HalfNormal")
        .rv("z", "StudentT", nu=4.0, mu=[0.0, 1.0, 2.0], sigma=1.5, shape=3)
        .det("y", text)
        .obs("o", "y", "seen")
    )


def nested() -> Builder:
    """Two levels, vector locations and scales, other parameters kept."""
    return (
        Builder()
        .data("region", [0, 0, 1, 1, 2])
        .data("county", [0, 1, 2, 3, 4, 0, 1])
        .rv("m", "Normal", sigma=5.0)
        .rv("t", "HalfNormal")
        .rv("r", "StudentT", nu=5.0, mu="m", sigma="t", shape=3)
        .rv("s", "HalfNormal", shape=5)
        .rv("theta", "Laplace", mu="r[region]", b="s")
        .rv("only_scale", "Cauchy", alpha=1.0, beta="t")
        .rv("only_location", "Normal", mu="m", sigma=2.0, centering="noncentered")
        .rv("plain", "Normal", mu=1.0, sigma=2.0)
        .rv("y", "Normal", mu="theta[county] + only_location", sigma=1.0, observed=np.arange(7.0))
    )


def in_part() -> Builder:
    """Populations whose elements are seen more or less often: of two levels, one with a constant location or scale."""
    generator = np.random.default_rng(1)
    seen = np.repeat(np.arange(12), np.arange(12))
    return (
        Builder()
        .coords(place=[f"p{i}" for i in range(12)], kind=["a", "b"])
        .data("region", np.repeat(np.arange(4), 3))
        .data("g", seen)
        .rv("m", "Normal", sigma=3.0)
        .rv("t", "HalfNormal", shape=1)
        .rv("r", "Logistic", mu="m", s=1.5, shape=4)
        .rv("theta", "StudentT", nu=5.0, mu="r[region]", sigma="t[0]", dims="place")
        .rv("u", "HalfNormal")
        .rv("plane", "Laplace", mu=0.5, b="u", dims=["place", "kind"])
        .rv("y", "Normal", mu="theta[g]", sigma=1.0, observed=2.0 * np.cos(seen) + generator.normal(size=seen.size))
        .rv("n", "Poisson", mu="exp(plane)[g]", observed=generator.poisson(np.exp([1, -1] * np.sin(seen)[:, None])))
    )


def lifted_twice() -> Builder:
    """The second lifted observation depends on the first, by name: on what was seen, not on what it was solved for."""
    return (
        Builder()
        .rv("a", "Normal")
        .rv("z1", "Exponential", rate=1.0, shape=2)
        .det("y1", "a + 2 * z1")
        .obs("o1", "y1", [5.0, 6.0])
        .rv("z2", "Laplace", shape=2)
        .det("y2", "o1 + a * z2")
        .obs("o2", "y2", [7.0, 9.0])
        .rv("q", "Normal", mu="o1[0] + a")
        .rv("w", "Normal", mu="q", observed=1.0)
    )


def one_factor() -> Builder:
    """A factor with an axis of length 1, around a product with a matrix."""
    return (
        Builder()
        .data("A", MATRIX)
        .rv("s", "HalfNormal", shape=1)
        .rv("z", "Normal", shape=3)
        .det("y", "s * (A @ z)")
        .obs("o", "y", [1.0, 2.0, -0.5])
    )


def bools() -> Builder:
    """Bools as values, parameters and bounds, which count as 0 and 1."""
    return (
        Builder()
        .data("f", [True, False, True])
        .rv("m", "Normal")
        .rv("n", "Normal", mu="f", sigma=1.0, observed="f")
        .rv("b", "Bernoulli", logit="m * f", observed="f")
        .rv("p", "Bernoulli", p="f", observed="f")
        .rv("k", "Binomial", n="f", p=0.5, observed="f")
        .rv("u", "Uniform", low="f", high=2.0)
    )


def events() -> Builder:
    """Vectors, matrices and restricted vectors, free and observed, with a mask and weights an event."""
    return (
        Builder()
        .coords(g=["a", "b"])
        .rv("w", "Dirichlet", alpha=[1.0, 2.0, 3.0])
        .rv("L", "LKJCholesky", eta=2.0, shape=(2, 2))
        .rv("s", "HalfNormal", dims=["g"])
        .rv("z", "ZeroSumNormal", sigma="s[0]", shape=(2, 3))
        .rv("c", "Normal", mu=0.0, sigma="s[1]", shape=2, transform="ordered")
        .rv("v", "MvNormal", mu="s", chol="L", shape=(3, 2))
        .rv("k", "Categorical", p="w", observed=[0, 2, 1, 1])
        .rv("o", "OrderedLogistic", eta="z[0, 0]", cutpoints="c", observed=[0, 1, 2])
        .rv("y", "MvNormal", mu="v[0]", cov=[[2.0, 0.3], [0.3, 1.0]], observed=[[1.0, 2.0], [0.0, 1.0]],
            mask=[True, False], weight=[2.0, 1.0])
    )  # fmt: skip


def gaussian_processes() -> Builder:
    """Exact processes by each parameter of a multivariate normal, some correlated, and one of basis functions."""
    return (
        Builder()
        .data("x", [0.0, 0.4, 1.5], dims="place")
        .rv("eta", "HalfNormal")
        .rv("f", "MvNormal", mu=0.5, cov="exp_quad(x, eta, 1.5) + white_noise(x, 0.1)", dims="place")
        .rv("g", "MvNormal", mu="eta", chol="cholesky(matern32(x, 1, 2))", shape=(2, 3))
        .rv("h", "MvNormal", mu=0.0, precision="inverse_posdef(matern52(x, eta, 1))")
        .rv("known", "MvNormal", mu=0.0, cov="matern12(x, 1, 2)", shape=(2, 3))
        .rv("plain", "MvNormal", mu="x", cov="white_noise(x, 2)")
        .rv("asked", "MvNormal", mu=0.0, cov="white_noise(x, 2)", centering="noncentered")
        .rv("declined", "MvNormal", mu=0.0, cov="exp_quad(x, eta, 0.5)", centering="centered")
        .rv("beta", "Normal", mu=0.0, sigma="hsgp_matern32(3, eta, 1, m=4)")
        .rv("y", "Normal", mu="f + g[0] + hsgp_basis(x, 3, m=4) @ beta", sigma=0.5, observed=[1.0, 0.0, 2.0])
    )


def wrappers() -> Builder:
    """Distributions of distributions, bounds that are variables, and a potential."""
    positive = Truncated(Normal(0.0, "exp(a)"), lower=0.0)
    return (
        Builder()
        .rv("a", "Normal")
        .rv("t", positive, shape=2)
        .rv("u", "Uniform", low=0.0, high=1.0)
        .rv("b", Truncated(Normal("a", 1.0), upper="u"))
        .rv("m", Mixture([0.4, 0.6], [Normal("a", 1.0), Normal(2.0, "t[0]")]))
        .rv("x", Mixture([[0.4, 0.6], [0.1, 0.9]], [Normal("a", 1.0), Normal("m", 2.0)]), observed=[1.0, 2.0])
        .rv("n", ZeroInflated(Poisson("t[1]"), "u"), observed=[0, 0, 3])
        .rv("q", Censored(Normal("m", "t[0]"), upper=2.0), observed=[1.0, 2.0], mask=[True, False])
        .potential("p", "-(a - m) ** 2")
    )


def dims_by_shape() -> Builder:
    """Dims whose sizes only variables tell that become observations or deterministics."""
    return (
        Builder()
        .rv("m", "Normal")
        .rv("x", "Normal", mu="m", dims="row", shape=2)
        .obs("x_obs", "x", [1.0, 2.0])
        .rv("t", "Normal", dims="row")
        .rv("z", "Laplace", dims="column", shape=3)
        .det("y", "m + 2 * z")
        .obs("o", "y", [1.0, 2.5, -0.5])
        .det("d", "2 * z", dims="column")
    )


def sequence() -> Builder:
    """A carry that follows from free variables, one of them non-centred, inside a model that is lifted as well."""
    return (
        Builder()
        .data("y", [0.5, -1.0, 2.0])
        .rv("mu", "Normal")
        .rv("tau", "HalfNormal")
        .rv("level", "Normal", mu="mu", sigma="tau", centering="noncentered")
        .rv("z", "Normal", shape=3)
        .scan("path", carry={"s": "level"}, sequences={"e": "y - mu"}, step={"s": "0.5 * s + e * level"}, dims=[None])
        .ode("grown", state={"g": "exp(level)"}, derivative={"g": "-g * exp(mu)"}, times=[0.5], relative_tolerance=1e-2)
        .det("shifted", "path + 2 * z")
        .obs("o", "shifted", "y")
        .rv("late", "Normal", mu="sum(grown)", sigma=1.0, observed=0.3)
    )


def gaps() -> Builder:
    """Missing values: of a covariate, of what depends on it, of a positive and of a bounded family, of counts."""
    nan = np.nan
    return (
        Builder()
        .coords(row=["a", "b", "c", "d"], column=["p", "q"])
        .data("height", [1.5, nan, 1.8, nan], "row")
        .data("weights", [[0.5, nan], [1.0, 2.0], [nan, nan], [0.7, 0.8]], ["row", "column"])
        .rv("m", "Normal", dims="row")
        .rv("s", "HalfNormal", dims="column")
        .rv("x", "Normal", mu="m[0]", sigma="s[1]", observed="height")
        .rv("w", "Gamma", alpha="exp(m)[:, None]", beta="s", observed="weights")
        .rv("u", "Uniform", low="-s", high="s + 1", observed=[[nan, 0.0], [0.1, nan]])
        .rv("y", "Normal", mu="x * m", sigma=1.0, observed=[0.0, 1.0, nan, 2.0])
        .rv("t", Truncated(Normal("x", 1.0), lower="-s[0]"), observed=[1.0, 2.0, 0.5, nan])
        .rv("k", "Poisson", mu="exp(x)", observed=[1.0, nan, 0.0, 2.0])
        .rv("l", "LogNormal", mu="m", sigma="s[0]", observed="log(height + 1)")
    )


def gaps_in_vectors() -> Builder:
    """Vectors that are missing as a whole, and in part."""
    nan = np.nan
    return (
        Builder()
        .rv("m", "Normal", shape=3)
        .rv("p", "Dirichlet", alpha="exp(m)", observed=[[0.2, 0.3, 0.5], [nan, nan, nan], [0.1, 0.1, 0.8]])
        .rv("v", "MvNormal", mu="m", cov=np.eye(3) + 0.5, observed=[[0.0, nan, 1.0], [nan, nan, nan], [1.0, 2.0, 3.0]])
        .rv("f", "MvNormal", mu="m", cov=np.eye(3) + 0.5, observed=[[nan, nan, nan], [1.0, 2.0, 3.0]])
        .rv("y", "Normal", mu="sum(v) + p[1, 0]", sigma=1.0, observed=0.5)
    )


def mixtures() -> Builder:
    """Discrete variables of one observation each, an element a row: of numbers, masked, and of vectors."""
    return (
        Builder()
        .rv("w", "Dirichlet", alpha=[1.0, 2.0])
        .rv("mu", "Normal", shape=(2, 2))
        .rv("z", "Categorical", p="w", shape=2)
        .det("centre", "where(z == 0, mu[0, 0], mu[1, 1])")
        .rv("y", "Normal", mu="centre", sigma=1.0, observed=[0.0, 1.0], mask=[True, False])
        .rv("b", "Binomial", n=1, p="w[0]", shape=2)
        .rv("v", "MvNormal", mu="mu[where(b > 0, 1, 0)]", cov=np.eye(2), observed=np.eye(2))
    )


def groups() -> Builder:
    """Discrete variables of several rows, of two observations, some of them of no element; and of a single one."""
    return (
        Builder()
        .data("g", [1, 0, 1, 0, 1])
        .data("own", [True, True, False, True, True])
        .rv("mu", "Normal", shape=3)
        .rv("z", "DiscreteUniform", lower=-1, upper=1, shape=(1, 2))
        .det("level", "mu[z + 1][0]")
        .rv("y", "Normal", mu="where(own, level[g], 0.3)", sigma=1.0, observed=[0.1, 0.2, 3.0, -1.0, 0.0])
        .rv("k", "Poisson", mu="exp(mu[z[0, 1] + 1])", observed=[1, 0], mask=[False, True])
        .rv("s", "Bernoulli", logit="mu[0]")
        .rv("x", "Normal", mu="s * mu[1]", sigma="1 + s", observed=[[0.5, 1.0]])
        .rv("x1", "Normal", mu="s * mu[2]", sigma=1.0, observed=0.7)
    )


def several_discrete() -> Builder:
    """Discrete variables that depend on each other, and one that nothing depends on."""
    return (
        Builder()
        .rv("p", "Dirichlet", alpha=[1.0, 1.0], shape=(2, 2))
        .rv("m", "Normal", shape=2)
        .rv("a", "Bernoulli", p=0.3, shape=2)
        .rv("c", "Categorical", p="p[a]", shape=2)
        .rv("y", "Normal", mu="m[c] + a", sigma=1.0, observed=[0.5, -1.0])
        .rv("alone", "Bernoulli", p="p[0, 1]")
    )


def chains() -> Builder:
    """Two series with matrices of their own, a row a place, one masked; and a chain with rows here and there."""
    moves = np.array([[[0.9, 0.1], [0.3, 0.7]], [[0.5, 0.5], [0.0, 1.0]]])
    return (
        Builder()
        .data("at", [0, 0, 2])
        .rv("mu", "Normal", shape=2)
        .rv("p", "Dirichlet", alpha=[1.0, 1.0], shape=(2, 2))
        .rv("z", "MarkovChain", initial=[0.5, 0.5], transition=moves[:, None], shape=(2, 3))
        .rv("w", "MarkovChain", initial=[0.2, 0.8], transition="p", shape=3)
        .rv("y", "Normal", mu="mu[z]", observed=np.ones((2, 3)), mask=np.eye(2, 3) == 0)
        .rv("x", "Normal", mu="mu[w[at]]", observed=[0.5, -1.0, 2.0])
    )


def walks() -> Builder:
    """Walks of every kind of start, drift and scale, several at once, of vectors, of one place; and some that stay."""
    asked = "noncentered"
    return (
        Builder()
        .coords(store=["a", "b"], day=[1, 2, 3, 4], item=["p", "q"])
        .rv("m", "Normal")
        .rv("t", "HalfNormal")
        .rv("own", "HalfNormal", dims="store")
        .rv("L", "LKJCholeskyCov", n=2, eta=2.0, sd_dist=HalfNormal(1.0))
        .rv("walk", GaussianRandomWalk("m", "t", StudentT(4.0, "m", "t")), dims="day", centering=asked)
        .rv("few", GaussianRandomWalk("m", "own", Normal("own", 2.0)), dims=["store", "day"], centering=asked)
        .rv("single", GaussianRandomWalk("m", "t", Normal("m", "t")), shape=1, centering=asked)
        .rv(
            "vector",
            MvGaussianRandomWalk("m", chol="L", init_dist=MvNormal("m", chol="L")),
            dims=["day", "item"],
            centering=asked,
        )
        .rv(
            "precise",
            MvGaussianRandomWalk(precision=np.eye(2) + 0.5, init_dist=Normal("m", 1.0)),
            shape=(3, 2),
            centering=asked,
        )
        .rv("held", MvGaussianRandomWalk(chol="L", init_dist=Normal(0.0, 1.0)), shape=(2, 3, 2))
        .rv("stays", GaussianRandomWalk(0.0, "t", Normal(0.0, "t")), shape=3, centering="centered")
        .rv("plain", GaussianRandomWalk(init_dist=Normal(1.0, 2.0)), shape=4)
        .rv("y", "Normal", mu="walk + few", sigma=1.0, observed=np.ones((2, 4)))
        .rv("u", "Normal", mu="plain", sigma=0.1, observed=[1.0, 3.0, 2.0, 5.0])
    )


def autoregressions() -> Builder:
    """Autoregressions of one and two coefficients, several at once, starts of every kind; and an observed one."""
    asked = "noncentered"
    return (
        Builder()
        .coords(store=["a", "b"], day=[1, 2, 3, 4, 5])
        .rv("m", "Normal")
        .rv("t", "HalfNormal")
        .rv("own", "HalfNormal", dims="store")
        .rv("phi", "Uniform", low=-0.9, high=0.9, shape=1)
        .rv("rho", "Normal", sigma=0.4, shape=(2, 2))
        .rv("stationary", AR("phi", "t", "m", Normal("m", "t / sqrt(1 - phi ** 2)")), dims="day", centering=asked)
        .rv("two", AR("rho[0]", "t", 0.5, MvNormal("m", cov=np.eye(2) + 0.5)), shape=5, centering=asked)
        .rv("each", AR("rho", "own", "m", Normal(0.0, [1.0, 2.0])), dims=["store", "day"], centering=asked)
        .rv("many", AR("rho", 0.7, "own", Normal(0.0, 1.0)), shape=(3, 2, 4), centering=asked)
        .rv("one", AR("phi", 0.7, "own", Normal(0.0, 1.0)), shape=(3, 2, 4), centering=asked)
        .rv("short", AR("rho[1]", "t", "m", Normal("m", [1.0, 2.0])), shape=2, centering=asked)
        .rv("seen", AR("rho[0]", "t", "m", Normal(0.0, 1.0)), observed=[1.0, 2.0, 0.5])
        .rv("z", "Normal", mu="stationary + each", sigma=1.0, observed=np.ones((2, 5)))
    )


MODELS: dict[str, tuple[Callable[[], Builder], dict[str, str]]] = {
    "schools": (schools, {}),
    "informative schools": (lambda: schools(10.0), {}),
    "schools in part": (lambda: schools(3.0), {}),
    "in part": (in_part, {}),
    "asked for": (lambda: schools(10.0, "noncentered"), {}),
    "declined": (lambda: schools(1.0, "centered"), {}),
    "t schools": (lambda: schools(family="StudentT", nu=4.0), {}),
    "cauchy schools": (lambda: schools(family="Cauchy"), {}),
    "seed example": (seed_example, {}),
    "weighted": (weighted, {}),
    "affine": (affine, {"o": "z"}),
    "affine laplace": (lambda: affine("Laplace", mu=0.5, b=2.0), {"o": "z"}),
    "affine gamma": (affine_positive, {"o": "z"}),
    "matrix": (matrix, {"o": "z"}),
    "scaled matrix": (lambda: matrix("c - (s * (A @ (-z / 2))) * s"), {"o": "z"}),
    "row vector": (lambda: matrix("z @ A"), {"o": "z"}),
    "lifted twice": (lifted_twice, {"o1": "z1", "o2": "z2"}),
    "dims by shape": (dims_by_shape, {"o": "z"}),
    "one factor": (one_factor, {"o": "z"}),
    "bools": (bools, {}),
    "events": (events, {}),
    "gaussian processes": (gaussian_processes, {}),
    "wrappers": (wrappers, {}),
    "sequence": (sequence, {"o": "z"}),
    "gaps": (gaps, {}),
    "gaps in vectors": (gaps_in_vectors, {}),
    "mixtures": (mixtures, {}),
    "groups": (groups, {}),
    "several discrete": (several_discrete, {}),
    "chains": (chains, {}),
    "walks": (walks, {}),
    "autoregressions": (autoregressions, {}),
    "nested": (nested, {}),
    "no data": (lambda: Builder().rv("y", "Normal", sigma=3.0).rv("x", "Normal", sigma="exp(y / 2)", shape=9), {}),
    "bounded": (
        lambda: (
            Builder()
            .rv("h", "HalfNormal")
            .rv("u", "Uniform", low=-1.0, high="h", shape=2)
            .rv("p", "Beta", alpha=2.0, beta=3.0)
            .rv("s", "Exponential", rate=1.0, transform="softplus")
            .rv("k", "Binomial", n=5, p="p", observed=[1, 4])
        ),
        {},
    ),
}


def factors(people: int) -> Builder:
    """Three measurements of each, by loadings that may be as small as the factors are large."""
    generator = np.random.default_rng(1)
    seen = generator.normal(size=(people, 1)) * [1.0, 0.8, 0.6] + 0.5 * generator.normal(size=(people, 3))
    build = Builder().rv("tau", "HalfNormal", sigma=2.0).rv("theta", "Normal", sigma="tau", shape=people)
    build.rv("loading", "HalfNormal", sigma=2.0, shape=3).rv("noise", "HalfNormal")
    return build.rv("y", "Normal", mu="theta[:, None] * loading", sigma="noise", observed=seen)


def ability(people: int, items: int, seed: int) -> Builder:
    """An item response model with two parameters an item."""
    generator = np.random.default_rng(seed)
    theta, slope, place = (generator.normal(size=n) for n in (people, items, items))
    chance = 1.0 / (1.0 + np.exp(-np.exp(0.5 * slope)[:, None] * (theta - place[:, None])))
    build = Builder().rv("tau", "HalfCauchy", beta=2.0).rv("theta", "Normal", sigma="tau", shape=people)
    build.rv("spread", "HalfCauchy", beta=2.0).rv("slope", "LogNormal", sigma="spread", shape=items)
    build.rv("theta_0", "Normal", sigma=5.0).rv("width", "HalfCauchy", beta=2.0)
    build.rv("theta_item", "Normal", mu="theta_0", sigma="width", shape=items)
    logit = "slope[:, None] * (theta - theta_item[:, None])"
    return build.rv("y", "Bernoulli", logit=logit, observed=(generator.random((items, people)) < chance).astype(int))
