"""A YAML file as a frozen configuration, every fault one error with its key and line."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exmc.errors import suggest
from exmc.trace.files import Location, location
from exmc.trace.objects import ObjectPath
from pipelines.code import code_folder
from pipelines.model_section import ImportedModel, InlineModel, ModelSource, RecordedModel, parse_model
from pipelines.places import KeyPath, LocatedError, Places
from pipelines.sampler_section import parse_sampler
from pipelines.sections import (
    CLUSTERS,
    Cluster,
    LocalCluster,
    MethodSection,
    RemoteCluster,
    RunSection,
    SamplerSection,
    UntilSection,
)
from pipelines.validation import parse_section, require_mapping, shown, unknown_key
from pipelines.yaml_lines import LARGEST, read_yaml, write_yaml

SECTIONS = ("name", "model", "sampler", "cluster", "run")
_ADDRESS = re.compile(r"([a-z]+://)?\S+:[0-9]+(/\S*)?\Z|inproc://\S+\Z")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")


@dataclass(frozen=True, slots=True)
class Config:
    """A run, fully specified: with its seed drawn, its directory chosen and its data loaded.

    `folder` is where the config lies, which paths of data are relative to; `code`, the folder of modules that it may
    import (`pipelines.code`).
    """

    name: str
    model: ModelSource
    sampler: SamplerSection | MethodSection
    cluster: Cluster
    run: RunSection
    places: Places
    folder: Path
    code: Path | None = None

    @property
    def seed(self) -> int:
        """The seed, which `load_config` draws from the operating system if none was given."""
        assert self.sampler.seed is not None
        return self.sampler.seed

    @property
    def out(self) -> Location:
        """The run directory, as given: a URL, or a path (relative to the working directory)."""
        return location(os.path.expanduser(self.run.out if self.run.out is not None else f"runs/{self.name}"))

    @property
    def min_chains(self) -> int:
        """How many chains must finish for the run to count; by default two, which is what R-hat needs."""
        return min(2, self.sampler.chains) if self.run.min_chains is None else self.run.min_chains


def load_config(
    path: str | os.PathLike[str] | Location,
    overrides: Sequence[str] = (),
    folder: Path | None = None,
    code: str | os.PathLike[str] | None = None,
) -> Config:
    """Read, type and complete the configuration in the YAML file `path`.

    Parameters
    ----------
    overrides
        ``key.path=value`` each, the value in YAML, put over the file's.
    folder
        What paths of data are relative to, if not where the file lies.
    code
        A folder whose modules the config may import, beside installed packages.

    Raises
    ------
    LocatedError
        A `ConfigError` that names file, line, key and value.
    """
    values, places = read_document(path)
    for override in overrides:
        values, places = _override(values, places, override)
    config = parse_config(values, places, folder or _folder_of(location(path)))
    return replace(config, code=code_folder(code))


def _folder_of(path: Location) -> Path:
    """Where a config's own paths are looked for: beside it; those of one at a URL in the working directory."""
    return path.resolve().parent if isinstance(path, Path) else Path.cwd()


def read_document(path: str | os.PathLike[str] | Location) -> tuple[dict[str, Any], Places]:
    """The mapping in the YAML file `path`, with the place of each key; raises `LocatedError`."""
    source = str(path)
    document = read_yaml(_read(source), source)
    places = Places(source, {key: f"{source}:{line}" for key, line in document.lines.items()})
    if document.values is None:
        raise places.error("the file is empty.", remedy="A config has at least a model.")
    require_mapping(document.values, places, ())
    return document.values, places


def parse_config(values: Mapping[str, Any], places: Places, folder: Path) -> Config:
    """The configuration in `values`; paths of data are relative to `folder`."""
    for key in values:
        if key not in SECTIONS:
            raise unknown_key(key, SECTIONS, places, (key,))
    if "model" not in values:
        raise places.error("the key 'model' is missing.", remedy="A config describes a model.")
    name = _parse_name(values.get("name", Path(places.source).stem), places)
    sampler = parse_sampler(values.get("sampler") or {}, places)
    if sampler.seed is None:
        sampler = sampler.model_copy(update={"seed": secrets.randbits(32)})
    _check_until(sampler, places)
    cluster = parse_cluster(values.get("cluster"), places)
    run = parse_section(RunSection, values.get("run") or {}, places, ("run",))
    if run.out is not None and (not run.out or "\0" in run.out):
        raise places.error(f"{shown(run.out)} is no path.", ("run", "out"), "Name a directory.")
    if run.min_chains is not None and run.min_chains > sampler.chains:
        message = f"{run.min_chains} chains must finish, but there are {sampler.chains}."
        raise places.error(message, ("run", "min_chains"), "Lower it, or raise sampler.chains.")
    model = parse_model(values["model"], places, folder)
    return Config(name, model, sampler, cluster, run, places, folder)


def with_out(config: Config, out: str | os.PathLike[str] | Location | None) -> Config:
    """`config` with another run directory, if `out` is given."""
    if out is None:
        return config
    places = Places(config.places.source, {**config.places.by_path, ("run", "out"): f"--out {out}"})
    return replace(config, run=config.run.model_copy(update={"out": str(out)}), places=places)


def resolved(config: Config) -> dict[str, Any]:
    """`config` as plain values with nothing left to default: data files by absolute path and digest, the seed drawn.

    `config_text` of it is a config again.
    """
    run = config.run.model_dump() | {"out": str(config.out), "min_chains": config.min_chains}
    return {
        "name": config.name,
        "model": _model_values(config.model),
        "sampler": config.sampler.model_dump(),
        "cluster": config.cluster.model_dump(exclude_none=True),
        "run": run,
    }


def scheduler_override(address: str | None) -> list[str]:
    """What ``--scheduler`` puts over a config."""
    return [] if address is None else [f"cluster={{address: {json.dumps(address)}}}"]


def config_text(values: Mapping[str, Any]) -> str:
    """Plain values as YAML."""
    return write_yaml(dict(values))


def _model_values(model: ModelSource) -> dict[str, Any]:
    if isinstance(model, ImportedModel):
        return {"from": model.target} | ({"args": dict(model.arguments)} if model.arguments else {})
    if isinstance(model, RecordedModel):
        return {"recorded": "ir.json"}
    assert isinstance(model, InlineModel)
    values: dict[str, Any] = {}
    if model.coords:
        values["coords"] = {dim: list(labels) for dim, labels in model.coords.items()}
    if model.data:
        values["data"] = {name: dict(data.written) for name, data in model.data.items()}
    values["variables"] = {
        name: {key: value for key, value in entry.model_dump(exclude_unset=True).items() if value is not None}
        for name, entry in model.variables.items()
    }
    return values


def _read(source: str) -> bytes:
    place = location(source)
    try:
        if isinstance(place, ObjectPath):
            return place.read_bytes()
        with open(place, "rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        folder = Path(source).parent
        names = [p.name for p in folder.iterdir()][:1000] if folder.is_dir() else []
        near = suggest(Path(source).name, names)
        raise LocatedError(
            "there is no such file.", place=source, remedy=near if near.startswith("Did") else ""
        ) from None
    except IsADirectoryError:
        raise LocatedError("this is a folder, not a config.", place=source, remedy="Name a YAML file.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LocatedError(f"the file cannot be read: {reason}.", place=source) from None


def _override(values: dict[str, Any], places: Places, override: str) -> tuple[dict[str, Any], Places]:
    """`values` with one ``key.path=value`` put over them."""
    label = f"--set {override}"
    key, separator, text = override.partition("=")
    path = tuple(key.strip().split("."))
    if not separator or not all(path):
        raise LocatedError("this sets nothing.", place=label, remedy="Write --set sampler.draws=500.")
    document = read_yaml(f"value: {text}".encode(), label)
    by_path = {p: place for p, place in places.by_path.items() if p[: len(path)] != path}
    by_path[path] = label
    here = Places(places.source, by_path)
    return _put(values, path, document.values["value"], here, ()), here


def _put(values: Any, path: KeyPath, value: Any, places: Places, above: KeyPath) -> dict[str, Any]:
    head, *rest = path
    inner = values if values is not None else {}
    if not isinstance(inner, dict):
        raise places.error(
            f"{'.'.join(above)} holds {shown(inner)}, so there is no key {head!r} in it.", (*above, *path)
        )
    below = _put(inner.get(head), tuple(rest), value, places, (*above, head)) if rest else value
    return inner | {head: below}


def _check_until(sampler: SamplerSection | MethodSection, places: Places) -> None:
    until, where = sampler.until, ("sampler", "until")
    if until.asked is None and until != UntilSection():
        raise places.error("nothing is asked of the draws.", where, "Give ess, rhat or both.")
    if until.asked is not None and until.max_draws < sampler.draws:
        message = f"the run begins with {sampler.draws} draws, and may have {until.max_draws}."
        raise places.error(message, (*where, "max_draws"), "Raise it, or lower sampler.draws.")


def _parse_name(raw: Any, places: Places) -> str:
    name = str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw
    if not isinstance(name, str) or not _NAME.match(name):
        remedy = "Use letters, digits, '-', '_' and '.'; it names the run directory."
        raise places.error(f"{shown(raw)} is not a name.", ("name",), remedy)
    return name


def parse_cluster(raw: Any, places: Places) -> Cluster:
    where = ("cluster",)
    if raw is None:
        return LocalCluster()
    require_mapping(raw, places, where)
    chosen = [key for key in CLUSTERS if key in raw]
    if len(chosen) > 1:
        raise places.error(f"{' and '.join(chosen)} exclude each other.", (*where, chosen[1]), "Keep one of them.")
    kind = CLUSTERS[chosen[0]] if chosen else LocalCluster
    also = [] if chosen else list(CLUSTERS)
    section = parse_section(kind, raw, places, where, also)
    address = getattr(section, "address", None)
    if address is not None and not _ADDRESS.match(address):
        remedy = "Write host:port or tls://host:port, as the scheduler prints it."
        raise places.error(f"{shown(address)} is no address of a scheduler.", (*where, "address"), remedy)
    if isinstance(section, RemoteCluster) and section.security is not None and not section.address.startswith("tls://"):
        remedy = f"Write tls://{section.address.rpartition('/')[2]}, or leave security out."
        raise places.error(f"{section.address} is not encrypted, whatever certificates are given.", where, remedy)
    target = getattr(section, "factory", None)
    if target is not None and not (target.count(".") >= 1 and all(p.isidentifier() for p in target.split("."))):
        raise places.error(f"{shown(target)} names no class.", (*where, "factory"), "Write package.module.Class.")
    return section  # type: ignore[return-value]
