"""What compiled code comes from, besides the function: the sources that made it, and the versions of libraries."""

from __future__ import annotations

import hashlib
import sys
from importlib import metadata
from pathlib import Path

import numpy
import scipy

_PACKAGE = Path(__file__).parents[1]
# What samples, stores and judges has no part in a density; whatever else there is, or will be, may have.
_APART = ("rewrite", "nuts", "sampling", "trace", "diagnostics", "predictive", "viz")


def source_digest() -> str:
    """SHA-256 of the sources that densities are compiled by, as they are on disk now."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        name = path.relative_to(_PACKAGE)
        if name.parts[0] not in _APART:
            digest.update(name.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


# If the sources on disk are still these when something is compiled, then these are what was imported.
SOURCES = source_digest()

VERSIONS = ", ".join((sys.version, numpy.__version__, scipy.__version__, metadata.version("autograd")))


def unchanged() -> bool:
    """Whether the sources on disk are those of this process."""
    return source_digest() == SOURCES
