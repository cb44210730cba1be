"""A model of the suite: what a newcomer writes, data simulated for it, and its log density in scipy."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

Values = dict[str, Any]


class Case(NamedTuple):
    """A model and what judges it."""

    name: str  # as posteriordb calls the posterior
    model: str  # YAML: variables, and coords or data if it has them
    data: Callable[[np.random.Generator], Values]  # the names of the JSON file
    density: Callable[[Values, Values], float]  # of data and variables, up to a constant


def simulated(case: Case) -> Values:
    """The data of a case, as arrays; the same each time."""
    values = case.data(np.random.default_rng(sum(case.name.encode())))
    return {name: np.asarray(value) for name, value in values.items()}


def written(case: Case, folder: Path, sampler: Mapping[str, Any]) -> Path:
    """Write a case as a config with its JSON file of data beside it; give the config's path."""
    values = simulated(case)
    (folder / "data.json").write_text(json.dumps({name: value.tolist() for name, value in values.items()}))
    model = yaml.safe_load(case.model)
    model["data"] = {"*": {"path": "data.json"}} | model.get("data", {})
    config = {"name": "case", "model": model, "sampler": dict(sampler), "run": {"out": str(folder / "run")}}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path
