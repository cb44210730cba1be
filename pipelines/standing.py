"""Where a run stands that lacks something: what it holds, which chains failed, and how to go on with it."""

from __future__ import annotations

from exmc.trace.store import RunStore
from pipelines.locks import being_run
from pipelines.reasons import reason


def unfinished(store: RunStore) -> str:
    """What the run in `store` lacks and how to finish it, in a few sentences; nothing if it is finished."""
    if store.complete:
        return ""
    schema, directory, kept = store.schema, store.journal.directory, store.kept_chains()
    done = store.draws_done()
    if done:
        found = f"{done} of {schema.draws} draws in every chain"
    else:
        warm = min((store.journal.draws_done(c, warmup=True) for c in kept), default=0)
        found = f"no draws yet, {warm} of {schema.warmup} warm-up iterations in every chain"
    failed = schema.chains - len(kept)
    lost = f" ({failed} of {schema.chains} chains failed and do not count)" if failed else ""
    way = f"It is being run now, in {directory}." if being_run(directory) else f"Go on with: exmc resume {directory}"
    return f"This run is UNFINISHED: {found}{lost}. {way}"


def failed_chains(store: RunStore) -> str:
    """Which chains of the finished run in `store` failed and why, in a line each; nothing if none did."""
    if not store.complete:
        return ""
    failed = store.attributes["failed_chains"]
    lines = [f"CHAIN {entry['chain']} FAILED and is left out: {reason(entry['traceback'])}" for entry in failed]
    if lines:
        directory = store.journal.directory
        lines.append(f"Tracebacks: {directory}/state/chain-*/failed.json. To try again: exmc resume {directory}")
    return "\n".join(lines)
