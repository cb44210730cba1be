"""The agreement rule: whether a run's posterior is the one that reference draws describe."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from arviz_stats.base import array_stats

REFERENCES = Path(__file__).parent / "reference"

LARGEST_Z = 5.0
SD_RATIOS = (0.85, 1.15)
LEAST_ESS = 1000.0
LARGEST_RHAT = 1.01
# Stan, too, diverges now and then on some of these posteriors; more than a handful means a wrong geometry.
DIVERGING_SHARE = 0.005


@dataclass(frozen=True, slots=True)
class Reference:
    """What is known of a scalar on its natural scale: mean, standard deviation, error of the mean."""

    mean: float
    sd: float
    mcse: float


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar of a run beside its reference. A scalar that the run lacks is NaN throughout."""

    name: str
    mean: float
    sd: float
    mcse: float
    ess: float
    rhat: float
    reference: Reference

    @property
    def z(self) -> float:
        """The difference of the means in units of the Monte Carlo error of both."""
        return (self.mean - self.reference.mean) / math.hypot(self.mcse, self.reference.mcse)

    @property
    def sd_ratio(self) -> float:
        """Standard deviation of the run over that of the reference."""
        return self.sd / self.reference.sd

    def problems(self) -> list[str]:
        """What disagrees, each with its figures. NaN disagrees with everything."""
        found = []
        if not abs(self.z) < LARGEST_Z:
            found.append(f"{self.name}: mean {self.mean:.6g}, not {self.reference.mean:.6g} (z {self.z:.2f})")
        if not SD_RATIOS[0] < self.sd_ratio < SD_RATIOS[1]:
            found.append(f"{self.name}: sd {self.sd:.4g}, not {self.reference.sd:.4g}")
        if not self.ess >= LEAST_ESS:
            found.append(f"{self.name}: bulk ESS {self.ess:.0f}")
        if not self.rhat <= LARGEST_RHAT:
            found.append(f"{self.name}: R-hat {self.rhat:.4f}")
        return found


@dataclass(frozen=True, slots=True)
class Agreement:
    """A run beside the reference of its posterior."""

    scalars: tuple[Scalar, ...]
    draws: int
    divergences: int
    failed: tuple[int, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that disagrees; empty when the posterior agrees."""
        found = [problem for scalar in self.scalars for problem in scalar.problems()]
        if not self.divergences < DIVERGING_SHARE * self.draws:
            found.append(f"{self.divergences} of {self.draws} transitions diverged")
        found += [f"chain {chain} failed" for chain in self.failed]
        return tuple(found)

    @property
    def largest_z(self) -> float:
        """The largest |z| of all scalars."""
        return float(np.max([abs(scalar.z) for scalar in self.scalars]))

    @property
    def sd_ratios(self) -> tuple[float, float]:
        """The smallest and the largest ratio of standard deviations."""
        ratios = [scalar.sd_ratio for scalar in self.scalars]
        return float(np.min(ratios)), float(np.max(ratios))

    @property
    def least_ess(self) -> float:
        """The smallest bulk ESS."""
        return float(np.min([scalar.ess for scalar in self.scalars]))

    @property
    def largest_rhat(self) -> float:
        """The largest R-hat."""
        return float(np.max([scalar.rhat for scalar in self.scalars]))


def read_reference(posterior: str) -> dict[str, Reference]:
    """The reference of a posterior of `tests/models/reference`, by scalar."""
    document = json.loads((REFERENCES / f"{posterior}.json").read_text())
    return {name: Reference(row["mean"], row["sd"], row["mcse_mean"]) for name, row in document["parameters"].items()}


def compare(tree: xr.DataTree, reference: Mapping[str, Reference]) -> Agreement:
    """Judge the groups `posterior` and `sample_stats` of a run by the scalars of `reference`.

    A scalar such as ``beta[2]`` or ``K[1,2]`` is the element of the variable of that name; it counts from 1.
    """
    posterior = tree["posterior"].to_dataset()
    diverging = tree["sample_stats"].to_dataset()["diverging"].values
    scalars = tuple(_scalar(name, _draws(posterior, name), row) for name, row in reference.items())
    failed = tuple(chain["chain"] for chain in tree.attrs.get("failed_chains", ()))
    return Agreement(scalars, diverging.size, int(diverging.sum()), failed)


def _draws(posterior: xr.Dataset, scalar: str) -> np.ndarray:
    """The draws of one scalar, shape (chain, draw); a single NaN if the run does not have it."""
    match = re.fullmatch(r"(\w+)(?:\[([\d,]+)\])?", scalar)
    if match is None:
        raise ValueError(f"{scalar!r} is no name of a scalar, such as 'mu' or 'beta[2]'.")
    name, key = match.groups()
    index = tuple(int(k) - 1 for k in key.split(",")) if key else ()
    missing = np.full((1, 1), np.nan)
    if name not in posterior:
        return missing
    values = posterior[name].transpose("chain", "draw", ...).values
    shape = values.shape[2:]
    if len(index) != len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        return missing
    return values[(..., *index)]


def _scalar(name: str, draws: np.ndarray, reference: Reference) -> Scalar:
    # The statistics of draws that are not all there would be a warning at best.
    if not np.isfinite(draws).all():
        return Scalar(name, *[math.nan] * 5, reference)
    return Scalar(
        name,
        mean=float(draws.mean()),
        sd=float(draws.std(ddof=1)),
        mcse=float(array_stats.mcse(draws, chain_axis=0, draw_axis=1)),
        ess=float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk")),
        rhat=float(array_stats.rhat(draws, chain_axis=0, draw_axis=1)),
        reference=reference,
    )
