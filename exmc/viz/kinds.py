"""The table of plots: what each kind shows, what it needs of a run, and how arviz-plots is asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from exmc.diagnostics.checks import CHECKS

Subject: TypeAlias = Literal["scalars", "observations", "sampler"]

_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of `PLOTS`.

    Attributes
    ----------
    function
        Its name in arviz_plots.
    meaning
        What it shows and what to look for, in a sentence.
    subject
        What is drawn: scalars of the posterior, observed variables as a whole, or the sampler's statistics.
    groups
        The groups without which there is nothing to draw.
    most
        How many scalars or observed variables are drawn unless more are asked for.
    panel
        Width and height of one panel in inches; of a row of the plot, for those of one panel.
    columns
        Panels side by side; 0 where the plot arranges its panels itself.
    moving
        Whether a density or a rank is taken, which a constant and draws that are not finite have none of.
    fewest, draws
        The fewest draws a chain that it can be made of, and the most that are drawn of each (none: all of them).
    legend
        The dim whose colours need one.
    curves
        What the curves of each panel are that arviz-plots does not name, in the order of their colours.
    options
        Passed to the function.
    per_chain
        The same, to be multiplied by the number of chains.
    """

    function: str
    meaning: str
    subject: Subject
    groups: tuple[str, ...]
    most: int
    panel: tuple[float, float]
    columns: int = 3
    moving: bool = True
    fewest: int = 2
    draws: int | None = None
    legend: str | None = None
    curves: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    per_chain: Mapping[str, float] = field(default_factory=lambda: _NONE)


_LEAST_ESS = next(check.threshold for check in CHECKS if check.name == "ess_bulk per chain")
_BFMI = next(check.threshold for check in CHECKS if check.name == "bfmi")
_INTERVAL: Mapping[str, Any] = {"point_estimate": "mean", "ci_kind": "eti"}
_PANEL = (3.4, 2.2)

PLOTS: Mapping[str, Kind] = MappingProxyType(
    {
        "trace": Kind(
            "plot_trace",
            "The draws of each chain in order: chains should look alike, and like noise without drift.",
            "scalars",
            ("posterior",),
            12,
            (4.2, 1.9),
            columns=2,
            moving=False,
            draws=2000,
            legend="chain",
        ),
        # The band is simulated in a time that grows with the square of the draws; and it is that of independent draws,
        # which thinned ones are more like.
        "rank": Kind(
            "plot_rank",
            "Ranks of each chain's draws among all: a line that leaves the band is of a chain unlike the others.",
            "scalars",
            ("posterior",),
            12,
            _PANEL,
            fewest=20,
            draws=250,
            legend="chain",
        ),
        "forest": Kind(
            "plot_forest",
            "The mean of each chain, with the intervals that hold 50 % and 90 % of its draws.",
            "scalars",
            ("posterior",),
            40,
            (8.0, 0.1),
            columns=0,
            options={**_INTERVAL, "ci_probs": (0.5, 0.9)},
        ),
        "pair": Kind(
            "plot_pair",
            "Draws of two scalars against each other: narrow funnels and bananas are hard to explore, and divergences, "
            "in another colour, show where.",
            "scalars",
            ("posterior",),
            5,
            (2.7, 2.4),
            columns=0,
            draws=2500,
            # Thousands of points hide one another, and with them where most of them are.
            options={"visuals": {"divergence": True, "scatter": {"alpha": 0.2, "size": 8, "width": 0}}},
        ),
        "energy": Kind(
            "plot_energy",
            "The energy and its changes from draw to draw, which should be as widely spread; BFMI is their ratio, by "
            f"chain, and below {_BFMI} tails are explored too slowly.",
            "sampler",
            ("sample_stats",),
            1,
            (4.4, 3.2),
            columns=2,
            options={"threshold": _BFMI},
        ),
        "autocorr": Kind(
            "plot_autocorr",
            "How much draws resemble those so many before them: the faster it falls to zero, the more they are worth.",
            "scalars",
            ("posterior",),
            12,
            _PANEL,
            fewest=20,
            legend="chain",
        ),
        "ess": Kind(
            "plot_ess_evolution",
            "Effective sample sizes, for the bulk and the tails, of more and more draws: they should grow in a line.",
            "scalars",
            ("posterior",),
            12,
            _PANEL,
            fewest=100,
            curves=("bulk", "tail"),
            per_chain={"min_ess": _LEAST_ESS},
        ),
        "ppc": Kind(
            "plot_ppc_dist",
            "The distribution of the data, dark, and of data generated from draws of the posterior, light.",
            "observations",
            ("posterior_predictive", "observed_data"),
            9,
            (4.6, 3.0),
        ),
        "loo-pit": Kind(
            "plot_loo_pit",
            "Where each observation lies among its predictions from all others: a line within the band if predictions "
            "are neither too wide, nor too narrow, nor to one side.",
            "observations",
            ("posterior_predictive", "observed_data", "log_likelihood"),
            9,
            (4.6, 3.0),
            fewest=20,
        ),
        "dist": Kind(
            "plot_dist",
            "The posterior density, its mean, and the interval that holds 90 % of it.",
            "scalars",
            ("posterior",),
            16,
            _PANEL,
            columns=4,
            options={**_INTERVAL, "ci_prob": 0.9},
        ),
        "prior-posterior": Kind(
            "plot_prior_posterior",
            "What was believed before the data and what after: alike where the data say little.",
            "scalars",
            ("prior", "posterior"),
            16,
            _PANEL,
            columns=4,
        ),
    }
)
"""Every kind of plot by the name that `exmc plot` knows it by."""
