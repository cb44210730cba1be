"""Diagnostics for people and programs: tables as plain text, findings as sentences, both as JSON values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from exmc.diagnostics.checks import Diagnosis, Finding
from exmc.diagnostics.compare import Ranked
from exmc.diagnostics.summary import COLUMNS, Summary

Row = tuple[str, ...]
_SHOWN_PER_CHECK = 5


def summary_rows(summary: Summary, limit: int | None = None) -> list[Row]:
    """`summary` as text cells, the header first, at most `limit` scalars."""
    rows: list[Row] = [("", *COLUMNS)]
    columns = [summary.columns[name] for name in COLUMNS]
    for i, label in enumerate(summary.labels[:limit]):
        rows.append((label, *_cells([float(column[i]) for column in columns])))
    return rows


def _cells(values: Sequence[float]) -> Row:
    row = dict(zip(COLUMNS, values, strict=True))
    places = decimals(row["sd"])
    return (
        *(fixed(row[name], places) for name in ("mean", "sd", "q5", "q95")),
        fixed(row["mcse_mean"], places + 1),
        *(fixed(row[name], 0) for name in ("ess_bulk", "ess_tail")),
        fixed(row["r_hat"], 3),
    )


def decimals(spread: float) -> int:
    """Decimals that show three digits of the spread: more would be noise."""
    if not math.isfinite(spread) or spread <= 0:
        return 3
    return min(max(2 - math.floor(math.log10(spread)), 0), 12)


def fixed(value: float, places: int) -> str:
    """`value` with that many decimals; NaN, which nobody knows, as a dash."""
    if not math.isfinite(value):
        return "-" if math.isnan(value) else str(value)
    return f"{value:.{places}f}" if abs(value) < 1e9 else f"{value:.4g}"


def table_text(rows: Sequence[Row]) -> str:
    """`rows` in aligned columns, the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    )


def summary_text(summary: Summary, limit: int | None = None) -> str:
    """The summary as a table, with a line that says how many scalars were left out."""
    total = len(summary.labels)
    text = table_text(summary_rows(summary, limit))
    hidden = total - limit if limit is not None else 0
    return f"{text}\n… and {hidden} more" if hidden > 0 else text


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """One sentence or two per failed check, with the worst subjects, their values and what to try."""
    by_check: dict[str, list[Finding]] = {}
    for finding in findings:
        by_check.setdefault(finding.check, []).append(finding)
    return [_sentence(group) for group in by_check.values()]


def _sentence(group: list[Finding]) -> str:
    # Every finding of a check lies on the same side of its threshold; NaN is worst.
    worst = sorted(group, key=lambda f: (not math.isnan(f.value), -abs(f.value - f.threshold)))
    named = ", ".join(f"{f.subject} ({_number(f.value)})" for f in worst[:_SHOWN_PER_CHECK])
    more = f" and {len(worst) - _SHOWN_PER_CHECK} more" if len(worst) > _SHOWN_PER_CHECK else ""
    first = worst[0]
    return f"{first.check} (threshold {_number(first.threshold)}): {named}{more}. {first.meaning} {first.remedy}"


def _number(value: float) -> str:
    if value == int(value) if math.isfinite(value) else False:
        return str(int(value))
    return f"{value:.3g}"


def method_sentence(method: Mapping[str, Any]) -> str:
    """What the draws are, for people, of what a result's attributes say of its method; nothing of NUTS."""
    if not method:
        return ""
    said = f"Method: {method['name']}."
    if method.get("approximation"):
        said = f"APPROXIMATION by {method['name']}: {method['approximation']}, not draws from the posterior."
    if method.get("pareto_k") is not None:
        said += f" Pareto k {method['pareto_k']:.2f} (reliable below 0.7)."
    if method.get("log_evidence") is not None:
        error = method.get("log_evidence_error")
        spread = "" if error is None else f" ± {error:.2g}"
        said += f" Log evidence {method['log_evidence']:.4g}{spread}."
    return said


def diagnosis_text(diagnosis: Diagnosis, limit: int | None = 40, verdict: str = "All checks passed.") -> str:
    """The summary and all findings, or the sentence `verdict` if there are none, below what the draws are."""
    said = method_sentence(diagnosis.method)
    head = "\n\n".join(part for part in (said, summary_text(diagnosis.table, limit)) if part)
    if diagnosis.passed:
        return f"{head}\n\n{verdict}"
    lines = finding_lines(diagnosis.findings)
    return "\n".join([head, "", f"{len(lines)} of the checks failed:", *(f"  * {line}" for line in lines)])


def diagnosis_document(diagnosis: Diagnosis) -> dict[str, Any]:
    """`diagnosis` as JSON values; numbers that are not finite become null."""
    table = diagnosis.table
    rows = [
        {"scalar": label} | {name: _json_number(table.columns[name][i]) for name in COLUMNS}
        for i, label in enumerate(table.labels)
    ]
    findings = [
        {
            "check": f.check,
            "subject": f.subject,
            "value": _json_number(f.value),
            "threshold": f.threshold,
            "meaning": f.meaning,
            "remedy": f.remedy,
        }
        for f in diagnosis.findings
    ]
    method = {"method": dict(diagnosis.method)} if diagnosis.method else {}
    return {"passed": diagnosis.passed, "findings": findings, "summary": rows} | method


def comparison_rows(ranking: Sequence[Ranked]) -> list[Row]:
    """A comparison as text cells, the header first."""
    rows: list[Row] = [("", *(field for field in Ranked._fields if field != "name"))]
    for row in ranking:
        figures = (row.elpd, row.se, row.p, row.difference, row.difference_se, row.weight)
        cells = [fixed(value, 2) for value in figures]
        rows.append((row.name, str(row.rank), *cells, str(row.points), str(row.unreliable)))
    return rows


def comparison_text(ranking: Sequence[Ranked]) -> str:
    """A comparison as a table, and what its unreliable points mean, if there are any."""
    text = table_text(comparison_rows(ranking))
    doubtful = [row.name for row in ranking if row.unreliable]
    if not doubtful:
        return text
    return (
        f"{text}\nEstimates for {', '.join(doubtful)} rest on points that the model is too surprised by (Pareto k or"
        " p_waic above its limit): trust the ranking only where differences are large, or cross-validate."
    )


def comparison_document(ranking: Sequence[Ranked]) -> list[dict[str, Any]]:
    """A comparison as JSON values, best first; numbers that are not finite become null."""
    return [
        {key: _json_number(value) if isinstance(value, float) else value for key, value in row._asdict().items()}
        for row in ranking
    ]


def _json_number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
