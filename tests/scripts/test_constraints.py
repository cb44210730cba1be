"""Tests that the pins are exact, sorted, free of hosts, and cover what pyproject.toml asks for."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = [Requirement(line) for line in LINES if line and not line.startswith("#")]


def applies(requirement: Requirement, python: str) -> bool:
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def pins_for(python: str) -> dict[str, Requirement]:
    chosen = [pin for pin in PINS if applies(pin, python)]
    names = [pin.name for pin in chosen]
    assert len(names) == len(set(names)), "a package is pinned twice"
    return {pin.name: pin for pin in chosen}


def test_every_pin_is_one_exact_version_without_a_host() -> None:
    for pin in PINS:
        assert pin.url is None
        assert [specifier.operator for specifier in pin.specifier] == ["=="], str(pin)
        assert pin.name == canonicalize_name(pin.name)


def test_each_section_has_a_heading_and_is_sorted() -> None:
    sections = [list(group) for blank, group in itertools.groupby(LINES, lambda line: line == "") if not blank]
    for section in sections[1:]:
        assert section[0].startswith("# ")
        assert section[1:] == sorted(section[1:])


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_pins_cover_and_satisfy_the_project(python: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = pins_for(python)
    extras = project["optional-dependencies"]
    wanted_all = [Requirement(text) for text in (*project["dependencies"], *extras["test"])]
    for wanted in (w for w in wanted_all if applies(w, python)):
        pin = pins[canonicalize_name(wanted.name)]
        (version,) = [specifier.version for specifier in pin.specifier]
        assert wanted.specifier.contains(version), f"{pin} is outside {wanted}"


def test_plots_go_with_the_last_arviz_for_python_311() -> None:
    """arviz-plots 0.8 cannot be imported with matplotlib from 3.11 on, and cannot draw with xarray from 2026.4 on."""
    pins = pins_for("3.11")
    assert pins["arviz-plots"].specifier.contains("0.8.0")
    for name, first_bad in (("matplotlib", "3.11"), ("xarray", "2026.4")):
        (version,) = [specifier.version for specifier in pins[name].specifier]
        assert Version(version) < Version(first_bad)
