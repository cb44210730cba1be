"""What is shown of a run: a table in a terminal, lines elsewhere."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from exmc.sampling.options import SamplerOptions
from exmc.sampling.progress import Receipt
from exmc.trace.store import RunStore
from pipelines import terminal
from pipelines.events import Event
from pipelines.terminal import Progress, sparkline
from pipelines.worst import Reading, WorstRHat
from tests.pipelines.running import PATIENCE, begin, write_config

OPTIONS = SamplerOptions(seed=1, draws=100, warmup=50, chains=2)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def segment(chain: int, warmup: bool, first: int, draws: int, divergences: int = 0) -> Event:
    receipt = Receipt(
        chain=chain, segment=0, warmup=warmup, first=first, draws=draws, divergences=divergences, gradients=8 * draws,
        step_size=0.25, acceptance_rate=0.8, seconds=0.5,
    )  # fmt: skip
    return Event(kind="segment", seconds=1.0, chain=chain, receipt=receipt)


EVENTS = [
    Event(kind="started", seconds=0.0, message="small"),
    Event(kind="stage", seconds=0.1, stage="build", took=0.1),
    segment(0, True, 0, 50, divergences=9),
    Event(kind="note", seconds=0.1, message="the autograd engine is used."),
    Event(kind="chain_failed", seconds=1.0, chain=1, message="no [starting] point."),
    segment(0, False, 0, 50, divergences=1),
    segment(0, False, 50, 50, divergences=2),
]


def test_lines_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with Progress("small", OPTIONS, stream) as progress:
        for event in EVENTS:
            progress(event)
    assert stream.getvalue().splitlines() == [
        "small: build 0.10 s",
        "small: the autograd engine is used.",
        "small: chain 1 FAILED: no [starting] point.",
        "small: chain 0: 100/100 draws, 3 divergences, step size 0.25, 8.0 gradients a draw, 100 draws/s",
    ]


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (120, ["chain", "draws", "divergences", "step", "size", "grads/draw", "draws/s"]),
        (80, ["chain", "draws", "divergences", "step", "size", "grads/draw", "draws/s"]),
        (40, ["chain", "draws", "divergences", "draws/s"]),
        (24, ["draws", "divergences"]),
    ],
)
def test_a_narrow_terminal_shows_fewer_columns_but_whole_ones(
    width: int, headings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    options = SamplerOptions(seed=1, draws=2000, warmup=1000, chains=2)
    with Progress("small", options, Terminal()) as progress:
        progress(segment(0, True, 0, 1000))
        progress(segment(0, False, 0, 2000, divergences=1234))
        console = Console(file=io.StringIO(), width=width)
        console.print(progress.view())
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(len(line) <= width and "…" not in line for line in lines)
    found = next(i for i, line in enumerate(lines) if "divergences" in line)
    assert lines[found].split() == headings
    cells = lines[found + 1].split()
    assert {"2000/2000", "1234"} <= set(cells)
    assert ("━" * 10 in cells) == (width == 120)
    assert cells[0] == ("2000/2000" if width == 24 else "0")


def test_a_table_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    with Progress("small", OPTIONS, stream) as progress:
        for event in EVENTS:
            progress(event)
        console = Console(file=io.StringIO(), width=120)
        console.print(progress.view())
        table = console.file.getvalue()  # type: ignore[attr-defined]
    rows = [line.split() for line in table.splitlines()]
    assert rows[0][0] == "small"
    assert next(r for r in rows if r[:2] == ["0", "done"])[-5:] == ["100/100", "3", "0.25", "8.0", "100"]
    assert next(r for r in rows if r[:2] == ["1", "failed"])[-1] == "0/50"
    assert "no [starting] point." in stream.getvalue()


def shown(progress: Progress, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(progress.view())
    return str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]


def told(readings: list[Reading]) -> WorstRHat:
    worst = WorstRHat(Path("nowhere"))
    worst.readings.extend(readings)
    worst.stop()
    return worst


READINGS = [Reading(2.5, "tau"), Reading(1.15, "tau"), Reading(1.004, "theta[Phillips Exeter, and some more]")]


@pytest.mark.parametrize("width", [120, 40])
def test_the_worst_r_hat_and_the_time_left(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    options = SamplerOptions(seed=1, draws=1000, warmup=0, chains=2)
    with Progress("small", options, Terminal(), worst=told(READINGS)) as progress:
        progress(at(1.0, segment(0, False, 0, 100)))
        progress(at(2.0, segment(1, False, 0, 100)))
        progress(at(3.0, segment(0, False, 100, 100)))
        lines = shown(progress, width)
    assert all(len(line) <= width for line in lines)
    assert lines[-2].startswith("█▅▁ R-hat 1.004 (theta[Phill")
    # 200 iterations in 2 s, and 1700 to go.
    assert lines[-1] == "17 s left"


def test_plain_lines_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with Progress("small", OPTIONS, stream, plain=True) as progress:
        for event in EVENTS:
            progress(event)
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 4


def test_lines_come_now_and_then_while_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, now = io.StringIO(), [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    options = SamplerOptions(seed=1, draws=1000, warmup=0, chains=2)
    with Progress("small", options, stream, worst=told(READINGS)) as progress:
        for second in range(1, 31):
            now[0] = float(second)
            progress(at(second, segment(0, False, 10 * (second - 1), 10)))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    expected = "small: 300 of 2000 iterations, 0 divergences, R-hat 1.004 (theta[Phillips Exeter, and some more]), "
    assert lines[-1] == f"{expected}2 min 50 s left"


def test_of_ten_thousand_chains_those_behind_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setattr(terminal, "_SECONDS_BETWEEN_DIGESTS", -1.0)
    options = SamplerOptions(seed=1, draws=100, warmup=50, chains=10_000)
    with Progress("many", options, Terminal()) as progress:
        for chain in range(9_000):
            progress(segment(chain, False, 0, 100))
        progress(segment(9_007, True, 0, 20))
        progress(Event(kind="chain_failed", seconds=1.0, chain=9_001, message="why"))
        lines = shown(progress, 40)
    assert len(lines) < 24
    assert all(len(line) <= 40 for line in lines)
    text = " ".join(lines)
    assert "10000 chains: 999 warming up, 9000 done, 1 failed" in text
    rows = [line.split()[0] for line in lines if line.split()[0].isdigit()]
    assert rows[:3] == ["9000", "9002", "9003"]


def test_many_chains_have_no_line_each_in_a_log() -> None:
    stream = io.StringIO()
    with Progress("many", SamplerOptions(seed=1, draws=100, warmup=0, chains=100), stream) as progress:
        for chain in range(100):
            progress(segment(chain, False, 0, 100))
    assert stream.getvalue() == ""


def test_bars_rise_with_the_distance_from_one() -> None:
    assert sparkline([1.0, 1.01, 1.015, 1.03, 1.3, 5.0]) == "▁▁▂▃▆█"


def at(seconds: float, event: Event) -> Event:
    return replace(event, seconds=seconds)


@pytest.mark.parametrize(
    ("asker", "driver", "more"),
    [
        ("Ctrl-C", True, ". Ctrl-C again: do not wait"),
        ("SIGTERM", True, ". Ctrl-C: do not wait"),
        ("another process", True, ". Ctrl-C: do not wait"),
        ("Ctrl-C", False, ""),
    ],
)
def test_what_control_c_does_is_said_where_it_does_it(asker: str, driver: bool, more: str) -> None:
    stream = io.StringIO()
    with Progress("small", OPTIONS, stream, driver) as progress:
        progress(Event(kind="stopped", seconds=1.0, message=f"stopping, asked by {asker}"))
    assert stream.getvalue() == f"small: stopping, asked by {asker}{more}\n"


def test_a_pipe_that_is_closed_early_does_not_end_the_run(tmp_path: Path) -> None:
    """As by ``exmc run CONFIG 2>&1 | head -1``."""
    with begin(["run", str(write_config(tmp_path)), "--out", str(tmp_path / "run")]) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        assert "build" in process.stderr.readline()
        process.stderr.close()
        process.stdout.close()
        assert process.wait(PATIENCE) == 0
    assert RunStore.open(tmp_path / "run").complete
