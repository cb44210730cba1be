"""Which worker a task goes to: the one that has the fewest of this run's for each of its threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Placement:
    """Where the segments of chains, or the parts of a fit, are: at most one of each at a time, known by its number.

    Dask would ask a worker that holds the compiled model, which it keeps on one only, however busy that one is.
    """

    threads: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, set[int]] = field(default_factory=dict)
    homes: dict[int, str] = field(default_factory=dict)

    def renew(self, threads: Mapping[str, int]) -> None:
        """These are the workers now, by their addresses, and how many threads each has."""
        self.threads = dict(threads)
        self.tasks = {worker: self.tasks.get(worker, set()) for worker in threads}

    def lose(self, worker: str) -> None:
        """That one is gone; who gets what it had to do, the scheduler decides."""
        self.threads.pop(worker, None)
        self.tasks.pop(worker, None)

    def place(self, number: int) -> str | None:
        """The worker for the next task of `number`, of equals the one that had its last; None while none is known."""
        if not self.threads:
            return None
        home = self.homes.get(number)
        chosen = min(self.threads, key=lambda worker: (len(self.tasks[worker]) / self.threads[worker], worker != home))
        self.tasks[chosen].add(number)
        self.homes[number] = chosen
        return chosen

    def done(self, number: int) -> None:
        """The task of `number` is not on its worker any more."""
        self.tasks.get(self.homes.get(number, ""), set()).discard(number)

    def forget(self) -> None:
        """No worker has anything to do any more."""
        for numbers in self.tasks.values():
            numbers.clear()
