"""Every kind of plot is drawn of every form of results; a new row of `PLOTS` is taken in by itself."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot
import pytest
import xarray as xr

from exmc.errors import StoreError
from exmc.viz import PLOTS, plot
from tests.viz.runs import RUNS, small

matplotlib.use("Agg")
run = functools.cache(lambda name: RUNS[name]())


@pytest.fixture(autouse=True)
def _all_figures_are_closed() -> Iterator[None]:
    yield
    left = matplotlib.pyplot.get_fignums()
    matplotlib.pyplot.close("all")
    assert not left


@pytest.mark.parametrize("results", RUNS)
@pytest.mark.parametrize("kind", PLOTS)
def test_it_is_drawn(kind: str, results: str) -> None:
    row, few = PLOTS[kind], 3
    picture = plot(run(results), kind, most=few)
    drawn = labels(picture.collection)
    picture.close()
    said = " ".join(picture.notes)
    assert row.meaning.endswith(".")
    if row.subject == "scalars":
        whole = expected_scalars(run(results), row.moving, results)
        assert len(drawn) == min(few, whole)
        assert ("scalars are drawn" in said) == (whole > few)
    if results == "failed chains":
        assert picture.notes[0] == "Chains 0, 2 failed and cannot be shown."


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLOTS)
def test_it_chooses_among_many(kind: str) -> None:
    picture = plot(run("2,000 scalars"), kind)
    drawn = labels(picture.collection)
    picture.close()
    assert PLOTS[kind].subject != "scalars" or len(drawn) == PLOTS[kind].most


@pytest.mark.parametrize("kind", [kind for kind, row in PLOTS.items() if row.draws is not None])
def test_many_draws_are_thinned_where_that_hides_nothing(kind: str) -> None:
    tree = small(chains=2, draws=3000)
    picture = plot(tree, kind, ["mu", "tau"])
    picture.close()
    assert any("of 3000 draws" in note for note in picture.notes)


def labels(collection: object) -> list[str]:
    """The scalars in a plot, by the label of each."""
    found = getattr(collection, "data", None)
    assert isinstance(found, xr.Dataset)
    return [str(name) for name in found.data_vars]


def expected_scalars(tree: xr.DataTree, moving: bool, results: str) -> int:
    total = sum(int(a[0, 0].size) for a in tree["posterior"].data_vars.values())
    return total - 3 if moving and results == "NaN and constants" else total


@pytest.mark.parametrize("kind", PLOTS)
def test_it_is_interactive_html_that_needs_no_network(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "plot.html"
    plot(run("small"), kind, most=2, out=path)
    found = Tags()
    found.feed(path.read_text())
    assert found.scripts > 1
    assert not found.sources
    assert path.stat().st_size < 5_000_000


class Tags(HTMLParser):
    """Counts scripts, and notes what a page loads from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts, self.sources = 0, []  # type: int, list[str]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.sources += [str(value) for name, value in attrs if name in ("src", "href") and value]


@pytest.mark.parametrize("kind", PLOTS)
def test_a_run_that_lacks_what_it_shows_is_refused(kind: str) -> None:
    for group in PLOTS[kind].groups:
        bare = small().drop_nodes(group)
        with pytest.raises(StoreError, match=f"there is no group '{group}'"):
            plot(bare, kind)


@pytest.mark.parametrize("kind", PLOTS)
def test_too_few_draws_are_refused(kind: str) -> None:
    with pytest.raises(StoreError, match="at least"):
        plot(small(draws=1), kind)
