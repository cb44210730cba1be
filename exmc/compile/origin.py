"""What compiled code comes from, besides the function: the sources that made it, and the versions of libraries."""

from __future__ import annotations

import hashlib
import sys
from importlib import metadata
from pathlib import Path

import numpy
import scipy

_PACKAGE = Path(__file__).parents[1]
_FOLDERS = (".", "ir", "distributions", "compile")


def source_digest() -> str:
    """SHA-256 of the sources that densities are compiled by, as they are on disk now."""
    digest = hashlib.sha256()
    for folder in _FOLDERS:
        for path in sorted((_PACKAGE / folder).glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


# If the sources on disk are still these when something is compiled, then these are what was imported.
SOURCES = source_digest()

VERSIONS = ", ".join((sys.version, numpy.__version__, scipy.__version__, metadata.version("autograd")))


def unchanged() -> bool:
    """Whether the sources on disk are those of this process."""
    return source_digest() == SOURCES
