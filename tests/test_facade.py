"""The public names."""

from __future__ import annotations

import subprocess
import sys

import pytest

import exmc


@pytest.mark.parametrize("name", exmc.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(exmc, name) is not None
    assert name in dir(exmc)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Norml"):
        _ = exmc.Norml


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = "import sys, exmc, exmc.errors; print([m for m in ('numpy', 'scipy', 'autograd') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_sampling_imports_no_cluster() -> None:
    """A fifth of a second that a small model's draws would wait for; xarray asks Dask what arrays are its own."""
    program = (
        "import sys, exmc; tree = exmc.sample(exmc.Builder().rv('x', 'Normal', mu=0, sigma=1, shape=2), draws=20); "
        "tree['posterior'].to_dataset(); print([m for m in ('dask', 'distributed', 'zarr') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
