"""Which stores a namespace may use."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.api.artifactstore import ArtifactStore, LabelSelector, LabelSelectorRequirement
from steadfit.core.store_choice import by_name, for_uri, selects
from steadfit.core.types import Stores


def store(name: str, prefix: str, **allowed: Any) -> ArtifactStore:
    return ArtifactStore.model_validate(
        {
            "metadata": {"name": name},
            "spec": {"uriPrefix": prefix, "credentialsSecretName": "keys", "allowedNamespaces": allowed},
        }
    )


TEAM_A = {"matchLabels": {"team": "a"}}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://lake/flights/", "lake"),
        ("s3://lake/gold/flights/", "gold"),
        ("s3://lake/gold", "gold"),
        ("s3://lake/golden/flights/", "lake"),
        ("s3://lakes/flights/", "no ArtifactStore has a prefix of s3://lakes/flights/"),
    ],
)
def test_a_uri_takes_the_store_with_the_longest_prefix_by_whole_segments(uri: str, expected: str) -> None:
    found = for_uri(uri, Stores([store("lake", "s3://lake"), store("gold", "s3://lake/gold/")]))
    assert expected in (found if isinstance(found, str) else found.name)


def test_a_longer_prefix_that_is_not_allowed_hides_a_shorter_one() -> None:
    stores = Stores([store("lake", "s3://lake"), store("gold", "s3://lake/gold", **TEAM_A)], {"team": "b"})
    found = for_uri("s3://lake/gold/x", stores)
    assert isinstance(found, str)
    assert "ArtifactStore gold" in found
    assert "not allowed in this namespace" in found


def test_of_two_stores_with_one_prefix_the_allowed_one_is_taken() -> None:
    stores = Stores([store("first", "s3://lake", **TEAM_A), store("second", "s3://lake/")], {"team": "b"})
    found = for_uri("s3://lake/x", stores)
    assert isinstance(found, ArtifactStore)
    assert found.name == "second"


def test_a_store_is_found_by_name_where_its_selector_allows_it() -> None:
    stores = [store("default", "s3://models", **TEAM_A)]
    assert by_name("default", Stores(stores, {"team": "a"})) is stores[0]
    assert "not allowed" in str(by_name("default", Stores(stores, {"team": "b"})))
    assert by_name("other", Stores(stores)) == "there is no ArtifactStore other"


@pytest.mark.parametrize(
    ("operator", "values", "labels", "expected"),
    [
        ("In", ["a", "b"], {"team": "a"}, True),
        ("In", ["a", "b"], {}, False),
        ("NotIn", ["a"], {"team": "b"}, True),
        ("NotIn", ["a"], {}, True),
        ("NotIn", ["a"], {"team": "a"}, False),
        ("Exists", [], {"team": ""}, True),
        ("Exists", [], {}, False),
        ("DoesNotExist", [], {}, True),
        ("DoesNotExist", [], {"team": "a"}, False),
    ],
)
def test_a_requirement_is_read_as_kubernetes_reads_it(
    operator: Any, values: list[str], labels: dict[str, str], expected: bool
) -> None:
    requirement = LabelSelectorRequirement(key="team", operator=operator, values=values)
    assert selects(LabelSelector(match_expressions=[requirement]), labels) is expected


def test_an_empty_selector_selects_everything() -> None:
    assert selects(LabelSelector(), {})


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
    stores = Stores([store(name, f"s3://{name}") for name in ("a", "b")])
    found = by_name("b", stores)
    assert isinstance(found, ArtifactStore)
    assert found.name == "b"
