"""Why a chain failed, in one line of its traceback."""

from __future__ import annotations


def reason(traceback: str) -> str:
    """The line of a traceback that says what was raised."""
    lines = traceback.strip().splitlines()
    marked = [line for line in lines if line[:1].strip() and not line.startswith(("Traceback", "It is stuck"))]
    return marked[-1] if marked else ""
