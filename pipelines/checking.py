"""Everything about a config that can be found wrong before anything is compiled, written or started."""

from __future__ import annotations

from dataclasses import dataclass

from exmc.errors import ExmcError, SamplingError
from exmc.ir.model import Model
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
    return Checked(config, options, rewrite_located(source, config))


def build(config: Config) -> Model:
    """The model of `config`, checked."""
    try:
        return build_model(config.model, config.sampler.centering)
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
            initial_radius=section.initial_radius,
        )
    except SamplingError as error:
        raise config.places.locate(error, "sampler") from None
