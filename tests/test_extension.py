"""README's guide to extending exmc, followed to the letter: what it names exists, a new distribution is taken in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "README.md").read_text(encoding="utf-8").split("## To extend it")[1].split("\n## ")[0]
ROWS = [line.strip("| ").split(" | ") for line in GUIDE.splitlines() if re.match(r"\| (?!a new|-)", line)]

FILE = '''\
"""The hyperbolic secant distribution."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import LOG_TWO, Distribution, Parameter
from exmc.special import Array
from exmc.transforms import POSITIVE, REAL

_LOG_PI = 1.1447298858494002


def _log_density(value: Array, mu: Array, sigma: Array) -> Array:
    z = np.abs(value - mu) / sigma
    return LOG_TWO - z - np.log1p(np.exp(-2.0 * z)) - np.log(sigma) - _LOG_PI


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, sigma: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(mu + sigma * numpy.log(numpy.tan(0.5 * numpy.pi * generator.random(size=shape))))


HyperbolicSecant = Distribution(
    name="HyperbolicSecant",
    parameters=(Parameter("mu", default=0.0), Parameter("sigma", POSITIVE, default=1.0)),
    support=REAL,
    transform="identity",
    log_density=_log_density,
    draw=_draw,
    location_scale=("mu", "sigma"),
)
'''
ROWS_OF_TABLES = {
    "exmc/distributions/__init__.py": [
        (
            "from exmc.distributions.kumaraswamy",
            "from exmc.distributions.hyperbolic_secant import HyperbolicSecant\nfrom exmc.distributions.kumaraswamy",
        ),
        ("        DiscreteUniform,\n    )", "        DiscreteUniform,\n        HyperbolicSecant,\n    )"),
        ('    "IntervalCensored",', '    "HyperbolicSecant",\n    "IntervalCensored",'),
    ],
    "exmc/__init__.py": [
        ("        Hurdle,\n", "        Hurdle,\n        HyperbolicSecant,\n"),
        ('    "Hurdle",\n', '    "Hurdle",\n    "HyperbolicSecant",\n'),
    ],
    "tests/distributions/scipy_cases.py": [
        (
            '    "Moyal": Case(',
            '    "HyperbolicSecant": Case(\n        lambda mu, sigma: scipy.stats.hypsecant(mu, sigma),\n'
            '        ({"mu": 0.0, "sigma": 1.0}, {"mu": -3.0, "sigma": 3e-2}),\n    ),\n    "Moyal": Case(',
        )
    ],
    "tests/distributions/precise.py": [
        (
            '    "Moyal": _moyal,',
            '    "HyperbolicSecant": lambda x, mu, sigma: mp.log(mp.sech((x - mu) / sigma) / (mp.pi * sigma)),\n'
            '    "Moyal": _moyal,',
        )
    ],
}
SUITES = ("test_distributions.py", "test_distribution_precision.py")


def test_what_the_guide_names_is_there() -> None:
    assert len(ROWS) == 10
    for _, written, table, suite in ROWS:
        folder = ""
        for path in re.findall(r"`([\w/<>]+\.py)`", f"{written} {table} {suite}"):
            folder = str(Path(path).parent) if "/" in path else folder
            known = ROOT / folder / (Path(path).name if "<" not in path else "__init__.py")
            assert known.exists(), path
        files = re.findall(r"`(exmc/[\w/]+\.py)`", f"{table} {written}")
        for name in re.findall(r"`([A-Z_]{4,})`", table):
            assert re.search(rf"^{name}: ", (ROOT / files[0]).read_text(), re.MULTILINE), name


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with a new distribution, made as the guide says."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("exmc", "pipelines", "tests", "scripts", "configs"):
        shutil.copytree(ROOT / part, folder / part, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "exmc" / "distributions" / "hyperbolic_secant.py").write_text(FILE)
    for path, changes in ROWS_OF_TABLES.items():
        text = (folder / path).read_text()
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (folder / path).write_text(text)
    run(folder, "scripts/stubs.py")
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def outcome(folder: Path) -> tuple[int, str]:
    """The exit status of the suites for the new distribution, and what they said."""
    paths = [f"tests/conformance/{suite}" for suite in SUITES]
    found = run(folder, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "-k", "HyperbolicSecant", *paths)
    return found.returncode, found.stdout + found.stderr


def test_a_new_distribution_is_taken_in(copy: Path) -> None:
    status, said = outcome(copy)
    assert status == 0, said
    for suite in SUITES:
        assert len(re.findall(rf"^PASSED .*{suite}.*HyperbolicSecant", said, re.MULTILINE)) >= 1, suite
    assert run(copy, "-c", "import exmc; exmc.HyperbolicSecant(0, sigma=1)").returncode == 0
    assert "class _HyperbolicSecant" in (copy / "exmc" / "distributions" / "__init__.pyi").read_text()


def test_without_its_witness_it_is_told_what_it_lacks(copy: Path, tmp_path: Path) -> None:
    cases = copy / "tests" / "distributions" / "scipy_cases.py"
    whole = cases.read_text()
    try:
        cases.write_text(whole.replace('"HyperbolicSecant": Case(', '"Another": Case('))
        status, said = outcome(copy)
    finally:
        cases.write_text(whole)
    assert status == 1
    assert "HyperbolicSecant has no row in CASES of tests/distributions/scipy_cases.py" in said
