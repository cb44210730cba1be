from __future__ import annotations

from exmc.nuts.schemes import SCHEMES
from exmc.sampling.options import ADAPTATIONS


def test_every_scheme_can_be_chosen_by_its_name() -> None:
    assert tuple(SCHEMES) == tuple(ADAPTATIONS)
    assert all(scheme.name == name for name, scheme in SCHEMES.items())
