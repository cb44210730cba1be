"""NUTS as the papers write it: recursive, in plain numpy, with numpy's own random numbers; the kernel's slow oracle."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.density import LogDensity

FloatArray = NDArray[np.float64]


class Point(NamedTuple):
    position: FloatArray
    momentum: FloatArray
    log_density: float
    gradient: FloatArray
    energy: float


class Tree(NamedTuple):
    points: list[Point]  # in time order
    valid: bool


class Oracle:
    """One chain with unwhitened momenta p ~ Normal(0, M) and velocities inverse_mass @ p."""

    def __init__(self, density: LogDensity, root: FloatArray, step: float, max_treedepth: int) -> None:
        """`root` is any L with L @ L.T the inverse mass matrix: random numbers become momenta by it."""
        self.density, self.step, self.max_treedepth = density, step, max_treedepth
        self.covariance, self.whiten = root @ root.T, np.linalg.inv(root.T)

    def point(self, position: FloatArray, momentum: FloatArray) -> Point:
        value, gradient = self.density(position)
        with np.errstate(all="ignore"):
            energy = 0.5 * momentum @ self.covariance @ momentum - value
        return Point(position, momentum, value, gradient, float(energy))

    def leapfrog(self, point: Point, direction: int) -> Point:
        step = direction * self.step
        momentum = point.momentum + 0.5 * step * point.gradient
        position = point.position + step * self.covariance @ momentum
        _, gradient = self.density(position)
        return self.point(position, momentum + 0.5 * step * gradient)

    def turns(self, points: list[Point]) -> bool:
        rho = np.sum([point.momentum for point in points], axis=0)
        first, last = (self.covariance @ points[place].momentum for place in (0, -1))
        return not (rho @ first > 0 and rho @ last > 0)

    def join_turns(self, left: list[Point], right: list[Point]) -> bool:
        return self.turns(left + right) or self.turns([*left, right[0]]) or self.turns([left[-1], *right])

    def build(self, edge: Point, direction: int, depth: int) -> Tree:
        if depth == 0:
            new = self.leapfrog(edge, direction)
            gain = self.start.energy - new.energy
            self.visited.append(gain)
            if not (gain >= -1000 and gain < 1e300):
                self.diverging = True
                return Tree([], False)
            weight = np.exp(gain)
            self.subtree_weight += weight
            if self.proposal is None or self.generator.random() * self.subtree_weight < weight:
                self.proposal = new
            return Tree([new], True)
        near = self.build(edge, direction, depth - 1)
        if not near.valid:
            return near
        far = self.build(near.points[-1 if direction == 1 else 0], direction, depth - 1)
        if not far.valid:
            return far
        left, right = (near.points, far.points) if direction == 1 else (far.points, near.points)
        return Tree(left + right, not self.join_turns(left, right))

    def transition(self, position: FloatArray, key: NDArray[np.uint64], iteration: int) -> dict[str, Any]:
        bits = np.random.Philox(key=key, counter=np.array([0, iteration, 0, 0], dtype=np.uint64))
        self.generator = np.random.Generator(bits)
        directions = int(bits.random_raw()) >> 1
        self.start = self.point(position, self.whiten @ self.generator.standard_normal(position.size))
        points, sample, weight, depth = [self.start], self.start, 1.0, 0
        self.visited: list[float] = []
        self.diverging, turning = False, False
        while depth < self.max_treedepth:
            direction = 1 if directions >> depth & 1 else -1
            self.subtree_weight = 0.0
            self.proposal: Point | None = None
            new = self.build(points[-1 if direction == 1 else 0], direction, depth)
            if not new.valid:
                turning = not self.diverging
                break
            depth += 1
            if self.subtree_weight >= weight or self.generator.random() * weight < self.subtree_weight:
                assert self.proposal is not None
                sample = self.proposal
            weight += self.subtree_weight
            left, right = (points, new.points) if direction == 1 else (new.points, points)
            points = left + right
            if self.join_turns(left, right):
                turning = True
                break
        errors = [-gain if not np.isnan(gain) else np.inf for gain in self.visited]
        return {
            "position": sample.position,
            "lp": sample.log_density,
            "energy": sample.energy,
            "energy_error": sample.energy - self.start.energy,
            "max_energy_error": max([0.0, *errors], key=abs),
            "acceptance_rate": np.mean([min(1.0, np.exp(min(g, 0.0))) if g > -1000 else 0.0 for g in self.visited]),
            "n_steps": len(self.visited),
            "tree_depth": depth,
            "diverging": self.diverging,
            "reached_max_treedepth": not self.diverging and not turning,
        }
