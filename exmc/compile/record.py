"""Records a function of the position, with its derivative if asked, as a tape that does what the function does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np

from exmc.compile.function import DataFunction, Place, with_data
from exmc.compile.oracle import autograd_held, autograd_value_and_gradient, evaluate
from exmc.compile.preparation import Preparation
from exmc.compile.primitives import Array
from exmc.compile.scan_body import Body
from exmc.compile.simplify import simplify
from exmc.compile.tape import MOST_EQUATIONS, Constant, Tape
from exmc.compile.tracing import recording, trace, trace_slope
from exmc.compile.verify import LARGE, Oracle, points, verify_gradient, verify_outputs
from exmc.errors import CompileError, ExmcError, MissingLoweringError, TooLargeError


class Recording(NamedTuple):
    """A function as a tape, and what is known of it besides.

    Attributes
    ----------
    preparation
        What computes the tape's constants from the function's data.
    bound
        Whether the tape holds for the values of these data only, because the function looked at them.
    places
        Where in the model each primitive was first used.
    """

    tape: Tape
    preparation: Preparation
    bound: bool
    places: Mapping[str, Place]


def record(
    function: Callable[[Any], Any],
    dimension: int,
    *,
    gradient: bool,
    example: Array | None = None,
    oracle: Oracle | None = None,
) -> Tape:
    """The tape of `record_function` alone."""
    return record_function(with_data(function), dimension, gradient=gradient, example=example, oracle=oracle).tape


def record_function(
    function: DataFunction,
    dimension: int,
    *,
    gradient: bool,
    example: Array | None = None,
    oracle: Oracle | None = None,
    most: int = MOST_EQUATIONS,
) -> Recording:
    """The tape of a function of a vector and of data.

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
    most
        The number of equations beyond which recording ends.

    Raises
    ------
    TooLargeError
        If there are more.
    CompileError
        If the function cannot be recorded, or its tape does something else elsewhere.
    """
    generator = np.random.default_rng(20_240_229)
    position = generator.uniform(-1.0, 1.0, dimension) if example is None else np.array(example, dtype=np.float64)
    with autograd_held(), np.errstate(all="ignore"):
        try:
            found = _recorded(function, position, gradient, most)
        except (ExmcError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise _explained(error, function, position, gradient) from error
    if oracle is None or _size(found.tape) < LARGE:
        _replay(found.tape, function, gradient, oracle or autograd_value_and_gradient)
    return found


def _recorded(function: DataFunction, position: Array, gradient: bool, most: int) -> Recording:
    """With data traced, if the function lets them be; else for the values they have."""
    if function.data:
        data = [Constant(array) for array in function.data]
        try:
            found = _prepared(function, position, data, most, gradient=gradient)
        except TooLargeError:
            raise
        except Exception:
            # It looks at its data, or is wrong: recorded once more, it will tell.
            return _prepared(function, position, function.data, most, gradient=gradient)
        # Of a mask, say, only the values have a meaning in primitives.
        if all(equation.primitive != "external" for equation in found.tape.equations):
            return found
    return _prepared(function, position, function.data, most, gradient=gradient)


def _prepared(
    function: DataFunction, position: Array, data: Sequence[Constant | Array], most: int, *, gradient: bool
) -> Recording:
    with recording():
        tape, recorder = trace(function.apply, position, data, gradient=gradient, most=most)
    traced = [d for d in data if isinstance(d, Constant)]
    preparation = Preparation(traced)
    return Recording(preparation.absorb(tape), preparation, len(traced) < len(data), recorder.places)


def record_body(body: Body, name: str) -> Tape:
    """A tape of one step of a scan, or of its vector-Jacobian product, compared with the step or with autograd."""
    size = body.carry.size + body.parameters.size
    if name == "forward":
        return simplify(record(lambda u: (body.apply(u),), size + body.inputs.size, gradient=False))
    position = np.random.default_rng(20_240_301).uniform(-1.0, 1.0, size + body.inputs.size + body.width)
    with autograd_held(), recording(), np.errstate(all="ignore"):
        slope = trace_slope(partial(_pulled, body), position, _inside(body, name), most=MOST_EQUATIONS)
        tape = simplify(Preparation([]).absorb(slope))
    for point in points(tape.dimension, np.random.default_rng(20_240_302)):
        verify_outputs("tape", tape.evaluate(point), (vector_jacobian_product(body, point, name),), point)
    return tape


def vector_jacobian_product(body: Body, arguments: Array, name: str) -> Array:
    """What the tape `name` of a body gives, a reverse one, by autograd itself."""
    pulled = partial(_pulled, body, position=arguments)
    return autograd_value_and_gradient(pulled, arguments[: _inside(body, name)])[1]


def _inside(body: Body, name: str) -> int:
    """How many of a body's arguments a reverse tape differentiates."""
    size = body.carry.size + body.parameters.size
    return size + (body.inputs.size if name == "reverse all" else 0)


def _pulled(body: Body, inner: Any, position: Any) -> Any:
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


def check_points(tape: Tape) -> Iterator[Array]:
    """The positions at which what was made of a function is compared with it: no tape was recorded there."""
    return points(tape.dimension, np.random.default_rng(20_250_101), _size(tape))


def _size(tape: Tape) -> int:
    """The largest array of data, in elements, or what costs as much to interpret."""
    largest = max((array.size for array in tape.constants.values()), default=0)
    # A step of a scan is interpreted in tens of microseconds, and so as slow as thousands of elements.
    loops = [e for e in tape.equations if e.primitive == "recurrence" or e.primitive.startswith("scan")]
    steps = [max(axis for o in (*e.operands, e.result) for axis in tape.types[o].shape) for e in loops]
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
            verify_outputs("tape", found, evaluate(function, position), position, partial(evaluate, function))
