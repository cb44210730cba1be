"""A run gives the same store however it is cut up, disturbed, killed and resumed."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import xarray as xr

from exmc.errors import ConfigError, StoreError
from exmc.trace.store import RunStore
from pipelines.checking import check_config
from pipelines.config import load_config, with_out
from pipelines.creation import create_run
from pipelines.events import Event
from pipelines.run import resume, run_config
from tests.pipelines.running import PATIENCE, SLOW, assert_same_store, await_records, begin, write_config


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run of the quick config."""
    folder = tmp_path_factory.mktemp("quick")
    run_config(write_config(folder), out=folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run of the slow config."""
    folder = tmp_path_factory.mktemp("slow")
    run_config(write_config(folder, SLOW), out=folder / "run")
    return folder / "run"


def test_the_store_opens_as_a_tree(quick: Path) -> None:
    tree = xr.open_datatree(quick / "run.zarr", engine="zarr")
    assert tree["posterior"].sizes == {"chain": 3, "draw": 1200, "group": 3}
    assert {"posterior", "sample_stats", "log_likelihood", "log_prior", "posterior_predictive", "prior",
            "prior_predictive", "observed_data", "unconstrained_posterior"} <= set(tree.children)  # fmt: skip
    assert np.isfinite(tree["posterior"]["theta"].values).all()
    assert tree.attrs["sampler"]["seed"] == 5


def test_the_posterior_is_right(quick: Path) -> None:
    """The model is Gaussian: mu given y is normal with the mean and variance below."""
    tree = xr.open_datatree(quick / "run.zarr", engine="zarr")
    seen = np.array([0.3, -0.2, 1.1])
    precision = 1.0 + 3 / (0.5**2 + 0.5**2)
    mean = seen.sum() / (0.5**2 + 0.5**2) / precision
    draws = tree["posterior"]["mu"].values
    from arviz_stats.base import array_stats

    error = array_stats.mcse(draws, chain_axis=0, draw_axis=1)
    assert abs(draws.mean() - mean) < 4 * error


def test_run_directory_holds_what_is_needed_to_understand_it(quick: Path) -> None:
    assert {"config.yaml", "ir.json", "explain.txt", "events.jsonl", "run.zarr", "state"} <= set(os.listdir(quick))
    events = [json.loads(line) for line in (quick / "events.jsonl").read_text().splitlines()]
    stages = [event["stage"] for event in events if event["kind"] == "stage"]
    assert stages == ["build", "rewrite", "compile", "warmup", "sample", "diagnose"]
    bench = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "bench" / "stages.py"))
    assert bench["STAGES"] == stages
    assert all(event["took"] >= 0 for event in events if event["kind"] == "stage")
    done = {chain: sum(e["receipt"]["draws"] for e in events if e["kind"] == "segment" and e["chain"] == chain)
            for chain in range(3)}  # fmt: skip
    assert done == {0: 1900, 1: 1900, 2: 1900}


def test_its_config_is_a_config_for_the_same_run(quick: Path, tmp_path: Path) -> None:
    run_config(quick / "config.yaml", out=tmp_path / "again")
    assert_same_store(quick, tmp_path / "again")


@pytest.mark.parametrize(
    "overrides",
    [
        ["run.segment_seconds=1000"],
        ["cluster.workers=1"],
        ["cluster={workers: 3, threads_per_worker: 2}"],
        ["cluster={processes: true, workers: 2}"],
    ],
    ids=lambda o: o[0],
)
def test_same_store_however_it_is_cut_up(overrides: list[str], quick: Path, tmp_path: Path) -> None:
    run_config(write_config(tmp_path), out=tmp_path / "run", overrides=overrides)
    assert_same_store(quick, tmp_path / "run")


def test_chains_do_not_depend_on_how_many_there_are(quick: Path, tmp_path: Path) -> None:
    tree = run_config(write_config(tmp_path), out=tmp_path / "run", overrides=["sampler.chains=2"])
    whole = xr.open_datatree(quick / "run.zarr", engine="zarr")
    for name in ("mu", "theta"):
        assert np.array_equal(tree["posterior"][name], whole["posterior"][name].isel(chain=slice(2)))


def test_a_seed_is_drawn_and_recorded(tmp_path: Path) -> None:
    config = write_config(tmp_path, "sampler: {draws: 100, warmup: 50, chains: 1}\n")
    tree = run_config(config, out=tmp_path / "one")
    again = run_config(tmp_path / "one" / "config.yaml", out=tmp_path / "two")
    other = run_config(config, out=tmp_path / "three")
    assert np.array_equal(tree["posterior"]["mu"], again["posterior"]["mu"])
    assert not np.array_equal(tree["posterior"]["mu"], other["posterior"]["mu"])


def test_a_directory_is_used_once(quick: Path, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in quick.rglob("*")}
    with pytest.raises(ConfigError, match="holds another run \\(finished"):
        run_config(write_config(tmp_path), out=quick)
    assert {p: p.stat().st_mtime_ns for p in quick.rglob("*")} == before


def test_resuming_a_finished_run_changes_nothing(quick: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in quick.rglob("*")}
    result = resume(quick, on_event=lambda event: None)
    assert result.failed == {}
    assert {p: p.stat().st_mtime_ns for p in quick.rglob("*")} == before


def no_store(run: Path) -> None:
    shutil.rmtree(run / "run.zarr")


def flipped_bit(run: Path) -> None:
    chunk = run / "run.zarr" / "posterior" / "mu" / "c.1.1"
    content = bytearray(chunk.read_bytes())
    content[100] ^= 1
    chunk.unlink()
    chunk.write_bytes(content)


def torn_chunk(run: Path) -> None:
    chunk = run / "run.zarr" / "posterior" / "mu" / "c.1.2"
    os.truncate(chunk, 100)


def flipped_bit_of_what_is_derived(run: Path) -> None:
    chunk = run / "run.zarr" / "log_likelihood" / "y" / "c.1.1.0"
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def no_metadata(run: Path) -> None:
    (run / "run.zarr" / "zarr.json").write_text("[]")


@pytest.mark.parametrize(
    "spoil", [no_store, flipped_bit, torn_chunk, flipped_bit_of_what_is_derived, no_metadata], ids=lambda f: f.__name__
)
def test_resuming_a_finished_run_repairs_it(spoil: Callable[[Path], None], quick: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(quick, tmp_path / "run"))
    assert RunStore.open(run).sound
    spoil(run)
    assert not RunStore.open(run).sound
    assert resume(run, on_event=lambda event: None).failed == {}
    assert_same_store(quick, run)


def test_a_killed_worker_costs_nothing_but_time(slow: Path, tmp_path: Path) -> None:
    killed: list[int] = []
    # Those of the beginning: one that takes another's place may be killed before the scheduler knows of it.
    workers: list[psutil.Process] = []

    def kill_a_worker(event: Event) -> None:
        if event.kind == "segment" and len(killed) < 2:
            if not workers:
                # A zombie, of another test's detached run, has no command line.
                children = [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
                workers.extend(p for p in children if "spawn_main" in " ".join(p.cmdline()))
            victim = workers[len(killed)]
            killed.append(victim.pid)
            victim.kill()

    config = write_config(tmp_path, SLOW, "cluster: {processes: true, workers: 2}\n")
    run_config(config, out=tmp_path / "run", on_event=kill_a_worker)
    assert len(killed) == 2
    assert_same_store(slow, tmp_path / "run")
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    lost = [event["message"] for event in events if event["kind"] == "worker_lost"]
    assert len(lost) == 2
    assert all("was lost; what it was doing is done again" in message for message in lost)


def test_a_killed_driver_can_be_resumed(slow: Path, tmp_path: Path) -> None:
    config, out = write_config(tmp_path, SLOW), tmp_path / "run"
    for count in (1, 3):
        arguments = ["run", str(config), "--out", str(out)] if count == 1 else ["resume", str(out)]
        with begin(arguments) as process:
            await_records(out, count, process)
    assert not RunStore.open(out).complete
    resume(out, on_event=lambda event: None)
    assert_same_store(slow, out)


@pytest.mark.parametrize("processes", ["false", pytest.param("true", marks=pytest.mark.slow)])
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_control_c_leaves_a_run_that_says_how_to_go_on(
    number: signal.Signals, processes: str, slow: Path, tmp_path: Path
) -> None:
    """The signal goes to worker processes too, as a terminal sends it."""
    config, out = write_config(tmp_path, SLOW, f"cluster: {{processes: {processes}, workers: 2}}\n"), tmp_path / "run"
    with begin(["run", str(config), "--out", str(out)], start_new_session=True) as process:
        await_records(out, 2, process)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert f"exmc resume {out}" in err
    assert "Traceback" not in err
    assert not RunStore.open(out).complete
    resume(out, on_event=lambda event: None)
    assert_same_store(slow, out)


def test_only_one_driver_at_a_time(tmp_path: Path) -> None:
    config, out = write_config(tmp_path, SLOW), tmp_path / "run"
    with begin(["run", str(config), "--out", str(out)]) as process:
        await_records(out, 1, process)
        with pytest.raises(StoreError, match="another process"):
            resume(out, on_event=lambda event: None)


FLAWED = """\
from exmc import Builder, Normal

def model(bad):
    return Builder().rv("x", Normal, mu=0.0, sigma=1.0)
"""


def test_a_model_that_is_imported(tmp_path: Path) -> None:
    (tmp_path / "flawed.py").write_text(FLAWED)
    path = tmp_path / "imported.yaml"
    path.write_text(
        "model: {from: 'flawed:model', args: {bad: 1}}\nsampler: {draws: 100, warmup: 100, chains: 1, seed: 1}\n"
    )
    tree = run_config(path, out=tmp_path / "run", code=tmp_path)
    assert tree["posterior"].sizes == {"chain": 1, "draw": 100}


def test_of_two_that_want_the_same_new_directory_one_gets_it(tmp_path: Path) -> None:
    """Both have found it free; `start` looks before it connects to the cluster, and only creating decides."""
    checked = check_config(with_out(load_config(write_config(tmp_path)), tmp_path / "run"))
    create_run(checked)
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    with pytest.raises(ConfigError, match=r"run\.out: something is there already"):
        create_run(checked)
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()} == before
