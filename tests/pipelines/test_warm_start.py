"""A run that begins with what an earlier one has learnt: the same posterior, after a fraction of the warm-up."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exmc.compile.layout import layout_digest
from exmc.diagnostics.summary import summarise
from exmc.errors import ExmcError
from exmc.sampling.options import SamplerOptions
from exmc.trace.journal import Journal
from pipelines.checking import check_config
from pipelines.cli import main
from pipelines.config import load_config, with_out
from pipelines.control import StoppedError
from pipelines.events import Event
from pipelines.places import LocatedError
from pipelines.run import RunResult, resume, start
from pipelines.warm_start import WARM_START
from tests.pipelines.running import assert_same_store, stopped_run, write_config

REST = (
    "sampler: {draws: 1000, warmup: 500, chains: 3, seed: 5}\n"
    "run: {segment_seconds: 1e-9, predictive: {prior_draws: 0, posterior: false}}\n"
)
NEW_DATA = "model.data.seen.values=[0.35, -0.2, 1.0]"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier")
    begin(folder, "run")
    return folder / "run"


def begin(folder: Path, out: str, *overrides: str, rest: str = REST, listener: object = None) -> RunResult:
    config = with_out(load_config(write_config(folder, rest), overrides), folder / out)
    return start(check_config(config), listener or (lambda event: None))  # type: ignore[arg-type]


def warm(earlier: Path, *more: str) -> tuple[str, ...]:
    return (NEW_DATA, f"sampler.warm_start={earlier}", *more)


UNSAID = REST.replace("warmup: 500, ", "")


def test_it_agrees_with_a_run_that_warms_up_by_itself(earlier: Path, tmp_path: Path) -> None:
    found = begin(tmp_path, "warm", *warm(earlier), rest=UNSAID).tree()
    cold = begin(tmp_path, "cold", NEW_DATA, "sampler.seed=6").tree()
    assert found.attrs["sampler"]["warmup"] == 100
    one, other = summarise(found), summarise(cold)
    z = (one["mean"] - other["mean"]) / np.hypot(one["mcse_mean"], other["mcse_mean"])
    assert float(np.abs(z).max()) < 4
    assert float(one["r_hat"].max()) < 1.02


def test_chains_begin_with_the_metric_step_size_and_position_of_the_earlier_ones(earlier: Path, tmp_path: Path) -> None:
    """With no iteration of warm-up, all three are as they were; a fourth chain begins as the first did."""
    begin(tmp_path, "warm", *warm(earlier, "sampler.warmup=0", "sampler.chains=4", "sampler.draws=4"))
    for chain in range(4):
        before = Journal.open(earlier).committed(chain % 3)[-1].state
        after = Journal.open(tmp_path / "warm").committed(chain)[-1].state
        assert np.array_equal(before["inverse_mass_matrix"], after["inverse_mass_matrix"])
        assert float(before["step_size"]) == float(after["step_size"])
    before = Journal.open(earlier).committed(0)[-1].state["position"]
    after = [Journal.open(tmp_path / "warm").committed(chain)[-1].state["position"] for chain in (0, 3)]
    assert not np.array_equal(after[0], after[1])
    assert not np.array_equal(before, after[0])


def test_the_warm_up_adapts_the_step_size_and_leaves_the_metric(earlier: Path, tmp_path: Path) -> None:
    begin(tmp_path, "warm", *warm(earlier, "sampler.draws=4", "sampler.target_accept=0.95"), rest=UNSAID)
    before = Journal.open(earlier).committed(1)[-1].state
    after = Journal.open(tmp_path / "warm").committed(1)[-1].state
    assert np.array_equal(before["inverse_mass_matrix"], after["inverse_mass_matrix"])
    assert float(after["step_size"]) < float(before["step_size"])


def test_it_is_resumed_to_the_same_bytes_when_the_earlier_run_is_gone(earlier: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(earlier, tmp_path / "moved")
    begin(tmp_path, "whole", *warm(moved))
    seen: list[Event] = []

    def stop(event: Event) -> None:
        seen.extend([event] if event.kind == "stage" else [])
        if len(seen) == 3:
            raise StoppedError("enough")

    with pytest.raises(StoppedError):
        begin(tmp_path, "out", *warm(moved), listener=stop)
    shutil.rmtree(moved)
    resume(tmp_path / "out", lambda event: None)
    assert_same_store(tmp_path / "whole", tmp_path / "out")


def test_what_was_learnt_decides_the_fingerprint(earlier: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, REST)
    plain = check_config(load_config(config, [NEW_DATA])).options
    begun = check_config(load_config(config, warm(earlier))).options
    assert plain == replace(begun, warm_start="")
    assert len(begun.warm_start) == 64
    assert SamplerOptions(seed=1).warm_start == ""


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("model.variables.mu.dist=HalfNormal", "other parameters"),
        ("model.variables.theta.centering=noncentered", "other parameters"),
        ("sampler.metric=dense", "'dense' is asked for"),
        ("sampler.warm_start=nowhere", "no run"),
        ("sampler.warm_start=3", "is not text"),
    ],
)
def test_a_run_that_cannot_be_begun_from_is_refused(earlier: Path, tmp_path: Path, override: str, named: str) -> None:
    extra = ["model.variables.mu={dist: HalfNormal, sigma: 1}"] if "HalfNormal" in override else [override]
    with pytest.raises(LocatedError, match=named) as caught:
        check_config(load_config(write_config(tmp_path, REST), [f"sampler.warm_start={earlier}", *extra]))
    assert "sampler.warm_start" in str(caught.value)


def test_a_run_that_is_still_warming_up_has_learnt_nothing_yet(tmp_path: Path) -> None:
    directory = stopped_run(tmp_path, after=1)
    with pytest.raises(LocatedError, match="none of its chains is warmed up"):
        check_config(load_config(write_config(tmp_path), [f"sampler.warm_start={directory}"]))


def test_what_was_taken_over_is_missed_if_it_is_lost(earlier: Path, tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if event.kind == "stage":
            raise StoppedError("enough")

    with pytest.raises(StoppedError):
        begin(tmp_path, "out", *warm(earlier), listener=stop)
    for path in (tmp_path / "out" / "state").glob("*warm-start*"):
        path.unlink()
    with pytest.raises(ExmcError, match=WARM_START):
        resume(tmp_path / "out", lambda event: None)


def test_a_layout_has_the_digest_of_what_its_numbers_mean(tmp_path: Path) -> None:
    config = write_config(tmp_path, REST)
    model = check_config(load_config(config)).rewriting.model
    other = check_config(load_config(config, [NEW_DATA])).rewriting.model
    positive = "model.variables.mu={dist: HalfNormal, sigma: 1}"
    assert layout_digest(model) == layout_digest(other)
    assert layout_digest(model) != layout_digest(check_config(load_config(config, [positive])).rewriting.model)


def test_from_the_command_line(earlier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write_config(tmp_path, UNSAID))
    assert main(["run", path, "--out", str(tmp_path / "out"), "--warm-start", str(earlier), "--quiet"]) == 0
    assert main(["run", path, "--out", str(tmp_path / "no"), "--warm-start", "nowhere"]) == 2
    err = capsys.readouterr().err
    assert "sampler.warm_start" in err
    assert not (tmp_path / "no").exists()
