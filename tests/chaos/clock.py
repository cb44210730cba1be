"""What a disturbance costs: the time that a run takes longer because of it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple


class Mark(NamedTuple):
    """Where a run stood at some time after its beginning, in seconds: how many segments it had committed."""

    seconds: float
    committed: int


class Cost(NamedTuple):
    """What one disturbance was, how many kills, stalls or faults, and how many seconds it cost."""

    name: str
    times: int
    seconds: float


@dataclass(slots=True)
class Clock:
    """A run seen from outside: when it committed how much, and when it was disturbed by what."""

    marks: list[Mark] = field(default_factory=list)
    acts: list[tuple[str, int, Mark]] = field(default_factory=list)
    ended: float = 0.0

    def look(self, seconds: float, committed: int) -> None:
        """Note where the run stands."""
        if not self.marks or committed > self.marks[-1].committed:
            self.marks.append(Mark(seconds, committed))

    def disturbed(self, name: str, times: int, begun: Mark) -> None:
        """Note that it was disturbed when it stood at `begun`."""
        self.acts.append((name, times, begun))

    def seconds_until(self, committed: int) -> float:
        """When this run had committed that much; its end if it never had."""
        place = bisect_right(self.marks, committed - 1, key=lambda mark: mark.committed)
        return self.marks[place].seconds if place < len(self.marks) else self.ended

    def costs(self, undisturbed: Clock) -> list[Cost]:
        """What each disturbance cost: the time until the next, or the end, less what `undisturbed` took as far.

        What a segment had drawn when it was disturbed is not seen from outside, so that each may be off by the length
        of a segment; their sum is not.
        """
        begun = [mark for *_, mark in self.acts]
        taken = [mark.seconds for mark in begun] + [self.ended]
        expected = [undisturbed.seconds_until(mark.committed) for mark in begun] + [undisturbed.ended]
        longer = [(taken[i + 1] - taken[i]) - (expected[i + 1] - expected[i]) for i in range(len(begun))]
        return [Cost(name, times, seconds) for (name, times, _), seconds in zip(self.acts, longer, strict=True)]
