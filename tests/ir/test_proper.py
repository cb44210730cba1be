from __future__ import annotations

import pytest

from exmc.distributions import Flat, HalfFlat, Normal
from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.proper import check_proper

HELD = {
    "observed below": Builder().rv("z", Flat()).rv("y", Normal("z", 1), observed=[1.0]),
    "observed through another": Builder()
    .rv("z", Flat())
    .rv("w", Normal("z", 1))
    .det("d", "w + 1")
    .rv("y", Normal("d", 1))
    .obs("o", "y", [1.0]),
    "potential": Builder().rv("z", HalfFlat()).potential("p", "-z"),
    "two bounds": Builder().rv("a", "Beta", alpha=1, beta=1).rv("z", Flat(lower=0, upper="1 - a")),
    "observed itself": Builder().rv("z", Flat()).obs("o", "z", [1.0]),
}
LOOSE = {
    "alone": Builder().rv("z", Flat()),
    "half": Builder().rv("z", HalfFlat(), shape=2),
    "one bound": Builder().rv("z", Flat(lower=0)),
    "a prior below": Builder().rv("z", Flat()).rv("w", Normal("z", 1)),
    "data elsewhere": Builder()
    .rv("z", Flat())
    .det("d", "z")
    .rv("m", Normal(0, 1))
    .rv("y", Normal("m"), observed=[1.0]),
}


@pytest.mark.parametrize("name", HELD)
def test_what_is_held_passes(name: str) -> None:
    check_proper(HELD[name].build())


@pytest.mark.parametrize("name", LOOSE)
def test_what_nothing_holds_is_named(name: str) -> None:
    with pytest.raises(ModelError, match=r"'z'.*proper prior") as caught:
        check_proper(LOOSE[name].build())
    assert caught.value.where == ("variables", "z")
