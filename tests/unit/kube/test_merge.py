from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit.kube.merge import merge_patch

from tests.contract.store import merge

NAMES = st.text("abc", min_size=1, max_size=1)
JSON = st.recursive(
    st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
OBJECT = st.dictionaries(NAMES, JSON, max_size=3)


@pytest.mark.parametrize(
    ("stored", "wished", "patch"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {}, {"a": None}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}),
        ({"a": [1]}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_a_patch_holds_only_what_differs(stored: Any, wished: Any, patch: Any) -> None:
    assert merge_patch(stored, wished) == patch


@given(OBJECT, OBJECT)
def test_a_patch_turns_what_is_stored_into_what_is_wished(stored: Any, wished: Any) -> None:
    assert merge(stored, merge_patch(stored, wished)) == wished
