"""The run directory as a whole: created, read at any time, and finalised into one plain Zarr store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, NDArray

from exmc.errors import StoreError
from exmc.late import Late
from exmc.trace import arrays, chunks, files, groups, metadata
from exmc.trace.dataset import standard_attributes
from exmc.trace.description import BUILDING, STATE, WORKING, ZARR, Description, read_description, write_description
from exmc.trace.draws import Draws
from exmc.trace.files import ROOT, Location, location
from exmc.trace.journal import Damage, Journal
from exmc.trace.manifest import check_root, is_as_finished, write_manifest
from exmc.trace.metadata import read_metadata
from exmc.trace.objects import options_of
from exmc.trace.records import CommitRecord, Written
from exmc.trace.schema import GROUPS, SAMPLED_GROUPS, Schema

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = Late("xarray")

_RETIRED = "retired.zarr"


@dataclass(frozen=True, slots=True)
class RunStore:
    """A run directory: ``run.zarr`` for readers, ``state/`` for resuming.

    While the run goes on, ``run.zarr`` has its full size, NaN (-1, False) where nothing was drawn, and no consolidated
    metadata: open it with ``consolidated=False``, or by `read`, which shows what is committed. Finalised, it is a plain
    ArviZ store. Writing segments needs the `journal` alone, which workers open without this module's imports.
    """

    journal: Journal

    @classmethod
    def create(
        cls,
        directory: str | os.PathLike[str] | Location,
        schema: Schema,
        chunk_draws: int | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> RunStore:
        """A new run in `directory`; raises `StoreError` if there is one: nothing is ever overwritten.

        An `OSError` of the disk leaves nothing behind.
        """
        path = location(directory)
        made = not path.exists()
        try:
            if (path / ZARR).exists():
                raise FileExistsError
            files.create_folder(path / STATE)
        except (FileExistsError, NotADirectoryError):
            raise StoreError(
                "something is there already.",
                where=(str(path),),
                remedy="Resume or extend that run, or choose another directory.",
            ) from None
        journal = Journal(path, schema, chunk_draws or chunks.chunk_draws_for(schema))
        root = standard_attributes((attributes or {}).get("created_at")) | dict(attributes or {})
        building = path / STATE / BUILDING if isinstance(path, Path) else path / ZARR
        try:
            _build_live(building, journal, root)
            metadata.write(building, metadata.group_document(root))
            if isinstance(path, Path):
                files.move_store(building, path / ZARR)
            write_description(path, Description(schema, journal.chunk_draws, root))
        except OSError:
            # A full disk, most often: nothing is left that a second attempt would find in its way.
            for part in (path if made else path / STATE, path / ZARR):
                files.remove(part)
            raise
        return cls(journal)

    @classmethod
    def open(cls, directory: str | os.PathLike[str] | Location) -> RunStore:
        """The run in `directory`; raises `StoreError` if it is missing, foreign, damaged or of another version."""
        return cls(Journal.open(directory))

    @property
    def schema(self) -> Schema:
        """The arrays of the run."""
        return self.journal.schema

    @property
    def zarr_path(self) -> Location:
        """Where readers find the Zarr store."""
        return self.journal.directory / ZARR

    @property
    def attributes(self) -> dict[str, Any]:
        """The root's attributes."""
        return dict(read_metadata(self._readable() / ROOT).get("attributes", {}))

    @property
    def complete(self) -> bool:
        """Whether the run was finalised."""
        return bool(self.attributes.get("complete", False))

    @property
    def sound(self) -> bool:
        """Whether the run was finalised, and every byte of its store and records is as it was; reads all of it."""
        root = self._readable()
        try:
            return (
                self.complete
                and is_as_finished(self.journal.directory, root)
                and not self.journal.damage()
                and self.draws_done() == self._finished_rows(root)["draws"]
            )
        except StoreError:
            return False

    def write_segment(
        self, chain: int, first: int, warmup: bool, draws: Mapping[str, Mapping[str, NDArray[Any]]]
    ) -> dict[str, Written]:
        """See `Journal.write_segment`."""
        return self.journal.write_segment(chain, first, warmup, draws)

    def commit(self, record: CommitRecord) -> CommitRecord:
        """See `Journal.commit`."""
        return self.journal.commit(record)

    def committed(self, chain: int) -> tuple[CommitRecord, ...]:
        """See `Journal.committed`."""
        return self.journal.committed(chain)

    def fail(self, chain: int, traceback: str) -> None:
        """See `Journal.fail`."""
        self.journal.fail(chain, traceback)

    def failures(self) -> dict[int, str]:
        """See `Journal.failures`."""
        return self.journal.failures()

    def repair(self) -> tuple[Damage, ...]:
        """See `Journal.repair`."""
        return self.journal.repair()

    def kept_chains(self) -> tuple[int, ...]:
        """The chains that did not fail."""
        failed = self.failures()
        return tuple(c for c in range(self.schema.chains) if c not in failed)

    def draws_done(self) -> int:
        """Draws that every kept chain has committed."""
        return self._standing()[1]["draws"]

    def read(self, loaded: bool = True) -> xr.DataTree:
        """What is committed: the chains that did not fail, up to the draws that all of them have done.

        With `loaded` False the values stay on disk until used. Raises `StoreError` for a damaged store.
        """
        if self.complete:
            check_root(self.journal.directory, self._readable())
            return _open_tree(self._readable(), consolidated=True, loaded=loaded)
        if loaded:
            return self.draws()
        kept, done = self._standing()
        tree = _open_tree(self._readable(), consolidated=False, loaded=False)
        shown: dict[str, xr.Dataset] = {"/": tree.to_dataset()}
        with _reading(self._readable()):
            for group in dict(self.schema.sampled()):
                named = [v.name for v in self.schema.groups[group]]
                shown[group] = tree[group].to_dataset()[named].isel(chain=list(kept), draw=slice(done[GROUPS[group]]))
            return xr.DataTree.from_dict(shown)

    def draws(self, wanted: Sequence[str] = SAMPLED_GROUPS) -> xr.DataTree:
        """Those of the `wanted` groups that are written while sampling, in memory, as `read` shows them."""
        return self.drawn(wanted).tree()

    def drawn(self, wanted: Sequence[str] = SAMPLED_GROUPS) -> Draws:
        """What `draws` gives, as arrays.

        The chunks are read without Zarr, which takes milliseconds for each. Raises `StoreError` for a damaged one.
        """
        root, attributes = self._readable(), self.attributes
        places: Sequence[int]
        if attributes.get("complete"):
            check_root(self.journal.directory, root)
            failed = {entry["chain"] for entry in attributes["failed_chains"]}
            labels = tuple(c for c in range(self.schema.chains) if c not in failed)
            places, rows = range(len(labels)), self._finished_rows(root)
        else:
            labels, rows = self._standing()
            places = labels
        found = {
            group: {
                v.name: arrays.read(root / group / v.name, v, places, rows[GROUPS[group]], self.journal.chunk_draws)
                for v in variables
            }
            for group, variables in self.schema.sampled()
            if group in wanted
        }
        return Draws(self.schema, found, labels, attributes)

    def _finished_rows(self, root: Location) -> dict[str, int]:
        """Draws, and draws of warm-up, in the finished store at `root`."""
        nodes = read_metadata(root / ROOT)["consolidated_metadata"]["metadata"]
        return {GROUPS[g]: int(nodes[f"{g}/{v[0].name}"]["shape"][1]) for g, v in self.schema.sampled()}

    def _standing(self) -> tuple[tuple[int, ...], dict[str, int]]:
        """The kept chains, and the draws, and draws of warm-up, that all of them have committed."""
        kept = self.kept_chains()
        done = [self.journal.done(chain) for chain in kept]
        return kept, {axis: min((one[axis] for one in done), default=0) for axis in ("draws", "warmup")}

    def revived(self) -> RunStore:
        """The same run, live: reopened if it was finalised, rebuilt around its draws if its metadata are damaged.

        Only while nobody writes.
        """
        try:
            if not self.complete:
                self.read(loaded=False)
                return self
        except StoreError:
            pass
        return self.reopen()

    def finalise(
        self,
        derived: Mapping[str, Mapping[str, ArrayLike]] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Make ``run.zarr`` the finished result: kept chains, draws done, derived groups, consolidated metadata.

        Parameters
        ----------
        derived
            The derived groups' arrays by name, as `read` shows the draws: for the kept chains and the draws done.
        attributes
            Added to the root's. ``complete`` and ``failed_chains`` (chain and traceback of each) are set here.

        Notes
        -----
        The result is built aside, its chunks being hard links to those that were drawn, and takes its place by a
        rename; killed at any point, it can be called again. Failed chains and surplus draws are kept in ``state/``
        for a resumed run. Raises `StoreError` if no chain has draws.
        """
        kept, done = self._standing()
        if not kept or not done["draws"]:
            raise StoreError(
                f"{len(kept)} of {self.schema.chains} chains did not fail, and have {done['draws']} draws in common.",
                where=(str(self.journal.directory),),
                remedy="Resume the run to draw more, or read the failed chains' tracebacks in its state.",
            )
        failed = [{"chain": c, "traceback": text} for c, text in sorted(self.failures().items())]
        root = self._original_attributes() | dict(attributes or {}) | {"complete": True, "failed_chains": failed}
        warmup = min(done["warmup"], self.schema.warmup)
        schema = replace(self.schema, chains=len(kept), draws=done["draws"], warmup=warmup)
        whole = len(kept) == self.schema.chains and done["draws"] == self.schema.draws
        building, chunk_draws = self._draft(in_place=whole), self.journal.chunk_draws
        groups.create(building, schema, dict(schema.sampled()), chunk_draws, root, kept)
        self._link_arrays(building, schema, kept)
        for group, given in (derived or {}).items():
            groups.add(building, schema, group, given, chunk_draws, root, kept)
        gathered = metadata.consolidated(building, schema.paths(), root)
        write_manifest(self.journal.directory, building, gathered)
        files.write_whole(building / ROOT, gathered)
        self._swap(building, retire=whole)

    def reopen(self, draws: int | None = None, attributes: Mapping[str, Any] | None = None) -> RunStore:
        """The same run, live again, with room for `draws` draws in all: to resume a finished run, or to extend it.

        `attributes` replace the root's of the same names. Only while nobody writes; killed at any point, it can be
        called again. A last segment that ended within a chunk is set aside, to be drawn again as a part of
        the longer run, whose files are those of a run of that length from the start.
        """
        total = self.schema.draws if draws is None else draws
        if total < self.schema.draws:
            raise StoreError(
                f"a run of {self.schema.draws} draws cannot be shortened to {total}.",
                where=(str(self.journal.directory),),
            )
        longer = replace(self.journal, schema=replace(self.schema, draws=total))
        root = self._original_attributes() | dict(attributes or {})
        for chain in range(self.schema.chains):
            for record in self.committed(chain):
                end = record.first + record.count
                if not record.warmup and end % self.journal.chunk_draws and end != total:
                    self.journal.set_aside(chain, record.segment)
                    break
        live = metadata.group_document(root)
        building = self._draft(in_place=True, live=live)
        _build_live(building, longer, root)
        self._link_arrays(building, self.schema, range(self.schema.chains))
        metadata.write(building, live)
        self._swap(building, retire=True)
        write_description(self.journal.directory, Description(longer.schema, longer.chunk_draws, root))
        return RunStore(longer)

    def _link_arrays(self, target: Location, schema: Schema, chains: Sequence[int]) -> None:
        """Give the store at `target` the draws of `chains`, as many as `schema` says."""
        if target == self.journal.arrays:
            return
        for group, variables in schema.sampled():
            rows = schema.sample_shape(group)[1]
            for variable in variables:
                source = self.journal.arrays / group / variable.name
                arrays.link(source, target / group / variable.name, variable, chains, rows, self.journal.chunk_draws)

    def _original_attributes(self) -> dict[str, Any]:
        """The root's attributes as at creation."""
        return dict(read_description(self.journal.directory).attributes)

    def _readable(self) -> Location:
        # Between the two renames of a swap (or killed there) the readable store is the one being retired.
        return self.zarr_path if files.is_store(self.zarr_path) else self.journal.arrays

    def _draft(self, in_place: bool, live: Mapping[str, Any] | None = None) -> Location:
        """Where the next ``run.zarr`` is built, without a root so far.

        On a disk that is aside. Objects cannot be renamed: there it is built in its own place, where nothing is but
        the draws (`in_place`: those may stay, under the root that is there, or under `live`, put at once), or nothing
        at all, for the draws are in ``state/`` or are moved there. Its root, put last, makes it the store.
        """
        directory = self.journal.directory
        if isinstance(directory, Path):
            files.sweep(directory / STATE)
            files.remove(directory / STATE / BUILDING)
            return directory / STATE / BUILDING
        working = directory / STATE / WORKING
        if in_place and not files.is_store(working):
            if live is not None:
                metadata.write(self.zarr_path, live)
            sampled = dict(self.schema.sampled())
            for group in self.zarr_path.iterdir():
                if group.name not in (ROOT, *sampled):
                    files.remove(group)
            return self.zarr_path
        if not files.is_store(working):
            files.move_store(self.zarr_path, working)
        files.remove(self.zarr_path)
        return self.zarr_path

    def _swap(self, building: Location, retire: bool) -> None:
        """Put `building` in the place of ``run.zarr``; keep the arrays drawn unless they may `retire`."""
        state = self.journal.directory / STATE
        working, retired = state / WORKING, state / _RETIRED
        if building != self.zarr_path:
            files.remove(retired)
            if files.is_store(self.zarr_path):
                files.move_store(self.zarr_path, retired if files.is_store(working) else working)
            files.move_store(building, self.zarr_path)
            files.remove(retired)
            if retire and files.is_store(working):
                files.move_store(working, retired)
                files.remove(retired)
        elif retire:
            files.remove(working)


def _build_live(path: Location, journal: Journal, attributes: Mapping[str, Any]) -> None:
    sampled = [group for group, _ in journal.schema.sampled()]
    groups.create(path, journal.schema, sampled, journal.chunk_draws, attributes, range(journal.schema.chains))


def _open_tree(path: Location, consolidated: bool, loaded: bool) -> xr.DataTree:
    with _reading(path):
        if isinstance(path, Path):
            tree = xr.open_datatree(path, engine="zarr", consolidated=consolidated)
        else:
            options = options_of(path.protocol)
            tree = xr.open_datatree(str(path), engine="zarr", consolidated=consolidated, storage_options=options)
        return tree.load() if loaded else tree


@contextlib.contextmanager
def _reading(path: Location) -> Iterator[None]:
    """Whatever xarray and Zarr raise about the store at `path` becomes a `StoreError`."""
    try:
        yield
    except Exception as error:  # Of damaged metadata they make errors of every kind.
        raise StoreError(
            f"the store cannot be read: {error}.", where=(str(path),), remedy="Resume the run: it repairs this."
        ) from error
