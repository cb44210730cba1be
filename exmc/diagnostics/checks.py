"""The checks that a run must pass to be believed, as a table of thresholds, meanings and remedies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exmc.diagnostics import convergence
from exmc.diagnostics.summary import FEWEST_DRAWS, Summary, posterior_scalars, summary_of

if TYPE_CHECKING:
    import xarray as xr

Subject: TypeAlias = tuple[str, float]
"""What was measured (a scalar's label, a chain) and the value found."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What checks look at.

    Attributes
    ----------
    summary
        One row per scalar.
    statistics
        The sample statistics by name, shape (chain, draw). A check whose statistic is missing finds nothing.
    chains
        Labels of the chains there.
    failed
        Chains that are not there, because they failed.
    method
        What the attributes say of the method of inference and its fit; empty for NUTS.
    """

    summary: Summary
    statistics: Mapping[str, NDArray[Any]]
    chains: tuple[int, ...]
    failed: tuple[int, ...] = ()
    method: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """One row of `CHECKS`.

    `measure` yields subjects with their values; those on the wrong side of `threshold` fail, and so does NaN.
    """

    name: str
    threshold: float
    fails: Literal["above", "below"]
    measure: Callable[[Evidence], Iterator[Subject]]
    meaning: str
    remedy: str

    def failed_by(self, value: float) -> bool:
        """Whether `value` is on the wrong side of the threshold, or NaN."""
        return not (value <= self.threshold if self.fails == "above" else value >= self.threshold)


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that failed: for what, with what value, what that means and what to try."""

    check: str
    subject: str
    value: float
    threshold: float
    meaning: str
    remedy: str


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """What `diagnose` found, the summary it is based on, and what the draws are if not simply those of NUTS."""

    findings: tuple[Finding, ...]
    table: Summary
    method: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> xr.Dataset:
        """The summary, as `summarise` gives it."""
        return self.table.to_dataset()

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return not self.findings


def diagnose(tree: xr.DataTree, checks: Sequence[Check] | None = None) -> Diagnosis:
    """Judge the posterior of `tree` by `checks`, by default all of `CHECKS`.

    Raises `StoreError` if there is no posterior.
    """
    return judge(gather(tree), checks)


def judge(evidence: Evidence, checks: Sequence[Check] | None = None) -> Diagnosis:
    """What `diagnose` finds in `evidence`."""
    findings = tuple(
        Finding(check.name, subject, value, check.threshold, check.meaning, check.remedy)
        for check in (CHECKS if checks is None else checks)
        for subject, value in check.measure(evidence)
        if check.failed_by(value)
    )
    return Diagnosis(findings, evidence.summary, evidence.method)


def gather(tree: xr.DataTree) -> Evidence:
    """What checks need of `tree`: its posterior summarised, its statistics, and which chains failed."""
    statistics: dict[str, NDArray[Any]] = {}
    if "sample_stats" in tree.children:
        group = tree.children["sample_stats"].to_dataset()
        for name, array in group.data_vars.items():
            if {"chain", "draw"} == set(array.dims):
                statistics[str(name)] = array.transpose("chain", "draw").values
    summary = summary_of(posterior_scalars(tree))
    chains = tuple(int(c) for c in tree.children["posterior"].to_dataset()["chain"].values)
    failed = tuple(int(entry["chain"]) for entry in tree.attrs.get("failed_chains", ()))
    return Evidence(summary, statistics, chains, failed, dict(tree.attrs.get("method", {})))


def _failed_chains(evidence: Evidence) -> Iterator[Subject]:
    yield from ((f"chain {chain}", 1.0) for chain in evidence.failed)


def _draws(evidence: Evidence) -> Iterator[Subject]:
    yield "each chain", float(evidence.summary.draws)


def _not_finite(evidence: Evidence) -> Iterator[Subject]:
    table = evidence.summary
    yield from ((label, 0.0 if ok else 1.0) for label, ok in zip(table.labels, table.finite, strict=True))


def _column(name: str, per_chain: bool = False) -> Callable[[Evidence], Iterator[Subject]]:
    """A column of the summary, for the scalars that move: a constant has neither mixed nor failed to.

    Nothing where there are too few draws for it, which is a finding of its own.
    """

    def measure(evidence: Evidence) -> Iterator[Subject]:
        table = evidence.summary
        if table.draws < FEWEST_DRAWS:
            return
        divisor = max(len(evidence.chains), 1) if per_chain else 1
        for row in np.flatnonzero(~table.constant & table.finite):
            yield table.labels[row], float(table.columns[name][row]) / divisor

    return measure


def _reported(name: str, subject: str) -> Callable[[Evidence], Iterator[Subject]]:
    """A number that the method of inference reports; None, which stands for what is not finite, passes no check."""

    def measure(evidence: Evidence) -> Iterator[Subject]:
        if name in evidence.method:
            value = evidence.method[name]
            yield subject, float("nan") if value is None else float(value)

    return measure


def _divergences(evidence: Evidence) -> Iterator[Subject]:
    if "diverging" in evidence.statistics:
        yield "all chains", float(np.sum(evidence.statistics["diverging"]))


def _saturation(evidence: Evidence) -> Iterator[Subject]:
    if "reached_max_treedepth" in evidence.statistics:
        for chain, flags in zip(evidence.chains, evidence.statistics["reached_max_treedepth"], strict=True):
            yield f"chain {chain}", float(np.mean(flags))


def _bfmi(evidence: Evidence) -> Iterator[Subject]:
    if "energy" in evidence.statistics:
        energy = np.asarray(evidence.statistics["energy"], dtype=np.float64)
        if energy.shape[1] < 2:
            return
        # A chain that never moves has no variance of its energy, and no information.
        moving = energy.std(axis=1) > 0
        values = np.zeros(len(energy))
        if moving.any():
            values[moving] = convergence.bfmi(energy[moving])
        yield from ((f"chain {c}", float(v)) for c, v in zip(evidence.chains, values, strict=True))


CHECKS: tuple[Check, ...] = (
    Check(
        "failed chain",
        0.0,
        "above",
        _failed_chains,
        "The chain stopped with an error; the results are those of the others.",
        "Read its traceback in the run's attributes. Starting points that were all rejected, or a density that is"
        " not defined somewhere, are the usual causes.",
    ),
    Check(
        "pareto_k",
        0.7,
        "above",
        _reported("pareto_k", "the approximation"),
        "The approximation is too far from the posterior: neither its draws nor weights can stand for it.",
        "Sample by nuts, or try another method.",
    ),
    Check(
        "log_evidence_error",
        0.5,
        "above",
        _reported("log_evidence_error", "all chains"),
        "The chains, each an independent estimate, disagree about the evidence: it has hardly a digit.",
        "Raise draws, which are the particles of a chain, or moves.",
    ),
    Check(
        "draws not finite",
        0.0,
        "above",
        _not_finite,
        "Some draws are NaN or infinite, so that no summary of them means anything.",
        "Look for an overflow, a division by zero or a logarithm of a negative number in its expression.",
    ),
    Check(
        "draws",
        float(FEWEST_DRAWS),
        "below",
        _draws,
        "R-hat and effective sample sizes compare the halves of chains, and mean nothing for so few draws.",
        "Draw more: some hundreds at least.",
    ),
    Check(
        "r_hat",
        1.01,
        "above",
        _column("r_hat"),
        "The chains have not mixed: they disagree about this quantity more than chance explains.",
        "Run longer; if it stays, reparameterise (non-centre a hierarchy), or look for several modes.",
    ),
    Check(
        "ess_bulk per chain",
        100.0,
        "below",
        _column("ess_bulk", per_chain=True),
        "The draws are worth too few independent ones to estimate the centre of this quantity reliably.",
        "Draw more; if that hardly helps, reparameterise.",
    ),
    Check(
        "ess_tail per chain",
        100.0,
        "below",
        _column("ess_tail", per_chain=True),
        "The draws are worth too few independent ones to estimate the tails of this quantity reliably.",
        "Draw more; if that hardly helps, look at its prior: heavy tails are slow to explore.",
    ),
    Check(
        "divergences",
        0.0,
        "above",
        _divergences,
        "The integrator failed in some region, which the draws may therefore avoid: estimates can be biased.",
        "Raise target_accept towards 0.99, non-centre hierarchical variables, or make priors tighter.",
    ),
    Check(
        "reached_max_treedepth",
        0.01,
        "above",
        _saturation,
        "This fraction of the trajectories was cut off: the chain moves slowly, though not wrongly.",
        "Raise max_treedepth, or bring the variables to similar scales and less correlation.",
    ),
    Check(
        "bfmi",
        0.3,
        "below",
        _bfmi,
        "Momentum resampling hardly changes the energy (Betancourt 2016), so that the tails are explored slowly.",
        "Reparameterise: heavy tails and funnels are the usual cause. Longer warm-up can help.",
    ),
)
"""Every check, in the order of reports. Thresholds for R-hat and ESS: Vehtari et al. (2021); for k: Vehtari et al.
(2024); for BFMI: Stan's."""
