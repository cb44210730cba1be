"""Tasks go where least is to be done."""

from __future__ import annotations

from pipelines.placement import Placement


def test_tasks_are_spread_by_threads_and_stay_at_home() -> None:
    placement = Placement()
    assert placement.place(0) is None
    placement.done(0)
    placement.renew({"a": 1, "b": 2})
    assert [placement.place(number) for number in range(3)] == ["a", "b", "b"]
    placement.done(2)
    placement.done(0)
    # Both have nothing, or half a thread's work: `a` has least.
    assert placement.place(2) == "a"
    placement.done(1)
    placement.done(2)
    assert placement.place(1) == "b"


def test_workers_come_and_go() -> None:
    placement = Placement()
    placement.renew({"a": 1, "b": 1})
    assert [placement.place(number) for number in range(2)] == ["a", "b"]
    placement.lose("b")
    assert placement.place(2) == "a"
    placement.renew({"a": 1, "b": 1, "c": 1})
    # That one came again with nothing to do; where the task of 1 went, nobody knows.
    placement.done(1)
    assert placement.place(1) == "b"
    assert placement.place(3) == "c"
    placement.lose("nobody")
    placement.forget()
    assert [placement.place(number) for number in (3, 2)] == ["c", "a"]
