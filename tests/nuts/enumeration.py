"""A dummy trajectory whose every outcome can be enumerated, and the slow recursive oracle of the tree.

Points are integers. Each has a momentum and an energy that are simply given, so that any pattern of turning and
diverging can be had, and the probabilities with which the tree chooses are exact numbers instead of random ones.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.nuts import trajectory

Distribution = dict[int, float]


@dataclass
class Dummy:
    """Momenta, shape (points, dimension), and energies, shape (points,), of the points -offset, -offset + 1, ..."""

    momenta: NDArray[np.float64]
    energies: NDArray[np.float64]
    offset: int

    def momentum(self, point: int) -> NDArray[np.float64]:
        return self.momenta[point + self.offset]

    def energy(self, point: int) -> float:
        return float(self.energies[point + self.offset])


@dataclass
class Decisions:
    """Stands in for random numbers: answers by a script, then yes, and keeps the probability of its answers."""

    script: list[bool]
    answers: list[bool] = field(default_factory=list)
    probability: float = 1.0
    open: list[int] = field(default_factory=list)

    def decide(self, chance: float) -> bool:
        chance = min(chance, 1.0)
        number = len(self.answers)
        if number < len(self.script):
            answer = self.script[number]
        else:
            answer = chance > 0.0
            if 0.0 < chance < 1.0:
                self.open.append(number)
        self.answers.append(answer)
        self.probability *= chance if answer else 1.0 - chance
        return answer


def dummy_leapfrog(dummy: Dummy, ends, end: int, step: float):  # type: ignore[no-untyped-def]
    ends.position[end] += math.copysign(1.0, step)
    point = int(ends.position[end, 0])
    ends.momentum[end] = dummy.momentum(point)
    return -float(point), dummy.energy(point)


def dummy_accept(decisions: Decisions, weight: float, total: float) -> bool:
    return decisions.decide(weight / total if total > 0.0 else 0.0)


sample_trajectory = trajectory.trajectory_sampler(dummy_leapfrog, dummy_accept)


def run_tree(dummy: Dummy, start: int, directions: int, depth: int, decisions: Decisions):  # type: ignore[no-untyped-def]
    """The tree under test on the dummy; returns (point drawn, `Trajectory`)."""
    memory = trajectory.workspace(np.zeros((trajectory.memory_rows(depth), dummy.momenta.shape[1])))
    memory.sample[0] = start
    for end in (0, 1):
        memory.ends.position[end], memory.ends.momentum[end] = start, dummy.momentum(start)
    path = sample_trajectory(dummy, decisions, directions, memory, 1.0, depth, -float(start), dummy.energy(start))
    drawn = int(memory.sample[0, 0])
    assert path.log_density == -float(drawn)
    assert path.energy == dummy.energy(drawn)
    return drawn, path


def tree_distribution(dummy: Dummy, start: int, directions: int, depth: int) -> Distribution:
    """The exact distribution of the point that the tree under test draws, over all its random decisions."""
    found: Distribution = defaultdict(float)
    pending: list[list[bool]] = [[]]
    while pending:
        decisions = Decisions(pending.pop())
        drawn, _ = run_tree(dummy, start, directions, depth, decisions)
        found[drawn] += decisions.probability
        pending.extend([*decisions.answers[:number], False] for number in decisions.open)
    return found


class Node(NamedTuple):
    """A tree of the oracle: its points in time order and whether it may enter a trajectory."""

    points: tuple[int, ...]
    valid: bool


def turns(dummy: Dummy, points: tuple[int, ...]) -> bool:
    """The generalised criterion on a run of consecutive points: rho has no positive product at one of the ends."""
    rho = sum(dummy.momentum(point) for point in points)
    return not (rho @ dummy.momentum(points[0]) > 0 and rho @ dummy.momentum(points[-1]) > 0)


def join_turns(dummy: Dummy, left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    """The criterion on two adjacent runs and across their junction."""
    both = left + right
    return turns(dummy, both) or turns(dummy, (*left, right[0])) or turns(dummy, (left[-1], *right))


def build(dummy: Dummy, first: int, direction: int, depth: int, start_energy: float) -> Node:
    """Betancourt (2017), appendix A.3: a tree is two trees of half its size, or a point."""
    if depth == 0:
        gain = start_energy - dummy.energy(first)
        return Node((first,), gain >= -1000.0 and gain < 1e300)
    near = build(dummy, first, direction, depth - 1, start_energy)
    if not near.valid:
        return near
    far = build(dummy, first + direction * 2 ** (depth - 1), direction, depth - 1, start_energy)
    left, right = (near, far) if direction == 1 else (far, near)
    points = left.points + right.points
    return Node(points, far.valid and not join_turns(dummy, left.points, right.points))


def oracle_distribution(
    dummy: Dummy, start: int, directions: int, depth: int, *, admit_invalid: bool = False
) -> Distribution:
    """The same distribution by definition; `admit_invalid` makes the mistake of drawing from a turning sub-tree."""
    start_energy = dummy.energy(start)

    def weight(point: int) -> Decimal:
        # Decimal numbers have room for any exponent, so that this needs no care with the range.
        energy = dummy.energy(point)
        return Decimal(start_energy - energy).exp() if math.isfinite(energy) else Decimal(0)

    points: tuple[int, ...] = (start,)
    drawn: dict[int, Decimal] = {start: Decimal(1)}
    for level in range(depth):
        direction = 1 if directions >> level & 1 else -1
        first = points[-1] + 1 if direction == 1 else points[0] - 1
        new = build(dummy, first, direction, level, start_energy)
        if not new.valid and not admit_invalid:
            break
        old_weight = sum(map(weight, points), Decimal(0))
        new_weight = sum(map(weight, new.points), Decimal(0))
        move = min(Decimal(1), new_weight / old_weight)
        drawn = {point: (1 - move) * chance for point, chance in drawn.items()}
        for point in new.points:
            drawn[point] = move * weight(point) / new_weight if new_weight > 0 else Decimal(0)
        left, right = (points, new.points) if direction == 1 else (new.points, points)
        points = left + right
        if not new.valid or join_turns(dummy, left, right):
            break
    return {point: float(chance) for point, chance in drawn.items()}


def smooth(seed: int, points: int = 64) -> Dummy:
    """A dummy that turns gradually and has modest energies, as real trajectories do."""
    random = np.random.default_rng(seed)
    angle = np.cumsum(random.uniform(0.3, 1.4, size=points))
    length = random.uniform(0.5, 1.5, size=points)
    momenta = np.stack([length * np.cos(angle), length * np.sin(angle)], axis=1)
    return Dummy(momenta, random.normal(size=points), points // 2)


def straight(seed: int, points: int = 64) -> Dummy:
    """A dummy that never turns."""
    random = np.random.default_rng(seed)
    return Dummy(np.ones((points, 1)), random.normal(size=points), points // 2)


def broken(seed: int, points: int = 64) -> Dummy:
    """A dummy with points that diverge in every possible way."""
    dummy = smooth(seed, points)
    for place, energy in zip((-5, -2, 3, 4, 9), (math.nan, math.inf, 1e9, -math.inf, math.nan), strict=True):
        dummy.energies[place + dummy.offset] = energy
    return dummy


def steep(seed: int, points: int = 64) -> Dummy:
    """A dummy whose energies span more than an exponential can hold."""
    dummy = smooth(seed, points)
    dummy.energies[:] = 900.0 * np.sin(np.arange(points)) * np.random.default_rng(seed).uniform(size=points)
    return dummy
