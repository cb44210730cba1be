"""The tasks of one run on a cluster: submitted under readable keys, awaited as their completions are pushed."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from distributed import CancelledError, Client, Future
from distributed.client import ClosedClientError
from distributed.comm.core import CommClosedError

from pipelines import endings
from pipelines.code import run_permitted
from pipelines.control import Control
from pipelines.patience import patiently
from pipelines.plan import Plan
from pipelines.task_errors import meaning
from pipelines.workers import Workers

# What the client raises, depending on what it was doing just then.
CONNECTION_LOST = (CommClosedError, ClosedClientError, CancelledError)


def _new_token() -> str:
    # Of two tasks with one key a scheduler ignores the second: runs of one name must not meet on a shared one.
    return secrets.token_hex(2)


@dataclass(slots=True)
class Tasks:
    """Those of the run of `plan` that are alive, by their stages; `control` is woken by each that is done."""

    client: Client
    plan: Plan
    control: Control
    futures: dict[str, Future[Any]] = field(default_factory=dict)
    token: str = field(default_factory=_new_token)
    workers: Workers = field(init=False)

    def __post_init__(self) -> None:
        self.workers = Workers(self.client)

    @property
    def prefix(self) -> str:
        """What the keys of this run's tasks begin with."""
        return f"exmc-{self.plan.label}-{self.token}-"

    def submit(self, stage: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Future[Any]:
        """Submit one task under a readable key. Dask's own `retries` would repeat the errors of a model, too."""
        future = self.client.submit(
            run_permitted,
            self.plan.code,
            patiently,
            self.plan.retries,
            function,
            *arguments,
            key=f"{self.prefix}{stage}",
            pure=False,
            **options,
        )
        self.futures[stage] = future
        return future

    def submit_placed(
        self, stage: str, number: int, function: Callable[..., Any], *arguments: Any, priority: int = 0
    ) -> Future[Any]:
        """Submit one of many tasks alike, the next one of `number`, to the worker that has least to do."""
        worker = self.workers.placement.place(number)
        # It may be gone, or be stolen from: no worker is insisted on.
        where = {} if worker is None else {"workers": [worker], "allow_other_workers": True}
        return self.submit(stage, function, *arguments, priority=priority, **where)

    def drop(self, stage: str, number: int) -> None:
        """Let go of the task of `number` that is done."""
        self.workers.placement.done(number)
        self.futures.pop(stage, None)

    def stage_of(self, future: Future[Any]) -> str:
        """The stage that `future` was submitted as."""
        return str(future.key).removeprefix(self.prefix)

    def track(self, *futures: Future[Any]) -> None:
        """Have `futures` put before this driver when they are done."""
        for future in futures:
            future.add_done_callback(self.control.put)  # type: ignore[no-untyped-call]

    def arrival(self, patience: float | None = None) -> Future[Any] | None:
        """The next task that is done; None if there may be something else to look at, or it was let go of before."""
        future = self.control.get(patience)
        return future if future is not None and str(future.key).startswith(self.prefix) else None

    def completions(self, *futures: Future[Any]) -> Iterator[Future[Any]]:
        """The `futures` in the order in which they finish; ends the run, by `StoppedError`, if that is asked for."""
        self.track(*futures)
        for _ in futures:
            while (future := self.arrival()) is None:
                self.heed()
            yield future

    def heed(self) -> None:
        """End the run, by `StoppedError`, if it was asked to end."""
        if self.control.ending:
            raise endings.stopped(self.plan)

    def result(self, future: Future[Any]) -> Any:
        """What a finished task returned; raises what it raised, and of `CONNECTION_LOST` if the scheduler is gone."""
        # A result dies with the worker that holds it. The task is then done again, for which this waits.
        try:
            return future.result()
        except Exception as error:
            if future.status != "error":
                raise
            meant = meaning(error, str(future.key), endings.how_to_resume(self.plan))
            raise meant from (None if meant is error else error)

    def answer(self, stage: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a task returns that is submitted alone; it stays alive."""
        return self.result(next(self.completions(self.submit(stage, function, *arguments))))

    def begin_again(self) -> None:
        """Let go of every task; keys are not used twice."""
        self._cancel()
        self.token = _new_token()
        self.workers.placement.forget()

    def forget(self) -> None:
        """Release every task, so that the scheduler drops what has not begun."""
        with contextlib.suppress(Exception):
            self.workers.ignore()
        with contextlib.suppress(Exception):
            self._cancel()
        self.futures.clear()

    def _cancel(self) -> None:
        self.client.cancel(list(self.futures.values()), force=True)  # type: ignore[no-untyped-call]
        self.futures.clear()
