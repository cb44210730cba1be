"""How far the data, and how far the population, determine the elements of a hierarchical variable.

For ``theta_j ~ F(mu_j, tau)`` the centred parameterisation suits informative data and the non-centred one weak data:
with information I_j about theta_j in the likelihood, their posterior correlations are mirror images about
I_j tau^2 = 1 (Papaspiliopoulos, Roberts and Skold 2007; Betancourt and Girolami 2015), and centring by the weight
I_j tau^2 / (1 + I_j tau^2) has none (`exmc.rewrite.partial`). Where tau may be near 0, whatever is centred has a
funnel. So each element has the weight

    w_j = I_j t^2 / (1 + I_j t^2),    t^2 the lower 95 % confidence limit of tau^2

and a variable whose elements all are within a fifth of 0 or of 1 is non-centred or centred as a whole, the former in
particular where nothing is known. All of it comes from the data, in plain numpy:

1. Without pooling: each theta_j is moved to its maximum-likelihood value by Newton's method on finite differences, in
   turn with the other variables that the likelihood depends on (scales, coefficients), which start at the
   unconstrained value 0 and are set to their most probable value. A scale would come out too small where each theta_j
   has few observations, as that ignores the error of theta_j; the term -1/2 sum log I_j in its objective mends it
   (restricted maximum likelihood; Patterson and Thompson 1971).
2. tau^2 is estimated from the spread of the estimates beyond their errors, by moments (DerSimonian and Laird 1986;
   with covariates for the location: Jackson, White and Riley 2013). Variables with the same scale expression are one
   population; the location may depend on any other variables, linearly or nearly so. Elements that spread far beyond
   what the scale may be have run away with what they are multiplied by, and their data tell nothing. The limit
   replaces Cochran's Q, with k degrees of freedom, by k Q / chi2_k(0.95). A constant scale needs no estimate.
3. Upwards: the estimates, with variance tau^2 + 1/I_j, are then observations of the locations.

1/I_j is the variance of theta_j under its normalised likelihood, which for few observations is not its curvature, and
what the elements of other populations in the same rows account for is taken off I_j (`exmc.rewrite.shared_rows`).
Where a row of data depends on several elements of one population (coefficients of a regression), I_j is what the data
tell about one element when the others are known, an upper bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Recurrence
from exmc.ir.constants import constant_value, is_constant
from exmc.ir.declarations import in_order
from exmc.ir.expressions import Expression
from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.nodes import RandomVariable
from exmc.ir.operations import evaluate, infer_type
from exmc.ir.text import expression_text
from exmc.rewrite.block import Block, block_of, improved, likelihood_moments
from exmc.rewrite.chi_squared import chi_squared_quantile
from exmc.rewrite.partial import Weights
from exmc.rewrite.plausible import usual_scale
from exmc.rewrite.series import recurrence_of, scale_of
from exmc.rewrite.series_evidence import series_verdict
from exmc.rewrite.shared_rows import information_left
from exmc.rewrite.surface import FloatArray, Free, Surface, Values
from exmc.rewrite.unpooled import unpooled_fit
from exmc.rewrite.verdict import NOTHING, Verdict

CONFIDENCE = 0.95
# Weights this near to 0 or 1 gain less than they cost: an exponential for each element in each gradient.
_WHOLE = 0.2
_DECIMALS = 2
_COVARIATES = 200
# A population that spreads so many times more than its scale has reason to: its elements have run away together with
# what they are multiplied by, as factors with their loadings, since without pooling nothing holds them.
_ABSURD = 100.0


@dataclass(frozen=True, slots=True)
class _Population:
    """Variables that share a scale: its expression, and whether it is constant; or one series."""

    variables: tuple[RandomVariable, ...]
    scale: Expression
    constant: bool
    recurrence: Recurrence | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(v.name for v in self.variables)


def weigh(model: Model, variables: Sequence[RandomVariable]) -> dict[str, Verdict]:
    """A verdict on each of `variables`: hierarchical ones of location-scale families, and series."""
    types = infer_types(model)
    surface = Surface(model, types)
    series = {v.name: r for v in variables if (r := recurrence_of(v, types)) is not None}
    populations = _populations(model, variables, series)
    if not surface.rows(surface.origin()).size:
        return {v.name: NOTHING for v in variables}
    free = unpooled_fit([p.names for p in populations], surface)
    verdicts: dict[str, Verdict] = {}
    for population in reversed(populations):
        if population.recurrence is not None and population.variables[0].centering != "auto":
            continue
        block = block_of(population.names, surface, free)
        if block.places.size:
            for _ in range(4):
                free = improved(block, surface, free)
        others = [p.names for p in populations if p is not population]
        verdicts |= _verdicts(population, block, others, model, surface, free)
    return verdicts


def _populations(
    model: Model, variables: Sequence[RandomVariable], series: Mapping[str, Recurrence]
) -> list[_Population]:
    """Populations with every one after those that its locations depend on."""
    names = {v.name for v in variables}
    found: dict[tuple[str, ...], list[RandomVariable]] = {}
    for node in in_order(model):
        if isinstance(node, RandomVariable) and node.name in names:
            scale = _scale(node, series)
            constant = is_constant(scale, model)
            key = (node.name,) if constant or node.name in series else (node.call.distribution, expression_text(scale))
            found.setdefault(key, []).append(node)
    # By the last member: another population may lie between the members of one.
    position = {n.name: i for i, n in enumerate(in_order(model))}
    ordered = sorted(found.values(), key=lambda members: position[members[-1].name])
    made = [(tuple(members), _scale(members[0], series), series.get(members[0].name)) for members in ordered]
    return [_Population(members, scale, is_constant(scale, model), recurrence) for members, scale, recurrence in made]


def _scale(variable: RandomVariable, series: Mapping[str, Recurrence]) -> Expression:
    recurrence = series.get(variable.name)
    if recurrence is None:
        return _location_scale(variable)[1]
    return variable.call.arguments[scale_of(variable, recurrence)]


def _location_scale(variable: RandomVariable) -> tuple[Expression, Expression]:
    names = DISTRIBUTIONS[variable.call.distribution].location_scale
    assert names is not None
    return variable.call.arguments[names[0]], variable.call.arguments[names[1]]


def _verdicts(
    population: _Population,
    block: Block,
    others: Sequence[tuple[str, ...]],
    model: Model,
    surface: Surface,
    free: Free,
) -> dict[str, Verdict]:
    """The verdicts on `population`, whose estimates then stand for its data in `surface`."""
    if not block.places.size:
        return dict.fromkeys(population.names, NOTHING)
    if population.recurrence is not None:
        variable = population.variables[0]
        verdict = series_verdict(variable, population.recurrence, population.constant, block, surface, free)
        return {variable.name: verdict}
    if not population.constant and infer_type(population.scale, surface.types).size != 1:
        return _all(population, "each element has a scale of its own, which one value cannot tell")
    located = _locations(population, surface)
    covariates = _covariates(population, located, surface, free)
    if covariates is None:
        return _all(population, f"its location depends on more than {_COVARIATES} other values")
    columns, own = covariates
    estimates, error = likelihood_moments(block, surface, free)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = error / information_left(block, others, surface, free)
    variance = error
    if own is not None:
        with np.errstate(invalid="ignore"):
            variance = error + np.sum(np.where(own != 0.0, own**2 * error, 0.0), axis=1)
    known = np.isfinite(variance)
    here = located(surface.values(free))
    residuals = (estimates - here)[known]
    found = _spread(population, residuals, columns[known], variance[known], model, surface)
    if isinstance(found, str):
        return _all(population, found)
    spread, least = found
    weights = 1.0 / (spread + variance)
    surface.extra.append(_summary(located, estimates, weights, known))
    centre = here + columns @ _coefficients(residuals, columns[known], weights[known])
    return _judged(population, _Evidence(error, spread, least, centre), own is not None, block, surface)


def _spread(
    population: _Population,
    residuals: FloatArray,
    columns: FloatArray,
    variance: FloatArray,
    model: Model,
    surface: Surface,
) -> tuple[FloatArray, FloatArray] | str:
    """The variance of each element of `population` and its lower limit, each of shape (elements,); or why not.

    `residuals` and `columns` are as in `_moments`, `variance` is that of the errors, of shape (n,).
    """
    if population.constant:
        scales = np.asarray(constant_value(population.scale, model), float)
        spread = np.broadcast_to(scales, surface.types[population.names[0]].shape).ravel() ** 2
        return spread, spread
    moments = _moments(residuals, columns, 1.0 / variance)
    if moments is None:
        return "it has too few elements to tell how much they spread"
    usual = usual_scale(population.scale, surface)
    if usual is not None and np.sqrt(moments[0]) > _ABSURD * usual:
        return "the data do not tell how large its elements are: other variables make up for that"
    count = sum(surface.types[name].size for name in population.names)
    spread, least = (np.full(count, moment) for moment in moments)
    return spread, least


def _coefficients(residuals: FloatArray, columns: FloatArray, weights: FloatArray) -> FloatArray:
    """The regression of `residuals`, shape (n,), on `columns`, shape (n, p), with precisions `weights`."""
    root = np.sqrt(weights)
    return np.asarray(np.linalg.lstsq(columns * root[:, None], residuals * root)[0])


def _all(population: _Population, why: str) -> dict[str, Verdict]:
    """The verdict that all of `population` is better non-centred."""
    return dict.fromkeys(population.names, Verdict(False, why))


class _Evidence(NamedTuple):
    """For each element, shape (elements,): its likelihood's variance, the population's, and a lower limit of that.

    And the location of the population there.
    """

    error: FloatArray
    spread: FloatArray
    least: FloatArray
    centre: FloatArray


def _judged(
    population: _Population, found: _Evidence, chained: bool, block: Block, surface: Surface
) -> dict[str, Verdict]:
    """Compare what the data and what the population tell about each element of `population`.

    If its elements are `chained`, each the location of another, they are centred all or none, as most of them would be:
    neighbours tell about an element too, which its weight does not know.
    """
    looked_at = np.arange(block.count) if block.owner is not None else block.places
    error, typical, low = (float(np.sqrt(np.median(each[looked_at]))) for each in found[:3])
    figures = f"standard error {error:.2g}, population spread {typical:.2g}"
    if low != typical:
        figures += f" and surely {low:.2g}"
    shares = found.least / (found.least + found.error)
    most = float(np.median(shares[looked_at]))
    everywhere = np.full(block.count, float(most > 0.5) if chained else most)
    if not chained:
        everywhere[looked_at] = shares[looked_at]
    if np.max(everywhere) <= _WHOLE:
        return _all(population, f"the data do not tell its elements better than the population does ({figures})")
    if np.min(everywhere) >= 1.0 - _WHOLE:
        why = f"the data tell its elements better than the population does ({figures})"
        return dict.fromkeys(population.names, Verdict(True, why))
    # Rounded: what another library's last digits make of the same data is then the same model.
    scale, why = float(f"{typical:.1e}"), f"the data tell some of its elements better than others ({figures})"
    rounded = np.round(everywhere, _DECIMALS), scale * np.round(found.centre / scale, 1)
    parts = (np.split(each, np.cumsum(block.sizes)[:-1]) for each in rounded)
    shapes = [surface.types[name].shape for name in population.names]
    return {
        name: Verdict(False, why, Weights(share.reshape(shape), scale, centre.reshape(shape)))
        for name, shape, share, centre in zip(population.names, shapes, *parts, strict=True)
    }


def _locations(population: _Population, surface: Surface) -> Callable[[Values], FloatArray]:
    """A function from all values to the location of each element of `population`, shape (elements,)."""

    def located(values: Values) -> FloatArray:
        parts = []
        for variable in population.variables:
            location = np.asarray(evaluate(_location_scale(variable)[0], values), float)
            parts.append(np.broadcast_to(location, surface.types[variable.name].shape).ravel())
        return np.concatenate(parts)

    return located


def _covariates(
    population: _Population, located: Callable[[Values], FloatArray], surface: Surface, free: Free
) -> tuple[FloatArray, FloatArray | None] | None:
    """How the locations move with each element of other variables, and of the population itself.

    Shapes (elements, covariates) and (elements, elements), the latter None where locations do not depend on the
    population; None if there are too many covariates.
    """
    here = located(surface.values(free))
    columns: list[FloatArray] = []
    own: FloatArray | None = None
    for name in surface.free:
        inside = name in population.names
        size = surface.unconstrained[name].size
        nowhere = dict(free) | {name: np.full(free[name].shape, np.nan)}
        if np.any(np.isnan(located(surface.values(nowhere))) & ~np.isnan(here)):
            if len(columns) + size > _COVARIATES:
                return None
            for place in range(size):
                elements = free[name].copy()
                elements.flat[place] += 1.0
                column = located(surface.values(dict(free) | {name: elements})) - here
                if not inside:
                    columns.append(column)
                else:
                    own = np.zeros((here.size, here.size)) if own is None else own
                    own[:, _offset(population, name, surface) + place] = column
    return (np.stack(columns, axis=1) if columns else np.empty((here.size, 0))), own


def _offset(population: _Population, name: str, surface: Surface) -> int:
    return sum(surface.unconstrained[n].size for n in population.names[: population.names.index(name)])


def _moments(residuals: FloatArray, columns: FloatArray, weights: FloatArray) -> tuple[float, float] | None:
    """The variance of a population beyond the errors 1 / `weights`, and its lower confidence limit.

    `residuals` have shape (n,); `columns`, shape (n, p), are covariates to be fitted first. None where no degree of
    freedom is left.
    """
    root = np.sqrt(weights)
    left, sizes, _ = np.linalg.svd(columns * root[:, None], full_matrices=False)
    kept = left[:, sizes > 1e-10 * np.max(sizes, initial=0.0)]
    freedom = residuals.size - kept.shape[1]
    if freedom < 1:
        return None
    scaled = residuals * root
    scaled = scaled - kept @ (kept.T @ scaled)
    excess = float(np.sum(scaled**2))
    divisor = float(np.sum(weights * (1.0 - np.sum(kept**2, axis=1))))
    least = excess * freedom / chi_squared_quantile(freedom, 1.0 - CONFIDENCE)
    return max(0.0, (excess - freedom) / divisor), max(0.0, (least - freedom) / divisor)


def _summary(
    located: Callable[[Values], FloatArray], estimates: FloatArray, weights: FloatArray, known: NDArray[np.bool_]
) -> Callable[[Values], FloatArray]:
    """Rows that say what the estimates of a population tell about its locations."""

    def rows(values: Values) -> FloatArray:
        return -0.5 * weights[known] * (estimates - located(values))[known] ** 2

    return rows
