from __future__ import annotations

import numpy as np
import pytest

from exmc.nuts import variance, warmup
from exmc.nuts.metric import METRICS
from exmc.nuts.schemes import SCHEMES, Scheme
from exmc.nuts.stages import Ending, Stage
from exmc.nuts.variance import Moments, Window
from exmc.nuts.warmup import Adaptation
from exmc.sampling.chain import advance, begin
from exmc.sampling.options import SamplerOptions
from tests.nuts.test_estimate import window_of
from tests.sampling.targets import scaled_normal


def _after_draws(name: str, count: int) -> Adaptation:
    """A chain's adaptation after `count` draws of a normal, ten of them before the last switch."""
    random, kind = np.random.default_rng(0), METRICS[name]
    before = warmup.init(kind, np.ones(3), 0.5)
    older = window_of(*random.normal(size=(2, 10, 3))).newer
    newer = window_of(*random.normal(size=(2, count, 3)))
    rows = random.normal(size=(2, 10 + count, 3))
    return before._replace(window=Window(older, newer.newer, *rows))


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda scheme: scheme.name)
@pytest.mark.parametrize("name", METRICS)
def test_the_end_of_a_stage_replaces_the_metric_and_forgets_what_it_says(name: str, scheme: Scheme) -> None:
    kind, before = METRICS[name], _after_draws(name, 30)
    variances = scheme.estimators.variances(before.window.moments, np.ones(3), False)
    expected = kind.estimate(scheme.estimators, before.window, variances)
    held = {Ending.RENEW: (10, 30, 40), Ending.SWITCH: (30, 0, 30), Ending.RESTART: (0, 0, 0)}
    for ending, (older, newer, draws) in held.items():
        after = warmup.replace_metric(kind, scheme, before, ending)
        assert np.array_equal(after.inverse_mass_matrix, expected)
        assert (after.window.older.draws, after.window.newer.draws) == (older, newer)
        assert len(after.window.positions) == len(after.window.gradients) == draws
        assert after.step_size == before.step_size


def test_the_metric_is_replaced_at_the_end_of_a_stage_that_learns_from_two_draws() -> None:
    before = _after_draws("diagonal", 30)
    assert warmup.replaces_metric(Stage(30, Ending.RENEW), before)
    assert not warmup.replaces_metric(Stage(30), before)
    empty, one = warmup.init(METRICS["diagonal"], np.ones(2), 0.5), Moments(1, 0, np.zeros((4, 2)))
    assert not warmup.replaces_metric(Stage(1, Ending.RESTART), empty._replace(window=empty.window._replace(newer=one)))


def test_what_sampling_uses_remembers_no_draws() -> None:
    window = warmup.final(_after_draws("low_rank", 30)).window
    assert window.moments.draws == 0
    assert sum(array.size for array in (window.older.rows, window.newer.rows, window.positions)) == 0


def test_averaging_restarts_at_the_searched_step_size_and_ends_at_the_average() -> None:
    tuning = warmup.restart_averaging(warmup.init(METRICS["diagonal"], np.ones(2), 0.5), 0.25)
    assert (tuning.step_size, tuning.averaging.updates) == (0.25, 0.0)
    assert tuning.averaging.center == pytest.approx(np.log(2.5))
    assert warmup.final(tuning).step_size == 0.25
    averaged = tuning._replace(averaging=tuning.averaging._replace(updates=3.0, log_mean=np.log(0.1)))
    assert warmup.final(averaged).step_size == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("older", "newer", "careful"),
    [
        ((0, 0), (60, 3), True),
        ((30, 2), (30, 1), True),
        ((0, 0), (60, 2), False),
        ((100, 2), (50, 1), False),
        ((0, 0), (59, 30), False),
    ],
)
def test_a_chain_is_careful_once_more_than_a_fiftieth_of_its_trajectories_diverge(
    older: tuple[int, int], newer: tuple[int, int], careful: bool
) -> None:
    kind = METRICS["diagonal"]
    before = _after_draws("diagonal", 30)
    parts = {
        "older": before.window.older._replace(draws=older[0], divergences=older[1]),
        "newer": before.window.newer._replace(draws=newer[0], divergences=newer[1]),
    }
    before = before._replace(window=before.window._replace(**parts))
    assert warmup.is_careful(before) is careful
    after = warmup.replace_metric(kind, SCHEMES["fisher"], before, Ending.SWITCH)
    assert after.careful is careful
    # Once and for all: with smaller steps it sees fewer.
    assert warmup.is_careful(after._replace(window=variance.empty(3))) is careful


def test_learning_stages_are_tuned_for_no_more_than_they_say_unless_the_chain_is_careful() -> None:
    learning, last = Stage(10, Ending.RENEW, most_accept=0.8), Stage(10)
    for asked, targets in {None: (0.8, 0.8), 0.6: (0.6, 0.6), 0.99: (0.8, 0.99)}.items():
        assert tuple(warmup.target_accept(asked, stage, False) for stage in (learning, last)) == targets
    for asked, target in {None: 0.95, 0.6: 0.6, 0.99: 0.99}.items():
        assert {warmup.target_accept(asked, stage, True) for stage in (learning, last)} == {target}


@pytest.mark.parametrize("adaptation", SCHEMES)
@pytest.mark.parametrize("count", [20, 25, 30, 60])
@pytest.mark.parametrize("target", [0.8, 0.95])
def test_the_shortest_warmups_reach_the_target_acceptance(adaptation: str, count: int, target: float) -> None:
    """Judged by the standard error over chains: nearly all proposals were rejected where two updates were left."""
    density = scaled_normal(np.array([0.1, 1.0, 7.0, 1.0]))
    options = SamplerOptions(seed=3, draws=50, warmup=count, chains=30, adaptation=adaptation, target_accept=target)
    rates = []
    for chain in range(options.chains):
        state, _ = advance(density, options, begin(density, options, chain), count)
        _, block = advance(density, options, state, options.draws)
        rates.append(block.statistics["acceptance_rate"].mean())
    error = np.std(rates, ddof=1) / np.sqrt(len(rates))
    assert (np.mean(rates) - target) / error > -4
