"""Writes LLVM IR text: registers, counted loops, memory accesses, calls."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import NamedTuple

from exmc.compile.vector_math import SCALAR, VECTOR_ATTRIBUTES, VECTOR_FUNCTIONS, VECTOR_INTRINSICS, VECTOR_NEEDS

FLAGS = "contract nsz arcp"
"""Floating point freedom everywhere. Never nnan or ninf: they delete guards against NaN and infinity."""

SUM_FLAGS = "reassoc contract nsz arcp"
"""In the adds of a reduction only: elsewhere it would delete compensation terms."""

_ATTRIBUTES = "nounwind willreturn memory(none)"


_SIZES = {"i8": 1, "i16": 2, "i32": 4, "float": 4}
_FIRST_LOOP = 10
_INLINED = 2000
_SHORT = 16
LONG = 32
"""Loops from this length on are worth LLVM's time for vectorising transcendental functions."""


def _hints(extent: int | str, *, innermost: bool, scalar: bool, short: bool, unrolled: bool) -> str:
    """The metadata of a loop: outer loops stay as they are, for LLVM would unroll them around their inner loops."""
    if not innermost:
        return "!4, !5, !6"
    if unrolled:
        return "!4, !5, !8"
    # A vectorised loop costs LLVM tens of milliseconds, which a few rounds never earn back.
    if scalar or (isinstance(extent, int) and extent < _SHORT):
        return "!4, !5"
    # A loop of a few dozen rounds would spend them in the remainder of an interleaved one.
    return "!4, !7" if short else "!4"


class Register(NamedTuple):
    """An SSA name or immediate, and its type: "double", "i1" or "i64"."""

    name: str
    kind: str


class Memory(NamedTuple):
    """An array in memory: where it starts and how its axes advance, in elements."""

    base: str
    offset: int
    strides: tuple[int, ...]
    constant: bool = False
    dtype: str = "float64"


ELEMENTS = MappingProxyType(
    {
        "float64": ("double", ""),
        "float32": ("float", "fpext"),
        "int8": ("i8", "sitofp"),
        "int16": ("i16", "sitofp"),
        "int32": ("i32", "sitofp"),
        "int64": ("i64", "sitofp"),
    }
)
"""How the elements of data of each dtype are loaded, and made doubles."""


class Writer:
    """Collects the lines of one function and the declarations it needs."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.allocas: list[str] = []
        self.declarations: dict[str, str] = {}
        self.loop_hints: list[str] = []
        self.long_loop = False
        """Whether the code being written is the body of a loop that is worth vectorising."""

        self._count = 0
        self._block = "entry"

    def fresh(self, stem: str = "v") -> str:
        """An unused SSA name."""
        self._count += 1
        return f"%{stem}{self._count}"

    def line(self, text: str) -> None:
        """Append one instruction."""
        self.lines.append(f"  {text}")

    def value(self, text: str, kind: str = "double") -> Register:
        """The result of an instruction."""
        name = self.fresh()
        self.line(f"{name} = {text}")
        return Register(name, kind)

    def number(self, value: float) -> Register:
        """A double that stands in the code, bit for bit."""
        return Register(f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}", "double")

    def real(self, register: Register) -> Register:
        """`register` as a double: a truth is 0 or 1."""
        if register.kind == "double":
            return register
        return self.value(f"uitofp i1 {register.name} to double")

    def truth(self, register: Register) -> Register:
        """`register` as a truth: whatever is not 0, NaN too."""
        if register.kind == "i1":
            return register
        return self.value(f"fcmp une double {register.name}, 0.0", "i1")

    def call(self, function: str, *arguments: Register, extra: str = "") -> Register:
        """Call a function of doubles that depends on its arguments only."""
        kinds = ", ".join(["double"] * len(arguments) + (["i32"] if extra else []))
        vectorised = function.removeprefix("exmc_")
        if self.long_loop and vectorised in VECTOR_FUNCTIONS:
            for name in (vectorised, *VECTOR_NEEDS.get(vectorised, ())):
                self.declarations.setdefault(f"vector {name}", VECTOR_FUNCTIONS[name])
            if vectorised in VECTOR_NEEDS:
                for name, text in VECTOR_INTRINSICS.items():
                    self.declarations.setdefault(name, text)
            function, extra = f"exmc_vector_{vectorised}", ""
        else:
            function = SCALAR.get(function, function)
            self.declarations.setdefault(function, f"declare double @{function}({kinds}) #1")
        passed = ", ".join(f"double {a.name}" for a in arguments) + (f", i32 {extra}" if extra else "")
        return self.value(f"call double @{function}({passed}) #1")

    def intrinsic(self, name: str, *arguments: Register) -> Register:
        """Call an LLVM intrinsic on doubles."""
        function = f"llvm.{name}.f64"
        kinds = ", ".join(["double"] * len(arguments))
        self.declarations.setdefault(function, f"declare double @{function}({kinds})")
        passed = ", ".join(f"double {a.name}" for a in arguments)
        return self.value(f"call double @{function}({passed})")

    def alloca(self, kind: str = "double") -> str:
        """A stack slot; LLVM turns one of a double or a vector into a register."""
        name = self.fresh("slot")
        aligned = "" if kind == "double" else ", align 64"
        self.allocas.append(f"  {name} = alloca {kind}{aligned}")
        return name

    def address(self, base: str, offset: int, terms: list[tuple[str, int]], element: str = "double") -> str:
        """The address of element offset + sum of index * stride."""
        total = str(offset)
        for index, stride in terms:
            if stride == 0:
                continue
            scaled = index if stride == 1 else self.value(f"mul nsw i64 {index}, {stride}", "i64").name
            total = scaled if total == "0" else self.value(f"add nsw i64 {scaled}, {total}", "i64").name
        if total == "0":
            return base
        return self.value(f"getelementptr inbounds {element}, ptr {base}, i64 {total}", "ptr").name

    def element(self, place: Memory, indices: Sequence[str]) -> Register:
        """Load the element at these indices, as a double."""
        kind, conversion = ELEMENTS[place.dtype]
        address = self.address(place.base, place.offset, list(zip(indices, place.strides, strict=True)), kind)
        loaded = self.load(address, constant=place.constant, kind=kind)
        return self.value(f"{conversion} {kind} {loaded.name} to double") if conversion else loaded

    def index(self, place: Memory, indices: Sequence[str]) -> str:
        """Load the whole number at these indices, as an i64."""
        kind = ELEMENTS[place.dtype][0]
        address = self.address(place.base, place.offset, list(zip(indices, place.strides, strict=True)), kind)
        loaded = self.load(address, constant=place.constant, kind=kind)
        return loaded.name if kind == "i64" else self.value(f"sext {kind} {loaded.name} to i64", "i64").name

    def load(self, address: str, *, constant: bool = False, kind: str = "double") -> Register:
        """Load an element; `constant` says that nothing ever writes there."""
        note = ", !invariant.load !3, !alias.scope !2" if constant else ""
        return self.value(f"load {kind}, ptr {address}, align {_SIZES.get(kind, 8)}{note}", kind)

    def store(self, register: Register, address: str) -> None:
        """Store a double."""
        self.line(f"store double {self.real(register).name}, ptr {address}, align 8, !noalias !2")

    def add_to(self, address: str, register: Register, flags: str = FLAGS) -> None:
        """Add a double to memory."""
        total = self.value(f"fadd {flags} double {self.load(address).name}, {self.real(register).name}")
        self.store(total, address)

    def sum_of_vector(self, address: str) -> Register:
        """The sum of eight doubles, in pairs."""
        self.declarations.setdefault(
            "llvm.reduce", "declare double @llvm.vector.reduce.fadd.v8f64(double, <8 x double>)"
        )
        vector = self.value(f"load <8 x double>, ptr {address}, align 8", "<8 x double>").name
        return self.value(f"call reassoc double @llvm.vector.reduce.fadd.v8f64(double -0.0, <8 x double> {vector})")

    def zero(self, base: str, offset: int, count: int) -> None:
        """Clear `count` doubles."""
        if count:
            self.declarations.setdefault("llvm.memset", "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
            self.line(
                f"call void @llvm.memset.p0.i64(ptr {self.address(base, offset, [])}, i8 0, i64 {8 * count}, i1 false)"
            )

    def fill(self, base: str, offset: int, count: int, value: Register) -> None:
        """Set `count` doubles."""
        with self.loop(count) as index:
            self.store(value, self.address(base, offset, [(index, 1)]))

    @contextmanager
    def loop(
        self,
        extent: int | str,
        *,
        scalar: bool = False,
        empty: bool = False,
        short: bool = False,
        unrolled: bool = False,
    ) -> Iterator[str]:
        """A loop from 0 to `extent`, exclusive; gives the index.

        `extent` is a number or the name of an i64, above 0 unless `empty` says that it may be 0. A `scalar` loop is
        not to be vectorised, a `short` one not to be interleaved, an `unrolled` one does four rounds at a time.
        """
        index, following = self.fresh("i"), self.fresh("n")
        label = index[1:]
        if empty:
            some = self.value(f"icmp ne i64 {extent}, 0", "i1")
            self.line(f"br i1 {some.name}, label %{label}.body, label %{label}.done")
        else:
            self.line(f"br label %{label}.body")
        self.lines.append(f"{label}.body:")
        self.line(f"{index} = phi i64 [ 0, %{self._block} ], [ {following}, %{label}.latch ]")
        self._block = f"{label}.body"
        inside = len(self.loop_hints)
        yield index
        self.line(f"br label %{label}.latch")
        self.lines.append(f"{label}.latch:")
        self.line(f"{following} = add nuw nsw i64 {index}, 1")
        more = self.value(f"icmp ult i64 {following}, {extent}", "i1")
        innermost = len(self.loop_hints) == inside
        self.loop_hints.append(_hints(extent, innermost=innermost, scalar=scalar, short=short, unrolled=unrolled))
        note = f"!llvm.loop !{_FIRST_LOOP + len(self.loop_hints) - 1}"
        self.line(f"br i1 {more.name}, label %{label}.body, label %{label}.done, {note}")
        self.lines.append(f"{label}.done:")
        self._block = f"{label}.done"

    @contextmanager
    def when(self, condition: Register) -> Iterator[None]:
        """Code that runs where a truth holds."""
        label = self.fresh("if")[1:]
        self.line(f"br i1 {condition.name}, label %{label}.then, label %{label}.end")
        self.lines.append(f"{label}.then:")
        self._block = f"{label}.then"
        yield
        self.line(f"br label %{label}.end")
        self.lines.append(f"{label}.end:")
        self._block = f"{label}.end"

    @contextmanager
    def repeat(self, again: str) -> Iterator[None]:
        """A loop that runs once, and then for as long as the truth at the address `again` holds after its body."""
        label = self.fresh("r")[1:]
        self.line(f"br label %{label}.body")
        self.lines.append(f"{label}.body:")
        self._block = f"{label}.body"
        yield
        more = self.value(f"load i1, ptr {again}", "i1")
        # Whatever loop is around this one is not the innermost.
        self.loop_hints.append(_hints("", innermost=False, scalar=True, short=False, unrolled=False))
        note = f"!llvm.loop !{_FIRST_LOOP + len(self.loop_hints) - 1}"
        self.line(f"br i1 {more.name}, label %{label}.body, label %{label}.done, {note}")
        self.lines.append(f"{label}.done:")
        self._block = f"{label}.done"

    def copy(self, source: str, target: str, count: int) -> None:
        """Copy `count` doubles that lie side by side from one address to another."""
        if count:
            self.declarations.setdefault("llvm.memcpy", "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
            self.line(f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 {8 * count}, i1 false)")

    def function(self, name: str, *, readonly: str = "noalias readonly") -> str:
        """The text of the function written so far; the last line must have returned."""
        head = (
            f"define double @{name}(ptr {readonly} %position, ptr noalias %results, ptr noalias %workspace, "
            "ptr noalias readonly %pointers) #0 {"
        )
        return "\n".join([head, "entry:", *self.allocas, *self.lines, "}"])

    def inner(self) -> Writer:
        """A writer of another function of the same module."""
        writer = Writer()
        writer.declarations, writer.loop_hints = self.declarations, self.loop_hints
        return writer

    def body(self, name: str) -> str:
        """The text of the function written so far, for a caller in this module to inline if it is short."""
        inlined = "alwaysinline " if len(self.lines) < _INLINED else "noinline "
        head = (
            f"define internal double @{name}(ptr noalias readonly %position, ptr noalias %results, "
            f"ptr noalias %workspace, ptr noalias readonly %pointers) {inlined}#0 {{"
        )
        return "\n".join([head, "entry:", *self.allocas, *self.lines, "}"])

    def metadata(self) -> str:
        """The alias scopes and loop hints that the function refers to."""
        lines = ["!0 = distinct !{!0}", "!1 = distinct !{!1, !0}", "!2 = !{!1}", "!3 = !{}"]
        lines += ['!4 = !{!"llvm.loop.mustprogress"}', '!5 = !{!"llvm.loop.vectorize.enable", i1 false}']
        lines += ['!6 = !{!"llvm.loop.unroll.disable"}', '!7 = !{!"llvm.loop.interleave.count", i32 1}']
        lines += ['!8 = !{!"llvm.loop.unroll.count", i32 4}']
        for number, hints in enumerate(self.loop_hints, start=_FIRST_LOOP):
            lines.append(f"!{number} = distinct !{{!{number}, {hints}}}")
        return "\n".join(lines)

    def text(self, name: str) -> str:
        """The whole module."""
        attributes = [f"attributes #1 = {{ {_ATTRIBUTES} }}"]
        attributes.append(VECTOR_ATTRIBUTES)
        attributes.append('attributes #0 = { nounwind "no-trapping-math"="true" "prefer-vector-width"="512" }')
        return "\n".join([self.function(name), *self.declarations.values(), *attributes, self.metadata(), ""])
