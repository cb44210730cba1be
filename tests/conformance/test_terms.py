"""What a run stores adds up: log prior, log likelihood, potentials and log Jacobian are lp, in every draw.

The log Jacobian is that of the whole map from the unconstrained position to the user's own variables: the determinant
of its derivative, which `autograd.jacobian` takes of `constrain` alone. No `log_jacobian` has a part in it, and where
rewriting makes a variable of a standard one (non-centring), its share is in it too.

Bounds: a stored term is within ERROR units of rounding of its size, and so is its share in lp; either sum of n terms
adds up to n units of the sum S of their sizes. With 2 * (ERROR + n) units, ALLOWED, 1e-10 of S, is enough for 400 000
terms (measured: 3e-14). A determinant of J, whose elements are within ERROR units, is to first order off by
ERROR * UNIT * sum(|J^-1| * |J|^T) at most, for the derivative of log det J is J^-T.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
import pytest
import xarray as xr
from autograd import jacobian

import exmc
from exmc.compile.layout import layout_of, posterior_names
from exmc.compile.logp import constrain_function
from exmc.ir.calls import form_of
from exmc.ir.check import infer_types
from exmc.ir.constants import constant_value
from exmc.ir.declarations import parents
from exmc.ir.missing import imputed_variables
from exmc.ir.model import Model
from exmc.ir.nodes import Observation, RandomVariable
from exmc.rewrite.run import rewrite
from exmc.trace.kept import kept_entries
from exmc.transforms import TRANSFORMS
from pipelines.checking import build
from pipelines.config import load_config
from pipelines.run import run_config
from tests.conformance.agreement_models import subjects
from tests.conformance.rounding import UNIT
from tests.distributions.rows import SCALAR
from tests.ir.sequential import SEQUENTIAL
from tests.rewrite.models import MODELS
from tests.transforms.coordinates import measured

ALLOWED = 1e-10
ERROR = 56.0
"""Units of rounding of one function: gammaln's, the largest (see `test_agreement`)."""
CHAINS, DRAWS = 2, 3


class Sums(NamedTuple):
    """The parts of lp of one draw, and the sum of the sizes of what was added up."""

    log_prior: float
    log_likelihood: float
    potentials: float
    log_jacobian: float
    size: float
    jacobian_error: float

    @property
    def lp(self) -> float:
        return self.log_prior + self.log_likelihood + self.potentials + self.log_jacobian

    @property
    def bound(self) -> float:
        return ALLOWED * self.size + self.jacobian_error


def weights_of(node: Observation, source: Model) -> Any:
    """The weight of each stored log likelihood of `node`."""
    if node.weight is None:
        return 1.0
    found = infer_types(source)[node.name]
    kept = kept_entries(node, source, found)
    weight = np.asarray(constant_value(node.weight, source), dtype=float)
    return weight if kept is None else np.broadcast_to(weight, kept.shape)[kept]


def ancestors(model: Model, names: tuple[str, ...]) -> Model:
    """`model` without what neither is random nor leads to `names`."""
    wanted, pending = set(), [*names, *(v.name for v in model.free)]
    while pending:
        name = pending.pop()
        if name in model and name not in wanted:
            wanted.add(name)
            pending += parents(model[name])
    return model.with_nodes(tuple(node for node in model if node.name in wanted))


def coordinates_of(rewritten: Model, users: tuple[RandomVariable, ...]) -> Callable[[Any], Any]:
    """From a position to all coordinates by which the values of the user's free variables are measured."""
    names = tuple(own.name for own in users)
    function = constrain_function(ancestors(rewritten, names), names)

    def coordinates(position: Any) -> Any:
        parts = []
        for own, value in zip(users, function(position), strict=True):
            node = rewritten[own.name]
            chosen = node.transform if isinstance(node, RandomVariable) else form_of(own.call).transform
            transform = TRANSFORMS[chosen or form_of(own.call).transform]
            batch = np.shape(value)[: np.ndim(value) - transform.event_rank]
            support = transform.supports[0].name
            parts += [anp.ravel(measured(support, value[i] if i else value)) for i in np.ndindex(*batch)]
        return anp.concatenate(parts)

    return coordinates


def summed(source: Model, tree: xr.DataTree) -> list[tuple[float, Sums]]:
    """lp and its parts, draw by draw."""
    rewritten = rewrite(source).model
    known = posterior_names(source, rewritten)
    free = tuple(v for v in source.free if v.name in known) + imputed_variables(source, infer_types(source))
    coordinates = coordinates_of(rewritten, free)
    potentials = tuple(d.name for d in source.deterministics if d.potential)
    potential_values = constrain_function(rewritten, potentials)
    weights = {o.name: weights_of(o, source) for o in source.observations}
    assert set(tree["log_prior"].data_vars) == {v.name for v in free}
    found = []
    for chain, draw in np.ndindex(CHAINS, DRAWS):
        at = {"chain": chain, "draw": draw}
        unconstrained = tree["unconstrained_posterior"].to_dataset().isel(at)
        position = layout_of(rewritten).pack({str(k): v.values for k, v in unconstrained.items()})
        priors = [np.ravel(v.isel(at)) for v in tree["log_prior"].data_vars.values()]
        likelihoods = []
        if source.observations:
            group = tree["log_likelihood"].to_dataset().isel(at)
            assert set(group.data_vars) == set(weights)
            likelihoods = [np.ravel(weights[str(k)] * v.values) for k, v in group.items()]
        soft = [np.ravel(v) for v in potential_values(position)] if potentials else []
        slopes = jacobian(coordinates)(position)
        assert slopes.shape == (len(position), len(position))
        log_jacobian = float(np.linalg.slogdet(slopes)[1])
        error = ERROR * UNIT * float(np.sum(np.abs(np.linalg.inv(slopes)) * np.abs(slopes).T))
        sizes = [float(np.sum(np.abs(part))) for part in (*priors, *likelihoods, *soft)]
        sums = [float(sum(part.sum() for part in parts)) for parts in (priors, likelihoods, soft)]
        lp = float(tree["sample_stats"]["lp"][chain, draw])
        found.append((lp, Sums(*sums, log_jacobian, sum(sizes) + abs(log_jacobian) + abs(lp), error)))
    return found


def sampled(source: Model, seed: int = 3) -> xr.DataTree:
    return exmc.sample(source, draws=DRAWS, warmup=12, chains=CHAINS, seed=seed, max_treedepth=4, predictive=False)


def entered(name: str) -> bool:
    """Whether a subject is one of these: every config, every free event, and each number's first case when free.

    Observed ones have no Jacobian of their own; an improper prior alone cannot be sampled, and configs have such.
    """
    distribution, number, role = name.split(" ") if " " in name else ("", "", "")
    improper = distribution in ("Flat", "HalfFlat")
    return not distribution or (role == "free" and not improper and (distribution not in SCALAR or number == "0"))


CASES: dict[str, Callable[[], Model]] = {
    **{subject.name: subject.build for subject in subjects() if entered(subject.name)},
    # The density of vectors missing in part stands neither in log_prior nor in log_likelihood.
    **{name: lambda build=build: build().build() for name, (build, _) in MODELS.items() if name != "gaps in vectors"},
    **{name: lambda build=build: build().build() for name, build in SEQUENTIAL.items()},
}


@pytest.mark.parametrize("name", CASES)
def test_the_stored_terms_add_up_to_lp(name: str) -> None:
    source = CASES[name]()
    for lp, sums in summed(source, sampled(source)):
        assert abs(lp - sums.lp) <= sums.bound, sums


CONFIG = """\
name: terms
model:
  coords: {person: [a, b, c, d], part: [x, y, z]}
  data:
    seen: {values: [0.3, -0.2, 1.1, 2.0], dims: [person]}
    counts: {values: [1.0, 2.0, 0.0, 1.5], dims: [person]}
  variables:
    mu: {dist: Normal, mu: 0, sigma: 1}
    tau: {dist: HalfNormal, sigma: 1}
    theta: {dist: Normal, mu: mu, sigma: tau, dims: [person]}
    share: {dist: Dirichlet, alpha: [1, 2, 3], dims: [part]}
    soft: {potential: -0.5 * (share - 0.2) ** 2}
    y: {dist: Normal, mu: "theta + share[1]", sigma: 0.5, observed: seen, weight: counts, mask: "seen < 1.5"}
sampler: {draws: 3, warmup: 12, chains: 2, seed: 4, max_treedepth: 4}
cluster: {kind: local, workers: 1}
run: {out: out}
"""


def test_so_they_do_in_a_run_directory(tmp_path: Path) -> None:
    path = tmp_path / "terms.yaml"
    path.write_text(CONFIG)
    run_config(path, out=tmp_path / "out")
    with xr.open_datatree(tmp_path / "out" / "run.zarr", engine="zarr") as tree:
        found = summed(build(load_config(path)), tree.load())
    assert all(abs(sums.potentials) > 0.0 for _, sums in found)
    for lp, sums in found:
        assert abs(lp - sums.lp) <= sums.bound, sums


def test_a_missing_term_is_found() -> None:
    """Of each kind: the bound is far below what any of them adds."""
    source = CASES["eight_schools.yaml"]()
    for lp, sums in summed(source, sampled(source)):
        for part in ("log_prior", "log_likelihood", "log_jacobian"):
            assert abs(lp - sums._replace(**{part: 0.0}).lp) > 1e6 * sums.bound
