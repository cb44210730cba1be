"""Rules of simplification about shapes and places: views, reductions, scatters."""

from __future__ import annotations

import math
from typing import Any

from exmc.compile.primitives import FLOAT
from exmc.compile.rule import (
    Apply,
    Operands,
    Rewriter,
    Static,
    made_by,
    spread,
    uniform,
)


def sum_of_negatives(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    inner = made_by(builder, operands[0], "negative")
    if inner is None or builder.types[inner[0]].dtype != FLOAT:
        return None
    return builder.rewrite("negative", (builder.rewrite("sum", inner, static),), {})


def transposed_factors(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    """A product of transposed arrays is a product of these arrays."""
    inputs, output = static["spec"].split("->")
    terms = inputs.split(",")
    values = list(operands)
    for number, value in enumerate(operands):
        inner = builder.equations.get(value)
        if inner is not None and inner.primitive == "transpose":
            values[number] = inner.operands[0]
            letters = dict(zip(inner.static["permutation"], terms[number], strict=True))
            terms[number] = "".join(letters[axis] for axis in range(len(letters)))
    if tuple(values) == operands:
        return None
    return builder.rewrite("contract", tuple(values), {"spec": ",".join(terms) + "->" + output})


def same_type_view(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    """A conversion to what it is already, or a reshape or broadcast to the shape it has."""
    wanted = static.get("shape", builder.types[operands[0]].shape)
    return operands[0] if builder.types[operands[0]].shape == wanted else None


def identity_slice(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    shape = builder.types[operands[0]].shape
    return operands[0] if static["bounds"] == tuple((0, n, 1) for n in shape) else None


def slice_twice(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    inner = builder.equations.get(operands[0])
    if inner is None or inner.primitive != "slice":
        return None
    pairs = zip(inner.static["bounds"], static["bounds"], strict=True)
    bounds = tuple((a + s * b, n, s * t) for (a, _, s), (b, n, t) in pairs)
    return builder.rewrite("slice", inner.operands, {"bounds": bounds})


def slice_of_scatter(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    """A scatter of what of each part lies there."""
    inner = builder.equations.get(operands[0])
    bounds = static["bounds"]
    if inner is None or inner.primitive != "scatter" or None in inner.static["parts"]:
        return None
    if any(step != 1 for region in (bounds, *inner.static["parts"]) for _, _, step in region):
        return None
    values, places = [], []
    for value, part in zip(inner.operands, inner.static["parts"], strict=True):
        # Where the part and the slice meet, counted in the array that is sliced.
        spans = [(max(a, b), min(a + m, b + n)) for (a, m, _), (b, n, _) in zip(part, bounds, strict=True)]
        if any(first >= last for first, last in spans):
            continue
        # A part of one element may have lost its axes.
        whole = builder.rewrite("reshape", (value,), {"shape": tuple(m for _, m, _ in part)})
        inside = tuple((x - a, y - x, 1) for (x, y), (a, _, _) in zip(spans, part, strict=True))
        values.append(builder.rewrite("slice", (whole,), {"bounds": inside}))
        places.append(tuple((x - b, y - x, 1) for (x, y), (b, _, _) in zip(spans, bounds, strict=True)))
    shape = tuple(n for _, n, _ in bounds)
    if not values:
        return spread(builder, builder.literal(0.0), shape)
    return builder.rewrite("scatter", tuple(values), {"shape": shape, "parts": tuple(places)})


def identity_transpose(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    """A permutation that leaves the order of all axes longer than 1 only renames them."""
    shape = builder.types[operands[0]].shape
    long = [axis for axis in static["permutation"] if shape[axis] != 1]
    if long != sorted(long):
        return None
    renamed = tuple(shape[axis] for axis in static["permutation"])
    return builder.rewrite("reshape", operands, {"shape": renamed})


def twice(primitive: str) -> Apply:
    """The last of two reshapes, or of two broadcasts, alone."""

    def apply(builder: Rewriter, operands: Operands, static: Static) -> int | None:
        inner = made_by(builder, operands[0], primitive)
        return builder.rewrite(primitive, inner, static) if inner else None

    return apply


def transpose_twice(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    inner = builder.equations.get(operands[0])
    if inner is None or inner.primitive != "transpose":
        return None
    first = inner.static["permutation"]
    return builder.rewrite(
        "transpose", inner.operands, {"permutation": tuple(first[axis] for axis in static["permutation"])}
    )


def reshape_uniform(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    scalar = uniform(builder, operands[0])
    return None if scalar == operands[0] else spread(builder, scalar, static["shape"])


def reshape_scalar(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    return spread(builder, operands[0], static["shape"]) if builder.types[operands[0]].shape == () else None


def broadcast_of_single(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    """An array of one element broadcasts as the scalar it holds."""
    shape = builder.types[operands[0]].shape
    if shape == () or set(shape) != {1}:
        return None
    return spread(builder, builder.rewrite("reshape", operands, {"shape": ()}), static["shape"])


def slice_uniform(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    scalar = uniform(builder, operands[0])
    shape = tuple(length for _, length, _ in static["bounds"])
    return None if scalar == operands[0] else spread(builder, scalar, shape)


def take_uniform(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    scalar = uniform(builder, operands[0])
    return None if scalar == operands[0] else spread(builder, scalar, builder.types[operands[1]].shape)


def sum_of_singles(primitive: str) -> Apply:
    """A reduction over axes of length 1 is a reshape; the others remain."""

    def apply(builder: Rewriter, operands: Operands, static: Static) -> int | None:
        kind = builder.types[operands[0]]
        axes = tuple(a for a in static["axes"] if kind.shape[a] != 1)
        if axes == static["axes"] or kind.dtype != FLOAT:
            return None
        result = tuple(n for a, n in enumerate(kind.shape) if a not in static["axes"])
        if axes:
            reduced = builder.rewrite(primitive, operands, {"axes": axes})
            return builder.rewrite("reshape", (reduced,), {"shape": result})
        return builder.rewrite("reshape", operands, {"shape": result})

    return apply


def empty_axes(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    return operands[0] if static["axes"] == () and builder.types[operands[0]].dtype == FLOAT else None


def sum_of_equal_terms(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    scalar = uniform(builder, operands[0])
    kind = builder.types[operands[0]]
    count = math.prod(kind.shape[a] for a in static["axes"])
    # No terms have the sum 0, whatever the scalar is.
    if scalar == operands[0] or kind.dtype != FLOAT or count == 0:
        return None
    total = builder.rewrite("multiply", (builder.literal(float(count)), scalar), {})
    return spread(builder, total, tuple(n for a, n in enumerate(kind.shape) if a not in static["axes"]))


def sum_of_sum(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    inner = builder.equations.get(operands[0])
    if inner is None or inner.primitive != "sum" or builder.types[inner.operands[0]].dtype != FLOAT:
        return None
    rank = len(builder.types[inner.operands[0]].shape)
    first = inner.static["axes"]
    left = [axis for axis in range(rank) if axis not in first]
    axes = tuple(sorted((*first, *(left[a] for a in static["axes"]))))
    return builder.rewrite("sum", inner.operands, {"axes": axes})


def sum_of_reshaped_sum(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    """A sum over everything does not see a reshape."""
    inner = made_by(builder, operands[0], "reshape")
    if inner is None or len(static["axes"]) != len(builder.types[operands[0]].shape):
        return None
    return builder.rewrite("sum", inner, {"axes": tuple(range(len(builder.types[inner[0]].shape)))})


def elementwise_of_reshapes(primitive: str) -> Apply:
    """Arithmetic on arrays reshaped alike is reshaped arithmetic, so that it stays in the loop of its operands."""

    def apply(builder: Rewriter, operands: Operands, static: Static) -> int | None:
        arrays = [o for o in operands if builder.types[o].shape != ()]
        sources = [made_by(builder, o, "reshape") for o in arrays]
        if not arrays or static or any(s is None for s in sources):
            return None
        shapes = {builder.types[o].shape for o in arrays}
        origins = {builder.types[s[0]].shape for s in sources if s}
        if len(shapes) != 1 or len(origins) != 1 or origins == {()}:
            return None
        unwrapped = dict(zip(arrays, (s[0] for s in sources if s), strict=True))
        result = builder.rewrite(primitive, tuple(unwrapped.get(o, o) for o in operands), static)
        return builder.rewrite("reshape", (result,), {"shape": shapes.pop()})

    return apply


def scatter_everything(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    """A scatter of one part to every place in order is that part."""
    whole = (tuple((0, n, 1) for n in static["shape"]),)
    # A part of one element may have lost its axes.
    return builder.rewrite("reshape", operands, {"shape": static["shape"]}) if static["parts"] == whole else None


def scatter_twice_to_one_place(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    """Parts of the same region are added up first, and then perhaps stored where they would have been added."""
    parts = static["parts"]
    totals: dict[Any, int] = {}
    for number, (part, value) in enumerate(zip(parts, operands, strict=False)):
        key = (number,) if part is None else part
        totals[key] = builder.rewrite("add", (totals[key], value), {}) if key in totals else value
    if len(totals) == len(parts):
        return None
    kept = tuple(None if len(key) == 1 and isinstance(key[0], int) else key for key in totals)
    values = (*totals.values(), *operands[len(parts) :])
    return builder.rewrite("scatter", values, {"shape": static["shape"], "parts": kept})


def scatter_of_scalars(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    """A part of one element is a scalar, whatever its shape."""
    values = list(operands)
    for number, part in enumerate(static["parts"]):
        if part is not None and all(n == 1 for _, n, _ in part) and builder.types[values[number]].shape != ():
            values[number] = builder.rewrite("reshape", (values[number],), {"shape": ()})
    return None if tuple(values) == operands else builder.rewrite("scatter", tuple(values), static)


def scatter_of_scatter(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    """The parts of a part lie in the whole."""
    values: list[int] = []
    places: list[Any] = []
    for value, part in zip(operands, static["parts"], strict=False):
        inner = builder.equations.get(value)
        nested = inner is not None and inner.primitive == "scatter" and None not in inner.static["parts"]
        if part is None or inner is None or not nested or len(builder.types[value].shape) != len(part):
            values.append(value)
            places.append(part)
            continue
        values += inner.operands
        for region in inner.static["parts"]:
            places.append(tuple((a + s * b, n, s * t) for (a, _, s), (b, n, t) in zip(part, region, strict=True)))
    if len(values) == len(static["parts"]) and tuple(values) == operands[: len(values)]:
        return None
    indices = operands[len(static["parts"]) :]
    return builder.rewrite("scatter", (*values, *indices), {"shape": static["shape"], "parts": tuple(places)})


def factor_of_sum(builder: Rewriter, operands: Operands, static: Static) -> int | None:
    """A scalar factor or divisor of all terms is that of the sum."""
    equation = builder.equations.get(operands[0])
    if equation is None or equation.primitive not in ("multiply", "divide"):
        return None
    terms, scalar = equation.operands
    if equation.primitive == "multiply" and builder.types[terms].shape == ():
        terms, scalar = scalar, terms
    kind = builder.types[operands[0]]
    if builder.types[scalar].shape != () or builder.types[terms] != kind or kind.dtype != FLOAT:
        return None
    return builder.rewrite(equation.primitive, (builder.rewrite("sum", (terms,), static), scalar), {})
