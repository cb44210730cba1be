"""The writer's side of a run directory: chunks of draws, commit records, failures, and finding damage in them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.errors import StoreError
from exmc.trace import chunks, files, records
from exmc.trace.description import STATE, WORKING, ZARR, read_description
from exmc.trace.files import Location, location
from exmc.trace.memory import Memory
from exmc.trace.records import NO_RECORD, CommitRecord, Written
from exmc.trace.schema import GROUPS, Schema, Variable


class Damage(NamedTuple):
    """Something in a run directory that is not as it was written: whose, which file, and what is wrong with it."""

    chain: int
    segment: int
    file: str
    fault: str


@dataclass(frozen=True, slots=True)
class Journal:
    """One run directory, as those see it who draw and write segments. It needs neither zarr nor xarray.

    Any number of processes may use one at a time: each chunk belongs to one segment, a file appears at once or not at
    all, and of two that commit the same segment the second finds the first's record. Nothing is flushed to the disk's
    platter: the promise is about killed processes, not about power loss. `committed` reads each record once; `damage`
    reads all of them anew.
    """

    directory: Location
    schema: Schema
    chunk_draws: int
    _memory: Memory = field(default_factory=Memory, compare=False, repr=False)

    @classmethod
    def open(cls, directory: str | os.PathLike[str] | Location) -> Journal:
        """The journal in `directory`; raises `StoreError` if it is missing, foreign or of another version."""
        path = location(directory)
        described = read_description(path)
        return cls(path, described.schema, described.chunk_draws)

    @property
    def arrays(self) -> Location:
        """Where the chunks are written: ``run.zarr``, or the copy kept when a finished run left chains out."""
        working = self.directory / STATE / WORKING
        return working if files.is_store(working) else self.directory / ZARR

    # Writing

    def write_segment(
        self, chain: int, first: int, warmup: bool, groups: Mapping[str, Mapping[str, NDArray[Any]]]
    ) -> dict[str, Written]:
        """Write draws ``[first, first + n)`` of `chain`, whole chunks only; what was written, for the commit record.

        `groups` holds arrays of shape (n, ...) for every array of the groups of its kind: of ``warmup_...`` groups if
        `warmup`, else of the others. Written again, the same draws give the same bytes. Raises `StoreError` for
        draws that are no whole chunks and arrays that do not fit the schema.
        """
        self._check_chain(chain)
        axis = "warmup" if warmup else "draws"
        wanted = {g: variables for g, variables in self.schema.sampled() if GROUPS[g] == axis}
        if unknown := set(groups) - set(wanted):
            raise StoreError(
                f"the groups {sorted(unknown)} are not written with {axis} of this run.",
                where=(str(self.directory),),
                remedy=f"Its schema has {sorted(wanted)}.",
            )
        arrays = self.arrays
        given: list[tuple[str, Location, NDArray[Any]]] = []
        for group, variables in wanted.items():
            for variable in variables:
                values = self._fitting(group, variable, groups)
                total, where = self.schema.sample_shape(group)[1], (str(self.directory), group, variable.name)
                chunks.check_rows(first, len(values), total, self.chunk_draws, where)
                folder = arrays / group / variable.name
                given.append((f"{group}/{variable.name}", folder, values))
        written = files.each(lambda item: self._write(item[1], chain, first, item[2]), given, arrays)
        return {name: what for (name, *_), what in zip(given, written, strict=True)}

    def _fitting(
        self, group: str, variable: Variable, groups: Mapping[str, Mapping[str, NDArray[Any]]]
    ) -> NDArray[Any]:
        where = (str(self.directory), group, variable.name)
        if variable.name not in groups.get(group, {}):
            raise StoreError("no draws were given for it.", where=where)
        values = np.asarray(groups[group][variable.name])
        if values.ndim != len(variable.shape) + 1 or values.shape[1:] != variable.shape:
            raise StoreError(f"the draws have shape {values.shape}, not (n, *{variable.shape}).", where=where)
        if not np.can_cast(values.dtype, variable.dtype, "safe"):
            raise StoreError(f"the draws are {values.dtype}, not {variable.dtype}.", where=where)
        return values.astype(variable.dtype, copy=False)

    def _write(self, folder: Location, chain: int, first: int, values: NDArray[Any]) -> Written:
        crcs, length, event = [], 0, (0,) * (values.ndim - 1)
        for start in range(0, len(values), self.chunk_draws):
            encoded = chunks.encode(values[start : start + self.chunk_draws], self.chunk_draws)
            number = (first + start) // self.chunk_draws
            files.write_whole(chunks.chunk_path(folder, chain, number, *event), encoded)
            crcs.append(chunks.stored_checksum(encoded))
            length = len(encoded)
        return Written(length, tuple(crcs))

    # Commit records

    def commit(self, record: CommitRecord, before: CommitRecord | None = None) -> CommitRecord:
        """Publish `record`, exactly one per chain and segment; returns the one that is there then.

        A record that is there already must be equal but for its receipt; else `StoreError` is raised, as for one that
        does not follow the record `before`, which is read unless it is given.
        """
        self._check_chain(record.chain)
        where = self._place(record.chain, record.segment)
        if record.segment < 0:
            raise StoreError(f"there is no segment {record.segment}.", where=where)
        if record.segment and before is None:
            before = self.record(record.chain, record.segment - 1)
        if record.segment and before is None:
            raise StoreError("the segment before it is not committed.", where=where)
        if fault := _misfit(record, before):
            raise StoreError(fault, where=where)
        if files.create_new(self._record_file(record.chain, record.segment), records.encode(record)):
            return record
        present = self.record(record.chain, record.segment)
        if present is None or present.digest != record.digest:
            raise StoreError(
                "it was committed before with other contents.",
                where=where,
                remedy="The draws are not reproducible here: do all machines have the same CPU features and libraries?",
            )
        return present

    def record(self, chain: int, segment: int) -> CommitRecord | None:
        """The record of one segment, None if it is not committed; raises `StoreError` if it is damaged."""
        try:
            record = records.decode(self._record_file(chain, segment).read_bytes())
        except FileNotFoundError:
            return None
        except StoreError as error:
            raise StoreError(
                error.message, where=self._place(chain, segment), remedy="Resume the run: it repairs this."
            ) from None
        if (record.chain, record.segment) != (chain, segment):
            raise StoreError(
                f"the record is that of chain {record.chain}, segment {record.segment}.",
                where=self._place(chain, segment),
                remedy="Resume the run: it repairs this.",
            )
        return record

    def committed(self, chain: int) -> tuple[CommitRecord, ...]:
        """The records of `chain`, each verified and following the one before; damage ends them (see `damage`)."""
        return self._consecutive(chain)[0]

    def draws_done(self, chain: int, warmup: bool = False) -> int:
        """Draws of `chain` that are committed, of the warm-up if `warmup`."""
        return self.done(chain)["warmup" if warmup else "draws"]

    def done(self, chain: int) -> dict[str, int]:
        """How much of `chain` is committed: ``draws``, and ``warmup``."""
        found = {"draws": 0, "warmup": 0}
        for record in self.committed(chain):
            found["warmup" if record.warmup else "draws"] += record.count
        return found

    def _consecutive(self, chain: int, anew: bool = False) -> tuple[tuple[CommitRecord, ...], Damage | None]:
        """The records of `chain` up to the first damage, and that; `anew`: those verified before are read, too."""
        found: list[CommitRecord] = [] if anew else list(self._memory.of(chain))
        there = self._numbers(chain)
        if there[: len(found)] != list(range(len(found))):
            found.clear()
        numbers = there[len(found) :]
        fault = None
        for number, record in zip(
            numbers, files.each(partial(self._read, chain), numbers, self.directory), strict=True
        ):
            if number != len(found) or record is None:
                fault = self._damage(chain, len(found), f"is missing, segment {number} is there")
            elif isinstance(record, StoreError):
                fault = self._damage(chain, number, record.message)
            elif why := _misfit(record, found[-1] if found else None):
                fault = self._damage(chain, number, why)
            else:
                found.append(record)
                continue
            break
        self._memory.keep(chain, tuple(found))
        return tuple(found), fault

    def _read(self, chain: int, segment: int) -> CommitRecord | StoreError | None:
        try:
            return self.record(chain, segment)
        except StoreError as error:
            return error

    def _damage(self, chain: int, segment: int, fault: str) -> Damage:
        return Damage(chain, segment, files.relative(self._record_file(chain, segment), self.directory), fault)

    # Failures

    def fail(self, chain: int, traceback: str) -> None:
        """Record that `chain` failed for good, with the text of its traceback."""
        self._check_chain(chain)
        content = json.dumps({"chain": chain, "traceback": traceback})
        files.write_whole(self._failure_file(chain), content.encode())

    def failure(self, chain: int) -> str | None:
        """The traceback of `chain` if it failed."""
        try:
            return str(json.loads(self._failure_file(chain).read_bytes())["traceback"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return f"{self._failure_file(chain)} is damaged: why the chain failed is not known."

    def failures(self) -> dict[int, str]:
        """The traceback of each failed chain."""
        found = {chain: self.failure(chain) for chain in range(self.schema.chains)}
        return {chain: text for chain, text in found.items() if text is not None}

    def forgive(self, chain: int) -> None:
        """Forget that `chain` failed, so that it can be tried again."""
        self._failure_file(chain).unlink(missing_ok=True)

    # Damage

    def damage(self) -> tuple[Damage, ...]:
        """Everything amiss in records and committed chunks, every byte of which is read."""
        found: list[Damage] = []
        ranks = {f"{group}/{v.name}": len(v.shape) for group, variables in self.schema.sampled() for v in variables}
        for chain in range(self.schema.chains):
            verified, fault = self._consecutive(chain, anew=True)
            for record in verified:
                found.extend(self._chunk_faults(record, ranks))
            if fault is not None:
                found.append(fault)
        return tuple(found)

    def repair(self) -> tuple[Damage, ...]:
        """Set aside every record from the first damage of its chain on, so that the segments are drawn again.

        Only while nobody writes. Also sweeps what killed writers left behind. Returns the damage found.
        """
        for root in (self.directory / STATE, self.arrays):
            files.sweep(root)
        found = self.damage()
        first: dict[int, int] = {}
        for damage in found:
            first[damage.chain] = min(first.get(damage.chain, damage.segment), damage.segment)
        for chain, segment in first.items():
            self.set_aside(chain, segment)
        return found

    def set_aside(self, chain: int, segment: int) -> None:
        """Move the records of `chain` from `segment` on out of the way (nothing is deleted)."""
        self._memory.keep(chain, self._memory.of(chain)[:segment])
        for number in sorted(self._numbers(chain), reverse=True):
            if number >= segment:
                path = self._record_file(chain, number)
                attempt = 0
                while (aside := path.with_suffix(f".set-aside-{attempt}")).exists():
                    attempt += 1
                files.rename(path, aside)

    def _chunk_faults(self, record: CommitRecord, ranks: Mapping[str, int]) -> Iterator[Damage]:
        arrays, written = self.arrays, []
        for array, what in record.chunks.items():
            event = (0,) * ranks[array]
            for number, crc in enumerate(what.checksums, record.first // self.chunk_draws):
                written.append((chunks.chunk_path(arrays / array, record.chain, number, *event), what.length, crc))
        faults = files.each(lambda item: chunks.fault_of(*item), written, arrays)
        for (path, *_), fault in zip(written, faults, strict=True):
            if fault:
                yield Damage(record.chain, record.segment, files.relative(path, self.directory), fault)

    # Places

    def _record_file(self, chain: int, segment: int) -> Location:
        return self.directory / STATE / f"chain-{chain:05d}" / f"segment-{segment:06d}.json"

    def _failure_file(self, chain: int) -> Location:
        return self.directory / STATE / f"chain-{chain:05d}" / "failed.json"

    def _numbers(self, chain: int) -> list[int]:
        folder = self._record_file(chain, 0).parent
        return sorted(int(p.stem.removeprefix("segment-")) for p in folder.glob("segment-*.json"))

    def _place(self, chain: int, segment: int) -> tuple[str, ...]:
        return (str(self.directory), f"chain {chain}", f"segment {segment}")

    def _check_chain(self, chain: int) -> None:
        if not 0 <= chain < self.schema.chains:
            raise StoreError(
                f"there is no chain {chain} in a run of {self.schema.chains}.", where=(str(self.directory),)
            )


def _misfit(record: CommitRecord, before: CommitRecord | None) -> str | None:
    """Why `record` cannot follow `before`, if it cannot."""
    if record.previous != (before.digest if before else NO_RECORD):
        return "the record does not follow the one before it."
    if before is not None and record.fingerprint != before.fingerprint:
        return "the record is that of another run: model, data, seed, options or versions differ."
    if before is not None and record.warmup and not before.warmup:
        return "the record is one of warm-up after kept draws."
    same = before is not None and before.warmup == record.warmup
    expected = before.first + before.count if before is not None and same else 0
    if record.first != expected:
        return f"the record begins at draw {record.first}, not {expected}."
    return None
