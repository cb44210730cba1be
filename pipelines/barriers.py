"""Where chains wait for one another, counted: it knows neither what they do there nor how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Barriers(Generic[T]):
    """The `places` (iterations) that each of `chains` may pass only when all have come there, or failed.

    Those in `done` are open. Coming, failing and waiting take no longer for more chains.
    """

    chains: int
    places: tuple[int, ...] = ()
    done: set[int] = field(default_factory=set)
    missing: dict[int, int] = field(init=False)
    reached: dict[int, int] = field(default_factory=dict)
    waiting: dict[int, list[T]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.missing = dict.fromkeys(self.places, self.chains)

    def come(self, chain: int, iteration: int) -> None:
        """`chain` has done so many iterations."""
        self._count(chain, iteration)
        self.reached[chain] = iteration

    def fail(self, chain: int) -> None:
        """`chain` comes nowhere any more; nobody waits for it."""
        if self.places:
            self.come(chain, self.places[-1])

    def holds(self, iteration: int) -> bool:
        """Whether a chain that has done so many iterations has to wait."""
        return iteration in self.missing and iteration not in self.done

    def hold(self, iteration: int, what: T) -> None:
        """Keep `what` until the place is open."""
        self.waiting.setdefault(iteration, []).append(what)

    def due(self) -> int | None:
        """A place to which all have come and where some wait, once; None if there is none."""
        return next((place for place in self.waiting if not self.missing[place] and place not in self.done), None)

    def open(self, place: int) -> list[T]:
        """Let go of all that waits there; nothing waits there from now on."""
        self.done.add(place)
        return self.waiting.pop(place, [])

    def _count(self, chain: int, iteration: int) -> None:
        before = self.reached.get(chain, 0)
        for place in self.places:
            if before < place <= iteration:
                self.missing[place] -= 1
