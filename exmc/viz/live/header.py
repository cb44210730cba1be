"""What the page says in words: where the run stands, its stages, its chains."""

from __future__ import annotations

import math
from html import escape

from exmc.viz.live.status import ChainStatus, Status
from exmc.viz.live.style import CHAIN_COLOURS

_MOST_CHAINS = 12
_STANDINGS = {
    "starting": "starting",
    "running": "running",
    "paused": "paused",
    "finished": "finished",
    "ended": "ended unfinished",
    "away": "not being run",
}


def header_html(status: Status) -> str:
    """The run's name, where it stands, how far it is, its stages."""
    share = 100 * status.done / max(status.total, 1)
    finished = status.standing == "finished"
    left = "" if finished or status.standing in ("ended", "away") else f"{escape(status.seconds_left)} left"
    stages, waiting = [], not finished and status.standing not in ("ended", "away")
    for name, took in status.stages:
        if took is not None:
            stages.append(f'<span class="stage done">{escape(name)} <small>{took:.1f} s</small></span>')
        else:
            # The first that is not done is what the run is at.
            stages.append(f'<span class="stage{" now" if waiting else ""}">{escape(name)}</span>')
            waiting = False
    note = f'<p class="note">{escape(status.message)}</p>' if status.message else ""
    divergent = ' class="bad"' if status.divergences else ""
    standing = _STANDINGS.get(status.standing, escape(status.standing))
    return (
        f'<div class="title"><h1>{escape(status.name)}</h1>'
        f'<span class="standing {status.standing}">{standing}</span></div>'
        f'<div class="bar"><i style="width:{share:.1f}%"></i></div>'
        f'<p class="far"><b>{share:.0f} %</b> <span>{status.done:,} of {status.total:,} iterations</span>'
        f"<span{divergent}>{status.divergences:,} divergences</span><span>{left}</span></p>"
        f'<div class="stages">{"".join(stages)}</div>{note}'
    )


def chains_html(status: Status) -> str:
    """A line a chain; of many, the ones that are behind, and how many are at what."""
    numbered = list(enumerate(status.chains))
    digest = ""
    if len(numbered) > _MOST_CHAINS:
        phases = [chain.phase for chain in status.chains]
        counts = ", ".join(f"{phases.count(p):,} {escape(p)}" for p in dict.fromkeys(phases))
        digest = f"<p>{len(numbered):,} chains: {counts}. Those behind the others:</p>"
        numbered = sorted(numbered, key=lambda item: (item[1].phase == "failed", _progress(item[1])))[:_MOST_CHAINS]
    rows = "".join(_row(number, chain) for number, chain in numbered)
    head = "".join(
        f'<th class="{kind}">{name}</th>'
        for name, kind in (
            ("chain", ""), ("", "wide"), ("draws", ""), ("div.", ""), ("step", "extra"), ("grads/draw", "extra"),
            ("draws/s", ""),
        )
    )  # fmt: skip
    return f"{digest}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _progress(chain: ChainStatus) -> tuple[bool, float]:
    return chain.phase != "warming up", chain.done / max(chain.total, 1)


def _row(number: int, chain: ChainStatus) -> str:
    share = 100 * chain.done / max(chain.total, 1)
    divergent = "bad" if chain.divergences else ""
    kind = chain.phase.replace(" ", "-")
    colour = CHAIN_COLOURS[number % len(CHAIN_COLOURS)]
    return (
        f'<tr class="{kind}"><td><i class="dot" style="background:{colour}"></i>{number}'
        f' <small class="extra">{escape(chain.phase)}</small></td>'
        f'<td class="wide"><div class="bar" title="{escape(chain.phase)}"><i style="width:{share:.1f}%"></i></div></td>'
        f'<td>{chain.done:,}<small>/{chain.total:,}</small></td><td class="{divergent}">{chain.divergences}</td>'
        f'<td class="extra">{_number(chain.step_size, ".3g")}</td>'
        f'<td class="extra">{_number(chain.gradients_per_draw, ".1f")}</td>'
        f"<td>{_number(chain.draws_per_second, ',.0f')}</td></tr>"
    )


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "–"
