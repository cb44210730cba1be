"""What it costs that a run can be resumed: commits while sampling, the driver's time, memory.

    .venv/bin/python scripts/bench/checkpoints.py [--rounds 7] [--draws 1 100] [--chains 100 1000 10000]

First, for draws of about 1 and 100 ms, what one more draw costs with checkpoints and without. Two chains run on two
threads of a cluster as `exmc run` starts it: driven segment by segment, each committed, or each chain drawn by one task
that keeps its draws in memory and writes nothing. Both do so for a short and for a long run, in turn; the slope between
the two is free of what is done once (imports, compiling, making the directory). Medians of the rounds' ratios, with
their quartiles: of the clock, and of the processor time of all that takes part. Segments end by the clock, so that on a
machine with other work they hold fewer draws, and there are more: hence, too, the processor time that each costs beside
its draws, and which part of the time for which a segment draws that is.

Then, with segments that draw nothing: what each costs the driver and the scheduler, and by how much these grow with
the chains, and with the segments.
"""

from __future__ import annotations

import argparse
import gc
import math
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import psutil
from distributed import Client

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from exmc.compile.program import CompiledModel  # noqa: E402
from exmc.sampling.chain import advance, begin  # noqa: E402
from exmc.sampling.options import SamplerOptions  # noqa: E402
from exmc.sampling.progress import Receipt  # noqa: E402
from exmc.trace.journal import Journal  # noqa: E402
from pipelines import graph, stages  # noqa: E402
from pipelines.checking import check_config  # noqa: E402
from pipelines.cluster import connect  # noqa: E402
from pipelines.config import load_config, with_out  # noqa: E402
from pipelines.control import Control  # noqa: E402
from pipelines.creation import create_run  # noqa: E402
from pipelines.events import Event, Listener  # noqa: E402
from pipelines.plan import Plan, versions  # noqa: E402
from pipelines.segments import Outcome, SegmentTask  # noqa: E402
from pipelines.tasks import Tasks  # noqa: E402
from pipelines.telling import Telling  # noqa: E402
from tests.chaos.processes import HandCluster  # noqa: E402

CHAINS = 2
CONFIG = """\
name: checkpoints
model: {variables: {x: {dist: Normal, mu: 0, sigma: 1, shape: SIZE}}}
sampler: {draws: DRAWS, warmup: 0, chains: 2, seed: 1, max_treedepth: DEPTH}
cluster: {kind: local, workers: 2}
run: {predictive: {prior_draws: 0, posterior: false}}
"""


class Model(NamedTuple):
    """Parameters, draws of the short and of the long run, and seconds that a segment takes at least."""

    size: int
    short: int
    long: int
    segment: float


# By milliseconds a draw. With 3000 parameters a chunk has 100 draws, and no segment has less than a chunk.
MODELS = {1: Model(20, 2_000, 8_000, 2.0), 100: Model(3000, 100, 300, 10.0)}


class Spent(NamedTuple):
    """Seconds of the clock, and of the processors: of this process, and of those it has started and not yet lost."""

    clock: float
    processors: float
    segments: float = 0.0

    @classmethod
    def so_far(cls) -> Spent:
        """What was spent until now."""
        own = psutil.Process()
        times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
        return cls(time.perf_counter(), sum(t.user + t.system for t in times))

    def less(self, before: Spent) -> Spent:
        """What was spent since `before`."""
        return Spent(*(now - then for now, then in zip(self, before, strict=True)))


def spent_by(work: Callable[[], object]) -> Spent:
    """What it takes to do `work`."""
    before = Spent.so_far()
    work()
    return Spent.so_far().less(before)


def planned(folder: Path, model: Model, draws: int, depth: int) -> Plan:
    """A new run directory."""
    text = CONFIG.replace("SIZE", str(model.size)).replace("DRAWS", str(draws)).replace("DEPTH", str(depth))
    (folder / "config.yaml").write_text(text)
    checked = check_config(with_out(load_config(folder / "config.yaml"), folder / "run"))
    # Steps so small that each trajectory has all the points it may have: a draw takes as long as the next.
    return create_run(replace(checked, options=replace(checked.options, step_size=1e-9)))


def depth_for(folder: Path, model: Model, milliseconds: int) -> int:
    """The depth of trees that makes a draw of `model` take about so long."""
    tried = 12
    plan = planned(folder, model, 20, tried)
    density = stages.compile_rewritten(stages.rewrite_model(stages.load_recorded(plan)), plan).density()
    state = begin(density, plan.options, 0)
    before = time.process_time()
    advance(density, plan.options, state, 20)
    taken = (time.process_time() - before) / 20
    shutil.rmtree(plan.directory)
    return tried + round(math.log2(1e-3 * milliseconds / taken))


def followed(client: Client, plan: Plan, on_event: Listener, journal: Journal) -> graph._Following:
    """A driver that has not begun."""
    telling = Telling(on_event, time.perf_counter(), plan.options.warmup)
    return graph._Following(plan, Tasks(client, plan, Control()), telling, journal)


def draw_in_memory(plan: Plan, compiled: CompiledModel, chain: int) -> int:
    """A whole chain as one task."""
    density = compiled.density()
    _, block = advance(density, plan.options, begin(density, plan.options, chain), plan.options.draws)
    return len(block.positions)


def sampling(client: Client, folder: Path, model: Model, draws: int, depth: int, committed: bool) -> Spent:
    """What it takes to draw each chain of a new run, once it is compiled."""
    plan, segments = planned(folder, model, draws, depth), Counter[str]()
    following = followed(client, plan, lambda event: segments.update([event.kind]), Journal.open(plan.path))
    following.prepare()

    def plainly() -> None:
        compiled = following.tasks.futures["compile"]
        futures = [
            following.tasks.submit_placed(f"plain-c{n}", n, draw_in_memory, plan, compiled, n) for n in range(CHAINS)
        ]
        assert [future.result() for future in futures] == [draws] * CHAINS

    found = spent_by(following.sample if committed else plainly)
    following.tasks.forget()
    shutil.rmtree(plan.directory)
    return found._replace(segments=segments["segment"])


def slopes(client: Client, folder: Path, model: Model, depth: int) -> tuple[Spent, Spent]:
    """What one more draw of each chain takes: without checkpoints, and with them."""
    found = []
    for committed in (False, True):
        short, long = (sampling(client, folder, model, n, depth, committed) for n in (model.short, model.long))
        found.append(Spent(*(spent / (model.long - model.short) for spent in long.less(short))))
    return found[0], found[1]


def quartiles(values: list[float]) -> list[float]:
    """The lower one, the median and the upper one."""
    return statistics.quantiles(values, n=4) if len(values) > 1 else values * 3


def compare(folder: Path, milliseconds: int, rounds: int) -> None:
    """Print what one more draw takes, with checkpoints and without."""
    model = MODELS[milliseconds]
    depth = depth_for(folder, model, milliseconds)
    with connect(load_config(folder / "config.yaml").cluster, CHAINS) as client:
        # The first run loads what the others find loaded.
        sampling(client, folder, model, model.short, depth, committed=True)
        found = [slopes(client, folder, model, depth) for _ in range(rounds)]
    for number, kind in enumerate(("clock", "processors")):
        low, middle, high = quartiles([checkpointed[number] / plain[number] for plain, checkpointed in found])
        each = [1e3 * statistics.median(pair[which][number] for pair in found) for which in (0, 1)]
        times = "".join(f"{one:>9.3f} ms" for one in each)
        print(f"{milliseconds:>3} ms      {kind:<12}{times}   {middle:.4f} ({low:.4f} to {high:.4f})")
    costs = [(checkpointed.processors - plain.processors) / checkpointed.segments for plain, checkpointed in found]
    low, middle, high = quartiles(costs)
    print(
        f"            a segment costs {1e3 * middle:.1f} ms ({1e3 * low:.1f} to {1e3 * high:.1f}) of a processor: "
        f"{100 * middle / model.segment:.2f} % of its {model.segment:g} s",
        flush=True,
    )


def idle_segment(segments: int, plan: Plan, compiled: Any, task: SegmentTask) -> Outcome:
    """A segment that draws nothing, the last of `segments` being its chain's last."""
    del compiled
    draws = plan.options.draws // segments
    receipt = Receipt(
        chain=task.chain, segment=task.number, warmup=False, first=task.number * draws, draws=draws, divergences=0,
        gradients=0, step_size=0.1, acceptance_rate=0.8, seconds=0.0
    )  # fmt: skip
    return Outcome(task, "0" * 64, receipt)


class Driven(NamedTuple):
    """Milliseconds a segment takes: of the clock, of the driver's and of the scheduler's processor; bytes they grew."""

    clock: float
    driver: float
    scheduler: float
    driver_bytes: int
    scheduler_bytes: int


def driving(address: str, scheduler: psutil.Process, chains: int, segments: int) -> Driven:
    """Follow a run of `chains` chains of `segments` idle segments each."""
    options = SamplerOptions(seed=1, draws=segments, warmup=0, chains=chains)
    own, count = psutil.Process(), 0

    def counted(event: Event) -> None:
        nonlocal count
        count += event.kind == "segment"

    with Client(address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
        client.wait_for_workers(1)
        plan = Plan("bench", "/nowhere", options, "native", 2.0, 3, 1, "0" * 64, versions())
        following = followed(client, plan, counted, mock.Mock(**{"committed.return_value": ()}))
        following.tasks.submit("compile", int)
        gc.collect()
        before, memory = Spent.so_far(), [process.memory_info().rss for process in (own, scheduler)]
        driver, theirs = time.process_time(), sum(scheduler.cpu_times()[:2])
        with mock.patch.object(graph, "draw_segment", partial(idle_segment, segments)):
            following.sample()
        driver, theirs = time.process_time() - driver, sum(scheduler.cpu_times()[:2]) - theirs
        clock = Spent.so_far().less(before).clock
        gc.collect()
        grown = [process.memory_info().rss - was for process, was in zip((own, scheduler), memory, strict=True)]
        following.tasks.forget()
    assert count == chains * segments
    clock, driver, theirs = (1e3 * seconds / count for seconds in (clock, driver, theirs))
    return Driven(clock, driver, theirs, *grown)


def follow_idle(folder: Path, chains: int, segments: int) -> None:
    """Print a line of the second table."""
    with HandCluster(folder / f"cluster-{chains}-{segments}", 1) as cluster:
        assert cluster.scheduler is not None
        scheduler = psutil.Process(cluster.scheduler.pid)
        # The scheduler imports what it is sent, and fills its logs, which are bounded.
        driving(cluster.address, scheduler, 100, 20)
        found = driving(cluster.address, scheduler, chains, segments)
    times = "".join(f"{one:>9.2f} ms" for one in found[:3])
    grown = "".join(f"{one / 2**20:>9.1f} MiB" for one in found[3:])
    print(f"{chains:<8}{segments:>10}{times}{grown}", flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="of the first table")
    parser.add_argument("--draws", type=int, nargs="*", choices=[*MODELS], default=[*MODELS], help="milliseconds")
    parser.add_argument("--chains", type=int, nargs="*", default=[100, 1000, 10_000])
    parser.add_argument("--segments", type=int, nargs="*", default=[2, 10], help="of each chain")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.draws:
            print(f"{'a draw of':<12}{'':<12}{'without':>12}{'with':>12}   ratio (quartiles)")
        for milliseconds in options.draws:
            compare(Path(name), milliseconds, options.rounds)
        print(
            f"{'chains':<8}{'segments':>10}{'clock':>12}{'driver':>12}{'scheduler':>12}{'driver':>13}{'scheduler':>13}"
        )
        for chains in options.chains:
            for segments in options.segments:
                follow_idle(Path(name), chains, segments)


if __name__ == "__main__":
    main()
