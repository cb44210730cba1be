"""Free variables get a transform onto their support; observed ones never do."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.compile.layout import layout_of
from exmc.compile.logp import constrain_function, log_density_function
from exmc.ir.builder import Builder
from exmc.ir.nodes import RandomVariable
from exmc.rewrite.default_transforms import default_transforms
from exmc.rewrite.run import rewrite
from exmc.transforms import TRANSFORMS
from tests.distributions.rows import SCALAR
from tests.rewrite.densities import log_joint
from tests.rewrite.models import MODELS
from tests.transforms.coordinates import measured


@pytest.mark.parametrize("name", [n for n, d in SCALAR.items() if not d.discrete])
def test_every_continuous_family_gets_its_own(name: str) -> None:
    distribution = SCALAR[name]
    parameters = {p: 2.0 if p in ("high", "upper", "alpha", "nu") else 1.0 for p in distribution.alternatives[0]}
    source = Builder().rv("x", name, **parameters).build()
    result, changes = default_transforms(source)
    assert result["x"].transform == distribution.transform
    assert distribution.support in TRANSFORMS[distribution.transform].supports
    assert [c.what for c in changes] == [f"transform {distribution.transform}"]


def test_an_explicit_transform_is_kept() -> None:
    source = Builder().rv("x", "HalfNormal", transform="softplus").build()
    assert default_transforms(source) == (source, ())


def test_observed_variables_get_none() -> None:
    """Also where the pass meets them before their distribution has moved into the observation."""
    source = Builder().rv("s", "HalfNormal").obs("o", "s", [1.0]).build()
    assert default_transforms(source) == (source, ())
    result = rewrite(source).model
    assert not any(isinstance(n, RandomVariable) for n in result)
    assert log_density_function(result)(np.empty(0)) == pytest.approx(np.log(2.0) - 0.5 - 0.5 * np.log(2.0 * np.pi))


def _coordinates(node: RandomVariable, value: np.ndarray) -> np.ndarray:
    """The coordinates by which the value of a free variable is measured."""
    transform = TRANSFORMS[node.transform]
    events = np.reshape(value, (-1, *np.shape(value)[np.ndim(value) - transform.event_rank :]))
    return np.concatenate([np.ravel(measured(transform.supports[0].name, event)) for event in events])


@pytest.mark.parametrize("model_name", MODELS)
def test_the_compiled_density_is_the_natural_one_with_the_jacobian(model_name: str) -> None:
    """log|d natural / d unconstrained| by central differences of the constraining function, no formula of it."""
    result = rewrite(MODELS[model_name][0]().build()).model
    names = [v.name for v in result.free]
    log_density, constrain = log_density_function(result), constrain_function(result, names)
    generator = np.random.default_rng(4)
    size = layout_of(result).dimension
    finite = 0
    for _ in range(5):
        position = generator.uniform(-1.0, 1.0, size)

        def natural(at: np.ndarray) -> np.ndarray:
            values = zip(result.free, constrain(at), strict=True)
            return np.concatenate([np.ravel(_coordinates(node, value)) for node, value in values] or [np.empty(0)])

        with np.errstate(all="ignore"):
            free = dict(zip(names, constrain(position), strict=True))
            steps = 1e-6 * np.eye(size)
            rows = [(natural(position + s) - natural(position - s)) / 2e-6 for s in steps]
            # The volume that the rows span: the determinant, where there are as many coordinates as numbers.
            slopes = np.array(rows)
            jacobian = 0.5 * np.linalg.slogdet(slopes @ slopes.T).logabsdet if size else 0.0
            expected = log_joint(result, free) + jacobian
            found = log_density(position)
        if np.isfinite(expected):
            finite += 1
            assert found == pytest.approx(expected, rel=1e-7, abs=1e-7)
        else:
            assert not np.isfinite(found)
    assert finite or model_name == "affine gamma"
