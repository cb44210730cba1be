"""The sections of a config as types: every key, its kind, its limits and its default."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from exmc.diagnostics.until import MAX_DRAWS, Until

PositiveInt: TypeAlias = Annotated[int, Field(ge=1)]
Count: TypeAlias = Annotated[int, Field(ge=0)]
Dims: TypeAlias = str | list[str | None]
Adjustment: TypeAlias = bool | float | list[float]
Centering: TypeAlias = Literal["auto", "centered", "noncentered"]


class Section(BaseModel):
    """A mapping with a fixed set of keys; nothing is converted but whole numbers to floats."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)


class ValuesEntry(Section):
    """Data written in the config itself; with `factor`, labels that are coded by their place in that dim."""

    values: Any
    dims: Dims | None = None
    source: str | None = None
    factor: str | None = None
    center: Adjustment = False
    scale: Adjustment = False


class FileEntry(Section):
    """Data in a file: one column, or several side by side; with `sha256` the file must be that very one."""

    path: str
    column: str | list[str] | None = None
    dims: Dims | None = None
    factor: str | None = None
    center: Adjustment = False
    scale: Adjustment = False
    # Last, as it is written last into a resolved config.
    sha256: str | None = None


class WholeFileEntry(Section):
    """Every column of numbers of a file, under its own name; with `sha256` the file must be that very one."""

    path: str
    sha256: str | None = None


class RandomEntry(BaseModel):
    """A random variable; every other key is a parameter of its distribution."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, defer_build=True)

    dist: str
    dims: Dims | None = None
    shape: Count | str | list[Count | str] | None = None
    observed: Any = None
    weight: Any = None
    mask: Any = None
    transform: str | None = None
    centering: Centering | None = None


class ObservationEntry(Section):
    """Values seen of another variable of the model."""

    target: str
    observed: Any
    weight: Any = None
    mask: Any = None
    dims: Dims | None = None


class DeterministicEntry(Section):
    """A named expression."""

    expr: str | int | float
    dims: Dims | None = None
    keep: bool = True


class PotentialEntry(Section):
    """A term of the log density that is neither prior nor likelihood."""

    potential: str | int | float
    dims: Dims | None = None
    keep: bool = False


class ScanSection(Section):
    """A scan: what is carried from step to step, what is run along, and the formulas of one step."""

    carry: dict[str, Any]
    step: dict[str, Any]
    sequences: dict[str, Any] = Field(default_factory=dict)
    output: str | None = None
    collect: Literal["steps", "all", "last"] = "steps"
    length: PositiveInt | str | None = None


class ScanEntry(Section):
    """A deterministic whose elements follow from one another."""

    scan: ScanSection
    dims: Dims | None = None
    keep: bool = True


class OdeSection(Section):
    """A differential equation, and how it is solved."""

    state: dict[str, Any]
    derivative: dict[str, Any]
    times: Any
    start: Any = 0.0
    time: str | None = None
    method: Literal["dormand_prince", "rodas"] = "dormand_prince"
    relative_tolerance: Annotated[float, Field(gt=0)] = 1e-6
    absolute_tolerance: Annotated[float, Field(gt=0)] = 1e-6
    max_steps: PositiveInt = 10_000


class OdeEntry(Section):
    """A deterministic that solves a differential equation."""

    ode: OdeSection
    dims: Dims | None = None
    keep: bool = True


Entry: TypeAlias = RandomEntry | ObservationEntry | DeterministicEntry | PotentialEntry | ScanEntry | OdeEntry
"""A variable of a model written in a config."""

ENTRIES: dict[str, type[Entry]] = {
    "dist": RandomEntry,
    "expr": DeterministicEntry,
    "potential": PotentialEntry,
    "scan": ScanEntry,
    "ode": OdeEntry,
    "target": ObservationEntry,
}
"""The kind of variable by the key that tells it from the others."""


class UntilSection(Section):
    """What is asked of the draws; with none of it, there are as many as `draws` says."""

    ess: Annotated[float, Field(gt=0)] | None = None
    rhat: Annotated[float, Field(gt=1)] | None = None
    max_draws: PositiveInt = MAX_DRAWS
    max_seconds: Annotated[float, Field(gt=0)] | None = None

    @property
    def asked(self) -> Until | None:
        """The aim, None if there is none."""
        return None if self.ess is None and self.rhat is None else Until(**self.model_dump())


class MethodSection(Section):
    """How to infer, whatever the method; each adds its own options (`pipelines.sampler_section`)."""

    method: str
    draws: PositiveInt = 1000
    chains: Annotated[int, Field(ge=1, le=100_000)] = 4
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    engine: Literal["native", "autograd"] = "native"
    centering: Centering = "auto"
    initial_radius: Annotated[float, Field(ge=0)] = 2.0
    watchdog: Annotated[float, Field(gt=0)] | None = 600.0

    @property
    def until(self) -> UntilSection:
        """Nothing: only chains of NUTS go on until something is reached."""
        return UntilSection()


class SamplerSection(Section):
    """How to sample by NUTS; other adaptations have other defaults (`parse_sampler`)."""

    method: Literal["nuts"] = "nuts"
    draws: PositiveInt = 1000
    warmup: Count = 400
    chains: Annotated[int, Field(ge=1, le=100_000)] = 4
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    target_accept: Annotated[float, Field(gt=0, lt=1)] | Literal["auto"] = "auto"
    max_treedepth: Annotated[int, Field(ge=1, le=30)] = 10
    metric: Literal["auto", "diagonal", "dense", "low_rank"] = "auto"
    adaptation: Literal["fisher", "stan"] = "fisher"
    pool_metric: bool = False
    engine: Literal["native", "autograd"] = "native"
    centering: Centering = "auto"
    init: Literal["uniform", "prior", "pathfinder"] | dict[str, Any] = "uniform"
    initial_radius: Annotated[float, Field(ge=0)] = 2.0
    watchdog: Annotated[float, Field(gt=0)] | None = 600.0
    until: UntilSection = UntilSection()
    warm_start: str | None = None


class LocalCluster(Section):
    """Workers of this machine: threads of this process, or processes."""

    kind: Literal["local"] = "local"
    workers: PositiveInt | None = None
    threads_per_worker: PositiveInt = 1
    processes: bool = False


class SecuritySection(Section):
    """Certificates for ``tls://``: PEM files, paths from the working directory."""

    ca_file: str
    cert: str
    key: str


class RemoteCluster(Section):
    """A scheduler that is already running; without `security`, Dask's own configuration says which certificates."""

    address: str
    security: SecuritySection | None = None
    timeout_seconds: Annotated[float, Field(gt=0)] = 5.0


class FactoryCluster(Section):
    """A cluster that a class of another package starts, such as ``dask_jobqueue.SLURMCluster``."""

    factory: str
    kwargs: dict[str, Any] = Field(default_factory=dict)
    workers: PositiveInt = 1
    timeout_seconds: Annotated[float, Field(gt=0)] = 300.0


Cluster: TypeAlias = LocalCluster | RemoteCluster | FactoryCluster
CLUSTERS: dict[str, type[Section]] = {"kind": LocalCluster, "address": RemoteCluster, "factory": FactoryCluster}
"""The kind of cluster section by the key that tells it from the others."""


class PredictiveSection(Section):
    """What to draw from the prior and from the posterior predictive distribution."""

    prior_draws: Count = 500
    posterior: bool = True


class RunSection(Section):
    """Where a run goes and how it deals with faults."""

    out: str | None = None
    retries: Count = 3
    min_chains: PositiveInt | None = None
    save_warmup: bool = False
    segment_seconds: Annotated[float, Field(gt=0, le=3600)] = 2.0
    predictive: PredictiveSection = PredictiveSection()
