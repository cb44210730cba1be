"""One driver for a run: a lock of the kernel where the run lies on a disk, a lease where it lies on an object store."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exmc.errors import StoreError
from exmc.trace.files import Location
from exmc.trace.objects import ObjectPath
from pipelines.plan import LOCK

LEASE_SECONDS = 60.0
"""A lease that was not renewed for so long is nobody's."""
BEAT_SECONDS = 10.0


class TakenError(StoreError):
    """Another process drives the run."""


@contextlib.contextmanager
def driving(directory: Location) -> Iterator[Callable[[], None]]:
    """Be the one process that drives the run in `directory`; what this gives raises `StoreError` if it is no longer.

    A process that dies lets go: of a file's lock at once, for the kernel sees to it; of a lease on an object store when
    that has not been renewed for `LEASE_SECONDS`, or at once to a process of the same machine, which sees that it died.
    File systems that machines share forget the lock of a machine they have lost: the file says whose it is, which is
    looked at again every `BEAT_SECONDS`.

    Raises
    ------
    TakenError
        If another process is at it.
    StoreError
        If the file system has no locks, or fails.
    """
    if isinstance(directory, ObjectPath):
        lease = Lease.take(directory)
        try:
            yield lease.check
        finally:
            lease.release()
        return
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(open(directory / LOCK, "a"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = owner_of(directory)
            raise _taken(directory, f"{f'It is {owner}. ' if owner else ''}Wait for it, or stop it.") from None
        except OSError as error:
            message = f"the run cannot be locked: {error.strerror or error}."
            raise StoreError(
                message, where=(str(directory),), remedy="Its disk must be there, and know locks."
            ) from None
        yield _Mark.make(directory / LOCK).check


def being_run(directory: Location) -> bool:
    """Whether a process drives the run in `directory`; of one on a disk, whether one of this machine does."""
    if isinstance(directory, ObjectPath):
        leases = _leases(directory)
        return bool(leases) and _seconds_left(_held(directory, leases[-1])) > 0
    try:
        with open(directory / LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def owner_of(directory: Location) -> str:
    """The process that drives the run in `directory`, or did last, in words; empty if nobody can say."""
    try:
        if isinstance(directory, ObjectPath):
            leases = _leases(directory)
            return str(_held(directory, leases[-1]).get("owner", "")) if leases else ""
        return (directory / LOCK).read_text(encoding="utf-8").partition(",")[0]
    except (OSError, StoreError, ValueError):
        return ""


@dataclass(slots=True)
class _Mark:
    """Whose the locked file at `path` is, as far as it could be written there."""

    path: Path
    text: str
    looked: float

    @classmethod
    def make(cls, path: Path) -> _Mark:
        text = f"{_owner()}, {secrets.token_hex(8)}"
        # The lock holds on a full disk, too.
        with contextlib.suppress(OSError):
            path.write_text(text, encoding="utf-8")
        return cls(path, text, _now())

    def check(self) -> None:
        """Raise `StoreError` if another process has the lock by now; a disk that is away for a while says nothing."""
        if _now() - self.looked < BEAT_SECONDS:
            return
        self.looked = _now()
        with contextlib.suppress(OSError):
            found = self.path.read_text(encoding="utf-8")
            if found and found != self.text:
                message = f"the lock on this run was lost; {found.partition(',')[0]} has it."
                raise StoreError(message, where=(str(self.path.parent.parent),), remedy="Leave it to that process.")


@dataclass(slots=True)
class Lease:
    """A lease on the run in `directory`: the object of the highest number counts, and each number is created once.

    Whoever finds the highest lease lapsed creates the next one; of several, the store lets one do it. Times are those
    of the owner's clock, which may differ from that of others by less than ``LEASE_SECONDS - 2 * BEAT_SECONDS``.
    """

    directory: ObjectPath
    number: int
    renewed: float = field(default_factory=lambda: _now())
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    lost: bool = False
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @classmethod
    def take(cls, directory: ObjectPath) -> Lease:
        """The next lease, renewed by a thread until it is released; raises `StoreError` if the last one holds."""
        held = _leases(directory)
        number = held[-1] + 1 if held else 1
        left = _seconds_left(_held(directory, held[-1])) if held else 0.0
        if left > 0:
            owner = _held(directory, held[-1]).get("owner", "")
            raise _taken(directory, f"It is {owner}. Wait for it, or stop it; if it died, try again in {left:.0f} s.")
        lease = cls(directory, number)
        if not _file(directory, number).create(lease._document()) and not lease._is_ours():
            raise _taken(directory, "It was faster. Wait for it, or stop it.")
        if _leases(directory)[-1] != number:
            # Others came and went between our two looks.
            _file(directory, number).unlink(missing_ok=True)
            raise _taken(directory, "It was faster. Wait for it, or stop it.")
        for old in held:
            _file(directory, old).unlink(missing_ok=True)
        lease._thread = threading.Thread(target=lease._keep, name="exmc-lease", daemon=True)
        lease._thread.start()
        return lease

    def check(self) -> None:
        """Raise `StoreError` if the lease was not renewed in time, or taken over by another process."""
        if self.lost or _now() - self.renewed > LEASE_SECONDS - BEAT_SECONDS:
            message = "the lease on this run was lost: its storage was away too long, or this process stood still."
            raise StoreError(
                message, where=(str(self.directory),), remedy="If no other process has taken over, resume."
            )

    def release(self) -> None:
        """Let the next one have it, at once."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        # Storage that is away lets the lease lapse instead.
        with contextlib.suppress(OSError, StoreError):
            if not self.lost:
                _file(self.directory, self.number).write_bytes(self._document(released=True))

    def _keep(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            with contextlib.suppress(OSError, StoreError):
                before = _now()
                self.lost = self.lost or _leases(self.directory)[-1:] != [self.number]
                if self.lost:
                    return
                _file(self.directory, self.number).write_bytes(self._document())
                self.renewed = before

    def _is_ours(self) -> bool:
        """Whether the lease that is there is this one: a request whose answer was lost has been sent again."""
        return _held(self.directory, self.number).get("token") == self.token

    def _document(self, released: bool = False) -> bytes:
        document = {
            "owner": _owner(), "machine": _machine(), "pid": os.getpid(), "token": self.token,
            "renewed": time.time(), "released": released,
        }  # fmt: skip
        return json.dumps(document).encode()


def _owner() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _now() -> float:
    """Seconds on a clock that goes on while the machine sleeps, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _taken(directory: Location, remedy: str) -> TakenError:
    return TakenError("another process is running this run.", where=(str(directory),), remedy=remedy)


def _file(directory: ObjectPath, number: int) -> ObjectPath:
    return directory / LOCK / f"{number:06d}.json"


def _leases(directory: ObjectPath) -> list[int]:
    """The numbers of the leases that are there, in order."""
    return sorted(int(path.stem) for path in (directory / LOCK).glob("*.json"))


def _held(directory: ObjectPath, number: int) -> dict[str, Any]:
    """What a lease says; one that has just gone has been released."""
    try:
        return dict(json.loads(_file(directory, number).read_bytes()))
    except FileNotFoundError:
        return {"released": True}


def _seconds_left(lease: dict[str, Any]) -> float:
    """How long a lease still holds if it is not renewed; 0 if it was released, or its owner is known to be dead."""
    if lease.get("released") or _died(lease):
        return 0.0
    return max(0.0, LEASE_SECONDS - (time.time() - float(lease["renewed"])))


def _died(lease: dict[str, Any]) -> bool:
    if not lease["machine"] or lease["machine"] != _machine():
        return False
    try:
        os.kill(int(lease["pid"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _machine() -> str:
    """What numbers of processes are unique in until it boots again; empty if this system does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
