"""How far a work is, in a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from pipelines.counting import working


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_parts_of_a_work_are_shown_in_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal, file, silenced = Terminal(), io.StringIO(), Terminal()
    for stream, silent in ((terminal, False), (file, False), (silenced, True)):
        with working("predicting", silent, stream) as on_part:
            for done in range(1, 4):
                on_part(done, 3)
    assert "predicting" in terminal.getvalue()
    assert (file.getvalue(), silenced.getvalue()) == ("", "")
