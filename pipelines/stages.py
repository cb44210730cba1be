"""The pipeline stages that need no chain, as pure functions that Dask can call anywhere."""

from __future__ import annotations

from exmc.errors import ExmcError, SamplingError
from exmc.ir.model import Model
from exmc.sampling.options import SamplerOptions
from pipelines.building import build_model
from pipelines.config import Config


def build(config: Config) -> Model:
    """Stage 1: the checked model. Raises `LocatedError` for a model that means nothing."""
    try:
        return build_model(config.model, config.sampler.centering)
    except ExmcError as error:
        raise config.places.locate(error, "model") from error.__cause__


def sampler_options(config: Config) -> SamplerOptions:
    """The options of the sampler; raises `LocatedError` if they contradict each other."""
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
