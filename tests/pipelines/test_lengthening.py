"""A run with an aim draws as much as that takes: the store of a run which had that number from the start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pipelines import graph
from pipelines.checking import check_config
from pipelines.cli import main
from pipelines.config import load_config, with_out
from pipelines.control import StoppedError
from pipelines.events import Event
from pipelines.places import LocatedError
from pipelines.plan import Plan
from pipelines.run import RunResult, extend, resume, start
from tests.pipelines.running import write_config

AIM = (
    "sampler: {draws: 200, warmup: 300, chains: 2, seed: 5, until: {ess: 1000, rhat: 1.02, max_draws: 3000}}\n"
    "run: {segment_seconds: 1e-9, predictive: {prior_draws: 0, posterior: false}}\n"
)


def run(folder: Path, out: str, *overrides: str, on_event: object = None) -> RunResult:
    config = with_out(load_config(write_config(folder, AIM), overrides), folder / out)
    return start(check_config(config), on_event or (lambda event: None))  # type: ignore[arg-type]


def assert_same_draws(one: xr.DataTree, other: xr.DataTree) -> None:
    for group in ("posterior", "sample_stats", "unconstrained_posterior"):
        for name, array in one[group].data_vars.items():
            assert np.array_equal(array.values, other[group][name].values), (group, name)


def test_a_run_draws_until_it_has_what_was_asked_for(tmp_path: Path) -> None:
    events: list[Event] = []
    tree = run(tmp_path, "aimed", on_event=events.append).tree()
    longer = [event for event in events if event.kind == "longer"]
    total = tree["posterior"].sizes["draw"]
    assert longer
    assert longer[-1].draws == total
    assert "of 1000: on to" in longer[0].message
    assert tree.attrs["until"]["reached"] is True
    assert tree.attrs["sampler"]["draws"] == total
    plain = run(tmp_path, "plain", "sampler.until={}", f"sampler.draws={total}").tree()
    assert "until" not in plain.attrs
    assert_same_draws(tree, plain)


def test_a_run_that_cannot_reach_it_ends_and_says_so(tmp_path: Path) -> None:
    events: list[Event] = []
    tree = run(tmp_path, "aimed", "sampler.until.ess=1e7", "sampler.until.max_draws=450", on_event=events.append).tree()
    assert tree["posterior"].sizes["draw"] == 450
    assert tree.attrs["until"]["reached"] is False
    assert any(event.kind == "note" and "max_draws is reached" in event.message for event in events)


@pytest.mark.parametrize("moment", ["before", "after", "while drawing"])
def test_a_run_stopped_on_its_way_is_resumed_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    whole, real = run(tmp_path, "whole").tree(), graph.lengthen

    def lengthen(plan: Plan, draws: int) -> Plan:
        if moment == "before":
            raise StoppedError("enough")
        longer = real(plan, draws)
        if moment == "after":
            raise StoppedError("enough")
        return longer

    seen: list[Event] = []

    def stop(event: Event) -> None:
        seen.append(event)
        if moment == "while drawing" and [e.kind for e in seen[-2:]] == ["longer", "segment"]:
            raise StoppedError("enough")

    with monkeypatch.context() as patch:
        patch.setattr(graph, "lengthen", lengthen)
        with pytest.raises(StoppedError):
            run(tmp_path, "out", on_event=stop)
    found = resume(tmp_path / "out", lambda event: None).tree()
    assert found.attrs["until"] == whole.attrs["until"]
    assert_same_draws(whole, found)


def test_extended_it_has_exactly_the_draws_that_are_named(tmp_path: Path) -> None:
    run(tmp_path, "aimed", "sampler.until.max_draws=200")
    tree = extend(tmp_path / "aimed", 350).tree()
    assert tree["posterior"].sizes["draw"] == 350
    assert_same_draws(run(tmp_path, "plain", "sampler.until={}", "sampler.draws=350").tree(), tree)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("sampler.until={max_draws: 300}", "nothing is asked of the draws"),
        ("sampler.until={ess: 400, max_draws: 100}", "begins with 200 draws, and may have 100"),
        ("sampler.until={ess: -1}", "is not above 0"),
        ("sampler.until={rhat: 1}", "is not above 1"),
        ("sampler.until={es: 400}", "unknown key 'es'"),
        ("sampler.until=400", "is not a mapping"),
    ],
)
def test_an_aim_that_means_nothing_is_refused(tmp_path: Path, override: str, named: str) -> None:
    with pytest.raises(LocatedError, match=named) as caught:
        load_config(write_config(tmp_path, AIM), [override])
    assert "sampler.until" in str(caught.value)


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write_config(tmp_path, AIM))
    assert main(["run", path, "--out", str(tmp_path / "out")]) == 0
    assert "of 1000: on to" in capsys.readouterr().err
    assert main(["resume", str(tmp_path / "out")]) == 0
    assert "nothing to do" in capsys.readouterr().err
