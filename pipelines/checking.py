"""Everything about a config that can be found wrong before anything is compiled, written or started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from exmc.compile.layout import layout_of
from exmc.compile.logp import log_density_function
from exmc.compile.oracle import autograd_value_and_gradient
from exmc.errors import ExmcError, MissingLoweringError, SamplingError, TooLargeError
from exmc.ir.expressions import Reference
from exmc.ir.model import Model
from exmc.ir.nodes import Argument, Call
from exmc.ir.proper import check_proper
from exmc.late import Late
from exmc.methods import settings_of
from exmc.rewrite.run import Rewriting, rewrite
from exmc.sampling.options import SamplerOptions
from exmc.starts import at_values
from pipelines.building import build_model
from pipelines.code import Code, Permission, permitted
from pipelines.config import Config
from pipelines.sampler_section import method_settings
from pipelines.sections import SamplerSection
from pipelines.sizes import check_sizes
from pipelines.warm_start import digest_of, learnt_for

if TYPE_CHECKING:
    from exmc.compile import record
else:
    record = Late("exmc.compile.record")


@dataclass(frozen=True, slots=True)
class Checked:
    """A config whose model has been built and rewritten: nothing but compiling and sampling can still fail.

    `code` is the code of its user's own that its run depends on; `learnt`, what it takes over from an earlier run.
    """

    config: Config
    options: SamplerOptions
    rewriting: Rewriting
    code: Code | None = None
    learnt: Mapping[str, Any] | None = None


def check_config(config: Config) -> Checked:
    """Build and rewrite the model of `config`; raises `LocatedError` for whatever is wrong with it."""
    options = sampler_options(config)
    with permitted_by(config) as permission:
        source = _built(config)
        check_sizes(source, options, config)
        rewriting = rewrite_located(source, config)
        named = _own_functions(source) | _own_functions(rewriting.model)
        if named:
            _check_own_densities(rewriting.model, config)
        _check_start(rewriting.model, options, config)
        learnt = learnt_for(config, rewriting.model)
        if learnt is not None:
            options = replace(options, warm_start=digest_of(learnt))
        return Checked(config, options, rewriting, permission.record(named), learnt)


def _check_start(model: Model, options: SamplerOptions, config: Config) -> None:
    """Raise `LocatedError` if chains cannot start at the values that are given for them."""
    if isinstance(options.init, str):
        return
    try:
        at_values(model, options.init, np.zeros(layout_of(model).dimension))
    except ExmcError as error:
        raise config.places.locate(error, "sampler") from None


def permitted_by(config: Config) -> AbstractContextManager[Permission]:
    """A context in which models import what `config` may."""
    return permitted(None if config.code is None else Code(str(config.code)), config.folder)


def _check_own_densities(model: Model, config: Config) -> None:
    """Record the log density of a model with functions of the user's own: what is wrong with them is a config's fault.

    All other models are recorded once, when they are compiled.
    """
    function, dimension = log_density_function(model), layout_of(model).dimension
    try:
        if config.sampler.engine == "autograd":
            autograd_value_and_gradient(function, np.zeros(dimension))
        else:
            record.record_function(function, dimension, gradient=True)
    except (MissingLoweringError, TooLargeError):
        return  # it will be interpreted, and the run says so
    except ExmcError as error:
        raise config.places.locate(error, "model") from error.__cause__


def _own_functions(model: Model) -> set[str]:
    """The functions that Custom distributions of `model`, and among the parts of others, name."""
    calls = (*(v.call for v in model.free), *(o.target for o in model.observations))
    return {name for call in calls for name in _named_in(call)}


def _named_in(call: Argument | Reference) -> Iterator[str]:
    if isinstance(call, tuple):
        for part in call:
            yield from _named_in(part)
    elif isinstance(call, Call):
        for name, argument in call.parameters:
            if call.distribution == "Custom" and name in ("function", "draw"):
                yield str(argument)
            else:
                yield from _named_in(argument)


def build(config: Config) -> Model:
    """The model of `config` alone, checked; raises `LocatedError`."""
    with permitted_by(config):
        return _built(config)


def _built(config: Config) -> Model:
    try:
        model = build_model(config.model, config.sampler.centering)
        check_proper(model)
        return model
    except ExmcError as error:
        raise config.places.locate(error, "model") from error.__cause__


def rewrite_located(model: Model, config: Config) -> Rewriting:
    """`model` rewritten, where an error can still be traced to a line of the config."""
    try:
        return rewrite(model)
    except ExmcError as error:
        raise config.places.locate(error, "model") from error.__cause__


def sampler_options(config: Config) -> SamplerOptions:
    """The options of the sampler, which checks them once more."""
    section = config.sampler
    try:
        if not isinstance(section, SamplerSection):
            settings_of(section.method, method_settings(section))
            # What NUTS alone has stays at its defaults, and decides nothing.
            return SamplerOptions(
                seed=config.seed,
                draws=section.draws,
                warmup=0,
                chains=section.chains,
                initial_radius=section.initial_radius,
            )
        return SamplerOptions(
            seed=config.seed,
            draws=section.draws,
            warmup=section.warmup,
            chains=section.chains,
            target_accept=section.target_accept,
            max_treedepth=section.max_treedepth,
            metric=section.metric,
            adaptation=section.adaptation,
            init=section.init,
            initial_radius=section.initial_radius,
        )
    except SamplingError as error:
        raise config.places.locate(error, "sampler") from None
