"""A moment has the worst first, and a history that does not grow."""

from __future__ import annotations

import numpy as np

from exmc.viz.live.view import History, look
from tests.viz.live.runs import add, posterior_of, status_of


def test_the_worst_come_first() -> None:
    live = posterior_of(5)
    view = look(live, status_of(), History(5))
    assert view.order[0] == 4
    assert view.draws == 600
    np.testing.assert_allclose(view.mean[4], 3.0, atol=0.3)
    assert view.history.draws == [600]


def test_a_history_keeps_evenly_spaced_moments() -> None:
    history = History(2)
    for draws in range(10, 10_010, 10):
        history.add(draws, np.full(2, float(draws)), np.full(2, float(-draws)))
    assert 48 <= len(history.draws) <= 96
    count = len(history.draws)
    np.testing.assert_array_equal(history.r_hat[:count, 1], history.draws)
    np.testing.assert_array_equal(history.ess[:count, 0], -np.array(history.draws))
    assert history.draws == sorted(history.draws)


def test_without_new_draws_there_is_no_new_moment() -> None:
    live, history = posterior_of(3, draws=0), History(3)
    view = look(live, status_of(), history)
    assert history.draws == []
    assert np.isnan(view.mean).all()
    add(live, 50)
    for _ in range(3):
        look(live, status_of(), history)
    assert history.draws == [150]
