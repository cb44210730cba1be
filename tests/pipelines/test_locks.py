"""One driver for a run, whatever becomes of locks, of storage, and of whoever was cut off and comes back."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from exmc.errors import StoreError
from exmc.sampling.watchdog import Pulse
from exmc.trace.objects import ObjectPath
from pipelines import asking, entrust, locks, requests, segments
from pipelines.control import Control
from pipelines.locks import Lease, TakenError, being_run, driving, owner_of
from pipelines.plan import LOCK
from pipelines.requests import Wish, requested


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise error

    return fail


FULL = OSError(errno.ENOSPC, "No space left on device")
REFUSED = StoreError("the storage refuses access: expired.", remedy="Give credentials.")


def test_a_second_driver_is_told_who_is_at_it(run: Path) -> None:
    with driving(run) as check:
        assert being_run(run)
        assert owner_of(run).startswith(f"process {os.getpid()} on ")
        with pytest.raises(TakenError, match=rf"another process is running this run\. It is process {os.getpid()} on "):
            driving(run).__enter__()
        check()
    assert not being_run(run)


def test_a_driver_whose_lock_was_forgotten_ends(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file server does with the locks of a machine that it has lost: another process got the lock meanwhile."""
    with driving(run) as check:
        (run / LOCK).unlink()
        with driving(run) as later:
            check()
            monkeypatch.setattr(locks, "BEAT_SECONDS", 0.0)
            with pytest.raises(StoreError, match=r"the lock on this run was lost; process \d+ on .* has it"):
                check()
            later()
            (run / LOCK).unlink()
            later()


def test_a_full_disk_costs_nobody_the_lock(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "BEAT_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", failing(FULL))
        with driving(run) as check:
            check()
            with pytest.raises(TakenError):
                driving(run).__enter__()


def test_a_disk_without_locks_is_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", failing(OSError(errno.ENOLCK, "No locks available")))
    with pytest.raises(StoreError, match="the run cannot be locked: No locks available"):
        driving(run).__enter__()


def test_a_lease_whose_answer_was_lost_is_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is sent again, and finds that something is there: what it has put itself."""
    directory = ObjectPath("memory://locks/answer")
    real = ObjectPath.create
    monkeypatch.setattr(ObjectPath, "create", lambda path, content: real(path, content) and False)
    lease = Lease.take(directory)
    assert being_run(directory)
    with pytest.raises(TakenError):
        Lease.take(directory)
    lease.release()


def test_a_driver_elsewhere_waits_for_the_one_that_was_cut_off(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrust, "_SECONDS_BETWEEN_TRIES", 0.02)
    held, release, driven = threading.Event(), threading.Event(), []

    def cut_off() -> None:
        with driving(run):
            held.set()
            release.wait(30)

    def drive() -> None:
        driven.append("tried")
        if len(driven) == 3:
            release.set()
            zombie.join()
        with driving(run):
            driven.append("done")

    zombie = threading.Thread(target=cut_off)
    zombie.start()
    held.wait(30)
    entrust._once_free(drive)
    assert driven == ["tried", "tried", "tried", "done"]
    monkeypatch.setattr(entrust, "_SECONDS_TO_LET_GO", 0.05)
    with driving(run), pytest.raises(TakenError):
        entrust._once_free(lambda: driving(run).__enter__())


def test_a_request_that_cannot_be_written_is_one_error(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "write_whole", failing(FULL))
    message = rf"could not be asked to pause: No space left on device\. .*SIGTERM to process {os.getpid()} on "
    with driving(run), pytest.raises(StoreError, match=message):
        asking.ask(run, Wish.PAUSE)
    assert requested(run) is Wish.GO


@pytest.mark.parametrize("error", [FULL, REFUSED])
def test_a_stop_needs_no_storage_and_a_pause_does(error: Exception, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control()
    control.attach(run)
    monkeypatch.setattr(requests, "write_whole", failing(error))
    with pytest.raises(type(error)):
        control.ask(Wish.PAUSE)
    assert control.wish is Wish.GO
    control.ask(Wish.STOP)
    assert control.wish is Wish.STOP


@pytest.mark.parametrize("error", [FULL, REFUSED])
def test_storage_that_fails_stops_no_chain(error: Exception, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be the chain's own failure, which it is not."""
    stopped = segments._stop_flag(SimpleNamespace(path=run), Pulse())  # type: ignore[arg-type]
    monkeypatch.setattr(Path, "exists", failing(error))
    assert not stopped()
    control = Control()
    control.attach(run)
    monkeypatch.setattr(Path, "read_bytes", failing(error))
    control.look()
    assert control.wish is Wish.GO
