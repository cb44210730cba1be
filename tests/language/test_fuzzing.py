"""Neither the parser of expressions nor the reader of YAML is broken or led astray; `scripts/fuzz` tries longer."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.language.fuzzing import (
    CHECKS,
    EXPRESSION_TOKENS,
    YAML_TOKENS,
    check_expression,
    check_yaml,
    confined,
    hostile,
)

often = settings(max_examples=500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def texts(tokens: tuple[str, ...]) -> st.SearchStrategy[str]:
    pieces = st.lists(st.one_of(st.sampled_from(tokens), st.characters()), min_size=1, max_size=15)
    return pieces.map("".join)


@often
@given(texts(EXPRESSION_TOKENS))
def test_any_text_is_an_expression_or_one_error(text: str) -> None:
    check_expression(text)


@often
@given(texts(YAML_TOKENS))
def test_any_text_is_plain_yaml_or_one_error(text: str) -> None:
    check_yaml(text)


@pytest.mark.parametrize("name", CHECKS)
def test_random_text_breaks_nothing(name: str) -> None:
    check, tokens, legal = CHECKS[name]
    generator = random.Random(20)
    read = sum(check(hostile(generator, tokens, legal)) for _ in range(4500))
    assert 0.03 < read / 4500 < 0.6, "the texts are to be legal now and then"


def test_the_checks_see_what_they_look_for() -> None:
    assert check_expression("x + exp(y)[0]")
    assert not check_expression("__import__('os')")
    assert check_yaml("a: [1, {b: c}]")
    with pytest.raises(AssertionError, match="open"), confined():
        open("/nowhere")  # noqa: SIM115
    with pytest.raises(AssertionError, match="exec"), confined():
        exec("1")
