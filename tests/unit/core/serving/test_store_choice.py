"""Which stores a namespace may use."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.api.artifactstore import ArtifactStore, LabelSelector
from steadfit.core.store_choice import by_name, selects
from steadfit.core.types import Stores

from .serving_cluster_objects import store


def need(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({}, True),
        ({"matchLabels": {"team": "air"}}, True),
        ({"matchLabels": {"team": "sea"}}, False),
        ({"matchLabels": {"team": "air", "env": "test"}}, False),
        (need("team", "In", "air", "sea"), True),
        (need("team", "In", "sea"), False),
        (need("team", "NotIn", "sea"), True),
        (need("team", "NotIn", "air"), False),
        (need("env", "NotIn", "test"), True),
        (need("team", "Exists"), True),
        (need("env", "Exists"), False),
        (need("team", "DoesNotExist"), False),
        (need("env", "DoesNotExist"), True),
    ],
)
def test_a_label_selector_selects_by_kubernetes_rules(selector: dict[str, Any], selected: bool) -> None:
    assert selects(LabelSelector.model_validate(selector), {"team": "air"}) is selected


def test_a_store_is_found_by_its_name() -> None:
    stores = Stores([ArtifactStore.model_validate(store(name)) for name in ("a", "b")])
    found = by_name("b", stores)
    assert isinstance(found, ArtifactStore)
    assert found.name == "b"
