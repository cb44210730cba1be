"""Compiled functions on disk: found by what they are, and by the facts of their data on which their code relies.

A function without its data's values has a key. Under it lies the program that prepares data, with the questions whose
answers the code depends on; key and answers make the key under which the code itself lies, or further questions. Each
file is written once, whole, and says the same whoever writes it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from exmc.cache import ObjectCache
from exmc.compile import origin
from exmc.compile.facts import FACTS
from exmc.compile.function import DataFunction
from exmc.compile.lowered import Program
from exmc.compile.preparation import Preparation, run
from exmc.compile.primitives import Array
from exmc.compile.tape import Constant, Tape
from exmc.compile.written import Unwritable, packing_of, program_of, written_packing, written_program
from exmc.machine_code import Target

_SUFFIX = ".json"


class Known(NamedTuple):
    """A program, with the data at hand, and the shapes of what it computes."""

    program: Program
    output_shapes: tuple[tuple[int, ...], ...]


class Question(NamedTuple):
    """What is asked of the data's argument or, prepared, of the constant of this number."""

    fact: str
    of: str
    number: int


def library_of(function: DataFunction, kind: str, target: Target, cache: ObjectCache | None) -> Library | None:
    """Where what is compiled of a function is kept; None if the function has no identity, or there is no cache."""
    if cache is None or not function.identity:
        return None
    shapes = [(array.shape, array.dtype.str) for array in function.data]
    parts = (function.identity, kind, repr(shapes), repr(tuple(target)), origin.VERSIONS, origin.SOURCES)
    return Library(cache, _key(*parts), function.data)


@dataclass(frozen=True, slots=True)
class Library:
    """What is kept of one function, for its data."""

    cache: ObjectCache
    key: str
    data: tuple[Array, ...]

    def find(self) -> Known | None:
        """The code that fits the data, and the data prepared for it; None if it is to be compiled.

        None, too, for data that cannot be prepared: what is wrong with them, compiling tells.
        """
        try:
            return self._find()
        except (IndexError, ValueError, KeyError, TypeError):
            return None

    def _find(self) -> Known | None:
        key, constants = self.key, list[Constant]()
        while (page := self._read(key)) is not None:
            if "program" in page:
                program, arguments = program_of(page["program"])
                constants = [Constant(array) for array in run(program, arguments, self.data)]
            if "code" in page:
                return _known(page["code"], constants)
            key = self._next(key, page, constants)
        return None

    def put(self, known: Known, preparation: Preparation, tape: Tape, *, bound: bool) -> None:
        """Keep code that was made of `tape`; `bound` code is for the values of these data alone."""
        if not origin.unchanged():
            return
        constants = list(tape.constants.values())
        try:
            program = written_program(*preparation.program(constants))
            code = _written(known, tuple(tape.constants))
        except Unwritable:
            return
        digests = [Question("digest", "argument", number) for number in range(len(self.data))]
        asked = [Question(fact, "constant", n) for n, constant in enumerate(constants) for fact in constant.answers]
        pages: list[dict[str, Any]] = [{"questions": digests}] if bound else []
        pages.append({"questions": asked, "program": program})
        key = self.key
        for page in pages:
            key = self._lead(key, page, constants)
        self._write(key, {"code": code})

    def _lead(self, key: str, page: dict[str, Any], constants: list[Constant]) -> str:
        """The key to which a page leads, past the pages that others wrote in its place with other questions."""
        missing = page["questions"]
        while True:
            there = self._read(key)
            if there is None or "questions" not in there or ("program" in page) != ("program" in there):
                there = {**page, "questions": missing}
                self._write(key, there)
            missing = [q for q in missing if list(q) not in [list(t) for t in there["questions"]]]
            key = self._next(key, there, constants)
            if not missing:
                return key

    def _next(self, key: str, page: dict[str, Any], constants: list[Constant]) -> str:
        answers = []
        for fact, of, number in page["questions"]:
            answers.append(constants[number].ask(fact) if of == "constant" else FACTS[fact](self.data[number]))
        return _key(key, *answers)

    def _read(self, key: str) -> dict[str, Any] | None:
        content = self.cache.get(key, _SUFFIX)
        return None if content is None else json.loads(content)

    def _write(self, key: str, page: dict[str, Any]) -> None:
        self.cache.put(key, json.dumps(page).encode(), _SUFFIX)


def _key(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _written(known: Known, idents: tuple[int, ...]) -> dict[str, Any]:
    return {
        "text": known.program.text,
        "packing": written_packing(known.program.packing),
        "workspace_size": known.program.workspace_size,
        "output_shapes": known.output_shapes,
        "constants": idents,
    }


def _known(code: dict[str, Any], constants: list[Constant]) -> Known:
    values = {ident: c.values for ident, c in zip(code["constants"], constants, strict=True)}
    program = Program(code["text"], packing_of(code["packing"]), code["workspace_size"], values)
    return Known(program, tuple(tuple(shape) for shape in code["output_shapes"]))
