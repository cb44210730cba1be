"""YAML is read without surprises, and what is written reads back the same."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.places import LocatedError
from pipelines.yaml_lines import read_yaml, write_yaml

PLAIN = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\u2028\u2029\ufffe\uffff")
)  # fmt: skip
KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8).filter(lambda k: k != "<<")
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


def read(text: str) -> Any:
    return read_yaml(text.encode(), "t.yaml").values


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_what_is_written_reads_back_the_same(values: dict[str, Any]) -> None:
    text = write_yaml(values)
    assert read(text) == values
    assert yaml.safe_load(text) == values, "other readers take it the same way"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-3", -3), ("+7", 7), ("0", 0), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e-3", 1e-3),
        ("1E5", 1e5), ("-2.5e+10", -2.5e10), (".inf", math.inf), ("-.inf", -math.inf), ("true", True), ("False", False),
        ("null", None), ("~", None), ("", None), ("2020-01-01", "2020-01-01"), ("a b", "a b"), ("y", "y"), ("n", "n"),
        ("'no'", "no"), ('"012"', "012"), ("'1e-3'", "1e-3"), ("Mt. Hermon", "Mt. Hermon"), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_scalars(text: str, value: Any) -> None:
    found = read(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text", ["yes", "No", "ON", "off", "012", "-01", "12:30:00", "1:20", "1_000", "0x1F", "0o17", "0b1"]
)
def test_what_readers_take_differently_is_refused(text: str) -> None:
    with pytest.raises(LocatedError, match=r"t\.yaml:2: key: the value"):
        read(f"# comment\nkey: {text}\n")
    assert read(f"{text}: 1") == {text: 1}, "a key is always text"


def test_lines_of_keys_and_items() -> None:
    document = read_yaml(b"a:\n  b: [1,\n      2]\n  c:\n    - x: 1\n", "t.yaml")
    assert dict(document.lines) == {
        ("a",): 1, ("a", "b"): 2, ("a", "b", "0"): 2, ("a", "b", "1"): 3,
        ("a", "c"): 4, ("a", "c", "0"): 5, ("a", "c", "0", "x"): 5,
    }  # fmt: skip


def test_anchors_are_read() -> None:
    assert read("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


def test_a_byte_order_mark_is_ignored() -> None:
    assert read_yaml(b"\xef\xbb\xbfa: 1", "t.yaml").values == {"a": 1}
