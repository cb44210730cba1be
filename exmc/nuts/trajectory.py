"""The tree of NUTS: grows a trajectory by doubling and draws one of its points, knowing no physics.

Multinomial sampling and the generalised U-turn criterion are those of Betancourt, "A conceptual introduction to
Hamiltonian Monte Carlo" (2017), appendix A; the criterion is also applied across the junction of the two halves of
each tree, as in Stan since 2.21, which catches trajectories that turn exactly between them.

A trajectory is known here through two functions, so that tests can put an enumerable dummy in place of the dynamics
and exact probabilities in place of random numbers:

- ``leapfrog(physics, ends, end, step)`` moves an end and returns its log density and energy;
- ``accept(random, weight, total)`` is true with probability ``weight / total``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.nuts.hamiltonian import Ends
from exmc.nuts.machine import compiled
from exmc.nuts.outcome import Termination

FloatArray = NDArray[np.float64]

COMPLETE, TURNING, DIVERGING = int(Termination.COMPLETE), int(Termination.TURNING), int(Termination.DIVERGING)

# An energy this much above the initial one is a divergence (Stan's value); one far below it is an infinite density.
MAX_ENERGY_RISE, MAX_ENERGY_FALL = 1000.0, 1e300
# Weights are exp(initial energy - energy), relative to a reference that is moved before they could overflow.
_MAX_LOG_WEIGHT = 300.0


class Workspace(NamedTuple):
    """The caller's memory for one trajectory.

    Attributes
    ----------
    ends : Ends
    near : ndarray, shape (dimension,)
        Momentum at the end about to be extended.
    total : ndarray, shape (dimension,)
        Sum of the momenta of all points of the trajectory.
    sum, begin : ndarray, shape (dimension,)
        Of the sub-tree being built: the sum of its momenta, and the momentum at its first point.
    stack : ndarray, shape (3 * max_treedepth, dimension)
        Finished left halves waiting for their right ones, three rows a level: sum, first and last momentum.
    proposal, sample : ndarray, shape (2, dimension)
        Position and gradient drawn from the sub-tree, and from the whole trajectory.
    """

    ends: Ends
    near: FloatArray
    total: FloatArray
    sum: FloatArray
    begin: FloatArray
    stack: FloatArray
    proposal: FloatArray
    sample: FloatArray


class Subtree(NamedTuple):
    """A sub-tree: how it ended, the weight of its points, the proposal drawn from them, sums over its points."""

    termination: int
    weight: float
    reference: float
    log_density: float
    energy: float
    steps: int
    acceptance: float
    symmetric: float
    max_error: float


class Trajectory(NamedTuple):
    """A whole trajectory: its last sub-tree's end, the drawn point's densities, sums over all points visited."""

    termination: int
    depth: int
    log_density: float
    energy: float
    steps: int
    acceptance: float
    symmetric: float
    max_error: float


@compiled
def memory_rows(max_treedepth: int) -> int:
    """How many rows of memory a trajectory of up to ``2 ** max_treedepth`` points needs."""
    return 15 + 3 * max(max_treedepth, 1)


@compiled
def workspace(memory: FloatArray) -> Workspace:
    """Views of `memory`, shape (memory_rows(max_treedepth), dimension)."""
    ends = Ends(memory[0:2], memory[2:4], memory[4:6], memory[6])
    near, total, subtree_sum, begin = memory[7], memory[8], memory[9], memory[10]
    return Workspace(ends, near, total, subtree_sum, begin, memory[15:], memory[11:13], memory[13:15])


@compiled
def copy(source: FloatArray, target: FloatArray) -> None:
    """Copy one vector, without the aliasing checks of a slice assignment."""
    for i in range(target.size):
        target[i] = source[i]


@compiled
def pair_turns(first: FloatArray, second: FloatArray) -> bool:
    """Whether two neighbouring points turn: `join_turns` for trees of one point, where its three tests are one."""
    at_first, at_second = 0.0, 0.0
    for i in range(first.size):
        both = first[i] + second[i]
        at_first += both * first[i]
        at_second += both * second[i]
    return not (at_first > 0.0 and at_second > 0.0)


@compiled
def join_turns(
    sum_a: FloatArray,
    first_a: FloatArray,
    last_a: FloatArray,
    sum_b: FloatArray,
    first_b: FloatArray,
    last_b: FloatArray,
) -> bool:
    """Whether tree `a` followed by tree `b` turns, each given by its sum of, first, and last momentum.

    A run of points turns unless its momentum sum has a positive product with the momenta at both its ends. Tested on
    the whole, on `a` with the first point of `b`, and on the last point of `a` with `b`.
    """
    whole_first, whole_last, left_first, left_last, right_first, right_last = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(sum_a.size):
        whole, left, right = sum_a[i] + sum_b[i], sum_a[i] + first_b[i], last_a[i] + sum_b[i]
        whole_first += whole * first_a[i]
        whole_last += whole * last_b[i]
        left_first += left * first_a[i]
        left_last += left * first_b[i]
        right_first += right * last_a[i]
        right_last += right * last_b[i]
    straight = whole_first > 0.0 and whole_last > 0.0 and left_first > 0.0 and left_last > 0.0
    return not (straight and right_first > 0.0 and right_last > 0.0)


@compiled
def worse(error: float, worst: float) -> float:
    """The energy error of larger magnitude; one that is not a number counts as infinite."""
    if not error < math.inf:
        return math.inf
    return error if abs(error) > abs(worst) else worst


@compiled
def append(leaf: int, leaves: int, memory: Workspace, momentum: FloatArray) -> bool:
    """Append point number `leaf` of `leaves` to the sub-tree, merging equal halves; True if any merged tree turns.

    The finished left halves stand in the stack as the ones of a binary counter: each set low bit of `leaf` is a tree
    of that size which the new point completes.
    """
    stack, sum_b, first_b = memory.stack, memory.sum, memory.begin
    if leaf & 1 == 0:
        if leaves == 1:
            copy(momentum, sum_b)
            copy(momentum, first_b)
        else:
            copy(momentum, stack[0])
        return False
    if pair_turns(stack[0], momentum):
        return True
    for i in range(momentum.size):
        first_b[i] = stack[0, i]
        sum_b[i] = stack[0, i] + momentum[i]
    level = 1
    while (leaf >> level) & 1 == 1:
        row = 3 * level
        if join_turns(stack[row], stack[row + 1], stack[row + 2], sum_b, first_b, momentum):
            return True
        for i in range(momentum.size):
            sum_b[i] += stack[row, i]
            first_b[i] = stack[row + 1, i]
        level += 1
    if leaf + 1 < leaves:
        row = 3 * level
        copy(sum_b, stack[row])
        copy(first_b, stack[row + 1])
        copy(momentum, stack[row + 2])
    return False


def trajectory_sampler(leapfrog: Callable[..., Any], accept: Callable[..., bool]) -> Callable[..., Trajectory]:
    """The function ``sample_trajectory`` over the given dynamics and randomness (see the module)."""

    @compiled
    def subtree(
        physics: Any,
        random: Any,
        memory: Workspace,
        end: int,
        step: float,
        leaves: int,
        start: float,
        reference: float,
    ) -> Subtree:
        """Extend `end` by `leaves` points and draw one of them, or stop at the first that diverges or turns.

        A running draw in which each point replaces the one before with probability weight / weight so far is a
        multinomial draw, so that proposals of smaller trees need not be kept.
        """
        ends = memory.ends
        weight, acceptance, symmetric, max_error = 0.0, 0.0, 0.0, 0.0
        chosen_density, chosen_energy = 0.0, 0.0
        for leaf in range(leaves):
            log_density, energy = leapfrog(physics, ends, end, step)
            gain = start - energy
            max_error = worse(-gain, max_error)
            if not (gain >= -MAX_ENERGY_RISE and gain < MAX_ENERGY_FALL):
                return Subtree(DIVERGING, 0.0, reference, 0.0, 0.0, leaf + 1, acceptance, symmetric, max_error)
            if gain - reference > _MAX_LOG_WEIGHT:
                weight *= math.exp(reference - gain)
                reference = gain
            leaf_weight = math.exp(gain - reference)
            # In the usual case of reference 0 the weight is the acceptance's ratio, and one exponential does.
            ratio = leaf_weight if reference == 0.0 else math.exp(min(gain, 0.0))
            acceptance += min(ratio, 1.0)
            odds = ratio if gain < 0.0 else (1.0 / ratio if reference == 0.0 else math.exp(-gain))
            symmetric += 2.0 * odds / (1.0 + odds)
            weight += leaf_weight
            if leaf == 0 or accept(random, leaf_weight, weight):
                copy(ends.position[end], memory.proposal[0])
                copy(ends.gradient, memory.proposal[1])
                chosen_density, chosen_energy = log_density, energy
            if append(leaf, leaves, memory, ends.momentum[end]):
                return Subtree(TURNING, 0.0, reference, 0.0, 0.0, leaf + 1, acceptance, symmetric, max_error)
        return Subtree(
            COMPLETE, weight, reference, chosen_density, chosen_energy, leaves, acceptance, symmetric, max_error
        )  # fmt: skip

    @compiled
    def sample_trajectory(
        physics: Any,
        random: Any,
        directions: int,
        memory: Workspace,
        step_size: float,
        max_treedepth: int,
        log_density: float,
        start: float,
    ) -> Trajectory:
        """Draw a point of a trajectory through the point at both ends, into ``memory.sample``, which holds that point.

        Bit k of `directions` says whether doubling k goes forward. `start` is the initial energy. The draw moves to
        the new half with probability min(1, its weight / the old half's): biased away from the initial point, and
        still in detailed balance. A half that turned or diverged inside is not moved to at all.
        """
        ends, total, near = memory.ends, memory.total, memory.near
        weight, reference, energy = 1.0, 0.0, start
        steps, acceptance, symmetric, max_error, depth = 0, 0.0, 0.0, 0.0, 0
        termination = COMPLETE
        copy(ends.momentum[0], total)
        while depth < max_treedepth and termination == COMPLETE:
            end = (directions >> depth) & 1
            step = step_size if end == 1 else -step_size
            copy(ends.momentum[end], near)
            new = subtree(physics, random, memory, end, step, 1 << depth, start, reference)
            steps += new.steps
            acceptance += new.acceptance
            symmetric += new.symmetric
            max_error = worse(new.max_error, max_error)
            termination = new.termination
            if termination == COMPLETE:
                depth += 1
                weight *= math.exp(reference - new.reference)
                reference = new.reference
                if new.weight >= weight or accept(random, new.weight, weight):
                    copy(memory.proposal[0], memory.sample[0])
                    copy(memory.proposal[1], memory.sample[1])
                    log_density, energy = new.log_density, new.energy
                if join_turns(total, ends.momentum[1 - end], near, memory.sum, memory.begin, ends.momentum[end]):
                    termination = TURNING
                weight += new.weight
                for i in range(total.size):
                    total[i] += memory.sum[i]
        return Trajectory(termination, depth, log_density, energy, steps, acceptance, symmetric, max_error)

    return sample_trajectory
