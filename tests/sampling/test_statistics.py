from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from exmc.nuts.outcome import Transition
from exmc.sampling import statistics
from exmc.sampling.statistics import STATISTICS, columns


def test_every_reported_number_is_declared_once() -> None:
    names = [row.name for row in STATISTICS]
    assert sorted(names) == sorted(Transition._fields)
    assert len(set(names)) == len(names)


def test_columns_are_found_by_name_not_by_order() -> None:
    table = np.arange(20.0).reshape(2, 10)
    by_name = columns(table)
    for number, name in enumerate(Transition._fields):
        assert np.array_equal(by_name[name], table[:, number].astype(by_name[name].dtype))


def test_the_schema_can_be_read_without_loading_the_compiler() -> None:
    # The façade, which may import anything, is replaced by an empty package.
    code = (
        "import sys, types; bare = types.ModuleType('exmc'); bare.__path__ = [sys.argv[1]]\n"
        "sys.modules['exmc'] = bare\n"
        "import exmc.sampling.statistics, exmc.sampling.options; sys.exit('numba' in sys.modules)"
    )
    package = str(Path(statistics.__file__).parents[1])
    assert subprocess.run([sys.executable, "-c", code, package], check=False).returncode == 0
