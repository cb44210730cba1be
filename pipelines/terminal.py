"""A run as seen in a terminal: a live line per chain, or plain lines where there is no terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from exmc.sampling.options import SamplerOptions
from pipelines.events import Event

_BAR = 10


@dataclass(slots=True)
class ChainLine:
    """What is shown of one chain; counts of the phase it is in."""

    warmup: bool = True
    done: int = 0
    divergences: int = 0
    step_size: float = float("nan")
    gradients: int = 0
    draws: int = 0
    seconds: float = 0.0
    failure: str = ""

    def add(self, event: Event) -> None:
        """Take a segment into account."""
        receipt = event.receipt
        assert receipt is not None
        if self.warmup and not receipt.warmup:
            # Divergences and costs of the warm-up say nothing about the draws that are kept.
            self.divergences, self.gradients, self.draws, self.seconds = 0, 0, 0, 0.0
        self.warmup, self.done, self.step_size = receipt.warmup, receipt.draws_done, receipt.step_size
        self.divergences += receipt.divergences
        self.gradients += receipt.gradients
        self.draws += receipt.draws
        self.seconds += receipt.seconds

    def cells(self, options: SamplerOptions) -> tuple[str, ...]:
        """Phase, draws, divergences, step size, gradients per draw and draws per second."""
        total = options.warmup if self.warmup else options.draws
        phase = (
            "failed" if self.failure else "warming up" if self.warmup else "done" if self.done == total else "sampling"
        )
        if not self.draws:
            return phase, f"0/{total}", "", "", "", ""
        return (
            phase,
            f"{self.done}/{total}",
            str(self.divergences),
            f"{self.step_size:.3g}",
            f"{self.gradients / self.draws:.1f}",
            f"{self.draws / max(self.seconds, 1e-9):.0f}",
        )


@dataclass(slots=True)
class Progress:
    """Listens to a run and shows it, while used as a context.

    In a terminal: a table that is drawn anew with each event. Else: a line per pipeline stage and per finished chain.
    `driver` says whether Ctrl-C here stops the run.
    """

    name: str
    options: SamplerOptions
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    driver: bool = True
    chains: list[ChainLine] = field(init=False)
    stages: list[str] = field(default_factory=list)
    live: Live | None = None
    announced: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Show nothing of what came before: a run that begins, or goes on, tells all there is."""
        self.chains = [ChainLine(warmup=self.options.warmup > 0) for _ in range(self.options.chains)]
        self.stages.clear()
        self.announced.clear()

    def __enter__(self) -> Self:
        console = Console(file=self.stream)
        if console.is_terminal and not console.is_dumb_terminal:
            # Events come in batches; drawing at every one would take longer than the events.
            self.live = Live(self.view(), console=console, refresh_per_second=10, get_renderable=self.view)
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def __call__(self, event: Event) -> None:
        """Show `event`."""
        {
            "started": self.on_start,
            "stage": self.on_stage,
            "segment": self.on_segment,
            "chain_failed": self.on_failure,
            "paused": self.on_message,
            "resumed": self.on_message,
            "stopped": self.on_stop,
            "note": self.on_message,
            "worker_lost": self.on_message,
        }.get(event.kind, _nothing)(event)

    def on_start(self, event: Event) -> None:
        del event
        self.begin_anew()

    def on_stage(self, event: Event) -> None:
        text = f"{_STAGES[event.stage]} {event.took or 0.0:.2f} s"
        self.stages.append(text)
        if self.live is None:
            self.line(f"{self.name}: {text}")

    def on_segment(self, event: Event) -> None:
        assert event.chain is not None
        chain = self.chains[event.chain]
        chain.add(event)
        if not chain.warmup and chain.done == self.options.draws and event.chain not in self.announced:
            self.announced.add(event.chain)
            if self.live is None:
                self.line(f"{self.name}: chain {event.chain}: {self.sentence(chain)}")

    def on_failure(self, event: Event) -> None:
        assert event.chain is not None
        self.chains[event.chain].failure = event.message
        self.line(f"{self.name}: chain {event.chain} FAILED: {event.message}")

    def on_message(self, event: Event) -> None:
        self.line(f"{self.name}: {event.message}")

    def on_stop(self, event: Event) -> None:
        again = " again" if event.message.endswith("Ctrl-C") else ""
        self.line(f"{self.name}: {event.message}{f'. Ctrl-C{again}: do not wait' if self.driver else ''}")

    def sentence(self, chain: ChainLine) -> str:
        _, draws, divergences, step_size, gradients, speed = chain.cells(self.options)
        return (
            f"{draws} draws, {divergences} divergences, step size {step_size}, "
            f"{gradients} gradients a draw, {speed} draws/s"
        )

    def line(self, text: str) -> None:
        if self.live is not None:
            self.live.console.print(Text(text))
        else:
            print(text, file=self.stream, flush=True)

    def view(self) -> Table:
        """The table as it is now, without the columns for which the terminal is too narrow."""
        columns = self.columns()
        table = Table(
            title=Text(f"{self.name}   {', '.join(self.stages)}"), title_justify="left", box=None, pad_edge=False
        )
        for column in columns:
            table.add_column(_HEADINGS[column], justify="left" if column in _TEXTS else "right", no_wrap=True)
        for number, chain in enumerate(self.chains):
            cells = self.row(number, chain)
            table.add_row(*(cells[column] for column in columns))
        return table

    def columns(self) -> list[str]:
        """The columns that fit beside each other, whatever the cells will hold as the run goes on."""
        longest = 2 * len(str(max(self.options.draws, self.options.warmup))) + 1
        widths = {name: max(len(heading), _WIDTHS.get(name, longest)) for name, heading in _HEADINGS.items()}
        room = self.live.console.width if self.live is not None else sum(widths.values()) + 2 * len(widths)
        for dropped in _DROPPED:
            if sum(widths.values()) + 2 * (len(widths) - 1) <= room:
                break
            del widths[dropped]
        return list(widths)

    def row(self, number: int, chain: ChainLine) -> dict[str, Text]:
        """The cells of one chain's line, by column."""
        phase, draws, divergences, step_size, gradients, speed = chain.cells(self.options)
        total = self.options.warmup if chain.warmup else self.options.draws
        bar = "━" * round(_BAR * chain.done / max(total, 1))
        style = "red" if chain.failure else "yellow" if chain.warmup else "green"
        return {
            "chain": Text(str(number), style=style),
            "phase": Text(phase),
            "bar": Text(bar.ljust(_BAR), style=style),
            "draws": Text(draws),
            "divergences": Text(divergences, style="" if divergences in ("", "0") else "red"),
            "step size": Text(step_size),
            "gradients": Text(gradients),
            "speed": Text(speed),
        }


@contextlib.contextmanager
def counting(label: str, total: int, silent: bool, stream: TextIO | None = None) -> Iterator[Callable[[int], None]]:
    """Shows how many of `total` are done: a bar in a terminal, else a line for every tenth."""
    stream = sys.stderr if stream is None else stream
    console = Console(file=stream)
    if silent:
        yield lambda done: None
    elif console.is_terminal and not console.is_dumb_terminal:
        with Bars(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
        ) as bars:
            task = bars.add_task(label, total=total)
            yield lambda done: bars.update(task, completed=done)
    else:
        step = max(1, total // 10)
        yield lambda done: print(f"{label} {done}/{total}", file=stream, flush=True) if done % step == 0 else None


@contextlib.contextmanager
def working(label: str, silent: bool, stream: TextIO | None = None) -> Iterator[Callable[[int, int], None]]:
    """Shows how many parts of a work are done, in a terminal alone, where it takes a part a moment."""
    console = Console(file=sys.stderr if stream is None else stream)
    if silent or not console.is_terminal or console.is_dumb_terminal:
        yield lambda done, total: None
        return
    with Bars(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console, transient=True
    ) as bars:
        task = bars.add_task(label, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


_HEADINGS = {
    "chain": "chain",
    "phase": "",
    "bar": "",
    "draws": "draws",
    "divergences": "divergences",
    "step size": "step size",
    "gradients": "grads/draw",
    "speed": "draws/s",
}
_TEXTS = ("chain", "phase", "bar")
# The longest cells, where that is not the number of draws.
_WIDTHS = {"chain": 5, "phase": 10, "bar": _BAR, "divergences": 0, "step size": 8, "gradients": 6, "speed": 7}
_DROPPED = ("bar", "gradients", "step size", "phase", "speed", "chain")
"""What a narrow terminal does without, the most dispensable first."""

_STAGES = {
    "build": "build",
    "rewrite": "rewrite",
    "compile": "compile",
    "warmup": "warm-up",
    "sample": "sampling",
    "diagnose": "diagnosis",
}


def _nothing(event: Event) -> None:
    del event


def opening_lines(zarr: str) -> str:
    """How to open a store, as two lines of Python."""
    return f'    import xarray\n    trace = xarray.open_datatree("{zarr}", engine="zarr")'
