"""A fit's rounds as tasks: each part of a round, and pooling them, committed before it is told of."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Any

from exmc.compile.program import CompiledModel
from exmc.errors import ExmcError
from exmc.fitting import problem_of, work_on
from exmc.methods import NUTS, method_of, settings_of
from exmc.methods.method import Arrays, Problem, pooled
from exmc.sampling.watchdog import Pulse, StuckError, watched
from exmc.trace.fits import POOL, Fits, Result
from pipelines.patience import patiently
from pipelines.plan import Plan, check_versions
from pipelines.processors import record_processor


@dataclass(frozen=True, slots=True)
class PartTask:
    """Which part of which round to do; `after` is the digest of the fit before, there only to order the two."""

    round_number: int
    part: int
    after: str = ""


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """What became of a part: the digest of its result, and why it failed, if it did.

    `stuck`: it was given up just now, and still uses the process.
    """

    task: PartTask
    digest: str
    failure: str = ""
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class RoundOutcome:
    """A fit as one round left it: its digest, the parts of the next round, and how far it is."""

    round_number: int
    digest: str
    following: tuple[int, ...]
    progress: str


def fit_part(plan: Plan, compiled: CompiledModel, task: PartTask) -> PartOutcome:
    """Do one part of a round, unless its result is there already.

    A fault of the model is its result: the other parts go on. Those of the infrastructure are raised.
    """
    fits = Fits(plan.path, plan.fingerprint)
    present = fits.read(task.round_number, task.part)
    if present is not None:
        return PartOutcome(task, present.digest, present.failure)
    check_versions(plan)
    before = None if not task.round_number else _fit_before(plan, task.round_number)

    def work(pulse: Pulse) -> Arrays:
        problem = _problem(plan, compiled, pulse)
        return work_on(method_of(plan.method), compiled, problem, before, task.round_number, task.part)

    arrays: Arrays = {}
    failure, stuck = "", False
    try:
        arrays = watched(work, plan.watchdog)
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        failure = str(error) if isinstance(error, ExmcError) else f"{type(error).__name__}: {error}"
        stuck = isinstance(error, StuckError)
    patiently(plan.retries, record_processor, plan.path)
    result = patiently(plan.retries, fits.commit, task.round_number, task.part, Result(arrays, failure, (task.after,)))
    return PartOutcome(task, result.digest, failure, stuck)


def pool_parts(
    plan: Plan, compiled: CompiledModel, round_number: int, outcomes: tuple[PartOutcome, ...]
) -> RoundOutcome:
    """Pool the results of a round, unless that is done already; raises `SamplingError` if all of them failed."""
    fits, method = Fits(plan.path, plan.fingerprint), method_of(plan.method)
    settings = settings_of(plan.method, plan.settings)
    present = fits.read(round_number, POOL)
    if present is None:
        before = None if not round_number else _fit_before(plan, round_number)
        results = {
            o.task.part: _present(fits, plan, round_number, o.task.part).arrays for o in outcomes if not o.failure
        }
        failures = {o.task.part: o.failure for o in outcomes if o.failure}
        fit = pooled(method, _problem(plan, compiled), before, results, failures)
        result = Result(fit, "", tuple(o.digest for o in outcomes))
        present = patiently(plan.retries, fits.commit, round_number, POOL, result)
    following = method.parts(plan.options, settings, present.arrays)
    return RoundOutcome(round_number, present.digest, following, method.progress(present.arrays))


def finished_fit(plan: Plan) -> Arrays:
    """The fit from which the draws of a run follow, which its rounds have left."""
    fits = Fits(plan.path, plan.fingerprint)
    return _present(fits, plan, fits.last(), POOL).arrays


def fit_attributes(plan: Plan) -> dict[str, Any]:
    """What the root's attributes of a store say of the method and its finished fit; nothing of NUTS."""
    if plan.method == NUTS:
        return {}
    described = method_of(plan.method).describe(settings_of(plan.method, plan.settings), finished_fit(plan))
    return {"method": described}


def fitted_problem(plan: Plan, compiled: CompiledModel, pulse: Pulse) -> Problem:
    """What the draws of a run are drawn for."""
    return _problem(plan, compiled, pulse)


def _problem(plan: Plan, compiled: CompiledModel, pulse: Pulse | None = None) -> Problem:
    return problem_of(compiled, plan.options, settings_of(plan.method, plan.settings), pulse)


def _fit_before(plan: Plan, round_number: int) -> Arrays:
    return _present(Fits(plan.path, plan.fingerprint), plan, round_number - 1, POOL).arrays


def _present(fits: Fits, plan: Plan, round_number: int, part: int) -> Result:
    found = fits.read(round_number, part)
    if found is None:
        message = f"a result of round {round_number} of the fit is not there"
        raise FileNotFoundError(errno.ENOENT, f"{message}: are all workers on the same shared storage?", plan.directory)
    return found


def first_parts(plan: Plan) -> tuple[int, ...]:
    """The parts of the first round."""
    settings: Any = settings_of(plan.method, plan.settings)
    return method_of(plan.method).parts(plan.options, settings, None)
