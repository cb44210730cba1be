"""What compiled code comes from, besides the function: the sources that made it, and the versions of libraries."""

from __future__ import annotations

import hashlib
import os
import sys
from importlib import metadata

import numpy
import scipy

_PACKAGE = os.path.dirname(os.path.dirname(__file__))
# What samples, stores and judges has no part in a density; whatever else there is, or will be, may have.
_APART = ("rewrite", "nuts", "sampling", "trace", "diagnostics", "predictive", "viz")


def source_digest() -> str:
    """SHA-256 of the sources that densities are compiled by, as they are on disk now."""
    digest, paths = hashlib.sha256(), []
    # Every process waits for this: `os` does it in half of pathlib's time.
    for folder, folders, files in os.walk(_PACKAGE):
        folders[:] = [name for name in folders if not (folder == _PACKAGE and name in _APART)]
        paths += [os.path.join(folder, name) for name in files if name.endswith(".py")]
    for path in sorted(paths):
        with open(path, "rb") as file:
            digest.update(path.removeprefix(_PACKAGE).encode() + b"\0" + file.read() + b"\0")
    return digest.hexdigest()


# If the sources on disk are still these when something is compiled, then these are what was imported.
SOURCES = source_digest()

VERSIONS = ", ".join((sys.version, numpy.__version__, scipy.__version__, metadata.version("autograd")))


def unchanged() -> bool:
    """Whether the sources on disk are those of this process."""
    return source_digest() == SOURCES
