"""What a task must know of its run: small, frozen, without data."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from exmc.compile.kernel import Engine
from exmc.diagnostics.until import Until
from exmc.errors import StoreError
from exmc.methods import NUTS, method_of
from exmc.sampling.options import SamplerOptions
from exmc.sampling.pooling import pooled_at
from exmc.trace.files import Location, location
from pipelines.code import Code

MODEL = "ir.json"
CONFIG = "config.yaml"
EXPLANATION = "explain.txt"
EVENTS = "events.jsonl"
STOP = "state/stop"
LOCK = "state/driver.lock"
PLAN = "state/plan.json"

_DECISIVE = ("exmc", "numpy", "scipy", "autograd", "llvmlite")


@dataclass(frozen=True, slots=True)
class Plan:
    """A run as its tasks see it; everything else lies in the run directory, which all of them can reach.

    `fingerprint` is the digest of all that decides the draws: model and data, seed, options, engine, `versions`,
    `method` and its own `settings`. A chain that spends `watchdog` seconds on one gradient is given up. With `until`,
    ``options.draws`` grow as it asks. `code` is what it may import.
    """

    label: str
    directory: str
    options: SamplerOptions
    engine: Engine
    segment_seconds: float
    retries: int
    min_chains: int
    fingerprint: str
    versions: Mapping[str, str]
    prior_draws: int = 500
    posterior_predictive: bool = True
    watchdog: float | None = None
    until: Until | None = None
    code: Code | None = None
    method: str = NUTS
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Location:
        """The run directory."""
        return location(self.directory)


@functools.cache
def versions() -> Mapping[str, str]:
    """Versions of Python and of the libraries that the bits of a draw depend on; looked up once a process."""
    found = {"python": platform.python_version()}
    for package in _DECISIVE:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def check_versions(plan: Plan) -> None:
    """Raise `StoreError` unless this process has the libraries the run was begun with.

    Draws by others may differ in the last bits, and a run must not be patched together from both.
    """
    now = versions()
    other = [
        f"{name} {plan.versions.get(name)} (now {now[name]})" for name in now if plan.versions.get(name) != now[name]
    ]
    if other:
        raise StoreError(
            f"this run was begun with {', '.join(other)}.",
            where=(plan.directory,),
            remedy="Install those versions, on every worker, to finish it; or begin a new run beside this one: "
            f"exmc resume {plan.directory} --force-restart",
        )


def fingerprint(
    model_digest: str, options: SamplerOptions, engine: Engine, built_with: Mapping[str, str],
    code: Code | None = None, method: str = NUTS, settings: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """SHA-256 (hex) of all that decides the draws of a run.

    The numbers of draws and chains are left out, but for methods that they decide the fit of, and chains that learn
    together: a chain's first draws do not depend on how many follow.
    """
    indifferent = ("draws",) if pooled_at(options) else ("draws", "chains")
    decisive = {key: value for key, value in asdict(options).items() if key not in indifferent}
    document = {"model": model_digest, "options": decisive, "engine": engine, "versions": dict(built_with)}
    if code is not None and code.files:
        document["code"] = code.digest
    if method != NUTS:
        document |= {"method": method, "settings": dict(settings or {})}
        if method_of(method).fixed_draws:
            document["options"] = asdict(options)
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
