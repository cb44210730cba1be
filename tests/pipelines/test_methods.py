"""A run by a method beside NUTS: the same store however it is cut, killed or resumed, and options that are its own."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from exmc.errors import SamplingError, StoreError
from exmc.methods import METHODS
from exmc.trace.fits import POOL, Fits
from pipelines.checking import check_config
from pipelines.checkpoint import read_checkpoint
from pipelines.config import load_config, with_out
from pipelines.control import StoppedError
from pipelines.events import Event
from pipelines.live import Live
from pipelines.places import LocatedError
from pipelines.run import RunResult, extend, resume, start
from tests.pipelines.running import assert_same_store, begin, write_config

QUICK = "predictive: {prior_draws: 0, posterior: false}"


# Options that make a fit short, of more than one part and round where there can be; a new method needs none.
SHORT = {
    "pathfinder": ", paths: 3, candidates: 200",
    "advi": ", restarts: 2, iterations: 50",
    "laplace": ", starts: 2",
    "smc": ", block: 200, moves: 1",
}


def config_of(method: str, more: str = "", run: str = "", cluster: str = "workers: 1") -> str:
    return (
        f"sampler: {{method: {method}, draws: 600, chains: 2, seed: 5{more}}}\n"
        f"run: {{segment_seconds: 1e-9, {QUICK}{run}}}\ncluster: {{{cluster}}}\n"
    )


def run(folder: Path, rest: str, name: str = "run", on_event=lambda event: None) -> RunResult:  # type: ignore[no-untyped-def]
    return start(check_config(with_out(load_config(write_config(folder, rest)), folder / name)), on_event)


@pytest.mark.parametrize("method", METHODS)
def test_a_store_does_not_depend_on_workers_segments_or_stops(method: str, tmp_path: Path) -> None:
    seen: list[Event] = []
    run(tmp_path, config_of(method, SHORT.get(method, "")), "whole", seen.append)
    rounds = [event for event in seen if event.kind == "round"]
    run(
        tmp_path,
        config_of(method, SHORT.get(method, ""), run=", segment_seconds: 100").replace("segment_seconds: 1e-9, ", ""),
        "long",
    )
    assert_same_store(tmp_path / "whole", tmp_path / "long")
    left = [len(rounds) // 2]

    def stop(event: Event) -> None:
        left[0] -= event.kind == "round"
        if left[0] < 0 or event.kind == "segment":
            left[0] = 10**6
            raise StoppedError("enough")

    with pytest.raises(StoppedError):
        run(tmp_path, config_of(method, SHORT.get(method, ""), cluster="workers: 2"), "stopped", stop)
    again: list[Event] = []
    result = resume(tmp_path / "stopped", again.append)
    # Rounds that were pooled are not done again.
    assert len([event for event in again if event.kind == "round"]) < max(len(rounds), 1)
    assert_same_store(tmp_path / "whole", tmp_path / "stopped")
    said = result.diagnosed.values["method"]
    assert said["name"] == method
    assert (f"APPROXIMATION by {method}" in result.diagnosed.text) == bool(said["approximation"])
    tree = xr.open_datatree(tmp_path / "whole" / "run.zarr", engine="zarr")
    assert tree.attrs["method"] == said
    assert dict(tree["posterior"].sizes) == {"chain": 2, "draw": 600, "group": 3}
    live = Live(tmp_path / "whole")
    live.refresh()
    assert live.draws == 1200
    assert live.summary()["mean"].sel(scalar="mu").item() == pytest.approx(tree["posterior"]["mu"].values.mean())
    assert np.isfinite(live.by_chain()["bfmi"]).all()


def test_a_run_killed_in_its_fit_goes_on(tmp_path: Path) -> None:
    """The process is killed as soon as a part is kept; nothing of it is done again."""
    slow = config_of("pathfinder", ", engine: autograd, paths: 4, candidates: 100")
    run(tmp_path, slow, "whole")
    with begin(["run", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "killed")]) as process:
        parts = tmp_path / "killed" / "state" / "fit" / "round-00000"
        deadline = time.monotonic() + 120
        while not list(parts.glob("part-*.json")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.005)
    kept = {path: path.stat().st_mtime_ns for path in parts.glob("part-*.json")}
    resume(tmp_path / "killed", lambda event: None)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert_same_store(tmp_path / "whole", tmp_path / "killed")


def test_damaged_results_are_made_again(tmp_path: Path) -> None:
    run(tmp_path, config_of("pathfinder", ", paths: 2, candidates: 100"))
    plan = read_checkpoint(tmp_path / "run").plan
    fits = Fits(plan.path, plan.fingerprint)
    pooled = fits.read(0, POOL)
    path = tmp_path / "run" / "state" / "fit" / "round-00000" / "pooled.json"
    path.write_bytes(path.read_bytes()[:-5] + b"xxxxx")
    assert fits.read(0, POOL) is None
    assert fits.last() == -1
    extend(tmp_path / "run", 700)
    again = fits.read(0, POOL)
    assert pooled is not None
    assert again is not None
    assert again.digest == pooled.digest


def test_an_extended_run_is_the_longer_one(tmp_path: Path) -> None:
    more = ", paths: 2, candidates: 100"
    run(tmp_path, config_of("pathfinder", more))
    run(tmp_path, config_of("pathfinder", more).replace("600", "900"), "longer")
    extend(tmp_path / "run", 900)
    assert_same_store(tmp_path / "run", tmp_path / "longer")


def test_particles_are_one_whole_that_cannot_be_extended(tmp_path: Path) -> None:
    run(tmp_path, config_of("smc", SHORT["smc"]).replace("600", "100"))
    with pytest.raises(StoreError, match="a run of the method smc cannot be extended"):
        extend(tmp_path / "run", 200)


FAULTS = {
    "method: pathfindr": "there is no method 'pathfindr'. Did you mean 'pathfinder'?",
    "method: 3": "there is no method 3. Known: nuts, pathfinder, laplace, advi, smc",
    "method: pathfinder, warmup: 100": "'warmup' is an option of nuts, not of the method pathfinder.",
    "method: pathfinder, path: 3": "unknown key 'path'. Did you mean 'paths'?",
    "method: pathfinder, paths: 0": "0 is not an integer from 1 to 10000.",
    "method: pathfinder, paths: many": "'many' is not a whole number.",
    "paths: 3": "'paths' is an option of pathfinder, not of the method nuts.",
    "init: {mew: 0.3}": "init.mew: 'mew' is no variable that is sampled",
    "init: {mu: [1, 2]}": "init.mu: [1, 2] is no value of 'mu', which has the shape ().",
    "init: 3": "3 is none of uniform, prior, pathfinder",
    "init: pror": "'pror' is none of uniform, prior, pathfinder. Did you mean 'prior'?",
}


@pytest.mark.parametrize("written", FAULTS)
def test_faults_are_named_with_their_line(written: str, tmp_path: Path) -> None:
    with pytest.raises(LocatedError) as caught:
        check_config(load_config(write_config(tmp_path, f"sampler: {{{written}}}\n")))
    assert FAULTS[written] in str(caught.value)
    assert "small.yaml:9: sampler." in str(caught.value)


def test_a_fit_without_a_single_part_says_why_and_can_be_tried_again(tmp_path: Path) -> None:
    """Nowhere within reach of the starts has the data any density."""
    path = tmp_path / "far.yaml"
    path.write_text(
        "model:\n  variables:\n    x: {dist: Normal, mu: 0, sigma: 1}\n"
        '    y: {dist: Uniform, low: x, high: "x + 1", observed: 100.0}\n' + config_of("pathfinder", ", paths: 2")
    )
    config = with_out(load_config(path), tmp_path / "far")
    notes: list[Event] = []
    with pytest.raises(SamplingError, match=r"Every part of the fit failed; part 0: .*found no starting point"):
        start(check_config(config), notes.append)
    assert len([e for e in notes if e.kind == "note" and "of the fit failed" in e.message]) == 2
    kept = list((tmp_path / "far" / "state" / "fit" / "round-00000").glob("part-*.json"))
    assert len(kept) == 2
    plan = read_checkpoint(tmp_path / "far").plan
    Fits(plan.path, plan.fingerprint).forgive()
    assert not any(path.exists() for path in kept)


def test_another_result_of_the_same_part_is_refused(tmp_path: Path) -> None:
    run(tmp_path, config_of("pathfinder", ", paths: 2, candidates: 100"))
    plan = read_checkpoint(tmp_path / "run").plan
    fits = Fits(plan.path, plan.fingerprint)
    first, second = fits.read(0, 0), fits.read(0, 1)
    assert first is not None
    assert second is not None
    assert fits.commit(0, 0, first).digest == first.digest
    with pytest.raises(StoreError, match="committed before with other contents"):
        fits.commit(0, 0, second)
