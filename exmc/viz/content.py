"""What of a run goes into a plot: its scalars or observed variables, thinned where too many draws hide each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from exmc.diagnostics.selection import Scalar, flattened, named_scalars, worst_first
from exmc.diagnostics.summary import summarise
from exmc.errors import StoreError, suggest
from exmc.viz.kinds import PLOTS, Kind

_MADE_BY = {
    "posterior": "",
    "sample_stats": "",
    "posterior_predictive": "A finished run has it, unless its config says run.predictive.posterior: false.",
    "log_likelihood": "A finished run of a model that observes something has it.",
    "observed_data": "A finished run of a model that observes something has it.",
    "prior": "A finished run has it, unless its config says run.predictive.prior_draws: 0 or a prior is improper.",
}
"""When a run has a group, for those who look for it in vain."""
_HEAVY = 5.0
"""Interquartile ranges from the median beyond which draws of a prior are left out: a normal one has none there."""


class Content(NamedTuple):
    """What a plot is made of: groups, the number of its panels, and what a viewer must be told of what is not there."""

    tree: xr.DataTree
    panels: int
    notes: tuple[str, ...]


def content(tree: xr.DataTree, kind: str, variables: Sequence[str], most: int | None) -> Content:
    """What a plot of `kind` is made of, see `exmc.viz.draw.plot`."""
    row = PLOTS[kind]
    for group in row.groups:
        if group not in tree.children or not tree[group].data_vars:
            raise StoreError(f"there is no group {group!r}, which the plot {kind!r} shows.", remedy=_why(tree, group))
    _check_draws(tree, kind, row)
    if row.subject == "sampler":
        if variables:
            raise StoreError(f"the plot {kind!r} is of the sampler and has no variables to choose.")
        return Content(tree, 2, _lost(tree))
    if row.subject == "observations":
        return _observed(tree, row, variables, row.most if most is None else most)
    return _scalars(tree, kind, row, variables, row.most if most is None else most)


def _why(tree: xr.DataTree, group: str) -> str:
    skipped = tree.attrs.get("skipped_groups", {}).get(group)
    if skipped:
        return f"It was left out: {skipped}"
    if tree.attrs.get("complete") is False:
        return "It is made when the run is finished: exmc resume DIR."
    return _MADE_BY[group]


def _check_draws(tree: xr.DataTree, kind: str, row: Kind) -> None:
    group = "sample_stats" if row.subject == "sampler" else "posterior"
    draws = tree[group].sizes.get("draw", 0) if group in tree.children else 0
    if draws < row.fewest:
        raise StoreError(
            f"the plot {kind!r} takes at least {row.fewest} draws of each chain; there are {draws}.",
            remedy="Draw more, or choose the plot 'trace'." if kind != "trace" else "Wait for more, or draw more.",
        )


def _lost(tree: xr.DataTree) -> tuple[str, ...]:
    """The chains that failed, as a note."""
    failed = [str(entry["chain"]) for entry in tree.attrs.get("failed_chains", ())]
    word = "Chain" if len(failed) == 1 else "Chains"
    return (f"{word} {', '.join(failed)} failed and cannot be shown.",) if failed else ()


def _observed(tree: xr.DataTree, row: Kind, variables: Sequence[str], most: int) -> Content:
    """The observed variables that are asked for, or the first."""
    groups = {name: tree[name].to_dataset() for name in row.groups}
    names = [str(n) for n in groups["posterior_predictive"].data_vars if all(n in g.data_vars for g in groups.values())]
    for name in variables:
        if name not in names:
            raise StoreError(f"there is no observed variable {name!r}.", remedy=suggest(name, names))
    asked = list(dict.fromkeys(variables)) or names
    chosen = asked[:most]
    notes = _lost(tree)
    if len(chosen) < len(asked):
        notes += (f"{len(chosen)} of {len(asked)} observed variables are drawn. Choose with --var, or raise --most.",)
    picked = {name: group[chosen].load() for name, group in groups.items()}
    if "log_likelihood" in picked:
        # How much draws are worth is estimated from the posterior, from what has an effective sample size.
        picked["posterior"] = _estimable(tree["posterior"].to_dataset().load())
    return Content(xr.DataTree.from_dict(picked), len(chosen), notes)


def _estimable(posterior: xr.Dataset) -> xr.Dataset:
    """The variables of `posterior` all of whose scalars are finite and move."""
    good = []
    for name, array in posterior.data_vars.items():
        values = array.transpose("chain", "draw", ...).values.astype(np.float64)
        if np.isfinite(values).all() and np.ptp(values, axis=(0, 1)).all():
            good.append(name)
    if not good:
        raise StoreError("every variable has draws that are not finite, or scalars that never change.")
    return posterior[good]


def _scalars(tree: xr.DataTree, kind: str, row: Kind, variables: Sequence[str], most: int) -> Content:
    """The scalars that are asked for, the worst of them if they are too many."""
    posterior = tree["posterior"].to_dataset().load()
    known = posterior
    if "prior" in row.groups:
        # Both, or there is nothing to compare: what was imputed or summed out has no prior of its own.
        known = posterior[[name for name in posterior.data_vars if name in tree["prior"].data_vars]]
    asked = named_scalars(known, variables)
    notes: tuple[str, ...] = ()
    drawn, chosen = asked, asked
    if row.moving or len(asked) > most:
        table = _table(posterior, asked)
        if row.moving:
            drawable, notes = _drawable(table, kind)
            drawn, table = [asked[place] for place in drawable], table.isel(scalar=drawable)
        chosen = drawn if len(drawn) <= most else [drawn[place] for place in worst_first(table)[:most]]
    notes = _lost(tree) + notes
    if len(chosen) < len(drawn):
        notes += (
            f"{len(chosen)} of {len(drawn)} scalars are drawn: those with the highest R-hat, if it fails its check, "
            "and the fewest effective draws. Choose with --var NAME or --var 'NAME[LABEL]', or raise --most.",
        )
    groups = {"posterior": flattened(posterior, chosen)}
    if "sample_stats" in tree.children and "diverging" in tree["sample_stats"].data_vars:
        groups["sample_stats"] = tree["sample_stats"].to_dataset()[["diverging"]].load()
    if "prior" in row.groups:
        groups["prior"], few = _central(flattened(tree["prior"].to_dataset().load(), chosen), groups["posterior"])
        notes += few
    if row.draws is not None and groups["posterior"].sizes["draw"] > row.draws:
        kept = _thinned(groups, row.draws)
        groups = {name: group.isel(draw=kept) for name, group in groups.items()}
        notes += (f"{len(kept)} of {posterior.sizes['draw']} draws of each chain are drawn.",)
    return Content(xr.DataTree.from_dict(groups), len(chosen), notes)


def _table(posterior: xr.Dataset, scalars: list[Scalar]) -> xr.Dataset:
    """The summary of `scalars`, in their order."""
    names = list(dict.fromkeys(scalar.variable for scalar in scalars))
    summary = summarise(xr.DataTree.from_dict({"posterior": posterior[names]}))
    rows = {str(label): place for place, label in enumerate(summary["scalar"].values)}
    return summary.isel(scalar=[rows[scalar.label] for scalar in scalars])


def _drawable(table: xr.Dataset, kind: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The places of the scalars that have a density and ranks, and which have none."""
    constant, finite, labels = table["constant"].values, table["finite"].values, table["scalar"].values
    notes = []
    for said, flags in (("has draws that are not finite", ~finite), ("never changes", constant & finite)):
        left = labels[flags].tolist()
        if left:
            more = f" and {len(left) - 3} more" if len(left) > 3 else ""
            notes.append(f"Left out, because it {said}: {', '.join(left[:3])}{more}.")
    places = np.flatnonzero(finite & ~constant)
    if not len(places):
        raise StoreError(f"the plot {kind!r} has nothing to show. {' '.join(notes)}", remedy="Try the plot 'trace'.")
    return places, tuple(notes)


def _thinned(groups: dict[str, xr.Dataset], draws: int) -> NDArray[np.int64]:
    """About `draws` evenly spaced draws, and those where some chain diverged, up to as many again."""
    total = groups["posterior"].sizes["draw"]
    even = np.linspace(0, total - 1, draws).astype(np.int64)
    if "sample_stats" not in groups:
        return even
    diverged = np.flatnonzero(groups["sample_stats"]["diverging"].transpose("chain", "draw").values.any(axis=0))
    return np.union1d(even, diverged[:: max(1, -(-len(diverged) // draws))])


def _central(prior: xr.Dataset, posterior: xr.Dataset) -> tuple[xr.Dataset, tuple[str, ...]]:
    """`prior` without the far ends of heavy tails, beside which nothing else of the picture could be seen."""
    found, cut = {}, False
    for name, array in prior.data_vars.items():
        values = array.values[np.isfinite(array.values)]
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        reach, other = _HEAVY * (high - low), posterior[name].values
        inside = (values >= min(middle - reach, other.min())) & (values <= max(middle + reach, other.max()))
        cut |= not inside.all()
        # As many draws as before, of the distribution within: an array has one length for all scalars.
        spread = np.quantile(values[inside], (np.arange(array.size) + 0.5) / array.size)
        found[name] = (array.dims, spread.reshape(array.shape))
    note = "Priors with heavy tails are drawn without their far ends."
    return xr.Dataset(found, coords=prior.coords), (note,) if cut else ()
