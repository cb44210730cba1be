"""What identifies functions: JSON values, unless they name code of the user."""

from __future__ import annotations

from exmc.compile.function import identity_of, names_code


def test_a_model_that_names_code_of_its_user_is_not_known_without_it() -> None:
    assert names_code([{"call": {"parameters": [["function", "package.module:density"]]}}])
    assert not names_code([{"call": {"parameters": [["function", "exmc.logspace:log_sum_of_terms"]]}}])
    assert not names_code([{"call": {"parameters": [["mu", {"ref": "a"}], ["sigma", 1.0]]}, "dims": None}])


def test_an_identity_is_that_of_the_document_and_none_of_code() -> None:
    document = {"step": [["s", {"ref": "a"}]], "length": 3}
    assert identity_of(document) == identity_of({"step": [["s", {"ref": "a"}]], "length": 3}) != ""
    assert identity_of(document) != identity_of({**document, "length": 4})
    assert identity_of({**document, "function": "package.module:density"}) == ""
