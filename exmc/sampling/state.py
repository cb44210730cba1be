"""The state of a chain between two iterations: all that is needed to go on with the same bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.errors import StoreError
from exmc.nuts.step_size import DualAveraging
from exmc.nuts.variance import Moments, Window
from exmc.nuts.warmup import Adaptation

FloatArray = NDArray[np.float64]

_SHAPES: dict[str, str] = {
    "chain": "i", "iteration": "i", "log_density": "f", "step_size": "f", "careful": "b", "averaging": "f",
    "key": "u", "position": "f", "gradient": "f", "inverse_mass_matrix": "f", "older_counts": "i", "older_moments": "f",
    "newer_counts": "i", "newer_moments": "f", "window_positions": "f", "window_gradients": "f",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ChainState:
    """One chain, between two iterations. Its arrays are read-only.

    There is no state of a random number generator: the numbers of an iteration follow from `key` and `iteration`.

    Attributes
    ----------
    chain : int
        The chain's number.
    key : ndarray of uint64, shape (2,)
        From the seed and the chain's number (`exmc.sampling.seeds`).
    iteration : int
        Iterations done; warm-up iterations and draws are numbered in one sequence.
    position, gradient : ndarray, shape (dimension,)
        The last draw, on the unconstrained scale, and the gradient of the log density there.
    log_density : float
    adaptation : Adaptation
        Step size, metric, and the running sums from which warm-up improves them.
    """

    chain: int
    key: NDArray[np.uint64]
    iteration: int
    position: FloatArray
    log_density: float
    gradient: FloatArray
    adaptation: Adaptation

    def __post_init__(self) -> None:
        window = self.adaptation.window
        metric = self.adaptation.inverse_mass_matrix
        held = (metric, window.older.rows, window.newer.rows, window.positions, window.gradients)
        for array in (self.key, self.position, self.gradient, *held):
            array.flags.writeable = False

    @property
    def step_size(self) -> float:
        """The step size in use."""
        return self.adaptation.step_size

    @property
    def inverse_mass_matrix(self) -> FloatArray:
        """The metric in use."""
        return self.adaptation.inverse_mass_matrix

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The state as named arrays, from which `from_arrays` makes it again, bit for bit."""
        tuning = self.adaptation
        return {
            "chain": np.array(self.chain, dtype=np.int64),
            "key": self.key.copy(),
            "iteration": np.array(self.iteration, dtype=np.int64),
            "position": self.position.copy(),
            "log_density": np.array(self.log_density, dtype=np.float64),
            "gradient": self.gradient.copy(),
            "step_size": np.array(tuning.step_size, dtype=np.float64),
            "careful": np.array(tuning.careful),
            "inverse_mass_matrix": tuning.inverse_mass_matrix.copy(),
            "averaging": np.array(tuning.averaging, dtype=np.float64),
            "older_counts": np.array(tuning.window.older[:2], dtype=np.int64),
            "older_moments": tuning.window.older.rows.copy(),
            "newer_counts": np.array(tuning.window.newer[:2], dtype=np.int64),
            "newer_moments": tuning.window.newer.rows.copy(),
            "window_positions": tuning.window.positions.copy(),
            "window_gradients": tuning.window.gradients.copy(),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ChainState:
        """The state that `to_arrays` wrote, now or, past its warm-up, before chains could be careful.

        Raises
        ------
        StoreError
            If an array is missing, unknown, or of another kind.
        """
        arrays = _as_now(arrays)
        if set(arrays) != set(_SHAPES) or any(arrays[name].dtype.kind != kind for name, kind in _SHAPES.items()):
            found = {name: str(array.dtype) for name, array in sorted(arrays.items())}
            raise StoreError(
                f"These arrays are not a chain's state: {found}.",
                remedy=f"A state has {', '.join(_SHAPES)}; it may have been written by another version of exmc.",
            )
        held = {name: np.array(array, order="C") for name, array in arrays.items()}
        older, newer = (_moments(held[f"{part}_counts"], held[f"{part}_moments"]) for part in ("older", "newer"))
        window = Window(older, newer, held["window_positions"], held["window_gradients"])
        averaging = DualAveraging(*(float(number) for number in held["averaging"]))
        step_size, careful = float(held["step_size"]), bool(held["careful"])
        adaptation = Adaptation(step_size, held["inverse_mass_matrix"], averaging, window, careful)
        return cls(
            chain=int(held["chain"]),
            key=held["key"],
            iteration=int(held["iteration"]),
            position=held["position"],
            log_density=float(held["log_density"]),
            gradient=held["gradient"],
            adaptation=adaptation,
        )


def _as_now(arrays: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """A state of before chains could be careful, which says all that goes on counting past warm-up; others as is."""
    if "older_draws" not in arrays or np.size(arrays.get("older_moments", 0)) > 0:
        return arrays
    kept = {name: array for name, array in arrays.items() if name not in ("older_draws", "newer_draws")}
    nothing = np.zeros(2, dtype=np.int64)
    return kept | {"careful": np.array(False), "older_counts": nothing, "newer_counts": nothing}


def _moments(counts: NDArray[np.int64], rows: FloatArray) -> Moments:
    draws, divergences = counts.tolist()
    return Moments(draws, divergences, rows)
