"""What the infrastructure fails at is tried again after growing pauses, and nothing else is."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import pytest

from exmc.errors import ClusterError, StoreError
from pipelines import patience
from pipelines.patience import patiently


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(patience, "time", SimpleNamespace(sleep=found.append))
    return found


def failing(times: list[Exception]) -> str:
    if times:
        raise times.pop()
    return "done"


def test_it_is_tried_again_after_growing_pauses(pauses: list[float]) -> None:
    assert patiently(3, failing, [OSError(28, "full"), MemoryError(), TimeoutError()]) == "done"
    assert pauses == [0.5, 1.0, 2.0]


def test_not_for_ever(pauses: list[float]) -> None:
    with pytest.raises(ClusterError, match=r"OSError: \[Errno 28\] full \(9 attempts failed\)") as raised:
        patiently(8, failing, [OSError(28, "full")] * 9)
    assert max(pauses) == 30.0
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
    with pytest.raises(ClusterError, match="the only attempt failed"):
        patiently(0, failing, [OSError(5, "no")])


@pytest.mark.parametrize("error", [ValueError("wrong"), StoreError("damaged")])
def test_errors_of_the_model_and_damage_are_raised_at_once(error: Exception, pauses: list[float]) -> None:
    with pytest.raises(type(error), match=str(error)):
        patiently(3, failing, [error])
    assert pauses == []
