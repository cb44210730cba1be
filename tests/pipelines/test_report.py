"""The report: complete, self-contained, escaped; of runs finished, unfinished, with failed chains and checks."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from exmc.diagnostics.checks import diagnose
from exmc.trace.store import RunStore
from pipelines.cli import main
from pipelines.report import _rows, report
from tests.diagnostics.trees import healthy
from tests.pipelines import browsing
from tests.pipelines.running import stopped_run

HOSTILE = """\
name: hostile
model:
  coords: {school: ["<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "a/b"]}
  data:
    seen: {values: [0.3, -0.2, 1.1], dims: [school]}
    error: {values: [3.0, 4.0, 3.5], dims: [school]}
  variables:
    mu: {dist: Normal, mu: 0, sigma: 5}
    tau: {dist: HalfCauchy, beta: 5}
    theta: {dist: Normal, mu: mu, sigma: tau, dims: [school], centering: centered}
    y: {dist: Normal, mu: theta, sigma: error, observed: seen}
sampler: {draws: 300, warmup: 200, chains: 2, seed: 1}
cluster: {kind: local, workers: 1}
"""

# Boxes that scroll upwards, which none in the page should.
SCROLLED = """
    const scrolls = box => ["auto", "scroll"].includes(getComputedStyle(box).overflowY);
    return [...document.querySelectorAll("section *")]
        .filter(box => scrolls(box) && box.scrollHeight > box.clientHeight + 1).map(box => box.className);
"""
# How far the right side of each plot is from the window's left.
WIDTHS = "return [...document.querySelectorAll('figure img')].map(image => image.getBoundingClientRect().right)"


class Page(HTMLParser):
    """The tags of a page with what they load, its text, and which elements were left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [str(value) for name, value in attrs if name in ("src", "href", "onerror") and value]
        self.open += [] if tag in ("meta", "img", "br", "input") else [tag]

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "path"):
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "hostile.yaml").write_text(HOSTILE)
    assert main(["run", str(folder / "hostile.yaml"), "--out", str(folder / "run"), "--quiet"]) == 3
    assert main(["report", str(folder / "run")]) == 0
    return folder / "run"


def test_it_is_one_file_that_loads_nothing_and_runs_nothing(hostile: Path) -> None:
    text = (hostile / "report.html").read_text()
    page = Page(text)
    assert not page.open
    assert "script" not in page.tags
    assert all(place.startswith(("data:image/png;base64,", "#")) for place in page.loaded)
    assert len(text) < 5_000_000


@pytest.mark.slow
def test_a_browser_shows_it_at_any_width_and_asks_for_nothing(hostile: Path) -> None:
    with browsing.browser() as driver:
        for width in browsing.WIDTHS.values():
            browsing.resize(driver, width)
            driver.get((hostile / "report.html").as_uri())
            assert driver.title == "hostile: report"
            assert browsing.overflow(driver) <= 0
            assert driver.execute_script(SCROLLED) == []
            assert all(shown <= width for shown in driver.execute_script(WIDTHS))
        assert driver.execute_script("return [...document.images].every(image => image.naturalWidth > 0)")
        # On a phone, by now. What is larger is scrolled within its own place.
        fitted = driver.execute_script(WIDTHS)
        for larger in (True, False):
            driver.execute_script("document.querySelectorAll('figure label').forEach(label => label.click())")
            shown = driver.execute_script(WIDTHS)
            assert all(now > 1.4 * then if larger else now == then for now, then in zip(shown, fitted, strict=True))
            assert browsing.overflow(driver) <= 0
        assert browsing.errors(driver) == []
        assert set(browsing.requests(driver)) == {(hostile / "report.html").as_uri()}
        printed = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert printed.startswith(b"%PDF")


def test_names_are_escaped_wherever_they_stand(hostile: Path) -> None:
    text = (hostile / "report.html").read_text()
    assert "<script" not in text
    assert "<img src=x" not in text
    assert "theta[<script>alert(1)</script>]" in Page(text).text


def test_it_tells_all_there_is_verdict_first(hostile: Path) -> None:
    text = Page((hostile / "report.html").read_text()).text
    text = text[text.index("Provenance") + 1 :]  # After the list of sections.
    parts = (
        "These draws cannot be trusted yet", "What to try:", "Estimates", "Plots", "HalfCauchy",
        "After default_transforms",
        "Sampler", "target_accept", "Provenance", f"exmc run {hostile}/config.yaml --out run-again", "seed",
    )  # fmt: skip
    places = [text.find(part) for part in parts]
    assert min(places) >= 0
    assert places[:4] == sorted(places[:4])


def test_the_command_in_it_makes_the_same_draws(hostile: Path, tmp_path: Path) -> None:
    assert main(["run", str(hostile / "config.yaml"), "--out", str(tmp_path / "again"), "--quiet"]) == 3
    ours, theirs = (RunStore.open(path).read() for path in (hostile, tmp_path / "again"))
    xr.testing.assert_equal(ours["posterior"].to_dataset(), theirs["posterior"].to_dataset())


def test_an_unfinished_run_has_one_and_a_failed_chain_is_named_with_its_traceback(tmp_path: Path) -> None:
    directory = stopped_run(tmp_path, after=13)
    RunStore.open(directory).fail(2, "Traceback (most recent call last):\nValueError: <b>boom</b>")
    page = report(directory)
    text = Page(page).text
    assert "The run is not finished" in text
    assert "exmc resume" in text
    assert "Chain 2 failed" in text
    assert "ValueError: <b>boom</b>" in text
    assert "<b>boom" not in page


def test_of_many_scalars_the_worst_are_seen_first_and_the_others_can_be_unfolded() -> None:
    tree = healthy(draws=100)
    rng = np.random.default_rng(0)
    many = xr.DataArray(rng.normal(size=(4, 100, 4000)), dims=("chain", "draw", "i"))
    many[0, :, 1234] += 9.0
    found = diagnose(tree.assign(posterior=xr.DataTree(tree["posterior"].to_dataset().assign(many=many))))
    first, rest, left_out = _rows(found)
    assert first[0].cells[0] == "many[1234]"
    assert first[0].failed[-1]
    assert (len(first), len(first) + len(rest) + left_out) == (30, 4005)
    assert left_out > 0


def test_a_run_without_draws_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(stopped_run(tmp_path, after=1))]) == 1
    assert "there is nothing to show" in capsys.readouterr().err
