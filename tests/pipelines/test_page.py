"""The live page in a real browser: it opens, its numbers move, its buttons pause and stop the run."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pipelines
from exmc.errors import StoreError
from exmc.sampling.options import SamplerOptions
from pipelines import page_process
from pipelines.cli import main
from pipelines.events import Event
from pipelines.page import status_of
from pipelines.page_process import PORT, PageProcess
from pipelines.requests import Wish
from pipelines.run import run_config
from pipelines.tally import Standing, Tally
from tests.pipelines import browsing
from tests.pipelines.running import SLOW, begin, stopped_run, write_config

# What stands on the page lies within the shadows of Bokeh's elements.
TEXT = """
    const parts = [];
    const walk = node => {
        if (node.nodeType === Node.TEXT_NODE) parts.push(node.textContent);
        if (node.shadowRoot) walk(node.shadowRoot);
        if (node.tagName !== "STYLE" && node.tagName !== "SCRIPT") node.childNodes.forEach(walk);
    };
    walk(document.body);
    return parts.map(part => part.trim()).filter(part => part).join(" ");
"""
PRESS = """
    const found = [];
    const walk = node => {
        if (node.tagName === "BUTTON" && node.textContent.trim() === arguments[0]) found.push(node);
        if (node.shadowRoot) walk(node.shadowRoot);
        node.childNodes.forEach(walk);
    };
    walk(document.body);
    found.forEach(button => button.click());
    return found.length;
"""
CANVASES = """
    let count = 0;
    const walk = node => {
        if (node.tagName === "CANVAS") count += 1;
        if (node.shadowRoot) walk(node.shadowRoot);
        node.childNodes.forEach(walk);
    };
    walk(document.body);
    return count;
"""


@pytest.fixture
def browser() -> Iterator[Any]:
    with browsing.browser() as driver:
        yield driver


def await_that(reached: Callable[[], Any], seconds: float = 90.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := reached()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


@contextlib.contextmanager
def page_of(directory: Path) -> Iterator[PageProcess]:
    page = PageProcess(directory, lambda text: None)
    try:
        yield page
    finally:
        page.stop()


@pytest.mark.slow
def test_a_run_is_watched_paused_and_stopped_in_a_browser(browser: Any, tmp_path: Path) -> None:
    with page_of(tmp_path / "run") as page:
        rest = SLOW.replace("draws: 600", "draws: 20000").replace("chains: 2", "chains: 2, watchdog: 300")
        run = pipelines.start(write_config(tmp_path, rest), out=tmp_path / "run", on_event=page.wake)
        browser.get(await_that(lambda: page.url))

        def text() -> str:
            return str(browser.execute_script(TEXT))

        def done() -> int:
            words = text().split(" iterations")[0].split()
            return int(words[-3].replace(",", "")) if words[-2:-1] == ["of"] else 0

        first = await_that(done)
        await_that(lambda: done() > first)
        assert "small" in browser.title
        assert "theta[b]" in await_that(lambda: text() if "theta[b]" in text() else "")
        # Traces, densities, ranks, R-hat, ESS, energy, pairs.
        assert browser.execute_script(CANVASES) >= 13
        browsing.resize(browser, browsing.WIDTHS["phone"])
        await_that(lambda: browsing.overflow(browser) <= 0)
        browsing.resize(browser, browsing.WIDTHS["desktop"])
        assert browser.execute_script(PRESS, "Pause") == 1
        await_that(lambda: run.status.state == "paused")
        await_that(lambda: "paused; to go on" in text())
        await_that(lambda: browser.execute_script(PRESS, "Resume"))
        await_that(lambda: run.status.state == "running")
        await_that(lambda: browser.execute_script(PRESS, "Abort"))
        assert run.wait(90)
        assert run.status.state == "stopped"
        assert not browsing.errors(browser)


def test_a_port_that_is_taken_is_passed_over(tmp_path: Path) -> None:
    directory = stopped_run(tmp_path)
    said: list[str] = []
    told = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        told.set()

    with socket.socket() as other:
        # As servers do; else a page that was just there keeps it from us, and not from them.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Somebody else may have it already.
        with contextlib.suppress(OSError):
            other.bind(("127.0.0.1", PORT))
            other.listen()
        page = PageProcess(directory, say)
        try:
            page.wake(Event(kind="started", seconds=0.0))
            assert told.wait(60)
            assert said == [f"live page: {page.url} (port {PORT} is busy)"]
            with urllib.request.urlopen(page.url, timeout=60) as answer:
                content = answer.read().decode()
        finally:
            page.stop()
    assert "<title>small – exmc</title>" in content
    assert "viewport" in content


def test_what_buttons_ask_for_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "print('http://127.0.0.1:5006/x'); print('pause'); print('stop', flush=True); input()"
    monkeypatch.setattr(page_process, "_PROGRAM", program)
    asked: list[Wish] = []
    said: list[str] = []

    def ask(wish: Wish) -> None:
        asked.append(wish)
        if wish is Wish.STOP:
            raise StoreError("no worker.")

    page = PageProcess(tmp_path, said.append, ask)
    page.wake()
    await_that(lambda: len(said) == 2)
    page.stop()
    assert asked == [Wish.PAUSE, Wish.STOP]
    assert said[1] == "the run could not be asked to stop: no worker."


def test_the_page_of_a_finished_run_stays_until_ctrl_c(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    run_config(write_config(tmp_path), out=directory)
    with begin(["watch", str(directory), "--live", "--plain"]) as process:
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            # The address comes when the page is served, before or after the last event.
            if any("live page" in seen for seen in said) and "exmc: the page stays until Ctrl-C.\n" in said:
                break
        url = next(line.split()[2] for line in said if line.startswith("live page"))
        with urllib.request.urlopen(url, timeout=60) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode in (0, 3)
    assert "r_hat" in out


def test_a_short_run_does_not_wait_for_its_page(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(write_config(tmp_path)), "--out", str(tmp_path / "run"), "--live", "--quiet"]) in (0, 3)
    assert "Traceback" not in capfd.readouterr().err


def test_a_run_that_is_not_there_has_no_page(tmp_path: Path) -> None:
    said: list[str] = []
    told = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        told.set()

    page = PageProcess(tmp_path / "none", say)
    assert not page.served()
    page.wake(Event(kind="started", seconds=0.0))
    assert told.wait(60)
    assert not page.served()
    page.wake(Event(kind="stage", seconds=0.0))
    page.stop()
    assert "there is no live page" in said[0]
    assert "there is no run here" in said[0]


@pytest.mark.parametrize(
    ("standing", "driven", "expected"),
    [("running", True, "running"), ("running", False, "away"), ("finished", False, "finished")],
)
def test_a_run_that_nobody_drives_is_not_running(standing: Standing, driven: bool, expected: str) -> None:
    tally = Tally(SamplerOptions(seed=1, draws=100, warmup=0, chains=2))
    tally.standing = standing
    tally.add(Event(kind="stage", seconds=1.0, stage="build", took=0.5))
    found = status_of("small", tally, driven)
    assert found.standing == expected
    assert found.stages[:2] == (("build", 0.5), ("rewrite", None))
    assert [(chain.phase, chain.done, chain.total) for chain in found.chains] == [("sampling", 0, 100)] * 2
