"""The live posterior of a run: from this process, from a callback, from another process, late, and at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import pipelines
from exmc.diagnostics.live.convergence import ESS_ERROR
from exmc.diagnostics.summary import summarise
from exmc.errors import StoreError
from pipelines.events import Event
from pipelines.live import Live
from pipelines.run import extend, resume, run_config
from tests.pipelines.running import QUICK, stopped_run, write_config


def assert_of_these_draws(live: Live, tree: xr.DataTree) -> None:
    """Every number of `live` is that of the draws in `tree`, exact or within its bound."""
    final, found = summarise(tree), live.summary()
    assert live.draws == tree["posterior"].sizes["chain"] * tree["posterior"].sizes["draw"]
    same = found.sel(scalar=final["scalar"].values)
    for exact in ("mean", "sd"):
        np.testing.assert_allclose(same[exact], final[exact], rtol=1e-10)
    # Half chains whose ends differ by a batch, and values instead of ranks.
    assert np.abs(same["r_hat"] - final["r_hat"]).max() < 0.01
    ratios = np.abs(np.log(same["ess_bulk"] / final["ess_bulk"]))
    assert np.quantile(ratios, 0.95) < np.log1p(ESS_ERROR)
    theta = tree["posterior"]["theta"]
    for place in (0.05, 0.5, 0.95):
        quantile = live["theta"].quantile(place)
        error = quantile.attrs["error"] + 1 / live.draws
        low, high = (theta.quantile(place + sign * error, ("chain", "draw")) for sign in (-1, 1))
        assert ((low <= quantile) & (quantile <= high)).all()
    chains = live.by_chain()
    stats = tree["sample_stats"]
    assert int(chains["divergences"].sum()) == int(stats["diverging"].sum())
    np.testing.assert_allclose(chains["energy"], stats["energy"].mean("draw"), rtol=1e-10)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    run_config(write_config(folder, QUICK), out=folder / "run")
    return folder / "run"


def test_it_is_looked_at_while_the_run_goes_on(tmp_path: Path) -> None:
    """From a callback, as the segments come; each draw counts once."""
    seen: list[tuple[int, int, float]] = []
    told = [0, 0, 0]

    def look(event: Event) -> None:
        receipt = event.receipt
        if receipt is not None and not receipt.warmup:
            told[receipt.chain] = receipt.draws_done
            live = run.live
            seen.append((live.draws, sum(told), float(live["theta"].mean.sel(group="b"))))

    config = write_config(tmp_path, QUICK)
    run = pipelines.start(config, out=tmp_path / "run", on_event=look)
    assert run.wait(60)
    # Met in the middle, its records are asked, which are ahead of events.
    assert all(drawn >= draws for drawn, draws, _ in seen)
    assert [drawn for drawn, *_ in seen] == sorted(drawn for drawn, *_ in seen)
    assert len({drawn for drawn, *_ in seen}) > 3
    assert np.isfinite([mean for *_, mean in seen]).all()
    assert run.live is run.live
    assert_of_these_draws(run.live, run.result().tree())
    chains = run.live.by_chain()
    assert chains.attrs["seconds_left"] == 0.0
    assert not chains["warmup"].any()
    assert (chains["gradients_per_draw"] >= 1).all()
    assert (chains["draws_per_second"] > 0).all()


def test_who_comes_late_is_brought_up_to_date(finished: Path) -> None:
    assert_of_these_draws(Live(finished), pipelines.resume(finished).result().tree())


@pytest.mark.parametrize("config", ["eight_schools", "seed_example"])
def test_the_posteriors_of_configs_are_within_the_bounds(config: str, tmp_path: Path) -> None:
    """Tails are long there: effective draws of values are compared with those of ranks."""
    tree = run_config(Path(__file__).parents[2] / "configs" / f"{config}.yaml", out=tmp_path / "run")
    final, live = summarise(tree), Live(tmp_path / "run")
    same = live.summary().sel(scalar=final["scalar"].values)
    np.testing.assert_allclose(same["mean"], final["mean"], rtol=1e-9)
    assert np.abs(same["r_hat"] - final["r_hat"]).max() < 0.01
    assert np.abs(np.log(same["ess_bulk"] / final["ess_bulk"])).quantile(0.9) < np.log1p(ESS_ERROR)


def test_another_process_sees_it(finished: Path) -> None:
    program = (
        "import sys, json, pipelines\n"
        "live = pipelines.Live(sys.argv[1])\n"
        "print(json.dumps([live.draws, live['theta'].mean.values.tolist()]))\n"
    )
    root = str(Path(__file__).parents[2])
    said = subprocess.run(
        [sys.executable, "-c", program, str(finished)], capture_output=True, text=True, check=True, cwd=root
    ).stdout
    draws, means = json.loads(said)
    live = Live(finished)
    assert draws == live.draws
    assert means == live["theta"].mean.values.tolist()


def test_segments_that_are_done_again_count_once(tmp_path: Path) -> None:
    """A run is stopped, looked at, damaged, and resumed: segments that were counted are drawn anew, in other pieces."""
    directory = stopped_run(tmp_path, QUICK, after=11)
    live = Live(directory)
    before = live.draws
    assert before > 0
    victim = sorted(directory.glob("state/chain-*/segment-*.json"))[-2]
    victim.write_bytes(b"torn")
    resume(directory, lambda event: None)
    assert live.draws == 3600 > before
    assert_of_these_draws(live, pipelines.resume(directory).result().tree())


def test_an_extension_is_followed(tmp_path: Path) -> None:
    run_config(write_config(tmp_path, QUICK), out=tmp_path / "run", overrides=["sampler.draws=250"])
    live = Live(tmp_path / "run")
    assert live.draws == 750
    extend(tmp_path / "run", 600)
    assert live.draws == 1800
    assert live.by_chain().attrs["seconds_left"] == 0.0
    assert_of_these_draws(live, pipelines.resume(tmp_path / "run").result().tree())


def test_a_lost_log_loses_no_draws(tmp_path: Path) -> None:
    """It is for people; the records are the truth."""
    directory = stopped_run(tmp_path, QUICK, after=11)
    expected = Live(directory).draws
    (directory / "events.jsonl").unlink()
    assert Live(directory).draws == expected > 0


def test_a_failed_chain_is_left_out(tmp_path: Path) -> None:
    directory = stopped_run(tmp_path, QUICK, after=11)
    live = Live(directory)
    counted = live.draws
    with open(directory / "events.jsonl", "a") as log:
        log.write(Event(kind="chain_failed", seconds=1.0, chain=2, message="why").to_json() + "\n")
    assert 0 < live.draws < counted
    assert live.by_chain()["failed"].values.tolist() == [False, False, True]


def test_what_is_not_there_is_said(tmp_path: Path, finished: Path) -> None:
    with pytest.raises(StoreError, match="there is no run here"):
        Live(tmp_path)
    with pytest.raises(StoreError, match="no variable 'teta'"):
        Live(finished)["teta"]
