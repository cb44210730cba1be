"""A mirror has what the run has whose directory is elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, LocalCluster

from exmc.errors import StoreError
from exmc.trace.description import ZARR
from pipelines.attachment import Attachment, chosen, going_on
from pipelines.live import Live
from pipelines.locks import being_run
from pipelines.mirror import mirrored
from pipelines.requests import Wish
from tests.pipelines.running import LONG, PATIENCE, await_that, begun_on


def test_a_mirror_has_what_the_run_has(cluster: LocalCluster, client: Client, tmp_path: Path) -> None:
    run = begun_on(cluster, tmp_path, LONG)
    attachment = Attachment(client, chosen(going_on(client), None, ""))
    with mirrored(attachment, draws=True) as mirror:
        assert mirror.driven()
        assert being_run(mirror.directory)
        live = Live(mirror.directory)
        before = live.draws
        while live.draws < before + 800:
            mirror.pause(1.0)
        # Asked by whoever looks at the mirror, obeyed by the run.
        mirror.ask(Wish.PAUSE)
        await_that(lambda: run.status.state == "paused")
        while live.tally.standing != "paused":
            mirror.pause(1.0)
            live.refresh()
        assert live.draws == run.live.draws
        lines = (mirror.directory / "events.jsonl").read_text().splitlines()
        assert len(lines) == len(set(lines))
        fetched = [path for path in (mirror.directory / ZARR).rglob("*") if path.is_file()]
        assert fetched
        for path in fetched:
            assert path.read_bytes() == (run.directory / path.relative_to(mirror.directory)).read_bytes()
        # Each took the draws in at other moments, so that sums are rounded otherwise: by an eps a draw at most.
        rounding = live.draws * np.finfo(np.float64).eps
        np.testing.assert_allclose(live.summary()["mean"], run.live.summary()["mean"], rtol=rounding)
        mirror.ask(Wish.STOP)
        assert run.wait(PATIENCE)
        while live.tally.standing != "ended":
            mirror.pause(1.0)
            live.refresh()
        await_that(lambda: not mirror.driven())
        assert not being_run(mirror.directory)
    assert not mirror.directory.exists()
    assert going_on(client) == []


def test_without_a_worker_that_reads_the_scheduler_tells(
    cluster: LocalCluster, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun_on(cluster, tmp_path, LONG)
    attached = Attachment(client, chosen(going_on(client), None, ""))

    def silent(function: Callable[..., object], *arguments: object) -> object:
        raise StoreError("no worker")

    monkeypatch.setattr(attached, "on_worker", silent)
    with mirrored(attached, draws=True) as mirror:
        assert not mirror.whole
        text = (mirror.directory / "events.jsonl").read_text()
        assert '"started"' in text.splitlines()[0]
        seen = text.count('"segment"')
        while (mirror.directory / "events.jsonl").read_text().count('"segment"') < seen + 3:
            mirror.pause(1.0)
        lines = (mirror.directory / "events.jsonl").read_text().splitlines()
        assert len(lines) == len(set(lines))
        log = (run.directory / "events.jsonl").read_text().splitlines()
        told, happened = ([line for line in of if '"segment"' in line] for of in (lines, log))
        assert told == happened[: len(told)]
    assert run.cancel(PATIENCE)
