from __future__ import annotations

import json

import numpy as np

from exmc.diagnostics.checks import Finding, diagnose
from exmc.diagnostics.compare import Ranked, compare
from exmc.diagnostics.summary import COLUMNS, posterior_scalars, summary_of
from exmc.diagnostics.text import (
    comparison_text,
    diagnosis_document,
    diagnosis_text,
    finding_lines,
    summary_rows,
    summary_text,
)
from tests.diagnostics.test_checks import apart, diverging, fitted, not_finite
from tests.diagnostics.trees import conjugate, healthy


def test_a_summary_is_a_table_with_labels() -> None:
    table = summary_of(posterior_scalars(healthy()))
    lines = summary_text(table).splitlines()
    assert lines[0].split() == list(COLUMNS)
    assert [line.split()[0] for line in lines[1:]] == ["mu", "theta[Choate]", "theta[Exeter]", "one", "total"]
    assert len({len(line) for line in lines}) == 1
    rows = summary_rows(table)
    for i, row in enumerate(rows[1:]):
        for column, cell in zip(COLUMNS, row[1:], strict=True):
            value = float(table.columns[column][i])
            assert cell == "-" if np.isnan(value) else abs(float(cell) - value) <= 0.5 * 10.0 ** -places(cell)
    # Three digits of the spread, which is 0.0984.
    assert [places(cell) for cell in rows[1][1:]] == [4, 4, 4, 4, 5, 0, 0, 3]


def places(cell: str) -> int:
    return len(cell.split(".")[1]) if "." in cell else 0


def test_long_summaries_say_what_they_leave_out() -> None:
    assert summary_text(summary_of(posterior_scalars(healthy())), 2).splitlines()[-1] == "… and 3 more"
    assert "more" not in summary_text(summary_of(posterior_scalars(healthy())), 5)


def test_findings_are_sentences_with_value_threshold_and_remedy() -> None:
    found = diagnose(diverging(apart(healthy())))
    text = diagnosis_text(found)
    assert "2 of the checks failed" in text
    assert "r_hat (threshold 1.01): mu (1.0" in text
    assert "divergences (threshold 0): all chains (1)." in text
    assert "target_accept" in text
    assert "All checks passed." in diagnosis_text(diagnose(healthy()))


def test_many_findings_of_a_check_are_one_line_with_the_worst_first() -> None:
    findings = [Finding("r_hat", f"x[{i}]", 1.1 + i, 1.01, "Means.", "Try.") for i in range(9)]
    findings.append(Finding("r_hat", "bad", float("nan"), 1.01, "Means.", "Try."))
    (line,) = finding_lines(findings)
    assert line == (
        "r_hat (threshold 1.01): bad (nan), x[8] (9.1), x[7] (8.1), x[6] (7.1), x[5] (6.1) and 5 more. Means. Try."
    )


def test_documents_are_strict_json() -> None:
    found = diagnose(not_finite(healthy()))
    document = json.loads(json.dumps(diagnosis_document(found), allow_nan=False))
    assert document["passed"] is False
    assert document["findings"][0]["subject"] == "mu"
    assert document["summary"][0]["mean"] is None
    assert document["summary"][1]["mean"] == float(found.summary["mean"][1])
    assert [row["scalar"] for row in document["summary"]] == found.summary.scalar.values.tolist()


def test_a_comparison_is_a_table() -> None:
    ranking = compare({"tight": conjugate(0, 0.05), "wide": conjugate(1, 5.0)})
    lines = comparison_text(ranking).splitlines()
    assert [line.split()[0] for line in lines[1:]] == [r.name for r in ranking]
    assert f"{ranking[1].difference:.2f}" in lines[2]
    doubtful = (*ranking[:1], Ranked(1, "odd", -1.0, 1.0, 1.0, 0.1, 0.1, 0.0, 20, 3))
    assert "Estimates for odd rest on" in comparison_text(doubtful)


def test_an_approximation_says_first_that_it_is_one() -> None:
    text = diagnosis_text(diagnose(fitted(pareto_k=0.31)(healthy())))
    assert text.startswith(
        "APPROXIMATION by some: draws of something, not draws from the posterior. Pareto k 0.31 (reliable below 0.7).\n"
    )
    assert diagnosis_text(diagnose(fitted()(healthy()))).splitlines()[0].endswith("from the posterior.")
    exact = diagnose(fitted(approximation="", log_evidence=-1234.56, log_evidence_error=0.123)(healthy()))
    assert diagnosis_text(exact).startswith("Method: some. Log evidence -1235 ± 0.12.\n")
    alone = diagnose(fitted(approximation="", log_evidence=-3.25)(healthy()))
    assert diagnosis_text(alone).startswith("Method: some. Log evidence -3.25.\n")
    assert diagnosis_document(exact)["method"]["log_evidence"] == -1234.56
    assert "method" not in diagnosis_document(diagnose(healthy()))
