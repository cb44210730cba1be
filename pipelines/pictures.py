"""Pictures of a run directory: what is read from it, and where they are written."""

from __future__ import annotations

import xarray as xr

from exmc.errors import ConfigError, StoreError, suggest
from exmc.trace.files import Location, location, write_whole
from exmc.trace.schema import SAMPLED_GROUPS
from exmc.trace.store import RunStore
from exmc.viz.content import content
from exmc.viz.draw import FORMATS, draw, ending_of, without_display
from exmc.viz.kinds import PLOTS
from pipelines.standing import unfinished


def draw_run(
    directory: Location, kind: str, variables: tuple[str, ...], most: int | None, out: str | None
) -> tuple[Location, tuple[str, ...]]:
    """Draw a plot of the run in `directory` into `out`; where it is, and what a viewer must know.

    Raises
    ------
    ConfigError
        For a kind that is not known, or a file that is no picture.
    StoreError
        If the run cannot be read, has no draws yet, or lacks what is to be drawn.
    """
    if kind not in PLOTS:
        raise ConfigError(f"there is no plot {kind!r}.", remedy=suggest(kind, PLOTS))
    path = directory / f"{kind}.png" if out is None else location(out)
    ending = ending_of(path.name)
    without_display()
    store = RunStore.open(directory)
    standing = unfinished(store)
    tree = read_groups(store, (*PLOTS[kind].groups, "posterior", "sample_stats"))
    picture = draw(content(tree, kind, variables, most), PLOTS[kind], FORMATS[ending])
    try:
        write_whole(path, picture.rendered(ending))
    finally:
        picture.close()
    return path, (*((standing,) if standing else ()), *picture.notes)


def read_groups(store: RunStore, wanted: tuple[str, ...]) -> xr.DataTree:
    """Those of the `wanted` groups that the run has, in memory.

    The root's attributes say, of an unfinished run too, whether it is complete and which chains failed. Raises
    `StoreError` if there are no draws, or the store is damaged.
    """
    # A finished run is whole without the records of how it was drawn, which `resume` mends.
    if not store.complete and not store.draws_done():
        raise StoreError(f"there is nothing to show. {unfinished(store)}")
    tree = store.read(loaded=False)
    found = {"/": xr.Dataset(attrs=dict(tree.attrs) | {"complete": store.complete})}
    if not store.complete:
        found["/"].attrs["failed_chains"] = [{"chain": chain} for chain in store.failures()]
    # Their chunks are verified; zarr takes a missing one for one of nothing but NaN.
    drawn = store.draws([name for name in dict.fromkeys(wanted) if name in SAMPLED_GROUPS])
    for name in dict.fromkeys(wanted):
        if name in drawn.children:
            found[name] = drawn[name].to_dataset()
        elif name in tree.children:
            try:
                found[name] = tree[name].to_dataset().load()
            except Exception as error:  # Of damaged chunks zarr makes errors of every kind.
                raise StoreError(
                    f"the group {name!r} cannot be read: {error}.",
                    where=(str(store.zarr_path),),
                    remedy="Resume the run: it repairs this.",
                ) from error
    return xr.DataTree.from_dict(found)
