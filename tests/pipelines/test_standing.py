"""An unfinished run says so first, and passes for nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exmc.trace.store import RunStore
from pipelines.checking import check_config
from pipelines.cli import main
from pipelines.config import load_config, with_out
from pipelines.control import StoppedError
from pipelines.creation import create_run
from pipelines.events import Event
from pipelines.run import start
from pipelines.standing import being_run, unfinished
from tests.pipelines.running import SLOW, await_records, begin, write_config

MANY = "sampler: {draws: 3000, warmup: 700, chains: 4, seed: 5}\nrun: {segment_seconds: 1e-9}\n"


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped when every chain had draws enough to pass every check."""
    folder = tmp_path_factory.mktemp("stopped")
    done: dict[int, int] = {}

    def stop(event: Event) -> None:
        receipt = event.receipt
        if receipt is not None and not receipt.warmup:
            done[receipt.chain] = receipt.draws_done
            if len(done) == 4 and min(done.values()) >= 2000:
                raise StoppedError("enough")

    config = with_out(load_config(write_config(folder, MANY)), folder / "run")
    with pytest.raises(StoppedError):
        start(check_config(config), stop)
    return folder / "run"


def test_the_summary_says_first_what_there_is(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", str(stopped)]) == 3
    first, *rest = capsys.readouterr().out.splitlines()
    done = RunStore.open(stopped).draws_done()
    assert 2000 <= done < 3000
    assert first == (f"This run is UNFINISHED: {done} of 3000 draws in every chain. Go on with: exmc resume {stopped}")
    assert any(line.startswith("theta[a]") for line in rest)
    assert rest[-1] == "The draws so far pass every check."
    assert main(["summary", str(stopped), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["complete"], found["passed"], found["findings"]) == (False, False, [])
    assert found["standing"] == first


def test_it_cannot_be_compared(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(stopped), str(stopped.parent / "run")]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "UNFINISHED" in err
    assert "exmc resume" in err


def test_a_run_without_draws_is_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_run(check_config(with_out(load_config(write_config(tmp_path)), tmp_path / "run")))
    assert main(["summary", str(tmp_path / "run")]) == 3
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "no draws yet, 0 of 700 warm-up iterations in every chain" in out


def test_failed_chains_are_counted(tmp_path: Path) -> None:
    create_run(check_config(with_out(load_config(write_config(tmp_path)), tmp_path / "run")))
    store = RunStore.open(tmp_path / "run")
    store.fail(1, "it broke")
    assert "(1 of 3 chains failed and do not count)" in unfinished(store)


def test_a_run_that_goes_on_is_not_to_be_resumed(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with begin(["run", str(write_config(tmp_path, SLOW)), "--out", str(out)]) as process:
        await_records(out, 1, process)
        assert being_run(out)
        assert unfinished(RunStore.open(out)).endswith("It is being run now.")
    assert not being_run(out)


def test_a_model_without_data_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "prior.yaml"
    path.write_text(
        "model: {variables: {m: {dist: Normal, mu: 0, sigma: 1}}}\nsampler: {draws: 600, chains: 2, seed: 1}\n"
    )
    for name in ("one", "two"):
        assert main(["run", str(path), "--out", str(tmp_path / name), "-q"]) in (0, 3)
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "one"), str(tmp_path / "two")]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "has no log_likelihood and no observed_data. Its model observes nothing" in err
