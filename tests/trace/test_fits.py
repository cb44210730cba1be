"""Results of fits on file: read as they were written, refused if another is there, missing if damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exmc.errors import StoreError
from exmc.trace.fits import POOL, Fits, Result

ARRAYS = {"mean": np.array([1.5, -np.inf]), "done": np.array([True]), "counts": np.arange(3)}
PART = Result(ARRAYS, "", ("before",))


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    fits = Fits(tmp_path, "this run")
    assert fits.read(0, 2) is None
    written = fits.commit(0, 2, PART)
    found = fits.read(0, 2)
    assert found is not None
    assert (found.digest, found.after, found.failure) == (written.digest, ("before",), "")
    assert {name: a.tolist() for name, a in found.arrays.items()} == {n: a.tolist() for n, a in ARRAYS.items()}
    assert fits.commit(0, 2, PART).digest == written.digest
    with pytest.raises(StoreError, match="committed before with other contents"):
        fits.commit(0, 2, Result({}, "it failed", ("before",)))
    assert Fits(tmp_path, "another run").read(0, 2) is None


def test_a_damaged_result_is_missing_and_written_again(tmp_path: Path) -> None:
    fits = Fits(tmp_path, "this run")
    fits.commit(0, POOL, PART)
    (path,) = tmp_path.rglob("pooled.json")
    whole = path.read_bytes()
    for damaged in (b"", whole[:-1], whole.replace(b"this", b"that")):
        path.write_bytes(damaged)
        assert fits.read(0, POOL) is None
    fits.commit(0, POOL, PART)
    assert path.read_bytes() == whole


def test_the_last_round_is_the_last_that_is_whole(tmp_path: Path) -> None:
    fits = Fits(tmp_path, "this run")
    assert fits.last() == -1
    for number in range(3):
        fits.commit(number, POOL, PART)
    fits.commit(3, 0, PART)
    assert fits.last() == 2
    path = tmp_path / "state" / "fit" / "round-00002" / "pooled.json"
    path.write_bytes(b"nothing")
    assert fits.last() == 1


def test_failures_of_a_round_that_is_not_pooled_are_forgiven(tmp_path: Path) -> None:
    fits = Fits(tmp_path, "this run")
    fits.forgive()
    failed = Result({}, "no luck", ())
    fits.commit(0, 0, failed)
    fits.commit(0, POOL, PART)
    fits.commit(1, 0, failed)
    fits.commit(1, 1, PART)
    fits.forgive()
    kept = fits.read(0, 0)
    assert kept is not None
    assert kept.failure == "no luck"
    assert fits.read(1, 0) is None
    assert fits.read(1, 1) is not None
