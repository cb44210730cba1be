"""Traces a function of the position and of data, with its derivative if asked, by autograd's tracer: as a tape."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.core import VJPNode, primitive_vjps
from autograd.core import backward_pass as autograd_pass
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import Box, Node, new_box, notrace_primitives, trace_stack

from exmc.compile.arguments import Traced, Unsupported, operand
from exmc.compile.backward import VJPS, backward_pass, no_sparse_objects
from exmc.compile.boxes import RecordBox, line_of_user, plain
from exmc.compile.canonical import rule_of
from exmc.compile.composites import OWN_DERIVATIVES, Run, composite_of, derivative
from exmc.compile.function import Place, Visit
from exmc.compile.primitives import Array, ArrayType, ExternalCall, Hole
from exmc.compile.tape import Constant, Tape, TapeBuilder
from exmc.errors import CompileError

# Shapes and kinds are static: asking for them must not become an equation.
_STATIC = (anp.size, anp.isscalar, anp.iscomplexobj, anp.isreal, anp.result_type, anp.ndim, anp.shape)
Traceable = Callable[[Any, tuple[Any, ...], Visit], Any]
"""A function of the position, of data, and of what is told which part of the model is evaluated."""


class Recorder:
    """A tape in the making, and what is known of where its equations come from.

    Attributes
    ----------
    place
        The part of the model that is evaluated now, or whose derivative is.
    places
        Where each primitive was first used on what depends on the position.
    """

    def __init__(self, dimension: int, most: int | None = None) -> None:
        self.builder = TapeBuilder(dimension, most)
        self.place: Place = ()
        self.places: dict[str, Place] = {}
        self.backward = False

    def visit(self, place: Place) -> None:
        """From now on, what is recorded belongs to this part of the model."""
        self.place = place

    def root(self, value: Array, level: int, ident: int, *, fixed: bool = False) -> Any:
        """The traced value that stands for one of the tape."""
        node = _RecordNode.__new__(_RecordNode)
        node.recorder, node.ident, node.fixed = self, ident, fixed
        return new_box(value, level, node)

    def ident(self, value: Any) -> int:
        """The value of the tape, in floats, that a result is."""
        ident = value._node.ident if isinstance(value, Box) else operand(self.builder, value)
        return self.builder.apply("to_float", ident)

    def apply(self, function: Any, arguments: list[Any], kwargs: dict[str, Any], value: Any, fixed: bool) -> int:
        """The value of one application of a function of autograd; of data alone (`fixed`), it is prepared."""
        builder, before = self.builder, len(self.builder.types)
        ident = _canonical(self, function, arguments, kwargs, value)
        made = [builder.equations[i] for i in range(before, len(builder.types)) if i in builder.equations]
        if fixed:
            for equation in (*made, *filter(None, [builder.equations.get(ident)])):
                # What depends on no data either, such as zeros of a shape, is better known than data.
                if any(o in builder.constants or o in builder.prepared for o in equation.operands):
                    builder.prepared.add(equation.result)
        else:
            for equation in made:
                self.places.setdefault(equation.primitive, self.where())
        return ident

    def where(self) -> Place:
        """The part of the model; of a function that tells none, its file and line, but not in a derivative."""
        return self.place or (() if self.backward else line_of_user())


def trace(
    function: Traceable,
    position: Array,
    data: Sequence[Constant | Array],
    *,
    gradient: bool,
    most: int,
) -> tuple[Tape, Recorder]:
    """The tape of a function at data: a `Constant` is traced, an array is part of the function.

    With `gradient`, the function returns a scalar, and the outputs are (value, gradient).
    """
    recorder = Recorder(len(position), most)
    builder = recorder.builder
    with trace_stack.new_trace() as level:
        root = recorder.root(position, level, builder.position)
        arguments = tuple(
            recorder.root(d.values, level, builder.constant(d), fixed=True) if isinstance(d, Constant) else d
            for d in data
        )
        if not gradient:
            results = function(root, arguments, recorder.visit)
            return builder.finish(tuple(recorder.ident(array) for array in results)), recorder
        value, slope = _differentiate(lambda x: function(x, arguments, recorder.visit), root, recorder, level)
        if np.shape(plain(value)) != ():
            raise CompileError(
                f"A log density is a scalar; this one has shape {np.shape(plain(value))}.", remedy="Sum it."
            )
        return builder.finish((recorder.ident(value), recorder.ident(slope))), recorder


def trace_slope(function: Callable[[Any, Any], Any], position: Array, inside: int, *, most: int) -> Tape:
    """The tape of the gradient of a scalar function of (the first `inside` numbers, the whole position)."""
    recorder = Recorder(len(position), most)
    with trace_stack.new_trace() as level:
        root = recorder.root(position, level, recorder.builder.position)
        _, slope = _differentiate(lambda x: function(x, root), root[:inside], recorder, level)
        return recorder.builder.finish((recorder.ident(slope),))


def _differentiate(function: Callable[[Any], Any], position: Any, recorder: Recorder, outer: int) -> tuple[Any, Any]:
    start = _BackwardNode.root(recorder)
    with trace_stack.new_trace() as level:
        result = function(new_box(position, level, start))
    if not (isinstance(result, Box) and result._trace == level):
        return result, np.zeros(position.shape)
    if np.shape(plain(result)) != ():
        return result._value, position
    recorder.backward = True
    # The seed is a literal in the tape, so that products with it fold away.
    seed = recorder.root(np.ones(()), outer, recorder.builder.literal(1.0))
    return result._value, backward_pass(result._node, seed, [start])[0]


def jacobian(function: Callable[[Any], list[Any]], point: Any) -> Any:
    """The derivative (m, n) of a function's flattened arrays at a point (n,), traced itself, row by backward pass."""
    recorder = _recorder_of(point)
    start = VJPNode.new_root() if recorder is None else _BackwardNode.root(recorder)
    with trace_stack.new_trace() as level:
        leaves = function(new_box(point, level, start))
    rows = []
    for leaf in leaves:
        shape, dependent = anp.shape(leaf), isinstance(leaf, Box) and leaf._trace == level
        # A literal seed folds away where it is recorded.
        for seed in np.eye(int(np.prod(shape))).reshape(-1, *shape) if shape else [1.0]:
            row: Any = np.zeros(len(point))
            if dependent:
                node = leaf._node
                row = autograd_pass(seed, node) if recorder is None else backward_pass(node, seed, [start])[0]
            rows.append(anp.reshape(row, (1, -1)))
    return anp.concatenate(rows, axis=0)


def is_recorded(value: Any) -> bool:
    """Whether a value, or one in a tuple, is being recorded, so that its number does not count."""
    if isinstance(value, tuple | list):
        return any(is_recorded(v) for v in value)
    return _recorder_of(value) is not None


def is_fixed(value: Any) -> bool:
    """Whether a value does not follow from the position: a number, or data that are recorded as such."""
    while isinstance(value, Box):
        if not (isinstance(value._node, _RecordNode) and value._node.fixed):
            return False
        value = value._value
    return True


def _recorder_of(value: Any) -> Recorder | None:
    """What records a value; None for one that is not recorded."""
    while isinstance(value, Box):
        if isinstance(value._node, _RecordNode):
            return value._node.recorder
        value = value._value
    return None


class _RecordNode(Node):  # type: ignore[misc]
    """A node of the outer trace: each application of a function of autograd becomes equations of a tape.

    `fixed` says that it depends on data alone.
    """

    __slots__ = ["fixed", "ident", "recorder"]

    def __init__(self, value: Any, function: Any, args: Any, kwargs: Any, argnums: Any, parents: Any) -> None:
        self.recorder: Recorder = parents[0].recorder
        self.fixed: bool = all(parent.fixed for parent in parents)
        self.ident: int
        run = _run(function, args, kwargs, dict(zip(argnums, parents, strict=True)))
        if run is not None:
            builder = self.recorder.builder
            members = zip(run.members, run.nodes, strict=True)
            idents = [node.ident if node else operand(builder, member) for member, node in members]
            self.ident = builder.apply("members", *idents) if run.several else idents[0]
            return
        traced = dict(zip(argnums, (Traced(parent.ident, parent.fixed) for parent in parents), strict=True))
        arguments = [traced.get(n, argument) for n, argument in enumerate(args)]
        self.ident = self.recorder.apply(function, arguments, kwargs, value, self.fixed)


class _BackwardNode(Node):  # type: ignore[misc]
    """A node of the inner trace: what the backward pass walks."""

    __slots__ = ["parents", "recorder", "vjp"]

    def __init__(self, value: Any, function: Any, args: Any, kwargs: Any, argnums: Any, parents: Any) -> None:
        self.parents = parents
        self.recorder: Recorder = parents[0].recorder
        place = self.recorder.place
        name = getattr(function, "__name__", str(function))
        own = VJPS.get(function)
        vjp = own(argnums, value, args, kwargs) if own else None
        if vjp is None and function not in OWN_DERIVATIVES:
            starts = [_BackwardNode.root(self.recorder) for _ in argnums]
            run = _run(function, args, kwargs, dict(zip(argnums, starts, strict=True)))
            vjp = derivative(run, starts, [np.shape(plain(args[n])) for n in argnums]) if run else None
        if vjp is None:
            if function not in primitive_vjps:
                raise CompileError(
                    f"{name} has no derivative.",
                    where=self.recorder.where(),
                    remedy="Define one with autograd.extend.defvjp.",
                )
            vjp = primitive_vjps[function](argnums, value, args, kwargs)

        def cotangents(g: Any) -> list[Any]:
            self.recorder.visit(place)
            result = list(vjp(g))
            for cotangent in result:
                no_sparse_objects(cotangent, name)
            return result

        self.vjp = cotangents

    @classmethod
    def root(cls, recorder: Recorder) -> _BackwardNode:
        """A node without parents."""
        node = cls.__new__(cls)
        node.parents, node.vjp, node.recorder = [], lambda g: [], recorder
        return node


def _run(function: Any, args: Any, kwargs: dict[str, Any], starts: dict[int, Any]) -> Run | None:
    """A function that is written in others, run on arguments boxed at a level of their own; None for any other."""
    text = composite_of(function)
    if text is None:
        return None
    try:
        inspect.signature(text).bind(*args, **kwargs)
    except TypeError:
        # An argument that its text does not know.
        return None
    with trace_stack.new_trace() as level:
        boxes = [new_box(a, level, starts[n]) if n in starts else a for n, a in enumerate(args)]
        try:
            result = text(*boxes, **kwargs)
        except Unsupported:
            return None
    members = tuple(result) if isinstance(result, tuple | list) else (result,)
    nodes = tuple(m._node if isinstance(m, Box) and m._trace == level else None for m in members)
    return Run(isinstance(result, tuple | list), members, nodes)


def _canonical(recorder: Recorder, function: Any, arguments: list[Any], kwargs: dict[str, Any], value: Any) -> int:
    """The value id of one application, by its rule if it has one."""
    builder, rule = recorder.builder, rule_of(function)
    if rule is not None:
        try:
            inspect.signature(rule).bind(builder, *arguments, **kwargs)
        except TypeError:
            # An argument that the rule does not know.
            return _external(recorder, function, arguments, kwargs, value)
        try:
            ident = rule(builder, *arguments, **kwargs)
        except Unsupported:
            return _external(recorder, function, arguments, kwargs, value)
        if builder.types[ident].shape == np.shape(plain(value)):
            return ident
    return _external(recorder, function, arguments, kwargs, value)


def _external(recorder: Recorder, function: Any, arguments: list[Any], kwargs: dict[str, Any], value: Any) -> int:
    operands = [a.ident for a in arguments if isinstance(a, Traced)]
    numbers = iter(range(len(operands)))
    template = tuple(Hole(next(numbers)) if isinstance(a, Traced) else a for a in arguments)
    raw = getattr(function, "fun", function)
    name = f"{getattr(raw, '__module__', None) or 'numpy'}.{getattr(raw, '__name__', raw)}"
    name += " (in a derivative)" if recorder.backward else ""
    call = ExternalCall(raw, template, dict(kwargs), name, recorder.where())
    return recorder.builder.apply("external", *operands, call=call, type=_type_of(plain(value)))


def _type_of(value: Any) -> ArrayType:
    if isinstance(value, tuple | list | dict):
        return ArrayType((), "object")
    array = np.asarray(value)
    kinds = {"f": "float64", "i": "int64", "u": "int64", "b": "bool"}
    return ArrayType(array.shape, kinds.get(array.dtype.kind, "object"))


@contextmanager
def recording() -> Iterator[None]:
    """Let autograd box everything in `RecordBox`, booleans and integers too, and put all back afterwards."""
    mappings, depth = dict(Box.type_mappings), trace_stack.top
    # The body of a scan is recorded while its surroundings are.
    outer = {kind: notrace_primitives[kind] for kind in (_RecordNode, _BackwardNode) if kind in notrace_primitives}
    boxes = set(Box.types)
    boxed = [kind for kind, box in mappings.items() if box is ArrayBox and kind is not ArrayBox]
    scalars = [bool, int, np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
    Box.type_mappings.update(dict.fromkeys([*boxed, *scalars, RecordBox], RecordBox))
    Box.types.add(RecordBox)
    notrace_primitives[_RecordNode] = set(_STATIC)
    # autograd takes the number that fills an array for a constant.
    notrace_primitives[_BackwardNode] = (notrace_primitives[VJPNode] | set(_STATIC)) - {anp.full_like}
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
