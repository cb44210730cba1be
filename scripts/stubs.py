"""Writes the signatures of distributions and of `exmc.math` as stubs, for editors and type checkers."""

from __future__ import annotations

import inspect
from pathlib import Path

from exmc import covariances, hilbert
from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Distribution, Parameter
from exmc.ir import functions
from exmc.ir.operations import FORMS, FUNCTIONS, Operation

EXMC = Path(__file__).parents[1] / "exmc"
_HEAD = """# Written by scripts/stubs.py from the table in __init__.py.

from collections.abc import Sequence
from typing import Any

from exmc.distributions.base import Distribution as Distribution
from exmc.distributions.base import Given
from exmc.distributions.base import Parameter as Parameter

DISTRIBUTIONS: dict[str, Distribution]
"""
_TYPES = {"value": "Any", "distribution": "Given", "distributions": "Sequence[Given]", "text": "str", "size": "int"}

_FUNCTIONS_HEAD = """# Written by scripts/stubs.py from the table in operations.py.

from collections.abc import Sequence
from typing import Any, TypeAlias, overload

import numpy as np

from exmc.ir.expressions import Expression

Operand: TypeAlias = Expression | float | np.integer[Any]

"""
_OPTIONS = {
    "axis": "axis: int | None = None",
    "dim": "dim: str | None = None",
    "m": "m: int | Sequence[int]",
}
_OPERANDS = {1: ("x",), 2: ("x", "y"), 3: ("condition", "x", "y")}


def distributions_text() -> str:
    """The stub for the table of distributions as it is now."""
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


def functions_text() -> str:
    """The stub for the functions of expressions as they are now."""
    named = (name for name in FUNCTIONS if hasattr(functions, name))
    return _FUNCTIONS_HEAD + "".join(_function(name, FUNCTIONS[name]) for name in named)


def _function(name: str, row: Operation) -> str:
    options = [_OPTIONS[option] for option in row.options]
    signatures = [_signature(operands, options) for operands in _operands(name, row)]
    decorator = "@overload\n" if len(signatures) > 1 else ""
    return "".join(f"{decorator}def {name}({signature}) -> Expression: ...\n" for signature in signatures)


def _signature(operands: list[str], options: list[str]) -> str:
    places = [f"{operand}: Operand" for operand in operands]
    starred = places and places[-1].startswith("*")
    # Operands are given by place, options by name.
    before = ["/"] if not starred else ["/", places.pop()] if len(places) > 1 else [places.pop()]
    return ", ".join([*places, *before, *([] if starred or not options else ["*"]), *options])


def _operands(name: str, row: Operation) -> list[list[str]]:
    """The names of the operands, one list for each way to call the function."""
    source = covariances if hasattr(covariances, name) else hilbert if name.startswith("hsgp_") else None
    if source is not None:
        known = inspect.signature(getattr(source, name.removeprefix("hsgp_"))).parameters
        names = [key for key in known if key not in row.options]
        return [[n for n in names if n != "z"], names] if "z" in names else [names]
    if name in FORMS:
        known = inspect.signature(row.evaluate).parameters
        return [[str(p) if p.kind is p.VAR_POSITIONAL else p.name for p in map(_plain, known.values())]]
    return [["*parts"]] if row.most is None else [list(_OPERANDS[row.most])]


def _plain(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(annotation=parameter.empty)


STUBS = {
    EXMC / "distributions" / "__init__.pyi": distributions_text,
    EXMC / "ir" / "functions.pyi": functions_text,
}

if __name__ == "__main__":
    for path, text in STUBS.items():
        path.write_text(text())
