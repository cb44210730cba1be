"""Models with scans and differential equations: what the tests of both share."""

from __future__ import annotations

import numpy as np

from exmc.ir.builder import Builder

SERIES = np.random.default_rng(3).normal(size=9)


def garch() -> Builder:
    """One scalar carry; all of its values with the first."""
    return (
        Builder()
        .data("y", SERIES, dims="time")
        .rv("mu", "Normal")
        .rv("base", "HalfNormal")
        .rv("shares", "Uniform", low=0.0, high=0.5, shape=2)
        .scan(
            "variance",
            carry={"variance": 0.5},
            sequences={"shock": "y[:-1] - mu"},
            step={"variance": "base + shares[0] * shock**2 + shares[1] * variance"},
            collect="all",
            dims="time",
        )
        .rv("seen", "Normal", mu="mu", sigma="sqrt(variance)", observed="y")
    )


def moving_average() -> Builder:
    """ARMA(1, 1): two sequences, one carry, an output that is a definition's."""
    return (
        Builder()
        .data("y", SERIES)
        .rv("phi", "Uniform", low=-1.0, high=1.0)
        .rv("theta", "Uniform", low=-1.0, high=1.0)
        .scan(
            "error",
            carry={"error": "y[0]"},
            sequences={"now": "y[1:]", "before": "y[:-1]"},
            step={"error": "now - phi * before - theta * error"},
        )
        .rv("innovation", "Normal", sigma="1 + exp(mean(square(error)))", observed=np.zeros(8))
        .det("noise", "error * 1.0")
    )


def hidden_markov() -> Builder:
    """A vector carry, matrices captured, the last value alone, a dim inside a formula."""
    return (
        Builder()
        .coords(state=["low", "high"])
        .data("y", SERIES)
        .rv("level", "Normal", mu=[-1.0, 1.0], sigma=1.0, dims="state")
        .rv("logits", "Normal", shape=(2, 2))
        .det("stay", "logits - logsumexp(logits, axis=1)[0]")
        .scan(
            "paths",
            carry={"alpha": "0 * level"},
            sequences={"y": "y"},
            step={
                "emission": "-0.5 * square(y - level)",
                "top": "max(alpha, dim='state')",
                "alpha": "emission + top + log(transpose(exp(stay)) @ exp(alpha - top))",
            },
            output="alpha",
            collect="last",
        )
        .det("log_sum", "logsumexp(paths)")
        .rv("fit", "Normal", mu="log_sum", sigma=5.0, observed=0.0)
    )


def local_level() -> Builder:
    """A Kalman filter: two carries and definitions, of which one is kept."""
    return (
        Builder()
        .data("y", SERIES, dims="time")
        .rv("state_sd", "HalfNormal")
        .rv("noise_sd", "HalfNormal")
        .scan(
            "surprise",
            carry={"level": 0, "variance": 4},
            sequences={"y": "y"},
            step={
                "ahead": "variance + state_sd**2",
                "total": "ahead + noise_sd**2 + 0.01",
                "error": "y - level",
                "level": "level + ahead / total * error",
                "variance": "ahead * (1 - ahead / total)",
                "standard": "error / sqrt(total)",
            },
            output="standard",
        )
        .rv("zero", "Normal", mu="surprise", sigma=1.0, observed=np.zeros(9))
    )


def powers() -> Builder:
    """No sequences; a matrix carried; whole numbers captured and used as an index."""
    return (
        Builder()
        .data("order", [1, 0])
        .rv("angle", "Normal")
        .det("corner", "sin(angle)")
        .scan(
            "turned",
            carry={"m": "outer(concatenate(1, 0.5), concatenate(angle, 1))"},
            step={"m": "corner * m[order, :] + 1"},
            length=3,
            dims=[None, None, None],
        )
        .rv("seen", "Normal", mu="sum(turned)", sigma=1.0, observed=0.5)
    )


def predators(method: str = "dormand_prince") -> Builder:
    """Two scalar states and a definition, from data times."""
    return (
        Builder()
        .coords(species=["hare", "lynx"])
        .data("ts", [1.0, 2.5, 4.0], dims="year")
        .rv("first", "LogNormal", mu=[1.0, 0.5], sigma=0.2, dims="species")
        .rv("rate", "LogNormal", mu=-1.0, sigma=0.3, shape=2)
        .ode(
            "z",
            state={"u": "first[0]", "v": "first[1]"},
            derivative={"eaten": "0.1 * u * v", "u": "rate[0] * u - eaten", "v": "eaten - rate[1] * v"},
            times="ts",
            method=method,
            relative_tolerance=1e-6,
            absolute_tolerance=1e-6,
            dims=["year", "species"],
        )
        .rv("y", "LogNormal", mu="log(z)", sigma=0.1, observed=[[1.0, 2.0], [2.0, 1.5], [3.0, 1.0]])
    )


def forced() -> Builder:
    """One vector state, the time in a formula, a start and times that depend on variables."""
    return (
        Builder()
        .data("offset", [0.5, 1.0])
        .rv("begin", "Uniform", low=-1.0, high=0.0)
        .rv("w", "Normal", shape=3)
        .ode(
            "x",
            state={"x": "w"},
            derivative={"x": "-exp(0.1 * begin) * x + sin(clock)"},
            times="exp(begin) + offset",
            start="begin",
            time="clock",
            relative_tolerance=1e-6,
            absolute_tolerance=1e-6,
        )
        .rv("y", "Normal", mu="x[1]", sigma=1.0, observed=np.ones(3))
    )


SEQUENTIAL = {
    "garch": garch,
    "moving average": moving_average,
    "hidden Markov": hidden_markov,
    "local level": local_level,
    "powers": powers,
    "predators": predators,
    "predators, stiff": lambda: predators("rodas"),
    "forced": forced,
}
