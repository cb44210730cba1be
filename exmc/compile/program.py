"""A rewritten model with its machine code: everything a chain needs, as one value that travels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Engine: TypeAlias = Literal["native", "autograd"]
