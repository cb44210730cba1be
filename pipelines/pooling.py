"""What chains learn together in warm-up: pooled by a task, and kept, so that each chain finds the same."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np

from exmc.errors import StoreError
from exmc.nuts.pooling import Pooled
from exmc.sampling.chain import pool
from exmc.sampling.pooling import MOST_POOLED, pooled_at
from exmc.sampling.state import ChainState
from exmc.trace.fits import POOL, Fits, Result
from exmc.trace.journal import Journal
from exmc.trace.records import CommitRecord
from pipelines.patience import patiently
from pipelines.plan import Plan, check_versions
from pipelines.unwritten import apart

_FOLDER = "pools"


class PoolTask(NamedTuple):
    """Which pool to make: that before this iteration."""

    iteration: int


@dataclass(frozen=True, slots=True)
class PoolOutcome:
    """A pool that is there: of which of the chains that came to it, and which it leaves out."""

    task: PoolTask
    chains: tuple[int, ...]
    left_out: tuple[int, ...] = ()


def pool_chains(plan: Plan, task: PoolTask) -> PoolOutcome:
    """Pool what the chains that came to this pool have learnt, unless that was done before: the first pool counts.

    It has the chains that have committed how far they are; whichever failed before that is no part of it, even if it
    is tried again: it then goes on with what the others have learnt.
    """
    present = _read(plan, task.iteration)
    if present is not None:
        return PoolOutcome(task, present.chains)
    check_versions(plan)
    journal = Journal.open(plan.path)
    everybody = (_record_at(journal, chain, task.iteration) for chain in range(plan.options.chains))
    records = tuple(islice((record for record in everybody if record is not None), MOST_POOLED))
    states = [ChainState.from_arrays(apart(record.state, 0)[0]) for record in records]
    pooled = pool(plan.options, states)
    arrays = {"inverse_mass_matrix": pooled.inverse_mass_matrix, "chains": np.array(pooled.chains, dtype=np.int64)}
    result = Result(arrays, "", tuple(record.digest for record in records))
    try:
        patiently(plan.retries, _pools(plan).commit, task.iteration, POOL, result)
    except StoreError:
        # A driver that was killed has left a task that pooled fewer chains, and was first.
        if (present := _read(plan, task.iteration)) is None:
            raise
        pooled = present
    came = {state.chain for state in states}
    return PoolOutcome(task, pooled.chains, tuple(sorted(came - set(pooled.chains))))


def pools_done(plan: Plan) -> tuple[int, ...]:
    """The iterations before which chains of this run pool, and have done so."""
    return tuple(iteration for iteration in pooled_at(plan.options) if _read(plan, iteration) is not None)


def pooled_for(plan: Plan, iteration: int) -> Pooled | None:
    """What a chain that has done so many iterations goes on with; None if it does not wait for anything.

    Raises `FileNotFoundError` if the pool is not there.
    """
    if iteration not in pooled_at(plan.options):
        return None
    found = _read(plan, iteration)
    if found is None:
        message = f"what chains have learnt by iteration {iteration} is not there"
        raise FileNotFoundError(errno.ENOENT, f"{message}: are all workers on the same shared storage?", plan.directory)
    return found


def _record_at(journal: Journal, chain: int, iteration: int) -> CommitRecord | None:
    """The record with which `chain` came to its pool; None if it did not."""
    number = 0
    while (record := journal.record(chain, number)) is not None and record.warmup:
        if int(record.state["iteration"]) == iteration:
            return record
        number += 1
    return None


def _read(plan: Plan, iteration: int) -> Pooled | None:
    found = _pools(plan).read(iteration, POOL)
    if found is None:
        return None
    chains = tuple(int(chain) for chain in found.arrays["chains"])
    return Pooled(np.asarray(found.arrays["inverse_mass_matrix"]), chains)


def _pools(plan: Plan) -> Fits:
    return Fits(plan.path, plan.fingerprint, _FOLDER)
