"""The page follows its run and its user, without a browser."""

from __future__ import annotations

import pytest
from bokeh.document import Document
from bokeh.events import ButtonClick
from bokeh.models.widgets.buttons import Button

from exmc.diagnostics.live.posterior import LivePosterior
from exmc.viz.live.page import ROWS, LivePage
from exmc.viz.live.status import Request
from exmc.viz.live.view import History, View, look
from tests.viz.live.runs import add, posterior_of, status_of


class Opened:
    """A page, and what was asked by it."""

    def __init__(self, scalars: int, draws: int = 200) -> None:
        self.live: LivePosterior = posterior_of(scalars, draws)
        self.history = History(scalars)
        self.asked: list[Request] = []
        self.document = Document()
        self.page = LivePage(self.document, self.live, self.look(), self.asked.append)

    def look(self, standing: str = "running") -> View:
        return look(self.live, status_of(standing), self.history)

    def traces(self) -> list[str]:
        return [panel.trace.title.text for panel in self.page._scalars]  # type: ignore[union-attr]


@pytest.mark.parametrize("scalars", [1, 2, 3])
def test_few_scalars_are_all_shown(scalars: int) -> None:
    opened = Opened(scalars)
    assert opened.traces() == [f"x[{n}]" for n in range(scalars)]
    assert len(opened.page._rows.data["label"]) == scalars
    names = {root.name for root in opened.document.roots}
    assert {"header", "chains", "pause", "abort", "table", "r_hat", "ess", "energy", "pairs"} <= names
    assert ("axis1" in names) == (scalars > 1)
    opened.document.validate()


def test_of_three_thousand_the_worst_are_shown_and_others_found() -> None:
    opened = Opened(3000, draws=60)
    page = opened.page
    assert opened.traces()[0] == "x[2999]"
    assert len(page._rows.data["label"]) == ROWS
    assert page._rows.data["label"][0] == "x[2999]"
    page._search.value_input = " X[1234 "
    assert page._rows.data["label"] == ["x[1234]"]
    page._rows.selected.indices = [0]
    assert opened.traces() == ["x[1234]", "x[2999]", opened.traces()[2]]
    page._search.value_input = "nothing of this name"
    assert page._rows.data["label"] == []
    assert opened.traces()[0] == "x[1234]"
    page._search.value_input = "x[1234"
    assert page._rows.selected.indices == [0]
    page._rows.selected.indices = []
    assert "x[1234]" not in opened.traces()


def test_of_four_chosen_the_newest_three_are_shown() -> None:
    opened = Opened(10)
    for count in range(1, 5):
        opened.page._rows.selected.indices = list(range(count))
    labels = opened.page._rows.data["label"]
    assert set(opened.traces()) == set(labels[1:4])


def test_traces_grow_but_not_without_end() -> None:
    opened = Opened(3)
    panel = opened.page._scalars[0]
    before = [len(x) for x in panel._lines.data["xs"]]
    for _ in range(30):
        add(opened.live, 200)
    opened.page.update(opened.look())
    after = panel._lines.data
    assert before == [200] * 3
    assert all(200 < len(x) <= 300 for x in after["xs"])
    assert max(after["xs"][0]) > 6000
    assert len(opened.page._pairs._draws.data["x"]) <= 2400
    assert 0 < len(opened.page._pairs._divergent.data["x"]) <= 200
    assert len(opened.history.draws) == 2
    assert float(opened.page._energy._highest.end) > 0


def test_before_the_first_draw_there_is_a_page() -> None:
    opened = Opened(3, draws=0)
    assert opened.page._scalars[0]._lines.data["xs"] == []
    add(opened.live, 3)
    opened.page.update(opened.look())
    add(opened.live, 100)
    opened.page.update(opened.look())
    assert len(opened.page._scalars[0]._curves.data["xs"]) == 3


def test_buttons_ask_and_follow_where_the_run_stands() -> None:
    opened = Opened(3)
    page = opened.page

    def press(button: Button) -> None:
        button._trigger_event(ButtonClick(button))

    press(page._pause)
    assert opened.asked == ["pause"]
    # Until it holds, the button says that it will.
    page.update(opened.look("running"))
    assert page._pause.label == "Pausing…"
    page.update(opened.look("paused"))
    assert page._pause.label == "Resume"
    press(page._pause)
    assert opened.asked == ["pause", "go"]
    page.update(opened.look("running"))
    assert page._pause.label == "Pause"
    press(page._abort)
    page.update(opened.look("running"))
    assert (page._pause.label, page._abort.label) == ("Pause", "Aborting…")
    assert page._abort.visible
    page.update(opened.look("finished"))
    assert opened.asked == ["pause", "go", "stop"]
    assert not page._pause.visible
    assert not page._abort.visible


def test_pairs_are_those_chosen() -> None:
    opened = Opened(5)
    page = opened.page
    page._axes[0].value = "x[4]"
    assert page._pairs.figure.xaxis[0].axis_label == "x[4]"
    page._axes[0].value = "nothing"
    assert page._pairs.figure.xaxis[0].axis_label == "x[0]"
