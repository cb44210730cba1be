"""What a scan means in primitives: one equation forward, one in reverse."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from exmc.compile.arguments import Rule, operand
from exmc.compile.primitives import Loop
from exmc.compile.scan_body import Body, forward_rows, reverse_rows, scan_reverse, scan_rows
from exmc.compile.tape import TapeBuilder


def _evaluate_forward(start: Any, parameters: Any, inputs: Any, loop: Loop) -> Any:
    return forward_rows(start, parameters, inputs, loop.body)


def _evaluate_reverse(start: Any, parameters: Any, inputs: Any, rows: Any, cotangents: Any, loop: Loop) -> Any:
    return reverse_rows(start, parameters, inputs, rows, cotangents, loop.body, loop.name)


def _operands(builder: TapeBuilder, arguments: tuple[Any, ...]) -> list[int]:
    return [builder.apply("to_float", operand(builder, a)) for a in arguments]


def _scan_rows(builder: TapeBuilder, start: Any, parameters: Any, inputs: Any, body: Body) -> int:
    operands = _operands(builder, (start, parameters, inputs))
    return builder.apply("scan_rows", *operands, loop=Loop(body, "forward", _evaluate_forward))


def _scan_reverse(
    builder: TapeBuilder,
    start: Any,
    parameters: Any,
    inputs: Any,
    rows: Any,
    cotangents: Any,
    body: Body,
    name: str,
) -> int:
    operands = _operands(builder, (start, parameters, inputs, rows, cotangents))
    return builder.apply("scan_reverse", *operands, loop=Loop(body, name, _evaluate_reverse))


SCAN_RULES: Mapping[Any, Rule] = MappingProxyType({scan_rows: _scan_rows, scan_reverse: _scan_reverse})
"""By autograd function."""
