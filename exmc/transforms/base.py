"""What a transform is: a bijection from unconstrained numbers onto a support."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exmc.errors import ModelError
from exmc.special import Array
from exmc.transforms.supports import Support

Shape = tuple[int, ...]


def same_shape(shape: Shape) -> Shape:
    """`shape`."""
    return shape


_EVENTS = ("numbers", "vectors", "matrices")


@dataclass(frozen=True, slots=True)
class Transform:
    """A smooth bijection from real vectors onto the interior of a support: elementwise, or of whole events.

    All three functions are made of autograd primitives, broadcast over leading axes, and are stable for unconstrained
    values up to 700 in magnitude (300 where whole events are transformed). What rounds onto a support's edge
    (``exp(-800)``, ``expit(40)``) stays inside its closure. An elementwise transform increases.

    Attributes
    ----------
    name
        Its name in models and messages.
    supports
        The supports onto whose interior it maps; those with bounds take them as further arguments.
    constrain
        ``constrain(unconstrained, *bounds)``: the value in the support.
    unconstrain
        ``unconstrain(constrained, *bounds)``: its inverse.
    log_jacobian
        ``log_jacobian(unconstrained, *bounds)``: log of the absolute determinant of the derivative of `constrain`, one
        number an event. Events with fewer degrees of freedom than elements are measured by: a simplex by all elements
        but one; a sum-to-zero vector by orthonormal coordinates of its plane; symmetric and triangular matrices by the
        elements of their lower triangle (strictly lower for correlations and their factors).
    event_rank
        How many trailing axes of a value are transformed together; 0 for elementwise ones.
    unconstrained_shape
        ``unconstrained_shape(event_shape)``: the shape of the unconstrained numbers of one event, which has at most
        `event_rank` axes. Raises ModelError for an event that cannot be.
    restricts
        Supports of numbers: such a variable, or a vector of them, may be restricted to this transform's support. The
        density is then not normalised anew (as in Stan).
    """

    name: str
    supports: tuple[Support, ...]
    constrain: Callable[..., Array]
    unconstrain: Callable[..., Array]
    log_jacobian: Callable[..., Array]
    event_rank: int = 0
    unconstrained_shape: Callable[[Shape], Shape] = same_shape
    restricts: tuple[Support, ...] = ()

    def free_shape(self, shape: Shape) -> Shape:
        """The shape of the unconstrained numbers of a value of `shape`, batch axes included."""
        split = len(shape) - self.event_rank
        if split < 0:
            raise ModelError(
                f"the transform {self.name!r} takes {_EVENTS[self.event_rank]}, not values of shape {shape}.",
                remedy="Give the variable dims or a shape.",
            )
        return shape[:split] + self.unconstrained_shape(shape[split:])
