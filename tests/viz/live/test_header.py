"""What the page says in words is true, and only words."""

from __future__ import annotations

import re

from exmc.viz.live.header import chains_html, header_html
from tests.viz.live.runs import status_of


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_where_the_run_stands() -> None:
    html = header_html(status_of())
    assert "a &lt;run&gt; running 50 % 300 of 600 iterations 3 divergences 12 s left build 0.1 s" in words(html)
    assert html.count('class="stage now"') == 1
    assert "left" not in words(header_html(status_of("finished")))
    assert "not being run" in words(header_html(status_of("away")))
    assert "stage now" not in header_html(status_of("ended"))
    assert "&lt;b&gt;" in header_html(status_of("paused")._replace(message="<b>"))


def test_a_line_a_chain() -> None:
    text = words(chains_html(status_of()))
    assert text.endswith("2 sampling 100 /200 1 0.25 7.0 1,500")
    assert chains_html(status_of()).count("<tr class=") == 3


def test_of_many_chains_those_behind() -> None:
    status = status_of(chains=10_000)
    behind = status.chains[0]._replace(done=3)
    html = chains_html(status._replace(chains=(*status.chains[:-1], behind)))
    assert html.count("<tr class=") == 12
    text = words(html)
    assert "10,000 chains: 10,000 sampling" in text
    assert " 9999 sampling 3 /200" in text
    unknown = status.chains[0]._replace(draws_per_second=float("nan"))
    assert words(chains_html(status._replace(chains=(unknown,)))).endswith("–")
