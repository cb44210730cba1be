"""A rewritten model with its machine code: everything a chain needs, as one value that travels."""

from __future__ import annotations

from typing import Literal, TypeAlias

Engine: TypeAlias = Literal["native", "autograd"]
