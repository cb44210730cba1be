"""The handle of a running run: a thread of this process drives it, others pause it, stop it and look at it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from exmc.sampling.options import SamplerOptions
from exmc.trace.files import Location, location
from exmc.trace.store import RunStore
from pipelines import run
from pipelines.checking import check_config
from pipelines.checkpoint import read_checkpoint
from pipelines.config import Config, load_config, with_out
from pipelines.control import Control, StoppedError
from pipelines.creation import refuse_occupied
from pipelines.events import Event, Listener
from pipelines.live import Live
from pipelines.notebook import Display, status_html
from pipelines.requests import Wish
from pipelines.tally import Tally

if TYPE_CHECKING:
    import xarray as xr

State: TypeAlias = Literal["starting", "running", "paused", "finished", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """Where one chain stands: draws done and divergences of the warm-up or, after it, of sampling."""

    warmup: bool
    draws: int
    divergences: int
    step_size: float
    failure: str


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a run stands: its state, its chains, and the draws that each chain shall have."""

    state: State
    total: int
    chains: tuple[ChainStatus, ...]

    @property
    def draws(self) -> int:
        """Draws of all chains so far, without warm-up."""
        return sum(chain.draws for chain in self.chains if not chain.warmup)

    @property
    def divergences(self) -> int:
        """Divergences among the `draws`."""
        return sum(chain.divergences for chain in self.chains if not chain.warmup)


class RunHandle:
    """A run that goes on in a thread of this process; `start` and `resume` make one. Any thread may use it.

    As a context it waits for the run at the end, and cancels it if an exception leaves the block. If this process
    ends, so does the run; whatever ended it, ``resume(run.directory)`` finishes it with the draws it would have had.
    """

    def __init__(
        self, directory: Location, options: SamplerOptions, on_event: Listener | None,
        drive: Callable[[Listener, Control], run.RunResult],
    ) -> None:  # fmt: skip
        self.directory = directory
        self._total = options.draws
        self._on_event = on_event
        self._control = Control()
        # Guards what follows, and tells of each change.
        self._changed = threading.Condition()
        self._tally = Tally(options)
        self._live: Live | None = None
        self._state: State = "starting"
        self._result: run.RunResult | None = None
        self._error: BaseException | None = None
        self._displays: list[Display] = []
        self._thread = threading.Thread(target=self._drive, args=(drive,), daemon=True, name="exmc-driver")
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the run has ended, at most `timeout` seconds; whether it has.

        Raises what ended it, unless it was stopped on request.
        """
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        if self._error is not None and not isinstance(self._error, StoppedError):
            raise self._error
        return True

    def result(self) -> run.RunResult:
        """What the run came to, waited for; raises what ended it, `StoppedError` if it was stopped."""
        self._thread.join()
        if self._result is None:
            assert self._error is not None
            raise self._error
        return self._result

    def inspect(self) -> xr.DataTree:
        """The draws that are committed by now, as many as every chain has; the results, once it is finished.

        Raises `StoreError` if the run directory is not there yet.
        """
        return RunStore.open(self.directory).read()

    @property
    def live(self) -> Live:
        """The posterior so far: ``run.live["theta"].mean`` and its like, at any moment, from any thread.

        While the run directory is made, it is waited for. Raises `StoreError` if making it failed.
        """
        self._await(lambda: self._state != "starting", None)
        with self._changed:
            if self._live is None:
                self._live = Live(self.directory)
            return self._live

    def pause(self, timeout: float | None = None) -> bool:
        """Have the run hold, its cluster kept, once its segments are done; waits for that. Whether it holds.

        Before it draws a run does not hold, but it will then; once it has drawn all, no more. Raises `OSError` if the
        request cannot be written.
        """
        self._control.ask(Wish.PAUSE)
        return self._await(lambda: self._state == "paused" or self.is_finished, timeout) and not self.is_finished

    def resume(self) -> None:
        """Have a paused run go on; returns once it does. Raises `OSError` if the request cannot be taken back."""
        self._control.ask(Wish.GO)
        self._await(lambda: self._state != "paused", None)

    def abort(self, timeout: float | None = None) -> bool:
        """Stop the run once its segments are done, and wait for that; whether it has ended. It can be resumed."""
        self._control.ask(Wish.STOP)
        return self.wait(timeout)

    def cancel(self, timeout: float | None = None) -> bool:
        """Stop the run at once, and wait for that; whether it has ended. It can be resumed.

        Segments under way are lost. Where they are computed by threads of this process, draws that were begun are
        still computed, to nobody's use.
        """
        self._control.ask(Wish.CANCEL)
        return self.wait(timeout)

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended: finished, stopped or failed (see `status`)."""
        return not self._thread.is_alive() or self._state in ("finished", "stopped", "failed")

    @property
    def status(self) -> RunStatus:
        """Where the run stands now."""
        with self._changed:
            chains = tuple(
                ChainStatus(c.warmup, c.done, c.divergences, c.step_size, c.failure) for c in self._tally.chains
            )
            return RunStatus(self._state, self._total, chains)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.wait()
        else:
            self._control.ask(Wish.CANCEL)
            self._thread.join()

    def _drive(self, drive: Callable[[Listener, Control], run.RunResult]) -> None:
        try:
            self._result = drive(self._listen, self._control)
            state: State = "finished"
        except BaseException as error:
            self._error = error
            state = "stopped" if isinstance(error, StoppedError) else "failed"
        with self._changed:
            self._state = state
            self._changed.notify_all()
        self._refresh(last=True)

    def _listen(self, event: Event) -> None:
        with self._changed:
            self._tally.add(event)
            if event.kind == "longer" and event.draws is not None:
                self._total = event.draws
            elif event.kind in _STATES:
                self._state = _STATES[event.kind]
            self._changed.notify_all()
        self._refresh()
        if self._on_event is not None:
            self._on_event(event)

    def _repr_html_(self) -> str:
        """How notebooks show it, as it is now."""
        text = "" if self._result is None else self._result.diagnosed.text
        return status_html(str(self.directory), self.status, text)

    def _ipython_display_(self) -> None:
        """Show it in a notebook, and redraw it there as the run goes on."""
        display = Display(self._repr_html_)
        with self._changed:
            self._displays.append(display)
        if self.is_finished:
            display.refresh(last=True)

    def _refresh(self, last: bool = False) -> None:
        with self._changed:
            displays = tuple(self._displays)
        for display in displays:
            # A notebook that is closed ends no run.
            with contextlib.suppress(Exception):
                display.refresh(last)

    def _await(self, reached: Callable[[], bool], timeout: float | None) -> bool:
        with self._changed:
            return self._changed.wait_for(reached, timeout)


_STATES: dict[str, State] = {"started": "running", "paused": "paused", "resumed": "running"}


def start(
    config: str | os.PathLike[str] | Config,
    *,
    out: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    on_event: Listener | None = None,
    code: str | os.PathLike[str] | None = None,
) -> RunHandle:
    """Begin to run `config`, a YAML file or what `load_config` made of one, and return at once.

    Parameters
    ----------
    out
        The run directory, instead of the config's.
    overrides
        ``key.path=value`` each, put over the file's values.
    on_event
        Called with each `Event` as it happens, in the driver's thread; what it raises ends the run.
    code
        A folder whose modules the config may import, beside installed packages. (What `load_config` made has its own.)

    Raises
    ------
    ConfigError
        For a config that cannot be run, and a directory that holds another run; nothing has been written then.
    """
    loaded = config if isinstance(config, Config) else load_config(config, overrides, code=code)
    checked = check_config(with_out(loaded, out))
    refuse_occupied(checked.config)
    return RunHandle(
        checked.config.out, checked.options, on_event,
        lambda listener, control: run.start(checked, listener, control),
    )  # fmt: skip


def resume(
    directory: str | os.PathLike[str],
    draws: int | None = None,
    *,
    on_event: Listener | None = None,
    code: str | os.PathLike[str] | None = None,
) -> RunHandle:
    """Begin to finish the run in `directory`, or to extend it to `draws` draws a chain, and return at once.

    `code` is the folder that its own code is in now, if that has been moved. Raises `StoreError` if there is no run;
    what else is amiss is raised by `RunHandle.wait`.
    """
    path = location(directory)
    options = read_checkpoint(path).plan.options

    def drive(listener: Listener, control: Control) -> run.RunResult:
        if draws is None:
            return run.resume(path, listener, None, control, code)
        return run.extend(path, draws, listener, None, control, code)

    return RunHandle(path, options if draws is None else replace(options, draws=draws), on_event, drive)
