"""The comparison with other libraries: how runs are judged, what its tables say, and what its models claim."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path
from typing import Any

import compare
import numpy as np
import pytest
from compare import Task
from comparison import exmc_models, judge, lines, picture, process, report
from comparison.judge import Clock, Reference, Steps
from comparison.lines import Key
from comparison.problems import PROBLEMS
from comparison.process import FailedRunError, environment, run_worker

from exmc.compile.layout import layout_of
from exmc.rewrite.run import rewrite

CLOCK = Clock(start_up=2.0, sampling=10.0, returning=1.0)


def noise(draws: int, seed: int = 1, memory: float = 0.0) -> np.ndarray:
    """Four chains of a first-order autoregression of variance 1."""
    shocks = np.random.default_rng(seed).normal(size=(4, draws))
    values = shocks.copy()
    for t in range(1, draws):
        values[:, t] = memory * values[:, t - 1] + math.sqrt(1 - memory**2) * shocks[:, t]
    return values


def steps(draws: int, warmup: int = 500) -> Steps:
    """Three gradients a draw, seven in warm-up."""
    return Steps(np.full((4, warmup), 7), np.full((4, draws), 3))


# judge


def test_scalars_count_from_one() -> None:
    posterior = {"mu": np.zeros((2, 3)), "K": np.arange(24.0).reshape((2, 3, 2, 2))}
    found = judge.scalars_of(posterior)
    assert list(found) == ["mu", "K[1,1]", "K[1,2]", "K[2,1]", "K[2,2]"]
    np.testing.assert_array_equal(found["K[2,1]"], posterior["K"][:, :, 1, 0])


def test_means_are_judged_in_standard_errors_of_both() -> None:
    draws = noise(1000)
    known = {"mu": Reference(mean=draws.mean() + 3.0, sd=1.0, mcse=0.4)}
    score = judge.z_scores({"mu": draws}, (), known)["mu"]
    assert score == pytest.approx(-3.0 / math.hypot(judge.error(draws), 0.4))


def test_of_variables_without_variance_logarithms_are_judged() -> None:
    draws = noise(500)
    scores = judge.z_scores(
        {"tau": np.exp(draws), "tau_raw": draws},
        ("tau",),
        {"log(tau)": Reference(0.0, 1.0, 0.0), "tau_raw": Reference(0.0, 1.0, 0.0)},
    )
    assert scores["log(tau)"] == pytest.approx(scores["tau_raw"])


def test_a_scalar_that_only_one_has_is_refused() -> None:
    with pytest.raises(ValueError, match="only in one of run and reference: \\['mu', 'nu'\\]"):
        judge.z_scores({"mu": noise(100)}, (), {"nu": Reference(0.0, 1.0, 0.0)})


def test_draws_that_are_not_finite_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"mu": Reference(1.9, 0.2, 0.01), "sigma": Reference(1.0, 0.2, 0.01)}
    monkeypatch.setattr(judge, "references", lambda: {"simple": known})
    good = {"mu": 1.9 + noise(500), "sigma": 1.0 + noise(500, 2)}
    diverging = np.zeros((4, 500), dtype=bool)
    assert judge.judge("simple", good, steps(500), diverging, CLOCK).right
    bad = good | {"sigma": np.where(np.arange(500) == 7, np.nan, good["sigma"])}
    figures = judge.judge("simple", bad, steps(500), diverging, CLOCK)
    assert not figures.right
    assert figures.worst == "sigma"
    assert figures.enough == {400: None, 1000: None}
    assert not judge.judge("simple", good | {"mu": good["sigma"]}, steps(500), diverging, CLOCK).right


def test_enough_is_the_shortest_run_whose_draws_suffice() -> None:
    scalars = {"a": noise(2000), "b": noise(2000, seed=2, memory=0.6)}
    found = judge.seconds_to(400, scalars, steps(2000), CLOCK)
    assert found is not None

    def suffices(n: int) -> bool:
        return all(judge.bulk(x[:, :n]) >= 400 and judge.r_hat(x[:, :n]) < 1.01 for x in scalars.values())

    grid = [n for n in range(20, 2001) if n in set(judge._grid(2000))]
    assert found.draws == next(n for n in grid if suffices(n))
    assert not found.extrapolated
    # Warm-up's gradients, and those of the draws that were needed, of all.
    share = (4 * 500 * 7 + 4 * found.draws * 3) / (4 * 500 * 7 + 4 * 2000 * 3)
    assert found.seconds == pytest.approx(2.0 + 10.0 * share + 1.0)


def test_beyond_its_draws_a_run_is_extrapolated() -> None:
    scalars = {"a": noise(1500, memory=0.7)}
    size = judge.bulk(scalars["a"])
    assert size < 5000
    found = judge.seconds_to(5000, scalars, steps(1500), CLOCK)
    assert found is not None
    assert found.extrapolated
    assert found.draws == math.ceil(1500 * 5000 / size)
    share = (4 * 500 * 7 + 4 * found.draws * 3) / (4 * 500 * 7 + 4 * 1500 * 3)
    assert found.seconds == pytest.approx(3.0 + 10.0 * share)


def test_chains_that_disagree_never_have_enough() -> None:
    apart = noise(1000) + np.arange(4)[:, None]
    assert judge.r_hat(apart) > 1.01
    assert judge.seconds_to(400, {"a": apart}, steps(1000), CLOCK) is None


# lines


def row(seed: int, peer: str = "exmc", **changes: Any) -> lines.Row:
    """A run whose figures tell its seed."""
    made: lines.Row = {
        "problem": "radon",
        "peer": peer,
        "setting": "own",
        "seed": seed,
        "version": "1.0",
        "warmup": 1000,
        "draws": 1000,
        "clock": [1.0 + seed, 10.0 * seed, 0.5],
        "ess_bulk": 1000.0 * seed,
        "ess_tail": 900.0,
        "r_hat": 1.001,
        "gradients": 8000,
        "warmup_gradients": 4000,
        "divergences": 0,
        "largest_z": 1.0,
        "worst": "mu",
        "enough": {"400": [5.0 * seed, 200, False], "1000": [7.0 * seed, 500, False]},
    }
    return made | changes


def cold(**changes: Any) -> lines.Row:
    return row(0, clock=[21.0, 1.0, 2.5], **changes)


def test_a_line_has_medians_over_the_runs_that_are_right() -> None:
    (line,) = lines.lines([cold(), row(1), row(2), row(3), row(4, largest_z=5.5, worst="tau")])
    assert (line.right, line.runs, line.counts) == (3, 4, True)
    assert (line.largest_z, line.worst) == (5.5, "tau")
    assert line.start_up == 3.0
    assert line.sampling == 20.0
    assert line.ess_per_second == 100.0
    assert line.ess_per_second_whole == pytest.approx(2000.0 / 23.5)
    assert line.gradients_per_draw == 4.0
    assert line.gradients_per_draw_whole == 6.0
    assert line.seconds_to == {400: 10.0, 1000: 14.0}
    # Start-up and return of the run with empty caches for those of the others.
    assert line.cold_start_up == 21.0
    assert line.cold_seconds_to == {400: 10.0 + 23.5 - 3.5, 1000: 14.0 + 23.5 - 3.5}
    assert line.extrapolated == {400: False, 1000: False}


@pytest.mark.parametrize("distance", [5.0, math.nan])
def test_a_library_whose_means_are_wrong_does_not_count(distance: float) -> None:
    (line,) = lines.lines([row(1, largest_z=distance), row(2, largest_z=distance), row(3)])
    assert not line.counts
    assert not line.reached(400)


def test_most_runs_must_reach_it() -> None:
    never = {"400": None, "1000": None}
    (line,) = lines.lines([row(1), row(2), row(3, enough=never)])
    assert line.seconds_to[400] == 10.0
    (line,) = lines.lines([row(1), row(2, enough=never), row(3, enough=never)])
    assert line.seconds_to[400] == math.inf
    assert not line.reached(400)


def test_cold_runs_alone_make_no_line() -> None:
    assert lines.lines([cold()]) == []


def test_the_best_right_peer_is_compared_with() -> None:
    # Twice as slow, and a wrong one that is fastest of all.
    slow = row(1, "nutpie", clock=[1.0, 20.0, 0.5], gradients=16000, enough={"400": [15.0, 9, False], "1000": None})
    slower = row(1, "pymc", clock=[1.0, 90.0, 0.5], enough={"400": [95.0, 9, False], "1000": None})
    wrong = row(1, "numpyro", largest_z=9.0, enough={"400": [0.1, 9, False], "1000": None})
    table = lines.lines([row(1), slow, slower, wrong])
    (found,) = lines.standings(table, ["exmc", "nutpie", "pymc", "numpyro"])
    assert found == ("radon", "own", "compared", 3.0, 2.0, 0.5, False)
    (alone,) = lines.standings(table, ["exmc", "numpyro"])
    assert alone.verdict == "exmc alone"
    (lost,) = lines.standings(lines.lines([row(1, largest_z=6.0), slow]), ["exmc", "nutpie"])
    assert lost.verdict == "peers alone"
    (nobody,) = lines.standings(lines.lines([row(1, largest_z=6.0), wrong]), ["exmc", "numpyro"])
    assert nobody.verdict == "nobody"


def test_geometric_means_leave_out_what_is_unknown() -> None:
    assert lines.geometric_mean([2.0, math.nan, 8.0]) == pytest.approx(4.0)
    assert math.isnan(lines.geometric_mean([math.nan]))


# report


def test_the_table_says_wrong_never_and_why_not() -> None:
    rows = [
        cold(),
        row(1),
        row(1, "numpyro", largest_z=7.25, worst="tau"),
        row(1, "nutpie", warmup=400, enough={"400": [4.0, 9, True], "1000": None}),
        {"problem": "radon", "peer": "pymc", "setting": "own", "seed": 0, "failed": "took more than 600 s"},
    ]
    text = report.markdown(lines.lines(rows), lines.failures(rows), ["exmc", "nutpie", "pymc", "numpyro"])
    head, rule, ours, wrong, nutpie, *_ = text.splitlines()
    assert head.count("|") == rule.count("|") == ours.count("|") == wrong.count("|")
    assert "| radon | exmc | 1000 + 1000 | 1 of 1 | 2 | 21 | 10 | 1000 | 900 | 100 |" in ours
    assert "**wrong**: tau off by 7.2 se" in wrong
    assert wrong.endswith("| wrong | wrong | wrong |")
    assert "| 4~ | - |" in nutpie
    assert "- radon, pymc (own): took more than 600 s" in text
    assert "Versions: exmc 1.0, numpyro 1.0, nutpie 1.0." in text
    assert "| radon | 5 | 4~ |  | wrong | 1 | 1 |" in text


def test_a_peer_that_keeps_programs_on_disk_is_left_out_once() -> None:
    kept = row(1, "numpyro-cached", enough={"400": [10.0, 9, False], "1000": None})
    short = row(1, clock=[2.0, 5.0, 0.5])
    rows = [short, row(1, "numpyro", enough={"400": [20.0, 9, False], "1000": None}), kept]
    text = report.markdown(lines.lines(rows), {}, ["exmc", "numpyro", "numpyro-cached"])
    both, without = text.split("exmc beside the best right peer without numpyro-cached:")
    assert "2.00 in the geometric mean of 1, at worst 2.00 (radon)" in both
    assert "4.00 in the geometric mean of 1, at worst 4.00 (radon)" in without


def test_rows_without_exmc_have_every_cell() -> None:
    text = report.markdown(lines.lines([row(1, "nutpie"), row(1, problem="garch")]), {}, ["exmc", "nutpie"])
    table = [line for line in text[text.index("Seconds from") :].splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {6}
    assert "| radon |  | 5 |  |  |" in table


def test_equal_numbers_are_printed_once() -> None:
    rows = [row(1), row(1, "nutpie", warmup=400), row(1, setting="equal"), row(1, "nutpie", setting="equal")]
    text = report.markdown(lines.lines(rows), {}, ["exmc", "nutpie"])
    whole = text[: text.index("Versions")]
    printed = [line.split("|")[2:4] for line in whole.splitlines() if line.startswith("| radon")]
    assert printed == [[" exmc ", " 1000 + 1000 "], [" nutpie ", " 400 + 1000 "], [" nutpie ", " 1000 + 1000 "]]


def test_json_has_no_nan() -> None:
    rows = [row(1, largest_z=math.nan, enough={"400": None, "1000": None})]
    made = report.document(lines.lines(rows), {}, rows, ["exmc"])
    read = json.loads(json.dumps(made, allow_nan=False))
    assert read["lines"][0]["seconds_to"] == {"400": None, "1000": None}
    assert read["runs"][0]["largest_z"] is None


def test_the_plot_is_written(tmp_path: Path) -> None:
    rows = [row(1), row(1, "pymc", largest_z=8.0), row(1, "nutpie", enough={"400": [4.0, 9, True], "1000": None})]
    picture.draw(lines.lines(rows), "own", tmp_path / "compare.png")
    assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG")


# compare


def test_rounds_are_seeds_and_libraries_take_turns() -> None:
    found = list(compare.tasks(["a", "b"], ["own"], ["exmc", "pymc"], 1))
    assert [(t.seed, t.key.problem, t.key.peer) for t in found] == [
        *((0, "a", "exmc"), (0, "a", "pymc"), (0, "b", "exmc"), (0, "b", "pymc")),
        *((1, "a", "exmc"), (1, "a", "pymc"), (1, "b", "exmc"), (1, "b", "pymc")),
    ]


def test_own_numbers_that_are_the_equal_ones_are_not_run_twice() -> None:
    equal = Task(1, Key("radon", "exmc", "equal"))
    assert compare.same_counts(equal, [row(1)]) == row(1, setting="equal")
    assert compare.same_counts(equal, [row(1, warmup=400)]) is None
    assert compare.same_counts(equal, [row(2)]) is None
    assert compare.same_counts(Task(1, Key("radon", "exmc", "own")), [row(1, setting="equal")]) is None


def test_who_failed_once_is_not_asked_again() -> None:
    failed = {"problem": "radon", "peer": "pymc", "setting": "own", "seed": 0, "failed": "no"}
    assert compare.given_up(Task(1, Key("radon", "pymc", "own")), [failed])
    assert not compare.given_up(Task(1, Key("radon", "exmc", "own")), [failed])


def test_a_run_is_taken_up_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Task] = []

    def execute(task: Task, out: Path, timeout: float) -> lines.Row:
        made.append(task)
        return row(task.seed + 1, problem=task.key.problem) | {"seed": task.seed}

    monkeypatch.setattr(compare, "execute", execute)
    arguments = ["compare.py", "--peers", "exmc", "--out", str(tmp_path), "--models", "simple"]
    monkeypatch.setattr("sys.argv", [*arguments, "--seeds", "1"])
    compare.main()
    assert [task.seed for task in made] == [0, 1]
    monkeypatch.setattr("sys.argv", [*arguments, "--seeds", "2"])
    compare.main()
    assert [task.seed for task in made] == [0, 1, 2]
    assert "| simple | exmc | 1000 + 1000 | 2 of 2 |" in (tmp_path / "compare.md").read_text()
    assert len(json.loads((tmp_path / "compare.json").read_text())["lines"]) == 2
    assert (tmp_path / "compare.png").exists()


# problems, references, processes


def test_every_library_has_every_problem() -> None:
    for library in ("exmc", "pymc", "numpyro"):
        path = Path(compare.__file__).parent / "comparison" / f"{library}_models.py"
        body = ast.parse(path.read_text()).body
        functions = {node.name for node in body if isinstance(node, ast.FunctionDef)}
        others = {name for node in body if isinstance(node, ast.Assign) for name in map(ast.unparse, node.targets)}
        assert set(PROBLEMS) <= functions | others


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_problem_has_the_dimension_it_claims_and_a_reference(problem: str) -> None:
    source = getattr(exmc_models, problem)(PROBLEMS[problem].data()).build()
    assert layout_of(rewrite(source).model).dimension == PROBLEMS[problem].dimension
    known = judge.references()[problem]
    assert len(known) == PROBLEMS[problem].dimension
    for name, reference in known.items():
        assert np.isfinite(reference).all(), name
        assert 0.0 <= reference.mcse < 0.1 * reference.sd, name


def test_generated_data_are_always_the_same() -> None:
    data = PROBLEMS["logistic"].data()
    assert data["y"].sum() == 280
    assert data["X"][0, 0] == pytest.approx(-2.2074710981998042)
    np.testing.assert_array_equal(data["X"], PROBLEMS["logistic"].data()["X"])


def test_a_worker_says_when_what_happened(tmp_path: Path) -> None:
    request = {"peer": "exmc", "problem": "simple", "seed": 1, "chains": 4, "cores": 2, "warmup": 60, "draws": 50}
    data = PROBLEMS["simple"].data()
    made = run_worker(request, data, tmp_path, timeout=120.0)
    assert min(made.clock) > 0.0
    assert {name: values.shape for name, values in made.posterior.items()} == {"mu": (4, 50), "sigma": (4, 50)}
    assert made.steps.warmup.shape == (4, 60)
    assert made.steps.draws.shape == made.diverging.shape == (4, 50)
    assert made.steps.draws.min() >= 1
    assert (tmp_path / "exmc").is_dir()
    with pytest.raises(FailedRunError, match="KeyError: 'nobody'"):
        run_worker(request | {"peer": "nobody"}, data, tmp_path, timeout=120.0)
    with pytest.raises(FailedRunError, match="took more than"):
        run_worker(request, data, tmp_path, timeout=0.01)


def test_a_failure_is_told_in_the_line_that_names_it() -> None:
    told = "Traceback (most recent call last):\n  File ...\njax.errors.TracerError: no\n---\nFor simplicity, ...\n"
    assert process._reason(told) == "jax.errors.TracerError: no"
    assert process._reason("Killed\n") == "Killed"
    assert process._reason("") == ""


def test_libraries_share_no_cache_and_no_threads(tmp_path: Path) -> None:
    found = environment(tmp_path, "exmc")
    places = [found[name] for name in ("EXMC_CACHE_DIR", "PYTENSOR_FLAGS", "NUMBA_CACHE_DIR")]
    assert all(str(tmp_path) in place for place in places)
    assert found["OPENBLAS_NUM_THREADS"] == "1"


def test_jax_keeps_programs_on_disk_if_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    assert environment(tmp_path, "numpyro-cached")["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "jax")
    assert "JAX_COMPILATION_CACHE_DIR" not in environment(tmp_path, "numpyro")
