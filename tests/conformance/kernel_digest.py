"""A digest of what pickled densities compute, also as a program, whose argument is the file of the pickles."""

from __future__ import annotations

import hashlib
import pickle
import sys
from pathlib import Path

import numpy as np

from exmc.density import LogDensity


def digest(density: LogDensity) -> str:
    """Of value and gradient at some positions, bit by bit."""
    generator = np.random.default_rng(17)
    total = hashlib.sha256()
    for _ in range(40):
        value, gradient = density(generator.uniform(-2.0, 2.0, density.dimension))
        total.update(np.float64(value).tobytes() + gradient.tobytes())
    return total.hexdigest()


if __name__ == "__main__":
    print(*(digest(kernel.load()) for kernel in pickle.loads(Path(sys.argv[1]).read_bytes())))
