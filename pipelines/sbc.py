"""Simulation-based calibration of a config: replications as tasks, each kept on file, gathered into one verdict."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from exmc.calibration import RANKED_DRAWS, Replication, check_calibratable, replicate
from exmc.compile.kernel import Engine
from exmc.compile.layout import layout_of
from exmc.diagnostics.calibration import Uniformity, calibration_text, pit_values, scalar_values, uniformity
from exmc.errors import ExmcError, StoreError
from exmc.ir import serial
from exmc.methods import NUTS
from exmc.sampling.options import SamplerOptions
from exmc.trace.files import write_whole
from exmc.trace.objects import ObjectPath
from exmc.trace.schema import label_array, schema_of
from exmc.viz.calibration import save_calibration
from pipelines.checking import Checked
from pipelines.cluster import connect
from pipelines.code import permitted
from pipelines.config import config_text, resolved
from pipelines.fanout import for_each
from pipelines.plan import CONFIG, MODEL, fingerprint, versions

ZARR = "sbc.zarr"
PICTURE = "sbc.png"
IDENTITY = "sbc.json"
REPLICATIONS = "replications"


@dataclass(frozen=True, slots=True)
class Calibration:
    """What each task of a calibration must know; the model lies in its directory."""

    directory: str
    options: SamplerOptions
    engine: Engine


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a calibration found, and where its picture and ranks lie."""

    directory: Path
    rows: list[Uniformity]
    text: str

    @property
    def passed(self) -> bool:
        """Whether the ranks of every scalar look uniform."""
        return all(row.passed for row in self.rows)


def calibrate(checked: Checked, replications: int, on_done: Callable[[int], None] = lambda done: None) -> Verdict:
    """Calibrate the model of `checked` by that many replications, in the run directory of its config.

    Replications that are in the directory already are kept: an interrupted calibration goes on, a longer one adds to
    a shorter one. `on_done` is called with the number of replications that are there.

    Raises
    ------
    LocatedError
        If the model cannot be calibrated, or the directory holds something else.
    ExmcError
        If every replication failed.
    """
    with permitted(checked.code):
        return _calibrated(checked, replications, on_done)


def _calibrated(checked: Checked, replications: int, on_done: Callable[[int], None]) -> Verdict:
    config = checked.config
    if config.sampler.method != NUTS:
        message = f"the method {config.sampler.method} cannot be calibrated: replications are sampled by {NUTS}."
        raise config.places.error(message, ("sampler", "method"), f"Set it: --set sampler.method={NUTS}.")
    if checked.learnt is not None:
        message = "a calibration fits other data each time, about which no earlier run has learnt anything."
        raise config.places.error(message, ("sampler", "warm_start"), "Leave it out.")
    try:
        check_calibratable(checked.rewriting.source, checked.options)
    except ExmcError as error:
        raise config.places.locate(error, "model") from None
    if isinstance(config.out, ObjectPath):
        message = f"{config.out} is no local directory; calibrations need one."
        raise config.places.error(message, ("run", "out"), "Choose one with --out.")
    work = Calibration(str(config.out.absolute()), checked.options, config.sampler.engine)
    folder = _prepare(checked, Path(work.directory))
    missing = [number for number in range(replications) if not _file(folder, number).exists()]
    done = replications - len(missing)
    on_done(done)
    if missing:
        with connect(config.cluster, len(missing)) as client:
            label, retries = f"{config.name}-sbc", config.run.retries
            for _ in for_each(client, label, run_replication, work, missing, retries, checked.code):
                done += 1
                on_done(done)
    return _verdict(folder, [_read(_file(folder, number)) for number in range(replications)], checked)


def run_replication(work: Calibration, number: int) -> int:
    """The task of one replication: it is on file when this returns its number."""
    source = serial.loads((Path(work.directory) / MODEL).read_text(encoding="utf-8"))
    found = replicate(source, work.options, number, work.engine)
    document = asdict(found) | {"ranks": {name: ranks.tolist() for name, ranks in found.ranks.items()}}
    write_whole(_file(Path(work.directory), number), json.dumps(document).encode())
    return number


def _file(folder: Path, number: int) -> Path:
    return folder / REPLICATIONS / f"{number:06}.json"


def _read(path: Path) -> Replication:
    document = json.loads(path.read_bytes())
    return Replication(**document | {"ranks": {k: np.asarray(v, dtype=np.int64) for k, v in document["ranks"].items()}})


def _prepare(checked: Checked, folder: Path) -> Path:
    """The directory, made if it is not there; an error if it holds anything but this calibration."""
    config, source = checked.config, checked.rewriting.source
    identity = fingerprint(serial.digest(source), checked.options, config.sampler.engine, versions(), checked.code)
    where = ("run", "out")
    if (folder / IDENTITY).is_file():
        if json.loads((folder / IDENTITY).read_bytes())["fingerprint"] != identity:
            message = f"{config.out} holds the calibration of another model, or with other options."
            raise config.places.error(message, where, "Choose another with --out.")
        return folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise config.places.error(f"{config.out} is not empty.", where, "Choose another with --out.")
    made = not folder.exists()
    try:
        (folder / REPLICATIONS).mkdir(parents=True)
        (folder / MODEL).write_text(serial.dumps(source), encoding="utf-8")
        (folder / CONFIG).write_text(config_text(resolved(config)), encoding="utf-8")
        # Last: with it the directory is complete.
        write_whole(folder / IDENTITY, json.dumps({"fingerprint": identity}).encode())
    except OSError as error:
        # A second attempt would find it in its way.
        for part in [folder] if made else [folder / name for name in (REPLICATIONS, MODEL, CONFIG)]:
            shutil.rmtree(part, ignore_errors=True)
            part.unlink(missing_ok=True)
        raise config.places.error(f"{config.out} cannot be written: {error.strerror}.", where) from None
    return folder


def _verdict(folder: Path, replications: list[Replication], checked: Checked) -> Verdict:
    kept = [r for r in replications if not r.failure]
    failures = [f"replication {r.number}: {r.failure}" for r in replications if r.failure]
    if not kept:
        raise StoreError("every replication failed.", where=(str(folder),), remedy=f"The first: {failures[0]}")
    ranks = _dataset(kept, checked)
    pit = ranks.map(lambda array: array.copy(data=pit_values(array.values, RANKED_DRAWS)))
    statistics = _statistics(kept, failures)
    values = scalar_values(pit)
    rows = uniformity(values)
    tree = xr.DataTree.from_dict({"prior_sbc": pit, "sbc_ranks": ranks, "sbc_stats": statistics})
    _replace_store(tree, folder / ZARR)
    worst = sorted(rows, key=lambda row: row.p_value)
    save_calibration({row.scalar: values[row.scalar] for row in worst}, folder / PICTURE)
    return Verdict(folder, rows, calibration_text(rows, statistics))


def _dataset(kept: list[Replication], checked: Checked) -> xr.Dataset:
    """The ranks, replications along the dim ``draw``, with the dims and labels of the posterior's variables."""
    rewriting, options = checked.rewriting, checked.options
    schema = schema_of(rewriting.source, rewriting.model, layout_of(rewriting.model), options.draws, 0, 1)
    dims = {v.name: v.dims for v in schema.groups["posterior"]}
    arrays = {}
    for name in kept[0].ranks:
        values = np.stack([r.ranks[name] for r in kept])[None]
        arrays[name] = (("chain", "draw", *dims.get(name, ())), values)
    labels = {dim: label_array(schema.coords[dim]) for own in dims.values() for dim in own}
    return xr.Dataset(arrays, coords={"chain": [0], "draw": [r.number for r in kept]} | labels)


def _statistics(kept: list[Replication], failures: list[str]) -> xr.Dataset:
    columns = {
        "ess": [r.ess for r in kept], "r_hat": [r.r_hat for r in kept], "divergences": [r.divergences for r in kept]
    }  # fmt: skip
    attributes = {"ranked_draws": RANKED_DRAWS, "failures": failures}
    return xr.Dataset(
        {name: ("draw", column) for name, column in columns.items()},
        coords={"draw": [r.number for r in kept]},
        attrs=attributes,
    )


def _replace_store(tree: xr.DataTree, path: Path) -> None:
    building = path.with_name(f"{path.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    with warnings.catch_warnings():
        # Of Zarr's strings, whose format is not final; labels are kept the same way in a run's own store.
        warnings.simplefilter("ignore")
        tree.to_zarr(building, mode="w-")
    shutil.rmtree(path, ignore_errors=True)
    os.rename(building, path)
