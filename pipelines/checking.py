"""Everything about a config that can be found wrong before anything is compiled, written or started."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from exmc.compile.layout import layout_of
from exmc.compile.logp import log_density_function
from exmc.compile.oracle import autograd_value_and_gradient
from exmc.compile.record import record_function
from exmc.errors import ExmcError, MissingLoweringError, SamplingError, TooLargeError
from exmc.ir.expressions import Reference
from exmc.ir.model import Model
from exmc.ir.nodes import Argument, Call
from exmc.ir.proper import check_proper
from exmc.rewrite.run import Rewriting, rewrite
from exmc.sampling.options import SamplerOptions
from pipelines.building import build_model
from pipelines.config import Config
from pipelines.sizes import check_sizes


@dataclass(frozen=True, slots=True)
class Checked:
    """A config whose model has been built and rewritten: nothing but compiling and sampling can still fail."""

    config: Config
    options: SamplerOptions
    rewriting: Rewriting


def check_config(config: Config) -> Checked:
    """Build and rewrite the model of `config`; raises `LocatedError` for whatever is wrong with it."""
    options, source = sampler_options(config), build(config)
    check_sizes(source, options, config)
    checked = Checked(config, options, rewrite_located(source, config))
    _check_own_densities(checked.rewriting.model, config)
    return checked


def _check_own_densities(model: Model, config: Config) -> None:
    """Record the log density of a model with functions of the user's own: what is wrong with them is a config's fault.

    All other models are recorded once, when they are compiled.
    """
    if not any(map(_is_own, (*(v.call for v in model.free), *(o.target for o in model.observations)))):
        return
    function, dimension = log_density_function(model), layout_of(model).dimension
    try:
        if config.sampler.engine == "autograd":
            autograd_value_and_gradient(function, np.zeros(dimension))
        else:
            record_function(function, dimension, gradient=True)
    except (MissingLoweringError, TooLargeError):
        return  # it will be interpreted, and the run says so
    except ExmcError as error:
        raise config.places.locate(error, "model") from error.__cause__


def _is_own(call: Argument | Reference) -> bool:
    """Whether `call` is a Custom distribution, or one of its parts is."""
    if isinstance(call, tuple):
        return any(map(_is_own, call))
    return isinstance(call, Call) and (call.distribution == "Custom" or any(_is_own(a) for _, a in call.parameters))


def build(config: Config) -> Model:
    """The model of `config`, checked."""
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
        return SamplerOptions(
            seed=config.seed,
            draws=section.draws,
            warmup=section.warmup,
            chains=section.chains,
            target_accept=section.target_accept,
            max_treedepth=section.max_treedepth,
            metric=section.metric,
            adaptation=section.adaptation,
            initial_radius=section.initial_radius,
        )
    except SamplingError as error:
        raise config.places.locate(error, "sampler") from None
