"""What it costs that a run can be resumed: commits while sampling, the scheduler's memory, the driver's time.

    .venv/bin/python scripts/bench/checkpoints.py [--rounds 5] [--chains 100 1000 10000]

First, seconds of the same draws of one chain with and without segments and commits, in turn, for models of about 1 and
100 ms a draw: medians, and their ratio. Then, with segments that do nothing: the driver's processor time for each, and
by how much the scheduler's process grows with chains, and with segments.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
from distributed import Client

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from exmc.sampling.chain import advance, begin  # noqa: E402
from exmc.sampling.options import SamplerOptions  # noqa: E402
from exmc.sampling.progress import Receipt  # noqa: E402
from pipelines import graph, stages  # noqa: E402
from pipelines.checking import check_config  # noqa: E402
from pipelines.config import load_config, with_out  # noqa: E402
from pipelines.control import Control  # noqa: E402
from pipelines.creation import create_run  # noqa: E402
from pipelines.events import Event  # noqa: E402
from pipelines.plan import Plan, versions  # noqa: E402
from pipelines.segments import Outcome, SegmentTask, run_segment  # noqa: E402
from tests.chaos.processes import HandCluster  # noqa: E402

# With so many elements a chunk has 100 draws, so that a segment of 100 ms draws takes 10 s.
CONFIG = """\
name: checkpoints
model: {variables: {x: {dist: Custom, function: "slow_density:log_density", seconds: SECONDS, shape: SIZE}}}
sampler: {draws: 100000, warmup: 0, chains: 1, seed: 1, engine: autograd, max_treedepth: 1}
run: {predictive: {prior_draws: 0, posterior: false}}
"""
MODELS = {"1 ms": (20, 0.0004, 2000), "100 ms": (3000, 0.0495, 100)}


def sampling(folder: Path, size: int, seconds: float, draws: int, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of `draws` draws, `rounds` times: plainly, and as committed segments of the same chain."""
    (folder / f"{size}.yaml").write_text(CONFIG.replace("SIZE", str(size)).replace("SECONDS", str(seconds)))
    checked = check_config(
        with_out(load_config(folder / f"{size}.yaml", code=ROOT / "tests" / "chaos"), folder / f"run-{size}")
    )
    plan = create_run(checked)
    compiled = stages.compile_rewritten(stages.rewrite_model(stages.load_recorded(plan)), plan)
    density, without, committed = compiled.density(), [], []
    state = begin(density, plan.options, 0)
    task = SegmentTask(0, 0)
    for _ in range(rounds):
        started = time.perf_counter()
        state, _ = advance(density, plan.options, state, draws, lambda: False)
        without.append((time.perf_counter() - started) / draws)
        done, started = 0, time.perf_counter()
        while done < draws:
            outcome = run_segment(plan, compiled, task)
            assert outcome.receipt is not None, outcome.failure
            done += outcome.receipt.draws
            task = SegmentTask(0, task.number + 1, outcome.digest)
        committed.append((time.perf_counter() - started) / done)
    return without, committed


def idle_segment(segments: int, plan: Plan, compiled: Any, task: SegmentTask) -> Outcome:
    """A segment that draws nothing, the last of `segments` being its chain's last."""
    del compiled
    draws = plan.options.draws // segments
    receipt = Receipt(
        chain=task.chain, segment=task.number, warmup=False, first=task.number * draws, draws=draws, divergences=0,
        gradients=0, step_size=0.1, acceptance_rate=0.8, seconds=0.0
    )  # fmt: skip
    return Outcome(task, "0" * 64, receipt)


def driving(address: str, scheduler: psutil.Process, chains: int, segments: int) -> tuple[float, float, int]:
    """Seconds of this process's processor and of the clock for each segment, and the scheduler's growth in bytes."""
    options = SamplerOptions(seed=1, draws=segments, warmup=0, chains=chains)
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(1)
        plan = Plan("bench", "/nowhere", options, "native", 2.0, 3, 1, "0" * 64, versions())
        events: list[Event] = []
        following = graph._Following(client, plan, events.append, time.perf_counter(), lambda error: error, Control())
        following.submit("compile", int)
        journal = mock.Mock()
        journal.open.return_value.committed.return_value = ()
        before = scheduler.memory_info().rss
        with (
            mock.patch.object(graph, "draw_segment", partial(idle_segment, segments)),
            mock.patch.object(graph, "Journal", journal),
            mock.patch.object(graph, "processors", return_value=()),
        ):
            wall, processor = time.perf_counter(), time.process_time()
            following.sample()
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
        grown = scheduler.memory_info().rss - before
        following.forget()
    count = sum(event.kind == "segment" for event in events)
    assert count == chains * segments
    return processor / count, wall / count, grown


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chains", type=int, nargs="*", default=[100, 1000, 10_000])
    parser.add_argument(
        "--segments", type=int, default=20_000, help="segments in all, of all chains, at least two each"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.rounds:
            print(f"{'a draw of':<12}{'without':>12}{'committed':>12}{'ratio':>8}")
        for label, (size, seconds, draws) in MODELS.items() if options.rounds else ():
            without, committed = sampling(folder, size, seconds, draws, options.rounds)
            ratio = statistics.median(c / w for c, w in zip(committed, without, strict=True))
            one, other = 1e3 * statistics.median(without), 1e3 * statistics.median(committed)
            print(f"{label:<12}{one:>9.3f} ms{other:>9.3f} ms{ratio:>8.3f}", flush=True)
        print(f"{'chains':<8}{'segments':>10}{'driver':>12}{'clock':>12}{'scheduler grows by':>20}")
        for chains in options.chains:
            each = max(options.segments // chains, 2)
            with HandCluster(folder / f"cluster-{chains}", 1) as cluster:
                assert cluster.scheduler is not None
                scheduler = psutil.Process(cluster.scheduler.pid)
                # The scheduler imports what it is sent, and fills its logs, which are bounded.
                driving(cluster.address, scheduler, 100, 20)
                processor, wall, grown = driving(cluster.address, scheduler, chains, each)
            total = chains * each
            times = f"{1e3 * processor:>9.2f} ms{1e3 * wall:>9.2f} ms"
            print(f"{chains:<8}{total:>10}{times}{grown / total:>12.0f} B/segment", flush=True)


if __name__ == "__main__":
    main()
