from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from zarr.codecs import BytesCodec, Crc32cCodec

from exmc.errors import StoreError
from exmc.trace import groups, metadata
from exmc.trace.schema import Schema, Variable

VALUES: dict[str, NDArray[np.generic]] = {
    "number": np.array(2.5),
    "whole": np.arange(6).reshape(2, 3),
    "flag": np.array([True, False]),
    "real": np.linspace(0, 1, 3),
}
DIMS = {"number": (), "whole": ("town", "x"), "flag": ("town",), "real": ("x",)}
COORDS = {"town": ("Zürich", ""), "x": (0.5, 1.0, 2.0)}


def schema() -> Schema:
    variables = tuple(Variable(n, v.shape, DIMS[n], v.dtype.name) for n, v in VALUES.items())
    return Schema({"constant_data": variables, "log_prior": variables}, COORDS, 25, 10, 2)


def by_zarr(path: Path) -> None:
    """The same store, written by Zarr itself."""
    attributes = {"created_at": "then", "é": [1, None]}
    root = zarr.open_group(path, mode="w-", zarr_format=3, attributes=attributes)
    fills = {"f": float("nan"), "i": -1, "b": False}
    for name, lead, sampled in [("constant_data", (), {}), ("log_prior", (2, 25), {"sample_dims": ["chain", "draw"]})]:
        group = root.create_group(name, attributes={"created_at": "then"} | sampled)
        labels = {"town": np.array(COORDS["town"], object), "x": np.array(COORDS["x"])}
        if lead:
            labels |= {"chain": np.array([0, 3]), "draw": np.arange(25)}
        for key, values in VALUES.items():
            array = group.create_array(
                key,
                shape=(*lead, *values.shape),
                chunks=(1, 10, *values.shape) if lead else values.shape,
                dtype=values.dtype,
                fill_value=fills[values.dtype.kind],
                serializer=BytesCodec(),
                compressors=[Crc32cCodec()],
                chunk_key_encoding={"name": "default", "separator": "."},
                filters=None,
                dimension_names=(("chain", "draw") if lead else ()) + DIMS[key],
                config={"write_empty_chunks": True},
            )
            array[...] = np.broadcast_to(values, (*lead, *values.shape))
        for dim, label in labels.items():
            text = label.dtype.kind == "O"
            array = group.create_array(
                dim,
                shape=label.shape,
                chunks=label.shape,
                dtype=str if text else label.dtype,
                fill_value="" if text else fills[label.dtype.kind],
                serializer="auto" if text else BytesCodec(),
                compressors=[Crc32cCodec()],
                chunk_key_encoding={"name": "default", "separator": "."},
                filters="auto" if text else None,
                dimension_names=(dim,),
                config={"write_empty_chunks": True},
            )
            array[...] = label


def test_every_byte_is_zarrs(tmp_path: Path) -> None:
    by_zarr(tmp_path / "theirs")
    root = {"created_at": "then", "é": [1, None]}
    groups.create(tmp_path / "ours", schema(), [], 10, root, [0, 3])
    metadata.write(tmp_path / "ours", metadata.group_document(root))
    groups.add(tmp_path / "ours", schema(), "constant_data", VALUES, 10, root, [0, 3])
    draws = {n: np.broadcast_to(v, (2, 25, *v.shape)) for n, v in VALUES.items()}
    groups.add(tmp_path / "ours", schema(), "log_prior", draws, 10, root, [0, 3])
    ours, theirs = (
        {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        for folder in (tmp_path / "ours", tmp_path / "theirs")
    )
    assert sorted(ours) == sorted(theirs)
    for name, content in theirs.items():
        assert ours[name] == content, name


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    groups.create(tmp_path / "a", schema(), [], 10, {}, [0, 1])
    with pytest.raises(StoreError, match="Did you mean 'number'"):
        groups.add(tmp_path / "a", schema(), "constant_data", {"numbr": np.array(1.0)}, 10, {}, [0, 1])
    with pytest.raises(StoreError, match=r"constant_data\.flag.*shape \(3,\)"):
        groups.add(tmp_path / "a", schema(), "constant_data", {"flag": np.ones(3, bool)}, 10, {}, [0, 1])
