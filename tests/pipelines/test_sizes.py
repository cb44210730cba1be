"""Sizes are estimated as what a run really takes."""

from __future__ import annotations

import errno
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from exmc.errors import ConfigError, StoreError
from exmc.trace import files
from exmc.trace.objects import ObjectPath
from pipelines import sbc
from pipelines.checking import build, check_config
from pipelines.config import load_config, with_out
from pipelines.creation import create_run
from pipelines.places import LocatedError
from pipelines.run import extend, run_config, start
from pipelines.sbc import calibrate
from pipelines.sizes import amount, bytes_per_draw
from tests.pipelines.running import write_config

Usage = namedtuple("Usage", "total used free")


def test_the_estimate_is_what_the_store_takes(tmp_path: Path) -> None:
    """The small model has no auxiliary variables, so that the least is all there is."""
    config = write_config(tmp_path)
    run_config(config, out=tmp_path / "run")
    groups = ("posterior", "sample_stats", "unconstrained_posterior")
    chunks = [p for g in groups for p in (tmp_path / "run" / "run.zarr" / g).glob("*/c.*.*")]
    # Chunks of 500 draws with 4 bytes of checksum; three of them hold the 1200 draws.
    taken = sum(p.stat().st_size - 4 for p in chunks) / 3 / 1500
    assert bytes_per_draw(build(load_config(config))) == taken


def test_a_run_that_just_fits_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = with_out(load_config(write_config(tmp_path)), tmp_path / "run")
    needed = 3 * 1200 * bytes_per_draw(build(config))
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: Usage(0, 0, needed))
    check_config(config)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: Usage(0, 0, needed - 1))
    with pytest.raises(ConfigError, match=f"take {needed} bytes.*{needed - 1} bytes are free".replace("(", "\\(")):
        check_config(config)


@pytest.mark.parametrize(
    ("count", "text"),
    [(999, "999 bytes"), (1 << 20, "1048576 bytes (1.0 MiB)"), (3 << 69, f"{3 << 69} bytes (1536.0 EiB)")],
)
def test_amounts_are_exact_and_readable(count: int, text: str) -> None:
    assert amount(count) == text


@pytest.mark.parametrize("writer", ["exmc.trace.metadata.write", "pathlib.Path.write_text"])
@pytest.mark.parametrize("there", [False, True])
def test_a_full_disk_at_creation_leaves_nothing(
    writer: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = check_config(with_out(load_config(write_config(tmp_path)), tmp_path / "out" / "run"))
    if there:
        (tmp_path / "out" / "run").mkdir(parents=True)
    left = 3

    def full(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or "Path" in writer:
            raise OSError(28, "No space left on device")
        return real(*arguments, **options)

    from exmc.trace import metadata

    real = metadata.write
    with monkeypatch.context() as patch:
        patch.setattr(writer, full)
        with pytest.raises(ConfigError, match=r"run\.out: .* cannot be written: No space left on device"):
            create_run(checked)
    assert (tmp_path / "out" / "run").exists() == there
    if there:
        assert list((tmp_path / "out" / "run").iterdir()) == []
    create_run(checked)
    shutil.rmtree(tmp_path / "out")


def test_draws_that_cannot_be_numbered_are_refused_on_object_stores(tmp_path: Path) -> None:
    """Nobody knows how much room is there."""
    config = load_config(write_config(tmp_path), ["sampler.draws=100000000000"])
    with pytest.raises(
        LocatedError, match=r"sampler\.draws: the numbers of 100000000000 draws take .* this machine has"
    ):
        check_config(with_out(config, "memory://absurd/run"))
    assert not ObjectPath("memory://absurd/run").exists()
    run = ObjectPath("memory://absurd/small")
    few = load_config(write_config(tmp_path, "sampler: {draws: 100, warmup: 100, chains: 1, seed: 1}\n"))
    start(check_config(with_out(few, run)), lambda event: None)
    before = {p.url: p.read_bytes() for p in run.rglob("*")}
    with pytest.raises(StoreError, match="the numbers of 100000000000 draws"):
        extend(run, 10**11)
    assert {p.url: p.read_bytes() for p in run.rglob("*")} == before


def test_a_full_disk_leaves_nothing_of_a_calibration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = check_config(with_out(load_config(write_config(tmp_path)), tmp_path / "sbc"))

    def full(path: object, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for made_before in (False, True):
        if made_before:
            (tmp_path / "sbc").mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(sbc, "write_whole", full)
            with pytest.raises(LocatedError, match="cannot be written: No space left"):
                calibrate(checked, 10)
        assert [p.name for p in tmp_path.glob("sbc*")] == (["sbc"] if made_before else [])
        assert not made_before or not list((tmp_path / "sbc").iterdir())
