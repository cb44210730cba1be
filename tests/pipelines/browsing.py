"""A real browser without a screen, for tests of pages; where there is none they are skipped, and say so."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
WIDTHS = {"desktop": 1280, "phone": 390}


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Debian's Chromium, which keeps what pages say and what they ask the network for."""
    if BROWSER is None or DRIVER is None:
        pytest.skip("there is no chromium and chromedriver here: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1300,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def resize(driver: Any, width: int) -> None:
    """Have the window, that of a phone if it is narrow, be `width` pixels wide."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def overflow(driver: Any) -> int:
    """By how many pixels the page is wider than its window."""
    return int(driver.execute_script("return document.documentElement.scrollWidth - window.innerWidth"))


def errors(driver: Any) -> list[str]:
    """The errors that pages have written to the console since the last call."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def requests(driver: Any) -> list[str]:
    """What pages have asked for since the last call, but for what they hold themselves."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [url for url in asked if not url.startswith("data:")]
