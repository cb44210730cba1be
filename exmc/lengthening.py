"""Chains in this process that go on until their draws are as good as asked for."""

from __future__ import annotations

from dataclasses import replace

from exmc.chains import Chain, Ended, Limits, draw_on, run_chains, stacked
from exmc.compile.program import CompiledModel
from exmc.diagnostics.enough import Cost, Verdict, judge_draws
from exmc.diagnostics.summary import Summary, scalars_of, summary_of
from exmc.diagnostics.until import Until
from exmc.sampling.options import SamplerOptions
from exmc.trace.chunks import chunk_draws_for
from exmc.trace.draws import axes_of
from exmc.trace.schema import Schema


def run_until(
    compiled: CompiledModel, options: SamplerOptions, limits: Limits, schema: Schema, until: Until
) -> tuple[Ended[Chain], Verdict]:
    """Chains that have what `until` asks for, or as many draws as it allows, and what was found of them at last.

    They go on as those of a run with this aim do: all to a common number of draws, of whole chunks of such a store.
    """
    drawn, chunk = run_chains(compiled, options, limits), chunk_draws_for(schema)
    while True:
        verdict = judge_draws(_summary(compiled, schema, drawn), until, _slowest(drawn), chunk)
        if verdict.draws <= options.draws:
            return drawn, verdict
        options = replace(options, draws=verdict.draws)
        drawn = draw_on(compiled, options, limits, drawn)


def _summary(compiled: CompiledModel, schema: Schema, drawn: Ended[Chain]) -> Summary:
    posterior = stacked(compiled.constrain(chain.block.positions) for chain in drawn.finished.values())
    return summary_of(scalars_of(posterior, axes_of(schema, "posterior")))


def _slowest(drawn: Ended[Chain]) -> Cost:
    chains = drawn.finished.values()
    return Cost(max(chain.seconds for chain in chains), max(chain.sampling for chain in chains))
