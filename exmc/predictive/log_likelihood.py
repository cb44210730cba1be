"""Pointwise log likelihoods and log priors of draws, in the shapes of the results' groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_POSITIONS_AT_ONCE = 1000


def pointwise(
    evaluate: Callable[[FloatArray], Sequence[NDArray[Any]]],
    likelihoods: Sequence[str],
    priors: Sequence[str],
    positions: FloatArray,
) -> dict[str, dict[str, FloatArray]]:
    """The groups ``log_likelihood`` and ``log_prior`` of draws at `positions`.

    Parameters
    ----------
    evaluate
        From positions, shape (n, dimension), to one array of shape (n, ...) per name of `likelihoods`, then of
        `priors`: a batch form of the function that `exmc.compile.logp.pointwise_function` gives with the names.
    positions
        Unconstrained, shape (chain, draw, dimension).

    Returns
    -------
    dict
        Arrays of shape (chain, draw, ...) by group and name, on the data's and the natural scale, without Jacobians.
    """
    chains, draws, dimension = positions.shape
    flat = positions.reshape(chains * draws, dimension)
    parts = [
        [np.asarray(array, dtype=np.float64) for array in evaluate(flat[i : i + _POSITIONS_AT_ONCE])]
        for i in range(0, len(flat), _POSITIONS_AT_ONCE)
    ]
    whole = [np.concatenate(column) for column in zip(*parts, strict=True)]
    shaped = [array.reshape(chains, draws, *array.shape[1:]) for array in whole]
    # An observation may bear the name of a prior's variable, so the two are told apart by place.
    split = len(likelihoods)
    return {
        "log_likelihood": dict(zip(likelihoods, shaped[:split], strict=True)),
        "log_prior": dict(zip(priors, shaped[split:], strict=True)),
    }
