"""A tally of parts says what all of them together would."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import logsumexp

from exmc.diagnostics.predictions import Score, Tally, predictions_text


def test_parts_come_to_what_the_whole_does() -> None:
    rng = np.random.default_rng(0)
    y, m = rng.normal(size=(30, 2, 3)), rng.integers(0, 9, 30)
    terms = rng.normal(size=(30, 4)) - 800.0  # their exponentials are zero
    tally = Tally({"y": ["y[0]", "y[1]", "y[2]", "y[3]"], "m": ["m"], "hidden": []})
    for part in (slice(0, 7), slice(7, 8), slice(8, 30)):
        tally.add({"y": y[part], "m": m[part], "hidden": y[part]}, {"y": terms[part]})
    rows = tally.rows()
    assert [row["scalar"] for row in rows] == ["y[0]", "y[1]", "y[2]", "y[3]", "m"]
    flat = y.reshape(30, 6)
    np.testing.assert_allclose([row["mean"] for row in rows[:4]], flat.mean(axis=0)[:4])
    np.testing.assert_allclose([row["sd"] for row in rows[:4]], flat.std(axis=0, ddof=1)[:4])
    assert (rows[4]["q5"], rows[4]["q95"]) == tuple(np.quantile(m, [0.05, 0.95]))
    pointwise = logsumexp(terms, axis=0) - math.log(30)
    score = tally.score()
    assert score is not None
    np.testing.assert_allclose(score, (pointwise.sum(), math.sqrt(4 * pointwise.var(ddof=1)), 4))


def test_without_values_there_is_no_score() -> None:
    tally = Tally({"y": ["y"]})
    tally.add({"y": np.ones(1)}, {})
    assert tally.score() is None
    assert tally.rows() == [{"scalar": "y", "mean": 1.0, "sd": 0.0, "q5": 1.0, "q95": 1.0}]


def test_the_text() -> None:
    rows = [{"scalar": "y[a]", "mean": 1.25, "sd": 0.5, "q5": -1.0, "q95": float("nan")}]
    assert predictions_text(rows, 3, Score(-2.0, float("nan"), 1)).splitlines() == [
        "       mean     sd      q5  q95",
        "y[a]  1.250  0.500  -1.000    -",
        "… and 2 more",
        "",
        "elpd of the new values: -2.00, 1 points.",
    ]
    assert predictions_text(rows, 1, Score(-2.0, 0.5, 2)).endswith("-2.00 (se 0.50), 2 points.")
