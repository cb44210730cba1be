"""The section ``sampler`` of a config: the options of the method that it names, and no other's."""

from __future__ import annotations

import functools
import typing
from dataclasses import fields
from typing import Any

from pydantic import create_model

from exmc.errors import suggest
from exmc.methods import METHODS, NUTS, options_of
from exmc.sampling.options import defaults_of
from exmc.trace.files import location
from pipelines.places import Places
from pipelines.sections import MethodSection, SamplerSection
from pipelines.validation import parse_section, require_mapping, shown

WARM_ITERATIONS = 100
"""Iterations of warm-up, unless the config says how many, of a run that begins with a metric: for its step size."""

_WHERE = ("sampler",)


def parse_sampler(raw: Any, places: Places) -> SamplerSection | MethodSection:
    """`raw`, as it is written; raises `LocatedError` for an unknown method, and an option that is another method's."""
    require_mapping(raw, places, _WHERE)
    name = raw.get("method", NUTS)
    if name != NUTS and name not in METHODS:
        remedy = suggest(str(name), (NUTS, *METHODS))
        raise places.error(f"there is no method {shown(name)}.", (*_WHERE, "method"), remedy)
    kind = section_of(name)
    for key in raw:
        owners = [other for other in (NUTS, *METHODS) if key in section_of(other).model_fields]
        if key not in kind.model_fields and owners:
            own = [field for field in kind.model_fields if field != "method"]
            near = suggest(str(key), own)
            message = f"{key!r} is an option of {' and '.join(owners)}, not of the method {name}."
            raise places.error(message, (*_WHERE, str(key)), near)
    section = parse_section(kind, raw, places, _WHERE)
    if not isinstance(section, SamplerSection):
        return section
    usual: dict[str, Any] = defaults_of(section.adaptation)._asdict()
    if section.warm_start is not None:
        usual |= {"warmup": WARM_ITERATIONS}
        section = section.model_copy(update={"warm_start": str(location(section.warm_start).absolute())})
    return section.model_copy(update={key: value for key, value in usual.items() if key not in raw})


@functools.cache
def section_of(name: str) -> type[SamplerSection | MethodSection]:
    """The type of the section for this method: common options, and a key for each field of the method's settings."""
    if name == NUTS:
        return SamplerSection
    settings = METHODS[name].settings
    hints = typing.get_type_hints(settings)
    own: dict[str, Any] = {field.name: (hints[field.name], field.default) for field in fields(settings)}
    return create_model(f"{name}_section", __base__=MethodSection, **own)


def method_settings(section: SamplerSection | MethodSection) -> dict[str, Any]:
    """The options in `section` that are its method's own; none of NUTS."""
    if isinstance(section, SamplerSection):
        return {}
    return {key: getattr(section, key) for key in options_of(section.method)}
