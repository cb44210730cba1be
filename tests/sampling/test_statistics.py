from __future__ import annotations

import subprocess
import sys

import numpy as np

from exmc.nuts.outcome import Transition
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
    code = "import sys, exmc.sampling.statistics, exmc.sampling.options; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
