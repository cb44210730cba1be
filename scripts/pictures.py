"""The pictures of the README, each made from a real run; `scripts/figures` calls this."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from exmc.ir.drawing import Box, Drawing
from exmc.ir.layered import layered
from exmc.rewrite import DEFAULT_PASSES
from exmc.viz.model_figure import model_picture

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "assets"
CONFIG = ROOT / "configs" / "eight_schools.yaml"
EXMC = [sys.executable, "-c", "import sys; from pipelines.cli import main; sys.exit(main())"]
_SECONDS_TO_URL, _SECONDS_TO_WATCH = 60.0, 25.0
_WINDOW = "--window-size=1280,2064"


class NotDrawnError(Exception):
    """A picture cannot be made here."""


def main() -> int:
    """Draw the pictures that are asked for; 1 if one could not be drawn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(PICTURES)}; all by default")
    names = parser.parse_args().names or list(PICTURES)
    unknown = [name for name in names if name not in PICTURES]
    if unknown:
        parser.error(f"there is no picture {unknown[0]!r}; there are: {', '.join(PICTURES)}")
    ASSETS.mkdir(exist_ok=True)
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            try:
                PICTURES[name](Path(folder), ASSETS / f"{name}.png")
                print(f"assets/{name}.png")
            except NotDrawnError as error:
                print(f"assets/{name}.png is left as it is: {error}", file=sys.stderr)
                status = 1
    return status


def finished_run(folder: Path) -> Path:
    """The run of eight schools, made once; after another, whose machine code it finds."""
    run = folder / "eight-schools"
    for out in (folder / "first", run):
        if not out.exists():
            subprocess.run([*EXMC, "run", str(CONFIG), "--out", str(out), "--quiet"], check=True)
    return run


def pair_plot(folder: Path, path: Path) -> None:
    """4,000 draws of two scales and a school, each against the others."""
    plot(finished_run(folder), "pair", path, "mu", "tau", "theta[Choate]")


def energy_plot(folder: Path, path: Path) -> None:
    """The energy of the same draws."""
    plot(finished_run(folder), "energy", path)


def plot(run: Path, kind: str, path: Path, *variables: str) -> None:
    """What `exmc plot` makes of a run."""
    chosen = [part for name in variables for part in ("--var", name)]
    subprocess.run([*EXMC, "plot", str(run), kind, "--out", str(path), "--quiet", *chosen], check=True)


def architecture(folder: Path, path: Path) -> None:
    """The pipeline stages of a run as they were: tasks, chains, segments and their times, and what they are made of."""
    lines = (finished_run(folder) / "events.jsonl").read_text().splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    took = {event["stage"]: f"{event['took']:.2f} s" for event in events if event["kind"] == "stage"}
    boxes = {
        "config": Box("data", "YAML or Python", "pipelines.config, exmc.Builder"),
        "build": Box("free", "build", f"exmc.ir: the model as data, {took['build']}"),
        "rewrite": Box("free", "rewrite", f"exmc.rewrite: {len(DEFAULT_PASSES)} passes, {took['rewrite']}"),
        "compile": Box("free", "compile", f"exmc.compile: machine code, {took['compile']}"),
    }
    above = {"config": [], "build": ["config"], "rewrite": ["build"], "compile": ["rewrite"]}
    ends = []
    for chain in sorted({event["chain"] for event in events if event["kind"] == "segment"}):
        receipts = [event["receipt"] for event in events if event["kind"] == "segment" and event["chain"] == chain]
        before = "compile"
        for stage, warmup in (("warm up", True), ("sample", False)):
            mine = [receipt for receipt in receipts if receipt["warmup"] is warmup]
            draws, seconds = (sum(receipt[key] for receipt in mine) for key in ("draws", "seconds"))
            name = f"{stage} {chain}"
            boxes[name] = Box("free", f"{stage}, chain {chain}", f"exmc.nuts: {draws} in {seconds:.3f} s")
            above[name] = [before]
            before = name
        ends.append(before)
    boxes |= {
        "journal": Box("data", "state/", "a commit record a segment"),
        "diagnose": Box("observed", "diagnose", f"exmc.diagnostics, exmc.predictive, {took['diagnose']}"),
        "zarr": Box("data", "run.zarr", "xarray, ArviZ: exmc.trace"),
    }
    above |= {"journal": ends, "diagnose": ["journal"], "zarr": ["diagnose"]}
    drawing = Drawing(boxes, layered({name: box.size for name, box in boxes.items()}, above))
    path.write_bytes(
        model_picture([("exmc run configs/eight_schools.yaml: each round box is a task of Dask", drawing)], "png")
    )


def live_streaming(folder: Path, path: Path) -> None:
    """The live page while a run goes on, photographed by a browser without a screen."""
    browser, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if browser is None or driver is None:
        raise NotDrawnError("it takes Chromium and its driver (Debian: apt install chromium chromium-driver).")
    if "--live" not in subprocess.run([*EXMC, "run", "--help"], capture_output=True, text=True, check=True).stdout:
        raise NotDrawnError("exmc run has no --live.")
    log = folder / "live.log"
    longer = ["--set", "sampler.draws=200000", "--set", "run.segment_seconds=0.5"]
    with log.open("w") as said:
        command = [*EXMC, "run", str(CONFIG), "--out", str(folder / "live"), "--live", *longer]
        run = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        photograph(found_in(log, r"http://127\.0\.0\.1:\d+\S*"), browser, driver, path)
    finally:
        run.terminate()
        run.wait(60)


def photograph(url: str, browser: str, driver: str, path: Path) -> None:
    """The page at `url` once it has been open for a while."""
    # Of the extra `test`, which the other pictures do without.
    webdriver = import_module("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", _WINDOW):
        options.add_argument(argument)
    session = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        session.get(url)
        time.sleep(_SECONDS_TO_WATCH)
        session.save_screenshot(str(path))
    finally:
        session.quit()


def found_in(log: Path, pattern: str) -> str:
    """The first match in a file that is being written."""
    ends = time.monotonic() + _SECONDS_TO_URL
    while time.monotonic() < ends:
        if match := re.search(pattern, log.read_text()):
            return match[0]
        time.sleep(0.2)
    raise NotDrawnError(f"the run never said where its page is: {log.read_text()[-300:]}")


PICTURES: dict[str, Callable[[Path, Path], None]] = {
    "architecture": architecture,
    "pair_plot_4k": pair_plot,
    "energy_plot": energy_plot,
    "live_streaming": live_streaming,
}

if __name__ == "__main__":
    sys.exit(main())
