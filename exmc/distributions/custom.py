"""A distribution of the user's own: a log density named by where it is imported from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Form, Parameter
from exmc.distributions.bounded import bounded_form
from exmc.errors import ExmcError, ModelError, suggest
from exmc.imports import import_function
from exmc.special import Array
from exmc.transforms import SUPPORTS, TRANSFORMS

# Those of known bounds; the others are meant by giving `lower` or `upper`.
_UNBOUNDED = [name for name, support in SUPPORTS.items() if not support.bounded]
_OWN = ("function", "support", "event_rank", "draw", "lower", "upper")


def _form(parts: Mapping[str, Any]) -> Form:
    import_function(parts["function"], ("function",))
    if "draw" in parts:
        import_function(parts["draw"], ("draw",))
    named = parts["support"]
    support = SUPPORTS.get(named)
    if support is None or named not in _UNBOUNDED:
        raise ModelError(
            f"there is no support {named!r}.",
            where=("support",),
            remedy=f"{suggest(named, _UNBOUNDED)} Bounds are given by lower and upper.",
        )
    bounded = "lower" in parts or "upper" in parts
    if bounded and named != "real":
        raise ModelError(f"the support {named!r} takes no bounds.", where=("support",), remedy="Leave it out.")
    rank = _rank(parts, support.event_rank)
    if bounded:
        form = bounded_form(False, "lower" in parts, "upper" in parts)
        return Form(form.support, form.transform, _AXES[:rank])
    fitting = [t.name for t in TRANSFORMS.values() if support in t.supports]
    return Form(support, fitting[0] if fitting else "", _AXES[:rank])


_AXES = ("first", "second")


def _rank(parts: Mapping[str, Any], least: int) -> int:
    given = parts["event_rank"]
    if given not in ("", "0", "1", "2") or (given and int(given) < least):
        raise ModelError(
            f"event_rank {given!r} is not the number of axes of one value.",
            where=("event_rank",),
            remedy=f"It is '{least}' or more, and at most '2'.",
        )
    return int(given) if given else least


def _limits(**parameters: Any) -> tuple[Array, ...]:
    return tuple(parameters[name] for name in ("lower", "upper") if name in parameters)


def _log_density(value: Array, *, function: str, event_rank: str, support: str, **parameters: Any) -> Array:
    arguments = {name: given for name, given in parameters.items() if name not in _OWN}
    rank = _rank({"event_rank": event_rank}, SUPPORTS[support].event_rank)
    found = _called(function, import_function(function, ()), value, **arguments)
    wanted = np.shape(value)[: np.ndim(value) - rank]
    if np.shape(found) != wanted:
        raise ModelError(
            f"{function} returned an array of shape {np.shape(found)} for values of shape {np.shape(value)}.",
            remedy=f"It must return one log density an event, of shape {wanted}; event_rank counts the axes of one.",
        )
    return found


def _called(name: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    try:
        return function(*arguments, **named)
    except ExmcError:
        raise
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise ModelError(
            f"{name} raised {type(error).__name__}: {said}.",
            remedy="It must be written in autograd.numpy and exmc.special, without branches on values, and take its "
            "parameters by name.",
        ) from error


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], *, function: str, draw: str = "", **parameters: Any
) -> NDArray[Any]:
    if not draw:
        raise ModelError(
            f"{function} has no draws.", remedy="Name a function in draw, which takes generator, shape and parameters."
        )
    arguments = {name: given for name, given in parameters.items() if name not in _OWN}
    found = numpy.asarray(_called(draw, import_function(draw, ()), generator, shape, **arguments))
    if found.shape != shape:
        raise ModelError(f"{draw} returned an array of shape {found.shape}, not {shape}.")
    return found


# ``function(value, **parameters)`` is a log density in autograd.numpy, one number an event; ``draw(generator, shape,
# **parameters)`` simulates. Every parameter besides those below is theirs, of any shape.
Custom = Distribution(
    name="Custom",
    parameters=(
        Parameter("function", takes="text"),
        Parameter("support", takes="text", default="real"),
        Parameter("event_rank", takes="text", default=""),
        Parameter("draw", takes="text", optional=True),
        Parameter("lower", optional=True),
        Parameter("upper", optional=True),
    ),
    log_density=_log_density,
    draw=_draw,
    form=_form,
    limits=_limits,
    open=True,
)
