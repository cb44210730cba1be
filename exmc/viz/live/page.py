"""The live page of one browser: laid out once, and brought up to date at every moment."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Model
from bokeh.models.widgets.buttons import Button
from bokeh.models.widgets.inputs import AutocompleteInput, TextInput
from bokeh.models.widgets.markups import Div
from bokeh.models.widgets.tables import DataTable, HTMLTemplateFormatter, NumberFormatter, TableColumn
from jinja2 import Template

from exmc.diagnostics.live.posterior import LivePosterior
from exmc.viz.live.header import chains_html, header_html
from exmc.viz.live.panels import ConvergencePanel, EnergyPanel, PairPanel, ScalarPanel
from exmc.viz.live.status import Request
from exmc.viz.live.view import View

SCALARS = 3
"""How many scalars have plots of their own."""
ROWS = 60
"""How many the table lists: of those that are searched for, the worst."""
_WORST, _ROWS_SEEN = 20, 12
# Effective draws of each chain that are asked for: Vehtari et al. (2021).
_DRAWS_A_CHAIN = 100
_ENDED = ("finished", "ended", "away")
_STYLES = files("exmc.viz.live").joinpath("inner.css").read_text(encoding="utf-8")
_PAGE = files("exmc.viz.live").joinpath("page.html").read_text(encoding="utf-8")


class LivePage:
    """Fills `document`; `ask` is told which button was pressed. To be used by the thread that serves the document."""

    def __init__(
        self, document: Document, posterior: LivePosterior, view: View, ask: Callable[[Request], None]
    ) -> None:
        self._posterior, self._ask, self._view = posterior, ask, view
        self._labels = posterior.labels()
        # The scalars that the user has chosen, the newest last; without a choice, the worst.
        self._chosen: list[int] = []
        self._listed: list[int] = []
        self._shown: list[int] = []
        self._updating = False
        self._header = Div(stylesheets=[_STYLES], sizing_mode="stretch_width")
        self._chains = Div(stylesheets=[_STYLES], sizing_mode="stretch_width")
        self._pause = Button(label="Pause", name="pause", width=96)
        self._abort = Button(label="Abort", name="abort", button_type="danger", width=96)
        self._search = TextInput(placeholder=f"search {len(self._labels):,} variables", sizing_mode="stretch_width")
        self._rows = ColumnDataSource({name: [] for name in ("label", "mean", "sd", "ess", "r_hat")})
        self._table = _table(self._rows, min(len(self._labels), _ROWS_SEEN))
        self._scalars = [ScalarPanel() for _ in range(min(SCALARS, len(self._labels)))]
        self._convergence = ConvergencePanel(enough=_DRAWS_A_CHAIN * len(posterior.chains))
        self._energy, self._pairs = EnergyPanel(), PairPanel()
        self._axes = [self._axis(place) for place in range(min(2, len(self._labels)))]
        # What was asked for last, and where the run stood then: until that changes, the button says so.
        self._asked: tuple[Request, str] | None = None
        self._pause.on_click(lambda: self._wish("go" if self._view.status.standing == "paused" else "pause"))
        self._abort.on_click(lambda: self._wish("stop"))
        self._search.on_change("value_input", lambda attr, old, new: self._list())
        self._rows.selected.on_change("indices", lambda attr, old, new: self._choose(new))
        for name, root in self._roots().items():
            root.name = name
            document.add_root(root)
        document.title = f"{view.status.name} – exmc"
        document.template = Template(_PAGE.replace("BASE", "{% extends base %}"))
        document.template_variables["scalars"] = len(self._scalars)
        document.template_variables["pairs"] = len(self._axes) == 2
        # The page tells by itself that its run has ended.
        document.config.notify_connection_status = False
        self.update(view)

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        status = view.status
        _set(self._header, text=header_html(status))
        _set(self._chains, text=chains_html(status))
        self._name_buttons()
        self._list()
        self._draw()

    def _roots(self) -> dict[str, Model]:
        roots: dict[str, Model] = {
            "header": self._header, "chains": self._chains, "pause": self._pause, "abort": self._abort,
            "search": self._search, "table": self._table, "r_hat": self._convergence.r_hat,
            "ess": self._convergence.ess, "energy": self._energy.figure, "pairs": self._pairs.figure,
        }  # fmt: skip
        for number, panel in enumerate(self._scalars):
            for part, plot in zip(("trace", "density", "ranks"), panel.figures, strict=True):
                roots[f"{part}{number}"] = plot
        for number, axis in enumerate(self._axes):
            roots[f"axis{number}"] = axis
        return roots

    def _axis(self, place: int) -> AutocompleteInput:
        found = AutocompleteInput(
            completions=self._labels, value=self._labels[place], case_sensitive=False, min_characters=1,
            search_strategy="includes", sizing_mode="stretch_width", title="x" if not place else "y",
        )  # fmt: skip
        found.on_change("value", lambda attr, old, new: self._draw_pairs())
        return found

    def _wish(self, wanted: Request) -> None:
        self._asked = (wanted, self._view.status.standing)
        self._ask(wanted)
        self._name_buttons()

    def _name_buttons(self) -> None:
        """Say what the buttons do, or that they were pressed: a run obeys once its segments are done."""
        standing = self._view.status.standing
        if self._asked is not None and self._asked[1] != standing:
            self._asked = None
        asked = None if self._asked is None else self._asked[0]
        pause = {"pause": "Pausing…", "go": "Resuming…"}.get(str(asked), "Resume" if standing == "paused" else "Pause")
        _set(self._pause, label=pause, visible=standing not in _ENDED)
        _set(self._abort, label="Aborting…" if asked == "stop" else "Abort", visible=standing not in _ENDED)

    def _list(self) -> None:
        """Fill the table: the worst of those whose label holds what is searched for."""
        view, wanted = self._view, (self._search.value_input or "").strip().lower()
        matching = (int(p) for p in view.order if wanted in self._labels[int(p)].lower())
        self._listed = [place for _, place in zip(range(ROWS), matching, strict=False)]
        listed = np.array(self._listed, dtype=np.int64)
        self._updating = True
        self._rows.data = {
            "label": [self._labels[place] for place in self._listed],
            "mean": view.mean[listed], "sd": view.sd[listed], "ess": view.ess[listed], "r_hat": view.r_hat[listed],
        }  # fmt: skip
        self._rows.selected.indices = [row for row, place in enumerate(self._listed) if place in self._chosen]
        self._updating = False

    def _choose(self, rows: list[int]) -> None:
        if self._updating:
            return
        picked = [self._listed[row] for row in rows if row < len(self._listed)]
        kept = [place for place in self._chosen if place in picked or place not in self._listed]
        self._chosen = [*kept, *(place for place in picked if place not in kept)][-SCALARS:]
        self._draw()

    def _places(self) -> list[int]:
        """The scalars that have plots: those chosen, then the worst."""
        if len(self._labels) <= SCALARS:
            return list(range(len(self._labels)))
        worst = [int(place) for place in self._view.order[:_WORST]]
        # Which is worst changes from look to look; plots that jump would not be looked at.
        stay = [place for place in self._shown if place in worst]
        found = list(dict.fromkeys([*self._chosen, *stay, *worst]))[: len(self._scalars)]
        self._shown = found
        return found

    def _draw(self) -> None:
        places = self._places()
        for panel, place in zip(self._scalars, places, strict=True):
            panel.update(self._posterior, place, self._labels[place])
        self._convergence.update(self._view, places, self._labels)
        self._energy.update(self._posterior)
        self._draw_pairs()

    def _draw_pairs(self) -> None:
        if len(self._axes) < 2:
            return
        places = [self._labels.index(axis.value) if axis.value in self._labels else 0 for axis in self._axes]
        self._pairs.update(self._posterior, places[0], places[1], self._labels)


# R-hat above 1.01 stands out; what nobody knows is a dash.
_UNKNOWN = "value == null || isNaN(value)"
_R_HAT = (
    "<span style=\"<%= value > 1.01 ? 'color:#d33f49;font-weight:600' : '' %>\">"
    f"<%= {_UNKNOWN} ? '–' : value.toFixed(3) %></span>"
)
# Three digits of the spread: more would be noise.
_DIGITS = "<% var digits = sd > 0 ? Math.min(Math.max(2 - Math.floor(Math.log10(sd)), 0), 9) : 3 %>"
_SIGNIFICANT = f"{_DIGITS}<%= {_UNKNOWN} ? '–' : value.toFixed(digits) %>"


def _table(rows: ColumnDataSource, seen: int) -> DataTable:
    columns = [
        TableColumn(field="label", title="variable", width=130),
        TableColumn(field="r_hat", title="R-hat", formatter=HTMLTemplateFormatter(template=_R_HAT), width=60),
        TableColumn(field="ess", title="ESS", formatter=NumberFormatter(format="0,0", nan_format="–"), width=56),
        TableColumn(field="mean", title="mean", formatter=HTMLTemplateFormatter(template=_SIGNIFICANT), width=64),
        TableColumn(field="sd", title="sd", formatter=HTMLTemplateFormatter(template=_SIGNIFICANT), width=64),
    ]
    return DataTable(
        source=rows, columns=columns, height=30 + 25 * seen, sizing_mode="stretch_width", index_position=None,
        sortable=False, autosize_mode="none", fit_columns=True, reorderable=False, row_height=24,
        selectable="checkbox", stylesheets=[_STYLES],
    )  # fmt: skip


def _set(model: Model, **values: Any) -> None:
    """Change what differs: an attribute that is set is sent, even if it stays the same."""
    for name, value in values.items():
        if getattr(model, name) != value:
            setattr(model, name, value)
