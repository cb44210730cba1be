"""The pipeline stages as tasks of a few lines each; warming up and sampling are those of `pipelines.segments`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from exmc.compile.program import CompiledModel, compile_model
from exmc.diagnostics.checks import diagnose
from exmc.diagnostics.text import diagnosis_document, diagnosis_text
from exmc.errors import ExmcError, ModelError, StoreError
from exmc.ir import serial
from exmc.ir.model import Model
from exmc.ir.operations import evaluate
from exmc.predictive.log_likelihood import pointwise
from exmc.predictive.predict import posterior_predictive, prior_predictive
from exmc.rewrite.run import Rewriting, rewrite
from exmc.trace.schema import Schema, constant_data_names
from exmc.trace.store import RunStore
from pipelines.plan import MODEL, Plan

Groups: TypeAlias = dict[str, dict[str, NDArray[Any]]]
LARGEST_GROUP_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """How a run's draws were judged: whether every check passed, the report as text, and as JSON values.

    `skipped` holds, by name, the groups that the store does not have, and why.
    """

    passed: bool
    text: str
    values: Mapping[str, Any]
    skipped: Mapping[str, str] = field(default_factory=dict)


def load_recorded(plan: Plan) -> Model:
    """Stage 1: the model, which the driver has built and checked (`pipelines.checking`), from where it was recorded."""
    try:
        return serial.loads((plan.path / MODEL).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(
            f"a worker does not see {MODEL}.",
            where=(plan.directory,),
            remedy="The run directory must lie on storage that all workers share; choose one with --out.",
        ) from error


def rewrite_model(model: Model) -> Rewriting:
    """Stage 2: the model in the form that is sampled, with what was changed and why."""
    return rewrite(model)


def compile_rewritten(rewriting: Rewriting, plan: Plan) -> CompiledModel:
    """Stage 3: machine code for the log density and its gradient."""
    return compile_model(rewriting.source, rewriting.model, engine=plan.engine)


def note_on(compiled: CompiledModel) -> str:
    """What the user should know of the compiled model; often nothing."""
    return compiled.note


def diagnose_run(plan: Plan, compiled: CompiledModel) -> Diagnosed:
    """Stage 6: derive the groups that need all draws, finalise the store, judge it."""
    store = RunStore.open(plan.path)
    if not store.complete:
        groups, skipped = _derived_groups(plan, compiled, store)
        store.finalise(groups, {"skipped_groups": skipped})
    return judge(store.read(loaded=False))


def judge(tree: xr.DataTree) -> Diagnosed:
    """The checks on finished draws."""
    found = diagnose(tree)
    skipped = dict(tree.attrs.get("skipped_groups", {}))
    return Diagnosed(found.passed, diagnosis_text(found), diagnosis_document(found), skipped)


def _derived_groups(plan: Plan, compiled: CompiledModel, store: RunStore) -> tuple[Groups, dict[str, str]]:
    """Everything a finished store holds besides the draws, for the chains and draws that it shows; what is left out.

    A group that cannot be made is left out and does not cost the draws: it can be made later from what is there.
    """
    tree, source, seed = store.read(), compiled.source, plan.options.seed
    makers: dict[str, tuple[tuple[str, ...], Callable[[], Groups]]] = {
        "log_likelihood": (
            ("log_likelihood", "log_prior"),
            lambda: pointwise(*compiled.pointwise(), _positions(compiled, tree)),
        ),
        "posterior_predictive": (
            ("posterior_predictive",) if plan.posterior_predictive and source.observations else (),
            lambda: {"posterior_predictive": posterior_predictive(source, tree, seed, compiled.model)},
        ),
        "prior": (("prior", "prior_predictive") if plan.prior_draws else (), lambda: _prior(source, plan)),
    }
    groups: Groups = {}
    skipped: dict[str, str] = {}
    for name, (made, make) in makers.items():
        size = _bytes_of(store.schema, tree, made)
        try:
            if size > LARGEST_GROUP_BYTES:
                skipped[name] = f"it would take {size / (1 << 30):.1f} GiB."
            elif made:
                groups |= make()
        except ExmcError as error:
            skipped[name] = str(error)
    values = {name: data.values for name, data in source.data.items()}
    groups["observed_data"] = {o.name: np.asarray(evaluate(o.value, values)) for o in source.observations}
    groups["constant_data"] = {name: values[name] for name in constant_data_names(source)}
    return {group: arrays for group, arrays in groups.items() if arrays}, skipped


def _prior(source: Model, plan: Plan) -> Groups:
    found = prior_predictive(source, plan.prior_draws, plan.options.seed)
    if found.skipped:
        raise ModelError(found.skipped)
    return {"prior": found.prior, "prior_predictive": found.prior_predictive}


def _bytes_of(schema: Schema, tree: xr.DataTree, groups: Sequence[str]) -> int:
    """What the arrays of `groups` would take in memory, which is little unless there are many data."""
    size = tree["posterior"].sizes
    per_draw = sum(v.bytes_per_draw for group in groups for v in schema.groups.get(group, ()))
    return int(size["chain"] * size["draw"] * per_draw)


def _positions(compiled: CompiledModel, tree: xr.DataTree) -> NDArray[np.float64]:
    """The draws on the unconstrained scale, shape (chain, draw, dimension)."""
    group = tree["unconstrained_posterior"]
    sizes = group.sizes["chain"], group.sizes["draw"]
    parts = [np.asarray(group[e.name].values).reshape(*sizes, e.size) for e in compiled.layout.entries]
    return np.concatenate(parts, axis=2)
