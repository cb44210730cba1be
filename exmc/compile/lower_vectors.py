"""Products of one tile of a matrix, in vector instructions."""

from __future__ import annotations

from exmc.compile.lower_text import ELEMENTS, FLAGS, Memory, Writer

WIDTH = 8
"""Doubles in a vector: one register of AVX-512, two of AVX2, four of NEON."""

_VECTOR = f"<{WIDTH} x double>"
_COLUMNS = 8
"""Columns that a transposed product works on at a time."""

Tile = tuple[Memory, str]
"""Where a matrix's tiles lie, and the number of the element with which one begins."""


def multiply_tile(writer: Writer, tile: Tile, columns: int, rows: int, vector: Memory, buffer: str) -> None:
    """The product of each of a tile's `rows` rows with a vector, into `buffer`."""
    chunk = 8 if rows % (8 * WIDTH) == 0 else 4
    with writer.loop(rows // (chunk * WIDTH)) as number:
        first = writer.value(f"mul nuw nsw i64 {number}, {chunk * WIDTH}", "i64").name
        slots = [writer.alloca(_VECTOR) for _ in range(chunk)]
        for slot in slots:
            _store(writer, "zeroinitializer", slot)
        with writer.loop(columns, scalar=True) as column:
            coefficient = _splat(writer, writer.element(vector, [column]).name)
            for position, slot in enumerate(slots):
                element = _element(writer, tile, [(column, rows), (first, 1)], position * WIDTH)
                _accumulate(writer, slot, element, coefficient)
        for position, slot in enumerate(slots):
            _store(writer, _load(writer, slot), writer.address(buffer, position * WIDTH, [(first, 1)]))


def transposed_tile(writer: Writer, tile: Tile, columns: int, rows: int, buffer: str, totals: str) -> None:
    """Add the product of a tile's transpose with `buffer` to vectors of partial sums, one a column."""
    whole = columns // _COLUMNS
    if whole:
        with writer.loop(whole) as group:
            first = writer.value(f"mul nuw nsw i64 {group}, {_COLUMNS}", "i64").name
            _transposed_columns(writer, tile, first, _COLUMNS, rows, buffer, totals)
    if columns % _COLUMNS:
        _transposed_columns(writer, tile, str(whole * _COLUMNS), columns % _COLUMNS, rows, buffer, totals)


def _transposed_columns(
    writer: Writer, tile: Tile, first: str, count: int, rows: int, buffer: str, totals: str
) -> None:
    slots = [writer.alloca(_VECTOR) for _ in range(count)]
    places = [writer.address(totals, number * WIDTH, [(first, WIDTH)]) for number in range(count)]
    for slot, place in zip(slots, places, strict=True):
        _store(writer, _load(writer, place), slot)
    with writer.loop(rows // WIDTH, scalar=True) as number:
        row = writer.value(f"mul nuw nsw i64 {number}, {WIDTH}", "i64").name
        factor = _load(writer, writer.address(buffer, 0, [(row, 1)]))
        for column, slot in enumerate(slots):
            element = _element(writer, tile, [(first, rows), (row, 1)], column * rows)
            _accumulate(writer, slot, element, factor)
    for slot, place in zip(slots, places, strict=True):
        _store(writer, _load(writer, slot), place)


def _element(writer: Writer, tile: Tile, terms: list[tuple[str, int]], offset: int) -> str:
    """A vector of the tile's elements, as doubles."""
    place, start = tile
    kind, conversion = ELEMENTS[place.dtype]
    terms = [*terms, (start, 1)] if start != "0" else terms
    address = writer.address(place.base, offset, terms, kind)
    loaded = _load(writer, address, kind, constant=True)
    if not conversion:
        return loaded
    return writer.value(f"{conversion} <{WIDTH} x {kind}> {loaded} to {_VECTOR}", _VECTOR).name


def _load(writer: Writer, address: str, kind: str = "double", *, constant: bool = False) -> str:
    note = ", !invariant.load !3, !alias.scope !2" if constant else ""
    align = {"double": 8, "float": 4, "i8": 1, "i16": 2}[kind]
    vector = f"<{WIDTH} x {kind}>"
    return writer.value(f"load {vector}, ptr {address}, align {align}{note}", vector).name


def _store(writer: Writer, value: str, address: str) -> None:
    writer.line(f"store {_VECTOR} {value}, ptr {address}, align 8, !noalias !2")


def _splat(writer: Writer, scalar: str) -> str:
    single = writer.value(f"insertelement {_VECTOR} poison, double {scalar}, i64 0", _VECTOR).name
    return writer.value(
        f"shufflevector {_VECTOR} {single}, {_VECTOR} poison, <{WIDTH} x i32> zeroinitializer", _VECTOR
    ).name


def _accumulate(writer: Writer, slot: str, left: str, right: str) -> None:
    product = writer.value(f"fmul {FLAGS} {_VECTOR} {left}, {right}", _VECTOR).name
    total = writer.value(f"fadd {FLAGS} {_VECTOR} {_load(writer, slot)}, {product}", _VECTOR).name
    _store(writer, total, slot)
