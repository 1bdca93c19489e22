"""`UpToDate` says which live versions keep the pods of an earlier operator."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.core.serving.revisions.recorded_clusters import recorded
from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import store


def upgrade(cluster: ServingCluster, image: str = "steadfit/server:2") -> None:
    cluster.platform = replace(cluster.platform, server_image=image)
    cluster.settle()


def test_a_version_lags_behind_after_an_upgrade_until_the_next_version() -> None:
    cluster = serving(1)
    assert cluster.condition("UpToDate") == ("True", "UpToDate")
    upgrade(cluster)
    assert cluster.condition("UpToDate") == ("False", "OlderPlatform")
    assert cluster.message("UpToDate") == (
        "version 1 keeps server image steadfit/server:1 instead of steadfit/server:2, with the pod template of an"
        " earlier operator, until a Refresh or its next version"
    )
    assert cluster.condition("Ready") == ("True", "Serving")
    cluster.add(2)
    cluster.settle()
    assert cluster.condition("UpToDate") == ("True", "UpToDate")
    cluster.act("Rollback")
    cluster.settle()
    assert (cluster.live(), cluster.condition("UpToDate")) == (1, ("False", "OlderPlatform"))


def test_another_spelling_of_the_store_makes_a_version_lag_behind_and_its_first_spelling_ends_that() -> None:
    cluster = serving(1)
    cluster.stores = [store(uriPrefix="s3://models/")]
    cluster.settle()
    assert cluster.condition("UpToDate") == ("False", "OlderPlatform")
    cluster.stores = [store()]
    cluster.settle()
    assert cluster.condition("UpToDate") == ("True", "UpToDate")


def test_an_image_of_the_spec_is_no_part_of_the_platform() -> None:
    cluster = recorded("own image")
    upgrade(cluster)
    assert cluster.condition("UpToDate") == ("True", "UpToDate")


@pytest.mark.parametrize("story", ["rolled back server", "abandoned server"])
def test_a_version_that_is_served_instead_of_a_bad_server_says_that_the_spec_asks_for_another(story: str) -> None:
    cluster = recorded(story)
    upgrade(cluster)
    assert cluster.condition("UpToDate") == ("False", "OlderPodTemplate")


def test_it_is_not_known_before_the_first_version_and_without_the_store() -> None:
    cluster = serving()
    assert cluster.condition("UpToDate") == ("Unknown", "NotServing")
    cluster = serving(1)
    cluster.stores = []
    cluster.settle()
    assert cluster.condition("UpToDate") == ("Unknown", "StoreNotUsable")
