"""Whether a run can fit the disk and the memory, before anything of it is made."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.nodes import Deterministic
from exmc.sampling.options import SamplerOptions
from exmc.sampling.statistics import STATISTICS
from exmc.trace.chunks import FEWEST
from exmc.trace.files import Location, free_bytes
from exmc.trace.objects import ObjectPath
from pipelines.config import Config
from pipelines.sections import LocalCluster

_FLOAT = 8


def check_sizes(source: Model, options: SamplerOptions, config: Config) -> None:
    """Raise `LocatedError` if the draws of `source` exceed the free disk, or one chunk of them this machine's memory.

    What is estimated is the least they take: values on both scales and the sampler's statistics, of each draw.
    """
    per_draw = bytes_per_draw(source)
    until = config.sampler.until
    draws = options.draws if until.asked is None else until.max_draws
    rows = draws + (options.warmup if config.run.save_warmup else 0)
    # A chain holds a chunk of draws before it writes them.
    chunk = per_draw * min(FEWEST, max(options.draws, options.warmup))
    memory = total_memory()
    if isinstance(config.cluster, LocalCluster) and chunk > memory:
        raise config.places.error(
            f"one draw takes {amount(per_draw)}, and the chunk of draws that a chain keeps in memory {amount(chunk)}; "
            f"this machine has {amount(memory)}.",
            ("model", "variables", _largest(source)),
            "Check the shapes of the variables; this is the largest.",
        )
    total, folder = options.chains * rows * per_draw, existing_parent(config.out)
    free = free_bytes(folder)
    if free is not None and total > free:
        raise config.places.error(
            f"{options.chains} chains of {rows} draws, {amount(per_draw)} each, take {amount(total)}; "
            f"{amount(free)} are free in {folder}.",
            ("sampler", "draws") if until.asked is None else ("sampler", "until", "max_draws"),
            "Draw less, keep less (keep: false for deterministics), or choose another disk with --out.",
        )
    # Object stores say nothing of the room that they have.
    if (why := unlabelled(rows)) is not None:
        raise config.places.error(why, ("sampler", "draws"), "Draw less.")


def unlabelled(draws: int) -> str | None:
    """Why `draws` cannot be numbered in this machine's memory, which a store's coordinate is made in; or None."""
    size, memory = draws * _FLOAT, total_memory()
    if size <= memory:
        return None
    return f"the numbers of {draws} draws take {amount(size)}; this machine has {amount(memory)}."


def bytes_per_draw(source: Model) -> int:
    """Bytes that one draw of one chain takes in the store, at least."""
    types = infer_types(source)
    free = sum(types[v.name].size for v in source.free)
    kept = sum(types[n.name].size for n in source.nodes if isinstance(n, Deterministic) and n.keep)
    return (2 * free + kept) * _FLOAT + sum(np.dtype(dtype).itemsize for _, dtype, *_ in STATISTICS)


def _largest(source: Model) -> str:
    types = infer_types(source)
    return max((n.name for n in source.nodes), key=lambda name: types[name].size)


def total_memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def existing_parent(path: Location) -> Location:
    """`path`, or the nearest folder above it that is there; object stores have no folders that must be there."""
    if isinstance(path, ObjectPath):
        path.require()
        return path
    return next((p for p in (path, *path.absolute().parents) if p.exists()), Path("/"))


def unwritable(path: Location) -> str:
    """Why nothing can be made at `path`, where nothing is, if that can be known before; of objects it cannot."""
    parent = existing_parent(path)
    if isinstance(parent, ObjectPath) or (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
        return ""
    return f"{parent} is no folder you may write to"


def amount(count: int) -> str:
    """`count` bytes, exactly or in a unit that suits them."""
    if count < 1 << 20:
        return f"{count} bytes"
    unit = min((count.bit_length() - 1) // 10, 6)
    return f"{count} bytes ({count / (1 << 10 * unit):.1f} {'KMGTPE'[unit - 1]}iB)"
