"""The pipeline stages as tasks of a few lines each; warming up and sampling are those of `pipelines.segments`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from exmc.compile.program import CompiledModel, compile_model
from exmc.derive import derived_groups
from exmc.diagnostics.checks import Evidence
from exmc.diagnostics.checks import judge as judge_evidence
from exmc.diagnostics.enough import Cost, Verdict, judge_draws
from exmc.diagnostics.summary import Summary, scalars_of, summary_of
from exmc.diagnostics.text import diagnosis_document, diagnosis_text
from exmc.errors import CompileError, ExmcError, StoreError
from exmc.ir import serial
from exmc.ir.model import Model
from exmc.ir.notes import model_notes
from exmc.rewrite.run import Rewriting, rewrite
from exmc.sampling.progress import Receipt
from exmc.trace.draws import Draws
from exmc.trace.records import CommitRecord
from exmc.trace.store import RunStore
from pipelines.fit_tasks import fit_attributes
from pipelines.plan import MODEL, Plan, fingerprint
from pipelines.processors import mixed_note, processor, processors
from pipelines.standing import failed_chains, unfinished


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """How a run's draws were judged: whether every check passed, the report as text, and as JSON values.

    `skipped` holds, by name, the groups that the store does not have, and why; `notes`, what of the last stage was
    computed by autograd.
    """

    passed: bool
    text: str
    values: Mapping[str, Any]
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[CompileError, ...] = ()


def load_recorded(plan: Plan) -> Model:
    """Stage 1: the model, which the driver has built and checked (`pipelines.checking`), from where it was recorded.

    Raises `StoreError` if it is missing, or not what the run was begun with.
    """
    try:
        model = serial.loads((plan.path / MODEL).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(
            f"a worker does not see {MODEL}.",
            where=(plan.directory,),
            remedy="The run directory must lie on storage that all workers share; choose one with --out.",
        ) from error
    except Exception as error:  # Of damaged JSON anything may come.
        raise _damaged_model(plan, f"{type(error).__name__}: {error}") from error
    found = fingerprint(
        serial.digest(model), plan.options, plan.engine, plan.versions, plan.code, plan.method, plan.settings
    )  # fmt: skip
    if found != plan.fingerprint:
        raise _damaged_model(plan, "it is not the model, or these are not the options, that the run was begun with")
    return model


def _damaged_model(plan: Plan, reason: str) -> StoreError:
    return StoreError(f"{MODEL} is damaged: {reason}.", where=(plan.directory,), remedy="Restore it from a copy.")


def rewrite_model(model: Model) -> Rewriting:
    """Stage 2: the model in the form that is sampled, with what was changed and why."""
    return rewrite(model)


def compile_rewritten(rewriting: Rewriting, plan: Plan) -> CompiledModel:
    """Stage 3: machine code for the log density and its gradient."""
    return compile_model(rewriting.source, rewriting.model, engine=plan.engine)


def notes_on(compiled: CompiledModel) -> tuple[ExmcError, ...]:
    """What the user should know of the compiled model, with its places in the model; often nothing."""
    return (*model_notes(compiled.source), *compiled.notes)


def opening_notes(plan: Plan, compiled: CompiledModel) -> tuple[tuple[ExmcError, ...], str]:
    """`notes_on`, and what there is to say of the processor that draws next, if others have drawn before."""
    before = processors(plan.path)
    return notes_on(compiled), mixed_note((*before, processor())) if before and processor() not in before else ""


def judge_length(plan: Plan) -> Verdict:
    """Whether the run has the draws that its `until` asks for, and to how many it goes on if not."""
    assert plan.until is not None
    store = RunStore.open(plan.path)
    costs = [_cost(store.committed(chain)) for chain in store.kept_chains()]
    slowest = Cost(*(max(seconds) for seconds in zip(*costs, strict=True)))
    return judge_draws(_summary(store.drawn(("posterior",))), plan.until, slowest, store.journal.chunk_draws)


def _cost(records: tuple[CommitRecord, ...]) -> Cost:
    receipts = [Receipt(**record.receipt) for record in records]
    return Cost(sum(r.seconds for r in receipts), sum(r.seconds for r in receipts if not r.warmup))


def diagnose_run(plan: Plan, compiled: CompiledModel) -> Diagnosed:
    """Stage 6: derive the groups that need all draws, finalise the store, judge it."""
    store = RunStore.open(plan.path)
    notes: tuple[CompileError, ...] = ()
    if not store.complete:
        derived = derived_groups(
            compiled,
            store.drawn(("posterior", "unconstrained_posterior")),
            plan.options.seed,
            prior_draws=plan.prior_draws,
            predictive=plan.posterior_predictive,
        )
        notes = derived.notes
        everything = [str(note) for note in (*notes_on(compiled), *notes)]
        attributes: dict[str, Any] = {"skipped_groups": derived.skipped, "notes": everything} | fit_attributes(plan)
        if plan.until is not None:
            verdict = judge_length(plan)
            attributes["until"] = asdict(plan.until) | {"reached": verdict.reached, "reason": verdict.reason}
        store.finalise(derived.groups, attributes)
    return replace(judge(store), notes=notes)


def judge(store: RunStore) -> Diagnosed:
    """The checks on the draws that `store` shows; those of a run that is not finished, or lost chains, never pass."""
    standing = "\n\n".join(part for part in (unfinished(store), failed_chains(store)) if part)
    if standing and not store.draws_done():
        return Diagnosed(False, standing, {"complete": False, "passed": False, "standing": standing})
    drawn = store.drawn(("posterior", "sample_stats"))
    found = judge_evidence(_evidence(drawn))
    values = diagnosis_document(found) | {"complete": store.complete}
    skipped = drawn.attributes.get("skipped_groups", {})
    if standing:
        text = f"{standing}\n\n{diagnosis_text(found, verdict='The draws so far pass every check.')}"
        return Diagnosed(False, text, values | {"passed": False, "standing": standing}, dict(skipped))
    return Diagnosed(found.passed, diagnosis_text(found), values, dict(skipped))


def _evidence(drawn: Draws) -> Evidence:
    """What `exmc.diagnostics.checks.gather` finds in the tree of `drawn`."""
    failed = tuple(int(entry["chain"]) for entry in drawn.attributes.get("failed_chains", ()))
    method = dict(drawn.attributes.get("method", {}))
    statistics = {name: array for name, array in drawn.groups["sample_stats"].items() if array.ndim == 2}
    return Evidence(_summary(drawn), statistics, drawn.chains, failed, method)


def _summary(drawn: Draws) -> Summary:
    return summary_of(scalars_of(drawn.groups["posterior"], drawn.axes("posterior")))
