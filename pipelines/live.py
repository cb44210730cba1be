"""The live posterior of a run: read from its directory, as far as it is committed, by whoever looks at it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exmc.diagnostics.live.chain import Detail
from exmc.diagnostics.live.posterior import LivePosterior, LiveVariable, Variable
from exmc.errors import StoreError
from exmc.trace import arrays
from exmc.trace.files import Location, location
from exmc.trace.journal import Journal
from exmc.trace.schema import Schema, label_array
from pipelines.checkpoint import read_checkpoint
from pipelines.events import Event
from pipelines.tally import Tally
from pipelines.watching import EventLog

if TYPE_CHECKING:
    import xarray as xr

# Between the two renames that put a finished store in place, its chunks are not there.
_SECONDS_OF_A_RENAME = 0.05
_DRAWS_AT_ONCE = 1000
_FEWEST_AT_ONCE, _PARTS = 100, 24

Arrays: TypeAlias = dict[str, NDArray[Any]]


class Live:
    """The posterior of the run in `directory` so far, whoever runs it; any thread may look.

    ``live["theta"].mean`` and its like are brought up to date when asked for: the run's events say what is committed,
    and what is new of that is read and summed up (`exmc.diagnostics.live`). A run that nobody looks at pays nothing;
    one that is met late, or resumed, is summed up from its first draw; no draw counts twice.

    Parameters
    ----------
    directory
        A run directory, of a run that goes on or is finished.
    quantiles, points
        Whether quantiles can be asked for, and whether draws are kept to be shown (`Detail`).

    Raises
    ------
    StoreError
        If there is no run, and when looked at, if draws are damaged.
    """

    def __init__(
        self, directory: str | os.PathLike[str] | Location, *, quantiles: bool = True, points: bool = False
    ) -> None:
        self.directory = location(directory)
        self.tally = Tally(read_checkpoint(self.directory).plan.options)
        schema = Journal.open(self.directory).schema
        self.posterior = live_posterior(schema, quantiles=quantiles, points=points)
        self._log = EventLog(self.directory)
        self._committed = [0] * schema.chains
        self._lock = threading.Lock()
        self._walk()

    def refresh(self, on_part: Callable[[], object] | None = None) -> list[Event]:
        """Take in what was committed since the last look; the events that told of it.

        Of much, `on_part` is told each time that all chains have gone a part of the way, which then is small.
        """
        with self._lock:
            events = self._log.new()
            for event in events:
                self._take(event)
            failed = [number for number, chain in enumerate(self.tally.chains) if chain.failure]
            self.posterior.leave_out(failed)
            self._read(on_part)
        return events

    def __getitem__(self, name: str) -> LiveVariable:
        """What is known of one variable by now; raises `StoreError` if there is none of this name."""
        self.refresh()
        return self.posterior[name]

    @property
    def draws(self) -> int:
        """Draws of all chains by now, without warm-up."""
        self.refresh()
        return self.posterior.draws

    def summary(self) -> xr.Dataset:
        """Every scalar along ``scalar``: mean, sd, mcse_mean, ess_bulk, r_hat; the worst R-hat first."""
        self.refresh()
        return self.posterior.summary()

    def by_chain(self) -> xr.Dataset:
        """Every chain along ``chain``: draws, divergences, energy, bfmi, failed; step_size, gradients_per_draw and
        draws_per_second of the phase it is in, and whether that is the warm-up.

        The attribute ``seconds_left`` is how long the run will still draw; NaN if that is not known.
        """
        self.refresh()
        chains = self.tally.chains
        columns = {
            "warmup": [chain.warmup for chain in chains],
            "step_size": [chain.step_size for chain in chains],
            "gradients_per_draw": [chain.gradients_per_draw for chain in chains],
            "draws_per_second": [chain.draws_per_second for chain in chains],
        }
        found = self.posterior.by_chain().assign({name: ("chain", values) for name, values in columns.items()})
        return found.assign_attrs(seconds_left=self.tally.seconds_left)

    def _take(self, event: Event) -> None:
        if event.kind == "started":
            # An extension has made it longer.
            self.tally.options = read_checkpoint(self.directory).plan.options
        self.tally.add(event)
        receipt = event.receipt
        if receipt is not None and not receipt.warmup:
            self._committed[receipt.chain] = max(self._committed[receipt.chain], receipt.draws_done)
        if event.kind == "finished":
            # Lines of the log may be lost on a full disk; the records are the truth.
            self._walk()

    def _walk(self) -> None:
        """Ask the commit records how far the chains are."""
        journal = Journal.open(self.directory)
        for chain in range(len(self._committed)):
            self._committed[chain] = max(self._committed[chain], journal.draws_done(chain))

    def _read(self, on_part: Callable[[], object] | None) -> None:
        """Read what is committed, a window of draws of every chain at a time: a run that is met late has many."""
        journal = Journal.open(self.directory)
        behind = [n for n, committed in enumerate(self._committed) if committed > self.posterior.chains[n].draws]
        if not behind:
            return
        first, end = min(self.posterior.chains[n].draws for n in behind), max(self._committed)
        window = _DRAWS_AT_ONCE if on_part is None else max(_FEWEST_AT_ONCE, -(-(end - first) // _PARTS))
        while first < end:
            first = min((first // window + 1) * window, end)
            for chain in behind:
                self._add(journal, chain, min(first, self._committed[chain]))
            if on_part is not None:
                on_part()

    def _add(self, journal: Journal, chain: int, end: int) -> None:
        """Add what is new of the draws of `chain` up to `end`."""
        first = self.posterior.chains[chain].draws
        if first < end:
            draws = _patiently_read(journal, "posterior", tuple(self.posterior.variables), chain, first, end)
            names = tuple(v.name for v in journal.schema.groups["sample_stats"] if v.name in SHOWN)
            statistics = _patiently_read(journal, "sample_stats", names, chain, first, end)
            # Methods other than NUTS have draws of no energy but the potential one, and no divergences.
            energy = statistics.get("energy", -statistics["lp"])
            diverging = statistics.get("diverging", np.zeros(end - first, dtype=bool))
            self.posterior.add(chain, first, draws, {"energy": energy, "diverging": diverging})


SHOWN = ("lp", "energy", "diverging")
"""The statistics that a live posterior sums up."""


def live_posterior(schema: Schema, *, quantiles: bool = True, points: bool = False) -> LivePosterior:
    """A live posterior, without draws, of the runs that `schema` describes."""
    variables = [Variable(v.name, v.shape, v.dims) for v in schema.groups["posterior"]]
    dims = {dim for variable in variables for dim in variable.dims}
    coords = {dim: label_array(labels) for dim, labels in schema.coords.items() if dim in dims}
    scalars = sum(variable.scalars for variable in variables)
    detail = Detail.fitting(scalars, schema.chains, quantiles=quantiles, points=points)
    return LivePosterior(variables, coords, schema.chains, detail)


def _patiently_read(journal: Journal, group: str, names: Sequence[str], chain: int, first: int, end: int) -> Arrays:
    with contextlib.suppress(StoreError):
        return _read(journal, group, names, chain, first, end)
    time.sleep(_SECONDS_OF_A_RENAME)
    return _read(journal, group, names, chain, first, end)


def _read(journal: Journal, group: str, names: Sequence[str], chain: int, first: int, end: int) -> Arrays:
    folder, wanted = journal.arrays / group, {v.name: v for v in journal.schema.groups[group]}
    return {
        name: arrays.read(folder / name, wanted[name], (chain,), end, journal.chunk_draws, first)[0] for name in names
    }
