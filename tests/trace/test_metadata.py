from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import zarr

from exmc.errors import StoreError
from exmc.trace.metadata import consolidated, read_metadata
from exmc.trace.store import RunStore
from tests.trace.models import schema


def test_consolidated_metadata_are_zarrs_in_the_schemas_order(tmp_path: Path) -> None:
    found = schema()
    RunStore.create(tmp_path / "run", found)
    path = tmp_path / "run" / "run.zarr"
    plain = (path / "zarr.json").read_bytes()
    ours = json.loads(consolidated(path, found.paths(), json.loads(plain)["attributes"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        zarr.consolidate_metadata(path)
    theirs = json.loads((path / "zarr.json").read_bytes())
    nodes = ours["consolidated_metadata"]["metadata"]
    for node, expected in theirs["consolidated_metadata"]["metadata"].items():
        # Zarr marks each nested group as consolidated, too, which readers do not need.
        expected.pop("consolidated_metadata", None)
        assert nodes[node] == expected
    assert len(nodes) == len(theirs["consolidated_metadata"]["metadata"])
    variables = [n for n in nodes if n.startswith("posterior/")]
    assert variables[:5] == [f"posterior/{v.name}" for v in found.groups["posterior"]]


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"node_type": "group", "attributes": 3}'])
def test_damaged_metadata_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "zarr.json").write_bytes(content)
    with pytest.raises(StoreError, match="metadata"):
        read_metadata(tmp_path / "zarr.json")
