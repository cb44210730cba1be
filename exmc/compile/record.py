"""Records a function of the position, with its derivative if asked, as a tape: the only user of autograd's tracer."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.core import VJPNode, primitive_vjps, vspace
from autograd.core import backward_pass as autograd_backward_pass
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import Box, Node, new_box, notrace_primitives, trace_stack

from exmc.compile.arguments import Traced, Unsupported, operand
from exmc.compile.backward import VJPS, backward_pass, no_sparse_objects
from exmc.compile.canonical import RULES
from exmc.compile.primitives import Array, ArrayType, ExternalCall, Hole
from exmc.compile.scan_body import Body
from exmc.compile.simplify import simplify
from exmc.compile.tape import Tape, TapeBuilder
from exmc.compile.verify import LARGE, Oracle, points, verify_gradient, verify_outputs
from exmc.errors import CompileError, ExmcError, MissingLoweringError

AUTOGRAD_LOCK = threading.RLock()
"""Held by whoever runs autograd: its trace stack is shared by all threads."""

# Shapes and kinds are static: asking for them must not become an equation.
_STATIC = (anp.size, anp.isscalar, anp.iscomplexobj, anp.isreal, anp.result_type, anp.ndim, anp.shape)
_OWN_MODULES = ("exmc.compile.record", "exmc.compile.backward", "exmc.special", "autograd", "numpy")


def record(
    function: Callable[[Any], Any],
    dimension: int,
    *,
    gradient: bool,
    example: Array | None = None,
    oracle: Oracle | None = None,
) -> Tape:
    """The tape of a function of a vector.

    Parameters
    ----------
    function
        Written in autograd.numpy and exmc.special. With `gradient` it returns a scalar, otherwise a tuple of arrays.
    dimension
        The length of its argument.
    gradient
        Whether the tape's outputs are (value, gradient), instead of what the function returns.
    example
        The position at which the function is run, shape (dimension,); a random one if not given. The tape does not
        depend on it: it is replayed at other points and compared with the function there.
    oracle
        What gradients are compared with; autograd if not given. A caller that has one compares machine code with its
        answers, and of a tape with large data nothing else is asked: that is slow, and finds what replaying would.

    Raises
    ------
    CompileError
        If the function cannot be recorded, or its tape does something else elsewhere.
    """
    generator = np.random.default_rng(20_240_229)
    position = generator.uniform(-1.0, 1.0, dimension) if example is None else np.array(example, dtype=np.float64)
    with AUTOGRAD_LOCK, _recording(), np.errstate(all="ignore"):
        try:
            tape = _record(function, position, gradient)
        except (ExmcError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise _explained(error, function, position, gradient) from error
    if oracle is None or _size(tape) < LARGE:
        _replay(tape, function, gradient, oracle or autograd_value_and_gradient)
    return tape


def record_body(body: Body, name: str) -> Tape:
    """A tape of one step of a scan, or of its vector-Jacobian product, compared with the step or with autograd."""
    size = body.carry.size + body.parameters.size
    if name == "forward":
        return simplify(record(lambda u: (body.apply(u),), size + body.inputs.size, gradient=False))
    position = np.random.default_rng(20_240_301).uniform(-1.0, 1.0, size + body.inputs.size + body.width)
    builder = TapeBuilder(len(position))
    with AUTOGRAD_LOCK, _recording(), np.errstate(all="ignore"), trace_stack.new_trace() as level:
        root = new_box(position, level, _RecordNode.root(builder, builder.position))
        seed = new_box(np.ones(()), level, _RecordNode.root(builder, builder.literal(1.0)))
        _, slope = _differentiate(partial(_pulled, body, position=root), root[: _inside(body, name)], seed)
        tape = simplify(builder.finish((_output(builder, slope),)))
    for point in points(tape.dimension, np.random.default_rng(20_240_302)):
        verify_outputs("tape", tape.evaluate(point), (vector_jacobian_product(body, point, name),), point)
    return tape


def vector_jacobian_product(body: Body, arguments: Array, name: str) -> Array:
    """What the tape `name` of a body gives, a reverse one, by autograd itself."""
    return autograd_value_and_gradient(partial(_pulled, body, position=arguments), arguments[: _inside(body, name)])[1]


def _inside(body: Body, name: str) -> int:
    """How many of a body's arguments a reverse tape differentiates."""
    size = body.carry.size + body.parameters.size
    return size + (body.inputs.size if name == "reverse all" else 0)


def _pulled(body: Body, inner: Any, *, position: Any) -> Any:
    """A step's result times its cotangent; what is differentiated comes from `inner`, the rest from `position`."""
    inside, whole = len(inner), len(position) - body.width
    arguments = inner if inside == whole else anp.concatenate([inner, position[inside:whole]])
    return anp.sum(body.apply(arguments) * position[whole:])


def _explained(error: Exception, function: Callable[[Any], Any], position: Array, gradient: bool) -> CompileError:
    """What a failure to record means: the function is wrong, or only its recording is not possible."""
    message = f"{type(error).__name__}: {error}"
    try:
        if gradient:
            autograd_value_and_gradient(function, position)
        else:
            evaluate(function, position)
    except Exception:
        remedy = "It must be written in autograd.numpy and exmc.special, and not assign into arrays."
        return CompileError(f"The function fails under autograd: {message}", remedy=remedy)
    return MissingLoweringError(f"The function cannot be recorded: {message}", remedy="Set engine: autograd.")


def evaluate(function: Callable[[Any], Any], position: Array) -> tuple[Array, ...]:
    """What a function of arrays returns at a position, without recording, as a tuple of float64 arrays."""
    with AUTOGRAD_LOCK, np.errstate(all="ignore"):
        result = function(position.copy())
    return tuple(np.asarray(array, dtype=np.float64) for array in result)


def autograd_value_and_gradient(function: Callable[[Any], Any], position: Array) -> tuple[Array, Array]:
    """The value, shape (), and the gradient, shape (dimension,), by autograd itself, interpreted."""
    with AUTOGRAD_LOCK, np.errstate(all="ignore"):
        depth = trace_stack.top
        try:
            with trace_stack.new_trace() as level:
                result = function(new_box(position.copy(), level, VJPNode.new_root()))
            # An output that does not depend on the input is a legal density; autograd's own driver warns of it.
            dependent = isinstance(result, Box) and result._trace == level
            value = result._value if dependent else result
            if np.shape(value) != ():
                raise CompileError(f"A log density is a scalar; this one has shape {np.shape(value)}.")
            seed = vspace(value).ones() if dependent else 0.0
            slope = autograd_backward_pass(seed, result._node) if dependent else np.zeros(position.shape)
        finally:
            trace_stack.top = depth
    return np.asarray(value, dtype=np.float64), np.asarray(slope, dtype=np.float64)


def _record(function: Callable[[Any], Any], position: Array, gradient: bool) -> Tape:
    builder = TapeBuilder(len(position))
    with trace_stack.new_trace() as level:
        root = new_box(position, level, _RecordNode.root(builder, builder.position))
        if not gradient:
            return builder.finish(tuple(_output(builder, array) for array in function(root)))
        # The seed is a literal in the tape, so that products with it fold away.
        seed = new_box(np.ones(()), level, _RecordNode.root(builder, builder.literal(1.0)))
        value, slope = _differentiate(function, root, seed)
        if np.shape(_plain(value)) != ():
            raise CompileError(
                f"A log density is a scalar; this one has shape {np.shape(_plain(value))}.", remedy="Sum it."
            )
        return builder.finish((_output(builder, value), _output(builder, slope)))


def _differentiate(function: Callable[[Any], Any], position: Any, seed: Any) -> tuple[Any, Any]:
    start = _BackwardNode.new_root()
    with trace_stack.new_trace() as level:
        result = function(new_box(position, level, start))
    if not (isinstance(result, Box) and result._trace == level):
        return result, np.zeros(position.shape)
    if np.shape(_plain(result)) != ():
        return result._value, position
    return result._value, backward_pass(result._node, seed)


def jacobian(function: Callable[[Any], list[Any]], point: Any) -> Any:
    """The derivative (m, n) of a function's flattened arrays at a point (n,), traced itself, row by backward pass."""
    recording = _BackwardNode in notrace_primitives
    start = _BackwardNode.new_root() if recording else VJPNode.new_root()
    with trace_stack.new_trace() as level:
        leaves = function(new_box(point, level, start))
    rows = []
    for leaf in leaves:
        shape, dependent = anp.shape(leaf), isinstance(leaf, Box) and leaf._trace == level
        # A literal seed folds away where it is recorded.
        for seed in np.eye(int(np.prod(shape))).reshape(-1, *shape) if shape else [1.0]:
            row: Any = np.zeros(len(point))
            if dependent:
                row = backward_pass(leaf._node, seed) if recording else autograd_backward_pass(seed, leaf._node)
            rows.append(anp.reshape(row, (1, -1)))
    return anp.concatenate(rows, axis=0)


def is_recorded(value: Any) -> bool:
    """Whether a value, or one in a tuple, is being recorded, so that its number does not count."""
    if isinstance(value, tuple | list):
        return any(is_recorded(v) for v in value)
    while isinstance(value, Box):
        if isinstance(value._node, _RecordNode):
            return True
        value = value._value
    return False


def _plain(value: Any) -> Any:
    while isinstance(value, Box):
        value = value._value
    return value


def _output(builder: TapeBuilder, value: Any) -> int:
    ident = value._node.ident if isinstance(value, Box) else operand(builder, value)
    return builder.apply("to_float", ident)


class _RecordNode(Node):  # type: ignore[misc]
    """A node of the outer trace: each application of a function of autograd becomes equations of a tape."""

    __slots__ = ["builder", "ident"]

    def __init__(self, value: Any, function: Any, args: Any, kwargs: Any, argnums: Any, parents: Any) -> None:
        self.builder: TapeBuilder = parents[0].builder
        traced = dict(zip(argnums, (Traced(parent.ident) for parent in parents), strict=True))
        arguments = [traced.get(n, argument) for n, argument in enumerate(args)]
        self.ident: int = _canonical(self.builder, function, arguments, kwargs, value)

    @classmethod
    def root(cls, builder: TapeBuilder, ident: int) -> _RecordNode:
        node = cls.__new__(cls)
        node.builder, node.ident = builder, ident
        return node


class _BackwardNode(Node):  # type: ignore[misc]
    """A node of the inner trace: what the backward pass walks."""

    __slots__ = ["parents", "vjp"]

    def __init__(self, value: Any, function: Any, args: Any, kwargs: Any, argnums: Any, parents: Any) -> None:
        self.parents = parents
        name = getattr(function, "__name__", str(function))
        own = VJPS.get(function)
        vjp = own(argnums, value, args, kwargs) if own else None
        if vjp is None:
            if function not in primitive_vjps:
                raise CompileError(
                    f"{name} has no derivative.", where=_place(), remedy="Define one with autograd.extend.defvjp."
                )
            vjp = primitive_vjps[function](argnums, value, args, kwargs)

        def cotangents(g: Any) -> list[Any]:
            result = list(vjp(g))
            for cotangent in result:
                no_sparse_objects(cotangent, name)
            return result

        self.vjp = cotangents

    def initialize_root(self) -> None:
        self.parents = []
        self.vjp = lambda g: []


def _canonical(builder: TapeBuilder, function: Any, arguments: list[Any], kwargs: dict[str, Any], value: Any) -> int:
    """The value id of one application, by its rule if it has one."""
    rule = RULES.get(function)
    if rule is not None:
        try:
            inspect.signature(rule).bind(builder, *arguments, **kwargs)
        except TypeError:
            # An argument that the rule does not know.
            return _external(builder, function, arguments, kwargs, value)
        try:
            ident = rule(builder, *arguments, **kwargs)
        except Unsupported:
            return _external(builder, function, arguments, kwargs, value)
        if builder.types[ident].shape == np.shape(_plain(value)):
            return ident
    return _external(builder, function, arguments, kwargs, value)


def _external(builder: TapeBuilder, function: Any, arguments: list[Any], kwargs: dict[str, Any], value: Any) -> int:
    operands = [a.ident for a in arguments if isinstance(a, Traced)]
    numbers = iter(range(len(operands)))
    template = tuple(Hole(next(numbers)) if isinstance(a, Traced) else a for a in arguments)
    raw = getattr(function, "fun", function)
    name = f"{getattr(raw, '__module__', None) or 'numpy'}.{getattr(raw, '__name__', raw)}"
    call = ExternalCall(raw, template, dict(kwargs), name, ".".join(_place()))
    return builder.apply("external", *operands, call=call, type=_type_of(_plain(value)))


def _type_of(value: Any) -> ArrayType:
    if isinstance(value, tuple | list | dict):
        return ArrayType((), "object")
    array = np.asarray(value)
    kinds = {"f": "float64", "i": "int64", "u": "int64", "b": "bool"}
    return ArrayType(array.shape, kinds.get(array.dtype.kind, "object"))


def _place() -> tuple[str, ...]:
    """The file and line of the user's function that is being run, or nothing in a derivative."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not _record.__code__:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(_OWN_MODULES):
            return (f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}",)
        frame = frame.f_back
    return ()


class _RecordBox(ArrayBox):  # type: ignore[misc]
    """A value while recording: it has a shape but no number that Python code may look at."""

    __slots__ = []

    def _refuse(self, use: str) -> CompileError:
        return CompileError(
            f"The function takes {use} of a value that depends on the parameters (shape {self.shape}).",
            where=_place(),
            remedy="Recorded once, it would keep one branch or number for ever: use np.where, np.maximum or "
            "another function of autograd.numpy instead.",
        )

    def __bool__(self) -> bool:
        raise self._refuse("the truth (if, while, and, or, not)")

    def __float__(self) -> float:
        raise self._refuse("float()")

    def __int__(self) -> int:
        raise self._refuse("int()")

    def __index__(self) -> int:
        raise self._refuse("an index or range()")

    def __complex__(self) -> complex:
        raise self._refuse("complex()")

    def __hash__(self) -> int:
        return id(self)


@contextmanager
def _recording() -> Iterator[None]:
    """Let autograd box everything in `_RecordBox`, booleans and integers too, and put all back afterwards."""
    mappings, depth = dict(Box.type_mappings), trace_stack.top
    # The body of a scan is recorded while its surroundings are.
    outer = {kind: notrace_primitives[kind] for kind in (_RecordNode, _BackwardNode) if kind in notrace_primitives}
    boxes = set(Box.types)
    boxed = [kind for kind, box in mappings.items() if box is ArrayBox and kind is not ArrayBox]
    scalars = [bool, int, np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
    Box.type_mappings.update(dict.fromkeys([*boxed, *scalars, _RecordBox], _RecordBox))
    Box.types.add(_RecordBox)
    notrace_primitives[_RecordNode] = set(_STATIC)
    notrace_primitives[_BackwardNode] = notrace_primitives[VJPNode] | set(_STATIC)
    try:
        yield
    finally:
        trace_stack.top = depth
        Box.type_mappings.clear()
        Box.type_mappings.update(mappings)
        Box.types.intersection_update(boxes)
        for kind in (_RecordNode, _BackwardNode):
            notrace_primitives.pop(kind, None)
        notrace_primitives.update(outer)


def check_points(tape: Tape) -> Iterator[Array]:
    """The positions at which what was made of a function is compared with it: no tape was recorded there."""
    return points(tape.dimension, np.random.default_rng(20_250_101), _size(tape))


def _size(tape: Tape) -> int:
    """The largest array of data, in elements, or what costs as much to interpret."""
    largest = max((array.size for array in tape.constants.values()), default=0)
    # A step of a scan is interpreted in tens of microseconds, and so as slow as thousands of elements.
    steps = [tape.types[e.operands[2]].shape[0] for e in tape.equations if e.primitive.startswith("scan")]
    # Nobody knows how many steps a differential equation takes.
    unknown = [LARGE for e in tape.equations if e.primitive.startswith("ode")]
    return max([largest, *(1000 * n for n in steps), *unknown])


def _replay(tape: Tape, function: Callable[[Any], Any], gradient: bool, oracle: Oracle) -> None:
    """Raise CompileError unless the tape does what the function does at points where it was not recorded."""
    for position in check_points(tape):
        found = tape.evaluate(position)
        if gradient:
            verify_gradient("tape", found, position, function, oracle)
        else:
            verify_outputs("tape", found, evaluate(function, position), position)
