"""Models out of configs, and configs out of models, for those who work in Python and in YAML."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exmc.errors import ExmcError
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from pipelines.building import build_model
from pipelines.checking import permitted_by
from pipelines.config import load_config
from pipelines.places import LocatedError
from pipelines.writing import Written, written_model
from pipelines.yaml_lines import WIDTH, Row, write_yaml

LARGEST_INLINE = 100
"""How many values of one array `write_config` writes into the config itself."""


def load_model(
    path: str | os.PathLike[str], overrides: Sequence[str] = (), *, code: str | os.PathLike[str] | None = None
) -> Model:
    """The checked model of the config at `path`, for `exmc.sample`; `overrides` are as for `--set`,
    `code` is as for `--code`.

    Raises `LocatedError`, which names file, line and key.
    """
    config = load_config(path, overrides, code=code)
    try:
        with permitted_by(config):
            return build_model(config.model, config.sampler.centering)
    except ExmcError as error:
        raise config.places.locate(error, "model") from error.__cause__


def model_yaml(model: Model | Builder, name: str = "model", sampler: Mapping[str, Any] | None = None) -> str:
    """`model` as the text of a config, all data in it; read back it has the same digest.

    `sampler` is its section of that name. Raises `ModelError` for a model that rewriting made, and for one with data
    without values.
    """
    return _text(written_model(_built(model)), name, sampler)


def write_config(
    model: Model | Builder,
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    sampler: Mapping[str, Any] | None = None,
) -> None:
    """Write `model` as the config `path`, arrays of over `LARGEST_INLINE` values to ``<name of the file>.data.json``.

    The config's name is that of the file unless `name` is given. Raises `LocatedError` if it cannot be written.
    """
    target = Path(path)
    beside = target.with_name(f"{target.stem}.data.json")
    written = written_model(_built(model), beside.name, LARGEST_INLINE)
    text = _text(written, target.stem if name is None else name, sampler)
    try:
        if written.beside:
            beside.write_text(json.dumps(written.beside), encoding="utf-8")
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise LocatedError(f"the config cannot be written: {error.strerror}.", place=os.fspath(path)) from None


def _built(model: Model | Builder) -> Model:
    return model.build() if isinstance(model, Builder) else model


def _text(written: Written, name: str, sampler: Mapping[str, Any] | None) -> str:
    model = {key: _rows(part, 4) for key, part in written.section.items()}
    return write_yaml({"name": name, "model": model} | ({"sampler": Row(sampler)} if sampler else {}))


def _rows(section: Mapping[str, Any], indent: int) -> dict[str, Any]:
    """A mapping whose entries stand in a line of their own each, if they fit, below `indent` columns."""
    return {name: _row(name, entry, indent) for name, entry in section.items()}


def _row(name: str, entry: Any, indent: int) -> Any:
    if isinstance(entry, list) and any(isinstance(item, dict) for item in entry):
        return [_row("-", item, indent) for item in entry]
    if not isinstance(entry, dict):
        return entry
    line = write_yaml({name: Row(entry)})
    fits = line.count("\n") == 1 and indent + len(line) <= WIDTH
    return Row(entry) if fits else _rows(entry, indent + 2)
