"""Ctrl-C once lets segments end, twice does not wait; SIGTERM is as once. Either leaves a run to be resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from exmc.trace.store import RunStore
from pipelines.run import resume, run_config
from tests.pipelines.running import PATIENCE, assert_same_store, await_records, begin

# After some gradients, each lasts longer than the test: nothing that waits for one passes.
SLEEPY = """\
import os
import time

from autograd.extend import defvjp, primitive

count = [0]


@primitive
def waited(value):
    count[0] += 1
    if count[0] > int(os.environ.get("AWAKE", "1000000")):
        time.sleep(60)
    return value


defvjp(waited, lambda result, value: lambda g: g)


def log_density(value):
    return -0.5 * waited(value) ** 2
"""
CONFIG = """\
model: {variables: {x: {dist: Custom, function: "sleepy:log_density"}}}
sampler: {draws: 300, warmup: 100, chains: 2, seed: 1, engine: autograd, max_treedepth: 1}
cluster: {workers: 2, processes: PROCESSES}
run: {predictive: {prior_draws: 0, posterior: false}, segment_seconds: 1e-9}
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed run; its config and module."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "sleepy.py").write_text(SLEEPY)
    (folder / "sleepy.yaml").write_text(CONFIG.replace("PROCESSES", "false"))
    run_config(folder / "sleepy.yaml", out=folder / "run", code=folder)
    return folder


def await_word(process: subprocess.Popen[str], word: str) -> None:
    assert process.stderr is not None
    while word not in (line := process.stderr.readline()):
        assert line, "the process has ended"


@pytest.mark.parametrize("processes", ["false", pytest.param("true", marks=pytest.mark.slow)])
def test_control_c_twice_does_not_wait(processes: str, whole: Path, tmp_path: Path) -> None:
    """A terminal sends it to worker processes, too."""
    config, out = tmp_path / "sleepy.yaml", tmp_path / "run"
    config.write_text(CONFIG.replace("PROCESSES", processes))
    arguments = ["run", str(config), "--code", str(whole), "--out", str(out)]
    with begin(arguments, start_new_session=True, env=os.environ | {"AWAKE": "700"}) as process:
        await_records(out, 1, process)
        time.sleep(2)  # Each chain has come to a gradient that does not end.
        os.killpg(process.pid, signal.SIGINT)
        await_word(process, "stopping once its segments are done, asked by Ctrl-C. Ctrl-C again: do not wait")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert f"exmc resume {out}" in err
    assert "Traceback" not in err
    assert not RunStore.open(out).complete
    resume(out, lambda event: None)
    assert_same_store(whole / "run", out)


def test_sigterm_lets_segments_end(whole: Path, tmp_path: Path) -> None:
    """What is committed then are the draws of the undisturbed run."""
    out = tmp_path / "run"
    more = ["--code", str(whole), "--out", str(out), "--set", "sampler.draws=3000"]
    with begin(["run", str(whole / "sleepy.yaml"), *more]) as process:
        await_records(out, 2, process)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert "asked by SIGTERM. Ctrl-C: do not wait" in err
    assert f"exmc resume {out}" in err
    done = RunStore.open(out).read()["posterior"]["x"].values
    undisturbed = RunStore.open(whole / "run").read()["posterior"]["x"].values
    assert done.shape[1] % 100 == 0
    common = min(done.shape[1], undisturbed.shape[1])
    assert (done[:, :common] == undisturbed[:, :common]).all()
