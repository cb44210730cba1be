"""Models of posteriordb as a newcomer writes them: each is read, built, compiled, and has the log density of scipy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exmc.compile.logp import constrain_function
from exmc.compile.program import CompiledModel, compile_model
from exmc.ir.calls import law_at
from exmc.ir.nodes import Observation
from exmc.rewrite.run import rewrite
from exmc.transforms import TRANSFORMS
from pipelines.building import build_model
from pipelines.config import load_config
from tests.language import hierarchies, items, mixtures, regressions, series
from tests.language.case import Case, simulated, written

CASES: tuple[Case, ...] = (*regressions.CASES, *hierarchies.CASES, *items.CASES, *mixtures.CASES, *series.CASES)
POINTS = 3


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_log_density_is_that_of_scipy(case: Case, tmp_path: Path) -> None:
    # Centred, so that what is sampled is what was written.
    config = load_config(written(case, tmp_path, {"centering": "centered"}))
    source = build_model(config.model, config.sampler.centering)
    compiled = compile_model(source, rewrite(source).model)
    assert not compiled.notes
    positions = np.random.default_rng(1).normal(scale=0.3, size=(POINTS, compiled.layout.dimension))
    ours, theirs = [], []
    for position in positions:
        values = _values(compiled, position)
        ours.append(compiled.density()(position)[0] - _log_jacobian(compiled, position, values))
        theirs.append(case.density(simulated(case), values))
    assert np.isfinite(theirs).all()
    # Constants may differ: those of improper priors and potentials are nobody's.
    bound = 1e-9 * (1 + np.abs(theirs).max())
    assert np.ptp(np.subtract(ours, theirs)) < bound


def _values(compiled: CompiledModel, position: np.ndarray) -> dict[str, Any]:
    names = [node.name for node in compiled.source.nodes if not isinstance(node, Observation)]
    function = constrain_function(compiled.model, names)
    return dict(zip(names, function(position), strict=True))


def _log_jacobian(compiled: CompiledModel, position: np.ndarray, values: dict[str, Any]) -> float:
    known = values | {data.name: data.values for data in compiled.source.data.values()}
    free = compiled.layout.unpack(position)
    total = 0.0
    for node in compiled.model.free:
        transform = TRANSFORMS[node.transform or ""]
        total += float(np.sum(transform.log_jacobian(free[node.name], *law_at(node.call, known).bounds)))
    return total
