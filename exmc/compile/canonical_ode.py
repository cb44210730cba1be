"""What the solution of a differential equation means in primitives: one equation forward, one in reverse."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from exmc.compile.arguments import Rule, operand
from exmc.compile.ode_body import OdeBody, ode_path, ode_reverse, path_states, pull_back, solve
from exmc.compile.primitives import Loop
from exmc.compile.tape import Tape, TapeBuilder


def _run(tape: Tape) -> Any:
    return lambda vector: tape.evaluate(vector)[0]


def _evaluate_forward(start: Any, parameters: Any, times: Any, loop: Loop) -> Any:
    body: OdeBody = loop.body
    return solve(start, parameters, times, body, _run(body.first.tape("forward")), _run(body.attempt.tape("forward")))


def _evaluate_reverse(parameters: Any, times: Any, path: Any, cotangents: Any, loop: Loop) -> Any:
    pulled = _run(loop.body.step.tape(loop.name))
    return pull_back(parameters, times, path, cotangents, loop.body, loop.name, pulled)


def _floats(builder: TapeBuilder, arguments: tuple[Any, ...]) -> list[int]:
    return [builder.apply("to_float", operand(builder, a)) for a in arguments]


def _ode_path(builder: TapeBuilder, start: Any, parameters: Any, times: Any, body: OdeBody) -> int:
    operands = _floats(builder, (start, parameters, times))
    return builder.apply("ode_path", *operands, loop=Loop(body, "forward", _evaluate_forward))


def _path_states(builder: TapeBuilder, path: Any, count: int) -> int:
    return builder.apply("slice", operand(builder, path), bounds=((0, count, 1),))


def _ode_reverse(
    builder: TapeBuilder, parameters: Any, times: Any, path: Any, cotangents: Any, body: OdeBody, name: str
) -> int:
    operands = _floats(builder, (parameters, times, path, cotangents))
    return builder.apply("ode_reverse", *operands, loop=Loop(body, name, _evaluate_reverse))


ODE_RULES: Mapping[Any, Rule] = MappingProxyType(
    {ode_path: _ode_path, path_states: _path_states, ode_reverse: _ode_reverse}
)
"""By autograd function."""
