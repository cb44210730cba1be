"""Which segment comes next: the state of a run's chains, which knows neither Dask nor files."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.barriers import Barriers
from pipelines.segments import Outcome, SegmentTask


@dataclass(slots=True)
class Schedule:
    """Follows outcomes and says which segments may be done next, at most one per chain at a time.

    Chains that learn together come to `pools`; what follows those is held there until `pooled` lets go of it.
    """

    chains: int
    draws: int
    warmup: int
    min_chains: int
    pools: Barriers[SegmentTask] = field(default_factory=lambda: Barriers(0))
    stopping: bool = False
    finished: set[int] = field(default_factory=set)
    stopped: set[int] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)
    warm: set[int] = field(default_factory=set)

    def first(self, chain: int) -> SegmentTask:
        """The first segment of `chain`."""
        if self.warmup == 0:
            self.warm.add(chain)
        return SegmentTask(chain, 0)

    def after(self, outcome: Outcome) -> SegmentTask | None:
        """The segment that follows `outcome`, or None if its chain ends here."""
        chain = outcome.task.chain
        if outcome.failure:
            self.failed[chain] = outcome.failure
            # It is not waited for.
            self.warm.add(chain)
            self.pools.fail(chain)
            return None
        receipt = outcome.receipt
        if receipt is None:
            self.stopped.add(chain)
            return None
        self.pools.come(chain, outcome.iteration)
        if receipt.warmup and receipt.draws_done == self.warmup:
            self.warm.add(chain)
        if not receipt.warmup and receipt.draws_done == self.draws:
            self.finished.add(chain)
            return None
        if self.stopping or self.hopeless:
            self.stopped.add(chain)
            return None
        return SegmentTask(chain, outcome.task.number + 1, outcome.digest, outcome.iteration)

    def held(self, task: SegmentTask) -> bool:
        """Whether `task` cannot be done yet, since its chain waits for others; it is kept until they are `pooled`."""
        if not self.pools.holds(task.iteration):
            return False
        self.pools.hold(task.iteration, task)
        return True

    @property
    def pool_due(self) -> int | None:
        """The iteration before which all chains that have not failed wait, if they do."""
        return None if self.stopping or self.hopeless else self.pools.due()

    def pooled(self, iteration: int) -> list[SegmentTask]:
        """The segments that may be done now that chains have pooled before this iteration."""
        following = self.pools.open(iteration)
        if not (self.stopping or self.hopeless):
            return following
        self.stopped.update(task.chain for task in following)
        return []

    @property
    def hopeless(self) -> bool:
        """Whether so many chains failed that too few can finish."""
        return self.chains - len(self.failed) < self.min_chains

    @property
    def complete(self) -> bool:
        """Whether every chain has finished or failed, and enough have finished."""
        return not self.stopped and not self.hopeless and len(self.finished) + len(self.failed) == self.chains

    @property
    def everyone_warm(self) -> bool:
        """Whether every chain is warmed up or failed; asked after each segment, it takes no longer for more chains."""
        return len(self.warm) == self.chains

    def stage_of(self, task: SegmentTask) -> str:
        """``warmup`` or ``sample``: what a segment about to be done belongs to."""
        return "sample" if task.chain in self.warm else "warmup"
