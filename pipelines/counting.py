"""How far a work of many parts is: a bar in a terminal, lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars


@contextlib.contextmanager
def counting(label: str, total: int, silent: bool, stream: TextIO | None = None) -> Iterator[Callable[[int], None]]:
    """Shows how many of `total` are done: a bar in a terminal, else a line for every tenth."""
    stream = sys.stderr if stream is None else stream
    console = Console(file=stream)
    if silent:
        yield lambda done: None
    elif console.is_terminal and not console.is_dumb_terminal:
        with Bars(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
        ) as bars:
            task = bars.add_task(label, total=total)
            yield lambda done: bars.update(task, completed=done)
    else:
        step = max(1, total // 10)
        yield lambda done: print(f"{label} {done}/{total}", file=stream, flush=True) if done % step == 0 else None


@contextlib.contextmanager
def working(label: str, silent: bool, stream: TextIO | None = None) -> Iterator[Callable[[int, int], None]]:
    """Shows how many parts of a work are done, in a terminal alone, where it takes a part a moment."""
    console = Console(file=sys.stderr if stream is None else stream)
    if silent or not console.is_terminal or console.is_dumb_terminal:
        yield lambda done, total: None
        return
    with Bars(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console, transient=True
    ) as bars:
        task = bars.add_task(label, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
