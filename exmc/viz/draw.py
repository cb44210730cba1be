"""Plots of a run by arviz-plots, and their files."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias

import arviz_plots
import matplotlib
import matplotlib.pyplot
import numpy as np
import xarray as xr
from arviz_base.labels import BaseLabeller

from exmc.errors import ConfigError, StoreError, suggest
from exmc.viz.content import Content, content
from exmc.viz.kinds import PLOTS, Kind

Backend: TypeAlias = Literal["matplotlib", "bokeh"]

FORMATS: dict[str, Backend] = {"png": "matplotlib", "svg": "matplotlib", "pdf": "matplotlib", "html": "bokeh"}
"""The backend that makes a file, by its ending; HTML can be zoomed and looked into, and needs no network."""

_STYLE = "arviz-variat"
_DOTS_PER_INCH = 130
_BOKEH_DOTS = 90
_LONGEST = 20
"""Characters of a line above a panel."""
_MOST_IN_LEGEND = 12
# Text stays text, the figure has no date in it, and the same draws give the same bytes.
_SAVING = {"svg.fonttype": "none", "svg.hashsalt": "exmc"}
_UNDATED: dict[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A plot that was drawn.

    Attributes
    ----------
    collection
        What arviz-plots made of it, a `PlotCollection` or `PlotMatrix`, to be changed at will.
    backend
        Who drew it.
    notes
        What a viewer must know of what is not in it, in sentences.
    """

    collection: Any
    backend: Backend
    notes: tuple[str, ...] = ()

    @property
    def figure(self) -> Any:
        """The figure of matplotlib, or the layout of bokeh."""
        return self.collection.viz["figure"].item()

    def rendered(self, ending: str, dots_per_inch: int = _DOTS_PER_INCH) -> bytes:
        """The picture as a file with that ending, one of `FORMATS` that its backend makes."""
        if FORMATS.get(ending) != self.backend:
            raise ConfigError(f"a plot by {self.backend} cannot become a .{ending} file.", remedy=_endings())
        if ending == "html":
            # Of bokeh, which takes half a second to import, nothing else needs this.
            embed, resources = import_module("bokeh.embed"), import_module("bokeh.resources")
            with _gaps_allowed():
                return str(embed.file_html(self.figure, resources.INLINE, "exmc")).encode()
        target = io.BytesIO()
        with matplotlib.rc_context(_SAVING):
            self.figure.savefig(
                target, format=ending, dpi=dots_per_inch, bbox_inches="tight", metadata=_UNDATED[ending]
            )
        return target.getvalue()

    def close(self) -> None:
        """Free the figure, which matplotlib keeps for a window otherwise."""
        if self.backend == "matplotlib":
            matplotlib.pyplot.close(self.figure)


def plot(
    tree: xr.DataTree,
    kind: str,
    variables: Sequence[str] = (),
    *,
    most: int | None = None,
    out: str | os.PathLike[str] | None = None,
    backend: Backend = "matplotlib",
) -> Picture:
    """Draw a plot of the results `tree`.

    Parameters
    ----------
    kind
        One of `PLOTS`, which tells what each shows.
    variables
        What to draw, all by default: ``theta``, ``theta[Choate]``, ``corr[*, 1]``, ``theta[school=Choate]``; for
        ``ppc`` and ``loo-pit`` the names of observed variables.
    most
        How many scalars to draw at most; of more the worst, by R-hat and effective sample size, are chosen.
    out
        A file for the picture, which is closed then: .png, .svg, .pdf, or .html, which `backend` bokeh draws.
    backend
        Who draws it, if there is no `out`.

    Raises
    ------
    ConfigError
        For a kind that is not known, and a file that is no picture.
    StoreError
        If the results lack what is to be shown, or a variable.
    """
    if kind not in PLOTS:
        raise ConfigError(f"there is no plot {kind!r}.", remedy=suggest(kind, PLOTS))
    if most is not None and most < 1:
        raise ConfigError(f"{most} scalars cannot be drawn.", remedy="Draw at least 1.")
    path = None if out is None else Path(out)
    drawn_by = backend if path is None else FORMATS[ending_of(path.name)]
    picture = draw(content(tree, kind, tuple(variables), most), PLOTS[kind], drawn_by)
    if path is not None:
        path.write_bytes(picture.rendered(ending_of(path.name)))
        picture.close()
    return picture


def ending_of(name: str) -> str:
    """The ending of a picture's file; raises `ConfigError` for one that is none."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if ending not in FORMATS:
        raise ConfigError(f"{name}: a picture cannot be written there.", remedy=_endings())
    return ending


def without_display() -> None:
    """Have matplotlib draw without a screen, whatever the environment says: for a process that shows no windows."""
    matplotlib.use("Agg")


@contextlib.contextmanager
def _gaps_allowed() -> Iterator[None]:
    """Have bokeh not warn of the empty places in the last row of a grid."""
    log = logging.getLogger("bokeh.core.validation.check")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _endings() -> str:
    return f"The name of its file ends in {', '.join(f'.{ending}' for ending in FORMATS)}."


def draw(found: Content, row: Kind, backend: Backend = "matplotlib") -> Picture:
    """`found` drawn as `row` says; raises `StoreError` if arviz-plots cannot."""
    before = set(matplotlib.pyplot.get_fignums())
    options = dict(row.options) | _figure(found, row, backend) | {"labeller": _Labeller()}
    if row.per_chain:
        chains = found.tree["posterior"].sizes["chain"]
        options |= {name: value * chains for name, value in row.per_chain.items()}
    if row.function == "plot_ppc_dist":
        options |= _densities(found.tree["observed_data"].to_dataset())
    with matplotlib.style.context(_STYLE if backend == "matplotlib" else "default"), warnings.catch_warnings():
        # What it would rather draw instead a user of `PLOTS` cannot, and the smoothing of weights divides by zero.
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            collection = getattr(arviz_plots, row.function)(found.tree, backend=backend, **options)
        except Exception as error:  # It does not say what it may raise, and a page of plots must not end with one.
            for number in set(matplotlib.pyplot.get_fignums()) - before:
                matplotlib.pyplot.close(number)
            raise StoreError(f"arviz-plots cannot draw this: {type(error).__name__}: {error}.") from error
        if row.function == "plot_energy":
            _name_chains(collection, found.tree, backend)
        if row.legend is not None and 1 < found.tree["posterior"].sizes[row.legend] <= _MOST_IN_LEGEND:
            collection.add_legend(row.legend)
    return Picture(collection, backend, found.notes)


def _name_chains(collection: Any, tree: xr.DataTree, backend: Backend) -> None:
    """Give the chains of an energy plot their names, where arviz-plots has halves of their places."""
    names = tree["sample_stats"].to_dataset()["chain"].values
    places = range(0, len(names), -(-len(names) // _MOST_IN_LEGEND))
    axes = collection.viz["plot"].sel(column="bfmi").item()
    import_module(f"arviz_plots.backend.{backend}").yticks(list(places), [str(names[n]) for n in places], axes)


def _densities(observed: xr.Dataset) -> dict[str, str]:
    """How distributions of data are drawn: densities, or steps where there are fewer than three different values."""
    few = any(len(np.unique(array.values)) < 3 for array in observed.data_vars.values())
    return {"kind": "ecdf"} if few else {}


def _figure(found: Content, row: Kind, backend: Backend) -> dict[str, Any]:
    """The arrangement of the panels, and a size that leaves room for their labels."""
    width, height = row.panel
    sides: dict[str, Any] = {}
    if row.columns:
        columns = min(row.columns, found.panels)
        size = (width * max(columns, 1.4), height * -(-found.panels // columns) + 0.4)
        if row.subject != "sampler":
            sides["col_wrap"] = columns
    elif row.function == "plot_forest":
        chains = found.tree["posterior"].sizes["chain"]
        size = (width, 1.2 + found.panels * (0.25 + height * chains))
    else:
        size = (width * max(found.panels, 2), height * max(found.panels, 2))
    if backend == "bokeh":
        dots = tuple(round(_BOKEH_DOTS * length) for length in size)
        return sides | {"figure_kwargs": {"figsize": dots, "figsize_units": "dots"} | _axes(row)}
    return sides | {"figure_kwargs": {"figsize": size, "figsize_units": "inches", "layout": "constrained"} | _axes(row)}


def _axes(row: Kind) -> dict[str, bool]:
    # Shared axes have labels in the last row alone, which has gaps.
    return {"sharex": False} if row.columns and row.subject == "scalars" else {}


class _Labeller(BaseLabeller):
    """Labels that fit above a panel: long ones are broken before their coordinates, and shortened in the middle."""

    def var_name_to_str(self, var_name: str | None) -> str | None:
        """The label of a scalar, in one line or two."""
        if var_name is None or len(var_name) <= _LONGEST:
            return var_name
        head, bracket, tail = var_name.partition("[")
        lines = (head, bracket + tail) if bracket else (head,)
        half = _LONGEST // 2
        return "\n".join(line if len(line) <= _LONGEST else f"{line[:half]}…{line[-half:]}" for line in lines)
