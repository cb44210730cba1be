"""A running run as a notebook shows it: a table of its chains, redrawn as they go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from html import escape
from importlib import import_module
from typing import Any

from pipelines.status import RunStatus

_SECONDS_BETWEEN = 0.5
_COLOURS = {"finished": "#1d7a46", "failed": "#b3261e", "stopped": "#8a5a00", "paused": "#8a5a00"}


def status_html(directory: str, status: RunStatus, text: str = "") -> str:
    """Where the run in `directory` stands: its state, a line a chain, and, at its end, what it came to."""
    rows = []
    for number, chain in enumerate(status.chains):
        phase = f"failed: {chain.failure}" if chain.failure else "warm-up" if chain.warmup else "draws"
        kept = 0 if chain.warmup else chain.draws
        bar = f'<progress max="{max(status.total, kept, 1)}" value="{kept}"></progress>'
        cells = (str(number), phase, str(chain.draws), str(chain.divergences), f"{chain.step_size:.3g}")
        rows.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}<td>{bar}</td></tr>")
    colour = _COLOURS.get(status.state, "#1f6f8b")
    heads = "".join(f"<th>{head}</th>" for head in ("chain", "", "done", "divergences", "step size", ""))
    said = f"<pre>{escape(text)}</pre>" if text else ""
    return (
        f'<div><b style="color: {colour}">{status.state}</b> <code>{escape(directory)}</code>, {status.draws} of '
        f"{status.total * len(status.chains)} draws"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>{said}</div>"
    )


class Display:
    """One output cell of a notebook that shows a run, and is redrawn when the run changes, twice a second at most."""

    def __init__(self, html: Callable[[], str]) -> None:
        # Only notebooks call this, and they have IPython.
        self._module: Any = import_module("IPython.display")
        self._html = html
        self._lock = threading.Lock()
        self._drawn = time.monotonic()
        self._output = self._module.display(self._module.HTML(html()), display_id=True)

    def refresh(self, last: bool = False) -> None:
        """Show the run as it is now; but for the `last` time not sooner than half a second after the one before."""
        with self._lock:
            now = time.monotonic()
            if last or now - self._drawn >= _SECONDS_BETWEEN:
                self._drawn = now
                self._output.update(self._module.HTML(self._html()))
