"""Tests of the command `scripts/validate` on runs made up for the purpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.models import validate
from tests.models.agreement import read_reference

POSTERIOR = "kidiq-kidscore_momiq"


def made_up_run(path: Path, out: Path, shift: float = 0.0) -> xr.DataTree:
    """Independent draws of the reference that belongs to the config at `path`, `sigma` off by `shift` sds."""
    rng = np.random.default_rng(1)
    reference = read_reference(path.stem)
    draws = {name: row.mean + row.sd * rng.standard_normal((4, 1000)) for name, row in reference.items()}
    beta = np.stack([values for name, values in draws.items() if name.startswith("beta[")], axis=-1)
    sigma = draws["sigma"] + shift * reference["sigma"].sd
    posterior = xr.Dataset({"beta": (("chain", "draw", "coefficient"), beta), "sigma": (("chain", "draw"), sigma)})
    stats = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((4, 1000), dtype=bool))})
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})


def test_table_of_a_run_that_agrees(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(validate, "run_config", made_up_run)
    assert validate.main([POSTERIOR, "nes1972-nes"]) == 0
    output = capsys.readouterr()
    header, rule, *rows = output.out.splitlines()
    assert header == "| " + " | ".join(validate.HEADER) + " |"
    assert rule.count("---") == len(validate.HEADER)
    assert [row.split("|")[1].strip() for row in rows] == [POSTERIOR, "nes1972-nes"]
    assert all(row.endswith("| yes |") for row in rows)
    assert output.err == ""


def test_run_that_disagrees_is_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(validate, "run_config", lambda path, out: made_up_run(path, out, shift=0.3))
    assert validate.main([POSTERIOR]) == 1
    output = capsys.readouterr()
    assert output.out.splitlines()[-1].endswith("| no |")
    assert output.err.startswith(f"{POSTERIOR}: sigma: mean ")


def test_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        validate.main(["nosuch"])
    assert stopped.value.code == 2
    assert "no config for nosuch" in capsys.readouterr().err
