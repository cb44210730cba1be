"""What predictions come to, gathered part by part: each entry's location and spread, and the score of values seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.diagnostics.elpd import error_of_sum
from exmc.diagnostics.text import decimals, fixed, table_text
from exmc.late import Late

if TYPE_CHECKING:
    from scipy import special as scipy_special
else:
    scipy_special = Late("scipy.special")

COLUMNS = ("mean", "sd", "q5", "q95")


class Score(NamedTuple):
    """The expected log predictive density of new data: a sum over `points`, and its standard error (NaN for one)."""

    elpd: float
    se: float
    points: int


@dataclass(slots=True)
class Tally:
    """Takes parts of predictions, arrays (draws, ...) by name; of each variable it keeps the first entries only.

    `labels` holds the labels of the entries that are kept, by variable.
    """

    labels: Mapping[str, Sequence[str]]
    _kept: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    _densities: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    _draws: int = 0

    def add(self, predictions: Mapping[str, NDArray[Any]], log_likelihood: Mapping[str, NDArray[np.float64]]) -> None:
        """Take another part."""
        for name, labels in self.labels.items():
            flat = predictions[name].reshape(len(predictions[name]), -1)
            self._kept.setdefault(name, []).append(flat[:, : len(labels)].copy())
            count = len(flat)
        self._draws += count
        for name, terms in log_likelihood.items():
            found = scipy_special.logsumexp(terms, axis=0)
            self._densities[name] = np.logaddexp(self._densities[name], found) if name in self._densities else found

    def rows(self) -> list[dict[str, Any]]:
        """Each entry kept: its label as ``scalar``, and the `COLUMNS`; sd is over n - 1."""
        found = []
        for name, labels in self.labels.items():
            draws = np.concatenate(self._kept[name]).astype(np.float64)
            low, high = np.quantile(draws, [0.05, 0.95], axis=0)
            spread = draws.std(axis=0, ddof=min(1, len(draws) - 1))
            columns = zip(labels, draws.mean(axis=0), spread, low, high, strict=True)
            found += [{"scalar": label} | dict(zip(COLUMNS, map(float, row), strict=True)) for label, *row in columns]
        return found

    def score(self) -> Score | None:
        """How well the values seen were predicted, by the mean of their densities over the draws; None without any."""
        if not self._densities:
            return None
        terms = np.concatenate([np.ravel(d) for d in self._densities.values()]) - math.log(self._draws)
        return Score(float(terms.sum()), error_of_sum(terms), len(terms))


def predictions_text(rows: Sequence[Mapping[str, Any]], entries: int, score: Score | None) -> str:
    """The rows of a `Tally` as a table, with how many of all `entries` it leaves out, and the score."""
    cells = [("", *COLUMNS)]
    for row in rows:
        places = decimals(row["sd"])
        cells.append((row["scalar"], *(fixed(row[column], places) for column in COLUMNS)))
    text = table_text(cells)
    if entries > len(rows):
        text += f"\n… and {entries - len(rows)} more"
    if score is not None:
        error = "" if math.isnan(score.se) else f" (se {score.se:.2f})"
        text += f"\n\nelpd of the new values: {score.elpd:.2f}{error}, {score.points} points."
    return text
