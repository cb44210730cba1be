"""The report of a run: one page of HTML that needs nothing else, from what the run directory holds."""

from __future__ import annotations

import base64
import shlex
import struct
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from exmc.diagnostics.checks import Diagnosis, Finding, diagnose
from exmc.diagnostics.selection import worst_first
from exmc.diagnostics.summary import COLUMNS
from exmc.diagnostics.text import decimals, fixed, method_sentence, summary_rows
from exmc.errors import ExmcError, StoreError
from exmc.ir import serial
from exmc.ir.nodes import Data
from exmc.rewrite.run import Rewriting, rewrite
from exmc.trace.files import Location
from exmc.trace.store import RunStore
from exmc.viz.content import CHOOSING, content
from exmc.viz.draw import draw, without_display
from exmc.viz.kinds import PLOTS
from pipelines.config import load_config
from pipelines.explaining import StageView, views_of
from pipelines.pages import render
from pipelines.pictures import read_groups
from pipelines.plan import CONFIG, EXPLANATION, MODEL
from pipelines.processors import processors
from pipelines.reasons import reason
from pipelines.standing import unfinished

REPORT = "report.html"

_ROWS_SHOWN, _ROWS_HELD = 30, 3000
"""Scalars of the summary that are seen at once, and that can be unfolded."""
_SUBJECTS_NAMED = 6
_DOTS_PER_INCH = 84
_SHARPNESS = 2
"""Dots of a picture beside each other in one pixel of the page, as screens and paper have more of them."""
_MORE = "Others: exmc plot."

_DRAWN: tuple[tuple[str, int], ...] = (
    ("forest", 24), ("rank", 6), ("trace", 6), ("energy", 1), ("ppc", 4), ("loo-pit", 4), ("prior-posterior", 8),
)  # fmt: skip
"""The plots of every report, and how many scalars each shows; a pair plot besides where there are divergences."""
_DIVERGED = ("pair", 4)


class Section(NamedTuple):
    """One failed check: its name, what it is about, the worst of it, and what to try."""

    name: str
    subjects: str
    meaning: str
    remedy: str


class Row(NamedTuple):
    """One scalar of the summary: its cells, and whether each is why a check failed."""

    cells: tuple[str, ...]
    failed: tuple[bool, ...]


class Figure(NamedTuple):
    """A plot in the page: its kind, the picture as a data URL, its size in pixels of the page, what it shows, and what
    is not in it."""

    kind: str
    source: str
    width: int
    height: int
    caption: str
    notes: tuple[str, ...]


def report(directory: Location) -> str:
    """The report of the run in `directory`, which may be unfinished.

    Raises `StoreError` if the run cannot be read, or has no draws yet.
    """
    without_display()
    store = RunStore.open(directory)
    tree = read_groups(store, ("posterior", "sample_stats", *(g for kind, _ in _DRAWN for g in PLOTS[kind].groups)))
    found = diagnose(tree)
    failures = {chain: (reason(text), text) for chain, text in _failures(store).items()}
    rewriting, explanation = _rewriting(directory)
    first, rest, left_out = _rows(found)
    return render(
        "report.html",
        name=str(store.attributes.get("name", directory.name)),
        standing=unfinished(store),
        method=method_sentence(found.method),
        verdict=_verdict(found, unfinished(store), len(failures)),
        facts=_facts(tree, found, store),
        findings=_sections(found.findings),
        failures=failures,
        columns=("", *COLUMNS),
        rows=first,
        more_rows=rest,
        left_out=left_out,
        figures=_figures(tree, found),
        stages=_stages(rewriting),
        explanation=explanation,
        data=[_data_row(data) for data in rewriting.source.data.values()] if rewriting else [],
        notes=list(store.attributes.get("notes", [])),
        skipped=dict(store.attributes.get("skipped_groups", {})),
        settings=_settings(store),
        chains=_chain_rows(tree),
        provenance=_provenance(store, directory),
        command=_command(store, directory),
        config=_text(directory / CONFIG),
    )


def _verdict(found: Diagnosis, standing: str, failed: int) -> tuple[str, str, str]:
    """The colour, the heading and the sentence of the verdict."""
    checks = len({finding.check for finding in found.findings})
    if standing:
        return "doubt", "The run is not finished", "What follows is of the draws so far, and no result yet."
    if found.passed:
        return "good", "All checks passed", "The chains agree with each other, and there are enough draws to rely on."
    lost = f" {failed} of the chains failed and {'is' if failed == 1 else 'are'} left out." if failed else ""
    said = f"{checks} of the checks failed. Do not rely on these results before you have read why, below.{lost}"
    return "bad", "These draws cannot be trusted yet", said


def _facts(tree: xr.DataTree, found: Diagnosis, store: RunStore) -> list[tuple[str, str]]:
    table = found.summary
    facts = [
        ("chains", f"{table.attrs['chains']} of {store.schema.chains}"),
        ("draws of each", str(table.attrs["draws"])),
        ("scalars", str(table.sizes["scalar"])),
    ]
    if not np.isnan(table["r_hat"].values).all():
        facts.append(("worst R-hat", fixed(float(np.nanmax(table["r_hat"].values)), 3)))
        least = np.fmin(table["ess_bulk"].values, table["ess_tail"].values)
        facts.append(("fewest effective draws", fixed(float(np.nanmin(least)), 0)))
    if "diverging" in tree["sample_stats"].data_vars:
        facts.append(("divergences", str(int(tree["sample_stats"]["diverging"].sum()))))
    return facts


def _sections(findings: Iterable[Finding]) -> list[Section]:
    """The findings, one section a check, the worst subjects named."""
    by_check: dict[str, list[Finding]] = {}
    for finding in findings:
        by_check.setdefault(finding.check, []).append(finding)
    found = []
    for name, group in by_check.items():
        worst = sorted(group, key=lambda f: (not np.isnan(f.value), -abs(f.value - f.threshold)))
        named = ", ".join(f"{f.subject} ({f.value:.4g})" for f in worst[:_SUBJECTS_NAMED])
        more = f" and {len(worst) - _SUBJECTS_NAMED} more" if len(worst) > _SUBJECTS_NAMED else ""
        first = worst[0]
        found.append(Section(f"{name} (threshold {first.threshold:g})", named + more, first.meaning, first.remedy))
    return found


def _rows(found: Diagnosis) -> tuple[list[Row], list[Row], int]:
    """The summary's rows to be seen, those to be unfolded, and how many are in neither; the worst first if many."""
    table = found.table
    if len(table.labels) > _ROWS_SHOWN:
        table = table.only(worst_first(found.summary)[:_ROWS_HELD])
    columns = {"r_hat": "r_hat", "ess_bulk per chain": "ess_bulk", "ess_tail per chain": "ess_tail"}
    bad = {(f.subject, columns[f.check]) for f in found.findings if f.check in columns}
    rows = [
        Row(cells, tuple((cells[0], column) in bad for column in ("", *COLUMNS))) for cells in summary_rows(table)[1:]
    ]
    return rows[:_ROWS_SHOWN], rows[_ROWS_SHOWN:], len(found.table.labels) - len(rows)


def _figures(tree: xr.DataTree, found: Diagnosis) -> list[Figure]:
    """The plots for which the run has what they show."""
    diverged = any(finding.check == "divergences" for finding in found.findings)
    figures = []
    for kind, most in (*_DRAWN[:3], _DIVERGED, *_DRAWN[3:]) if diverged else _DRAWN:
        try:
            picture = draw(content(tree, kind, (), most), PLOTS[kind])
        except StoreError:
            # A run without predictions, say, has no plot of them; which groups were skipped, and why, is told above.
            continue
        png = picture.rendered("png", _DOTS_PER_INCH * _SHARPNESS)
        picture.close()
        source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        # A PNG begins with its signature, then length and name of its first chunk, which begins with its size.
        width, height = (dots // _SHARPNESS for dots in struct.unpack_from(">II", png, 16))
        notes = tuple(note.replace(CHOOSING, _MORE) for note in picture.notes)
        figures.append(Figure(kind, source, width, height, PLOTS[kind].meaning, notes))
    return figures


def _rewriting(directory: Location) -> tuple[Rewriting | None, str]:
    """The recorded model rewritten again; if that fails (a function of the user's is not there), what was recorded."""
    explanation = _text(directory / EXPLANATION)
    try:
        return rewrite(serial.loads((directory / MODEL).read_text(encoding="utf-8"))), explanation
    except (ExmcError, OSError, ValueError, KeyError, TypeError):
        return None, explanation


def _stages(rewriting: Rewriting | None) -> list[StageView]:
    return [] if rewriting is None else views_of(rewriting)


def _data_row(data: Data) -> tuple[str, ...]:
    """Name, kind, shape, range, mean, missing values and source of one datum."""
    values = data.values.astype(np.float64)
    seen = values[np.isfinite(values)]
    axes = ", ".join(f"{dim or 'unnamed'}: {n}" for dim, n in zip(data.dims, values.shape, strict=True))
    places = decimals(float(seen.std())) if seen.size and data.kind == "float" else 0
    low, high, mean = (fixed(float(f(seen)), places) if seen.size else "-" for f in (np.min, np.max, np.mean))
    if seen.size and data.kind != "float":
        mean = fixed(float(seen.mean()), decimals(float(seen.std())))
    missing = int(np.isnan(values).sum())
    return data.name, data.kind, axes or "one number", low, mean, high, str(missing or ""), data.source


def _settings(store: RunStore) -> list[tuple[str, str]]:
    return [(key, str(value)) for key, value in store.attributes.get("sampler", {}).items() if value is not None]


def _chain_rows(tree: xr.DataTree) -> list[tuple[str, ...]]:
    """Of each chain its step size, acceptance, gradients a draw, divergences and trajectories cut off."""
    stats = tree["sample_stats"].to_dataset()
    wanted = ("step_size", "acceptance_rate", "n_steps", "diverging", "reached_max_treedepth")
    if not all(name in stats.data_vars for name in wanted):
        return []
    rows: list[tuple[str, ...]] = []
    for chain in stats["chain"].values:
        own = {name: stats[name].sel(chain=chain).values for name in wanted}
        rows.append(
            (
                str(chain), f"{own['step_size'][-1]:.3g}", f"{own['acceptance_rate'].mean():.3f}",
                f"{own['n_steps'].mean():.1f}", str(int(own["diverging"].sum())),
                str(int(own["reached_max_treedepth"].sum())),
            )
        )  # fmt: skip
    return rows


def _failures(store: RunStore) -> Mapping[int, str]:
    if store.complete:
        return {entry["chain"]: entry["traceback"] for entry in store.attributes["failed_chains"]}
    return store.failures()


def _provenance(store: RunStore, directory: Location) -> list[tuple[str, str]]:
    attributes = store.attributes
    versions = ", ".join(f"{name} {version}" for name, version in attributes.get("versions", {}).items())
    return [
        ("run directory", str(directory.absolute())),
        ("begun", str(attributes.get("created_at", ""))[:19].replace("T", " ") + " UTC"),
        ("seed", str(attributes.get("sampler", {}).get("seed", ""))),
        ("versions", versions),
        ("processors", ", ".join(processors(directory))),
        ("digest of the model and its data", str(attributes.get("model_digest", ""))),
        ("fingerprint of all that decides the draws", str(attributes.get("fingerprint", ""))),
    ]


def _command(store: RunStore, directory: Location) -> str:
    """The command that makes the same draws again, in another directory."""
    config, draws = directory.absolute() / CONFIG, store.schema.draws
    parts = ["exmc", "run", str(config), "--out", f"{directory.name}-again"]
    if _planned_draws(config) != draws:
        parts += ["--set", f"sampler.draws={draws}"]
    return shlex.join(parts)


def _planned_draws(config: Location) -> Any:
    try:
        return load_config(config).sampler.draws
    except (ExmcError, OSError):
        return None


def _text(path: Location) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
