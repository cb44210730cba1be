"""The functions of arviz-stats on plain arrays, which carry no types of their own."""

from __future__ import annotations

from typing import Any

from arviz_stats.base.array import array_stats as _array_stats

array_stats: Any = _array_stats
"""ESS, R-hat, MCSE, BFMI and PSIS-LOO of arrays, with the axes of chains and draws as arguments."""
