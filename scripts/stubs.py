"""Writes exmc/distributions/__init__.pyi: the signature of each row of DISTRIBUTIONS, for editors and type checkers."""

from __future__ import annotations

from pathlib import Path

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Distribution, Parameter

STUB = Path(__file__).parents[1] / "exmc" / "distributions" / "__init__.pyi"
_HEAD = """# Written by scripts/stubs.py from the table in __init__.py.

from collections.abc import Sequence
from typing import Any

from exmc.distributions.base import Distribution as Distribution
from exmc.distributions.base import Given
from exmc.distributions.base import Parameter as Parameter

DISTRIBUTIONS: dict[str, Distribution]
"""
_TYPES = {"value": "Any", "distribution": "Given", "distributions": "Sequence[Given]", "text": "str", "size": "int"}


def stub_text() -> str:
    """The stub for the table as it is now."""
    return _HEAD + "".join(_row(row) for row in DISTRIBUTIONS.values())


def _row(row: Distribution) -> str:
    arguments = ["self", *(_argument(p, row) for p in row.parameters), *(["**parameters: Any"] if row.open else [])]
    head = f"\nclass _{row.name}(Distribution):\n"
    line = f"    def __call__({', '.join(arguments)}) -> Given: ..."
    if len(line) > 120:
        inner = "".join(f"        {a},\n" for a in arguments)
        line = f"    def __call__(\n{inner}    ) -> Given: ..."
    return f"{head}{line}\n\n{row.name}: _{row.name}\n"


def _argument(parameter: Parameter, row: Distribution) -> str:
    written = f"{parameter.name}: {_TYPES[parameter.takes]}"
    if parameter.default is not None:
        return f"{written} = {parameter.default!r}".replace("'", '"')
    needed = not parameter.optional and all(parameter.name in legal for legal in row.alternatives)
    # Python wants those without a default first; what is missing is said when the model is built.
    before = row.parameters[: row.parameters.index(parameter)]
    after_default = any(p.default is not None for p in before)
    return written if needed and not after_default else f"{written} = ..."


if __name__ == "__main__":
    STUB.write_text(stub_text())
