"""A run as seen in a terminal: a live line per chain, or plain lines where there is no terminal."""

from __future__ import annotations

import math
import os
import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from exmc.sampling.options import SamplerOptions
from pipelines.events import Event
from pipelines.tally import STAGES, ChainTally, Tally, duration
from pipelines.worst import WorstRHat

_BAR = 10
# Lines of a terminal that are not for chains: the title, the headings, the digest, R-hat and the time left.
_OTHER_LINES = 6
_MOST_LINES = 32
_SECONDS_BETWEEN_LINES = 10.0
# Counting ten thousand chains takes milliseconds.
_SECONDS_BETWEEN_DIGESTS = 1.0


@dataclass(slots=True)
class Progress:
    """Listens to a run and shows it, while used as a context.

    In a terminal: a table that is drawn anew with each event, a line a chain or, where those are too many, a digest of
    them and the chains that are behind. Else, or if `plain`: a line per pipeline stage and per finished chain, and one
    for all every ten seconds. `worst` watches R-hat; without it there is none to show. `driver` says
    whether Ctrl-C here stops the run.
    """

    name: str
    options: SamplerOptions
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    driver: bool = True
    plain: bool = False
    worst: WorstRHat | None = None
    tally: Tally = field(init=False)
    live: Live | None = None
    announced: set[int] = field(default_factory=set)
    _said: float = field(init=False)
    _digest: tuple[float, Text, list[int]] | None = None

    def __post_init__(self) -> None:
        self.tally = Tally(self.options)
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        console = Console(file=self.stream)
        if console.is_terminal and not console.is_dumb_terminal and not self.plain:
            # Events come in batches; drawing at every one would take longer than the events.
            self.live = Live(self.view(), console=console, refresh_per_second=10, get_renderable=self.view)
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.worst is not None:
            self.worst.stop()
        if self.live is not None:
            self.live.stop()
            self.live = None

    def __call__(self, event: Event) -> None:
        """Show `event`."""
        self.tally.add(event)
        if self.worst is not None:
            self.worst.wake(event)
        if event.kind == "started":
            self.announced.clear()
        elif event.kind == "stage" and self.live is None:
            self.line(f"{self.name}: {STAGES[event.stage]} {event.took or 0.0:.2f} s")
        elif event.kind == "segment" and event.chain is not None:
            self.on_segment(event.chain)
        elif event.kind == "chain_failed":
            self.line(f"{self.name}: chain {event.chain} FAILED: {event.message}")
        elif event.kind in _TOLD:
            if event.kind == "longer":
                self.announced.clear()
            self.line(f"{self.name}: {event.message}{self.hint(event)}")

    def hint(self, event: Event) -> str:
        """What Ctrl-C does to a run that is stopping, where it does anything to it."""
        if event.kind != "stopped" or not self.driver:
            return ""
        return f". Ctrl-C{' again' if event.message.endswith('Ctrl-C') else ''}: do not wait"

    def on_segment(self, number: int) -> None:
        if self.live is not None:
            return
        chain = self.tally.chains[number]
        if len(self.tally.chains) <= _MOST_LINES and chain.done == self.tally.options.draws and not chain.warmup:
            if number not in self.announced:
                self.announced.add(number)
                self.line(f"{self.name}: chain {number}: {self.sentence(chain)}")
        elif time.monotonic() - self._said >= _SECONDS_BETWEEN_LINES:
            self.line(f"{self.name}: {self.so_far()}")

    def sentence(self, chain: ChainTally) -> str:
        cells = self.cells(chain)
        if not chain.step_size:
            return f"{cells['draws']} draws, {cells['speed']} draws/s"
        return (
            f"{cells['draws']} draws, {cells['divergences']} divergences, step size {cells['step size']}, "
            f"{cells['gradients']} gradients a draw, {cells['speed']} draws/s"
        )

    def so_far(self) -> str:
        """All chains in one line."""
        tally = self.tally
        parts = [f"{tally.done} of {tally.total} iterations", f"{tally.divergences} divergences"]
        if reading := self.r_hat():
            parts.append(reading)
        return ", ".join([*parts, f"{duration(tally.seconds_left)} left"])

    def r_hat(self) -> str:
        """The worst R-hat and whose it is, if it is known."""
        if self.worst is None or not self.worst.readings:
            return ""
        last = self.worst.readings[-1]
        return f"R-hat {last.r_hat:.3f} ({last.label})"

    def line(self, text: str) -> None:
        self._said = time.monotonic()
        if self.live is not None:
            self.live.console.print(Text(text))
            return
        try:
            print(text, file=self.stream, flush=True)
        except OSError:
            # Whoever read it has seen enough, or the disk is full: no reason for the run to end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())

    def view(self) -> Group:
        """The table as it is now, without the columns for which the terminal is too narrow, and what is below it."""
        columns = self.columns()
        stages = ", ".join(f"{STAGES[stage]} {took:.2f} s" for stage, took in self.tally.stages)
        table = Table(title=Text(f"{self.name}   {stages}"), title_justify="left", box=None, pad_edge=False)
        for column in columns:
            table.add_column(_HEADINGS[column], justify="left" if column in _TEXTS else "right", no_wrap=True)
        shown: list[int] | range = range(len(self.tally.chains))
        below = []
        if len(self.tally.chains) > (room := self.room()):
            digest, behind = self.digest(room)
            shown = behind
            below.append(digest)
        for number in shown:
            cells = self.row(number)
            table.add_row(*(cells[column] for column in columns))
        return Group(table, *below, *self.footer())

    def room(self) -> int:
        """How many chains can have a line of their own."""
        height = self.live.console.height if self.live is not None else _MOST_LINES + _OTHER_LINES
        return min(max(height - _OTHER_LINES, 3), _MOST_LINES)

    def digest(self, room: int) -> tuple[Text, list[int]]:
        """How many chains are at what, and those that are furthest behind; not counted anew at each drawing."""
        now = time.monotonic()
        if self._digest is None or now - self._digest[0] > _SECONDS_BETWEEN_DIGESTS or len(self._digest[2]) > room:
            chains = self.tally.chains
            phases = [chain.phase(self.tally.options) for chain in chains]
            counts = ", ".join(f"{n} {phase}" for phase in _PHASES if (n := phases.count(phase)))
            alive = [number for number, phase in enumerate(phases) if phase != "failed"]
            behind = sorted(alive, key=lambda number: (chains[number].iterations(self.tally.options), number))
            text = f"{len(chains)} chains: {counts}. Above: those behind the others"
            self._digest = (now, Text(text), behind[: min(room, 8)])
        return self._digest[1:]

    def footer(self) -> list[Text]:
        """The worst R-hat as it fell, and how long it will take."""
        lines = []
        if self.worst is not None and self.worst.readings:
            spark = sparkline([reading.r_hat for reading in self.worst.readings])
            lines.append(Text(f"{spark} {self.r_hat()}", no_wrap=True, overflow="ellipsis"))
        left = self.tally.seconds_left
        if self.tally.done and math.isfinite(left):
            lines.append(Text(f"{duration(left)} left" if left else "drawn"))
        return lines

    def columns(self) -> list[str]:
        """The columns that fit beside each other, whatever the cells will hold as the run goes on."""
        longest = 2 * len(str(max(self.tally.options.draws, self.tally.options.warmup))) + 1
        widths = {name: max(len(heading), _WIDTHS.get(name, longest)) for name, heading in _HEADINGS.items()}
        room = self.live.console.width if self.live is not None else sum(widths.values()) + 2 * len(widths)
        for dropped in _DROPPED:
            if sum(widths.values()) + 2 * (len(widths) - 1) <= room:
                break
            del widths[dropped]
        return list(widths)

    def cells(self, chain: ChainTally) -> dict[str, str]:
        """What there is to say of one chain, by column."""
        total = self.tally.options.warmup if chain.warmup else self.tally.options.draws
        cells = {"phase": chain.phase(self.tally.options), "draws": f"{chain.done}/{total}"}
        if not chain.draws:
            return cells | dict.fromkeys(("divergences", "step size", "gradients", "speed"), "")
        return cells | {
            "divergences": str(chain.divergences),
            # Methods other than NUTS have neither.
            "step size": f"{chain.step_size:.3g}" if chain.step_size else "",
            "gradients": f"{chain.gradients_per_draw:.1f}" if chain.gradients else "",
            "speed": f"{chain.draws_per_second:.0f}",
        }

    def row(self, number: int) -> dict[str, Text]:
        """The cells of one chain's line, by column."""
        chain = self.tally.chains[number]
        cells = {name: Text(cell) for name, cell in self.cells(chain).items()}
        total = self.tally.options.warmup if chain.warmup else self.tally.options.draws
        bar = "━" * round(_BAR * chain.done / max(total, 1))
        style = "red" if chain.failure else "yellow" if chain.warmup else "green"
        if cells["divergences"].plain not in ("", "0"):
            cells["divergences"].stylize("red")
        return cells | {"chain": Text(str(number), style=style), "bar": Text(bar.ljust(_BAR), style=style)}


def sparkline(values: list[float]) -> str:
    """R-hats as bars: the lowest is one up to 1.01, and each higher one about twice as far from 1."""
    return "".join(_BARS[sum(value > bound for bound in _BOUNDS)] for value in values)


_BARS = "▁▂▃▄▅▆▇█"
_BOUNDS = (1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2.0)

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
_PHASES = ("warming up", "sampling", "done", "failed")
_TOLD = ("longer", "round", "paused", "resumed", "stopped", "note", "worker_lost")
# The longest cells, where that is not the number of draws.
_WIDTHS = {"chain": 5, "phase": 10, "bar": _BAR, "divergences": 0, "step size": 8, "gradients": 6, "speed": 7}
_DROPPED = ("bar", "gradients", "step size", "phase", "speed", "chain")
"""What a narrow terminal does without, the most dispensable first."""


def opening_lines(zarr: str) -> str:
    """How to open a store, as two lines of Python."""
    return f'    import xarray\n    trace = xarray.open_datatree("{zarr}", engine="zarr")'
