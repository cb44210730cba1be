"""Which variables make a log density that is not finite so."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.compile.program import CompiledModel
from exmc.errors import ExmcError, SamplingError


def explained(error: SamplingError, compiled: CompiledModel) -> SamplingError:
    """`error`, if it is that a chain found no starting point, with the variables whose terms are not finite.

    They are those at the origin of the unconstrained space, the middle of where starting points are drawn from.
    """
    if error.where != ("initial",):
        return error
    try:
        terms = compiled.pointwise()
        with np.errstate(all="ignore"):
            values = terms.function(np.zeros((1, compiled.layout.dimension)))
    except ExmcError:
        return error
    subjects = [f"likelihood of {name!r}" for name in terms.likelihoods]
    subjects += [f"prior of {name!r}" for name in terms.priors]
    named = zip(subjects, values, strict=True)
    found = [f"the log {subject} is {_first(value)}" for subject, value in named if not np.isfinite(value).all()]
    if not found:
        return error
    message = f"{error.message} At 0 in every coordinate {' and '.join(found)}."
    return SamplingError(message, where=error.where, remedy=error.remedy)


def _first(value: NDArray[Any]) -> str:
    at = np.argwhere(~np.isfinite(value[0]))[0]
    place = f" at [{', '.join(map(str, at))}]" if len(at) else ""
    return f"{value[0][tuple(at)]}{place}"
