"""The picture of a simulation-based calibration: ECDFs of ranks against what uniform ones may show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import arviz_plots
import matplotlib
import numpy as np
import xarray as xr
from numpy.typing import NDArray

BAND = 0.99
"""The chance that the ECDF of uniform ranks lies within the band everywhere."""

_MOST_PANELS = 40
_COLUMNS = 4
_PANEL = (3.2, 2.4)


def save_calibration(scalars: Mapping[str, NDArray[np.float64]], path: Path) -> None:
    """Draw the difference between the ECDF of each scalar and the uniform one, with simultaneous bands, into `path`.

    `scalars` holds by label values in (0, 1), shape (replications,); of many the first are drawn. The suffix of `path`
    chooses the format.
    """
    matplotlib.use("Agg")
    shown = {label: (("chain", "draw"), values[None]) for label, values in list(scalars.items())[:_MOST_PANELS]}
    group = xr.DataTree.from_dict({"prior_sbc": xr.Dataset(shown)})
    rows = -(-len(shown) // _COLUMNS)
    size = {"figsize": (_PANEL[0] * min(len(shown), _COLUMNS), _PANEL[1] * rows), "figsize_units": "inches"}
    plot = arviz_plots.plot_ecdf_pit(
        group, ci_prob=BAND, backend="matplotlib", col_wrap=_COLUMNS, figure_kwargs=size | {"layout": "constrained"}
    )
    plot.savefig(str(path))
