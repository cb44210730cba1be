"""What the commands do that begin a run or go on with one: here, or handed over to a driver elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from exmc.trace.files import Location
from pipelines.arguments import Shown
from pipelines.checking import Checked, check_config
from pipelines.checkpoint import read_checkpoint
from pipelines.config import parse_cluster, scheduler_override
from pipelines.elsewhere import hand_over, require_detachable
from pipelines.exits import PASSED
from pipelines.guard import Scene, shown_path
from pipelines.locks import being_run
from pipelines.places import Places
from pipelines.reporting import conclude, progress_of
from pipelines.requests import let_go
from pipelines.run import extend, prepare, restarted, resume, start


@dataclass(frozen=True, slots=True)
class Way:
    """How to go on: to how many draws, with code and a scheduler that are where, in which process."""

    draws: int | None = None
    code: str | None = None
    scheduler: str | None = None
    force_restart: bool = False
    detach: bool = False


def begin(scene: Scene, checked: Checked, way: Way, shown: Shown) -> int:
    """Run `checked` in its new directory, as `shown` says; its exit status."""
    scene.directory = checked.config.out
    if way.detach:
        require_detachable(checked.config.out, checked.config.cluster)
        prepare(checked)
        return hand_over(checked.config.out, None, None, shown.quiet)
    with progress_of(checked.config.name, checked.options, checked.config.out, shown) as on_event:
        result = start(checked, on_event)
    return conclude(result, shown.quiet, shown.as_json)


def go_on(scene: Scene, directory: Location, way: Way, shown: Shown) -> int:
    """Finish the run in `directory`, extend it if ``way.draws`` is given, or begin it again beside it; exit status."""
    if way.force_restart:
        return _begin_again(scene, directory, way, shown)
    if way.draws is None and _let_go_on(directory):
        return PASSED
    if way.detach:
        return hand_over(directory, way.draws, way.scheduler, shown.quiet, way.code)
    scene.directory = directory
    plan = read_checkpoint(directory).plan
    cluster = None
    if way.scheduler is not None:
        cluster = parse_cluster({"address": way.scheduler}, Places("--scheduler", {}))
    options = plan.options if way.draws is None else replace(plan.options, draws=way.draws)
    with progress_of(plan.label, options, plan.path, shown) as on_event:
        if way.draws is None:
            result = resume(directory, on_event, cluster, code=way.code)
        else:
            result = extend(directory, way.draws, on_event, cluster, code=way.code)
    return conclude(result, shown.quiet, shown.as_json)


def _begin_again(scene: Scene, directory: Location, way: Way, shown: Shown) -> int:
    overrides = [] if way.draws is None else [f"sampler.draws={way.draws}"]
    checked = check_config(restarted(directory, [*overrides, *scheduler_override(way.scheduler)], way.code))
    print(f"exmc: begun again in {shown_path(checked.config.out)}; {directory} is left as it is.", file=sys.stderr)
    return begin(scene, checked, way, shown)


def _let_go_on(directory: Location) -> bool:
    """Let the run in `directory` go on if its driver holds it; whether it did."""
    if not being_run(directory) or not let_go(directory):
        return False
    print(f"exmc: {directory} goes on. To follow it: exmc watch {directory}", file=sys.stderr)
    return True
