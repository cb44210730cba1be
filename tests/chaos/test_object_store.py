"""Runs on a store that speaks S3: whoever is killed while it writes there, the store becomes the undisturbed one."""

from __future__ import annotations

import random
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from exmc.trace.objects import ObjectPath
from pipelines.run import run_config
from tests.chaos.campaign import CONFIG
from tests.chaos.processes import CODE, Driver, HandCluster
from tests.object_stores import Request, Server, s3, s3_server
from tests.pipelines.running import PATIENCE, assert_same_store

__all__ = ["s3", "s3_server"]

_CHUNK = r"run\.zarr/posterior/x/c\.\d"
_RECORD = r"state/chain-\d+/segment-\d+\.json"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The undisturbed run, on a disk."""
    folder = tmp_path_factory.mktemp("s3")
    (folder / "chaos.yaml").write_text(CONFIG.replace("DRAWS", "1000"))
    run_config(folder / "chaos.yaml", out=folder / "whole", code=CODE)
    return folder / "whole"


def asks(process: subprocess.Popen[bytes], request: Request) -> bool:
    """Whether `request` comes from `process`."""
    try:
        return any(c.laddr.port == request.port for c in psutil.Process(process.pid).net_connections("tcp"))
    except psutil.Error:
        return False


class Killer:
    """Kills whichever of some processes puts an object of a name like the next of `names`, while it does."""

    def __init__(self, processes: Callable[[], list[subprocess.Popen[bytes]]], names: list[str]) -> None:
        self.processes, self.left = processes, list(names)
        self._one_at_a_time = threading.Lock()

    def __call__(self, request: Request) -> None:
        with self._one_at_a_time:
            if not self.left or request.method != "PUT" or not re.search(self.left[0], request.key):
                return
            for process in self.processes():
                if asks(process, request):
                    process.kill()
                    process.wait()
                    self.left.pop(0)
                    return


def finish(driver: Driver, cluster: HandCluster) -> None:
    """Bring the run to its end, by as many commands and workers as it takes."""
    deadline = time.monotonic() + PATIENCE
    driver.begin()
    try:
        while not driver.finished():
            assert time.monotonic() < deadline, driver.said()
            cluster.mend()
            time.sleep(0.05)
    finally:
        driver.close()


@pytest.fixture
def cluster(s3_server: Server, tmp_path: Path) -> Iterator[HandCluster]:
    with HandCluster(tmp_path / "cluster", 2) as found:
        yield found
    s3_server.meddle = None


def driver_of(whole: Path, cluster: HandCluster, out: ObjectPath, draws: int | None = None) -> Driver:
    return Driver(whole.parent / "chaos.yaml", out, ("--scheduler", cluster.address), draws=draws)


def test_a_worker_killed_while_it_puts_draws_and_records(
    s3_server: Server, s3: str, whole: Path, cluster: HandCluster
) -> None:
    killer = Killer(lambda: cluster.workers, [_CHUNK, _RECORD])
    s3_server.meddle = killer
    driver = driver_of(whole, cluster, ObjectPath(f"{s3}/worker"))
    finish(driver, cluster)
    assert not killer.left
    assert driver.attempts == 1
    assert_same_store(whole, driver.out)


@pytest.mark.slow
def test_whoever_finishes_the_store_is_killed(s3_server: Server, s3: str, whole: Path, cluster: HandCluster) -> None:
    names = [r"run\.zarr/log_prior/", r"state/finished\.json", r"run\.zarr/zarr\.json"]
    killer = Killer(lambda: cluster.workers, names)
    s3_server.meddle = killer
    driver = driver_of(whole, cluster, ObjectPath(f"{s3}/finishing"))
    finish(driver, cluster)
    assert not killer.left
    assert_same_store(whole, driver.out)


@pytest.mark.slow
def test_the_driver_killed_while_it_creates_and_extends(
    s3_server: Server, s3: str, whole: Path, cluster: HandCluster
) -> None:
    """Each time while it puts a file that decides what a resume finds, in a run and in its extension."""
    out = ObjectPath(f"{s3}/driver")
    short = whole.parent / "short.yaml"
    short.write_text(CONFIG.replace("DRAWS", "500"))
    driver = driver_of(short.with_name("whole"), cluster, out)
    driver.config = short
    names = [r"state/\.store\.json", r"state/plan\.json", r"state/driver\.lock", r"events\.jsonl"]
    longer = [
        r"state/\.plan\.json",
        r"state/plan\.json",
        r"config\.yaml",
        r"run\.zarr/zarr\.json",
        r"state/store\.json",
    ]
    for draws, decisive in ((None, names), (1000, longer)):
        driver.draws = draws
        killer = Killer(lambda: [driver.process] if driver.process else [], decisive)
        s3_server.meddle = killer
        finish(driver, cluster)
        assert not killer.left
    assert_same_store(whole, out)


@pytest.mark.slow
def test_a_server_that_fails_and_dawdles(s3_server: Server, s3: str, whole: Path) -> None:
    """Every tenth request is refused, as S3 does when it is asked too much, and some take a while."""
    generator, refused = random.Random(3), []

    def meddle(request: Request) -> str | None:
        time.sleep(generator.choice((0.0, 0.0, 0.0, 0.1)))
        if generator.random() > 0.1:
            return None
        refused.append(request)
        return "503 Slow Down"

    s3_server.meddle = meddle
    try:
        run_config(whole.parent / "chaos.yaml", out=f"{s3}/dawdling", code=CODE)
    finally:
        s3_server.meddle = None
    assert len(refused) > 20
    assert_same_store(whole, ObjectPath(f"{s3}/dawdling"))
