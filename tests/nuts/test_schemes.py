from __future__ import annotations

from exmc.nuts.schemes import SCHEMES
from exmc.sampling.options import ADAPTATION_NAMES


def test_every_scheme_can_be_chosen_by_its_name() -> None:
    assert tuple(SCHEMES) == ADAPTATION_NAMES
    assert all(scheme.name == name for name, scheme in SCHEMES.items())
