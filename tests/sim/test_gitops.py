"""A second field manager that applies the same manifests every few seconds never fights the operator."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .harness import play
from .objects import ref_of
from .observations import serves
from .scenarios import LIMITS
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job

INTERVAL = 3.0


async def applied_for_ever(cluster: SimulatedCluster, manifests: list[dict[str, Any]]) -> None:
    while True:
        for manifest in manifests:
            cluster.store.apply(manifest, "flux")
        await asyncio.sleep(INTERVAL)


def test_reapplying_through_swaps_and_rollbacks_changes_nothing() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        installation(cluster)
        job, deployment = training_job(limits=LIMITS), model_deployment()
        git = asyncio.ensure_future(applied_for_ever(cluster, [job, deployment]))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
        job["spec"]["params"] = {"depth": 6}
        await cluster.until(lambda: serves(cluster, 2), say="the commit is trained and serves")
        cluster.create(action("back", "Rollback"))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves after the rollback")
        await asyncio.sleep(600)
        assert serves(cluster, 1), "the re-applied manifests must not undo a rollback"
        git.cancel()
        by_git = [str(change.ref) for change in cluster.history if change.manager == "flux"]
        assert by_git == ["TrainingJob ml/flights", "ModelDeployment ml/flights", "TrainingJob ml/flights"]
        for kind, generation in (("TrainingJob", 2), ("ModelDeployment", 1)):
            found = cluster.find(kind, NAME)
            assert found is not None
            assert found["metadata"]["generation"] == generation

    play(scenario)


def test_the_operator_owns_no_field_outside_status() -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        installation(cluster)
        manifests = [training_job(limits=LIMITS), model_deployment()]
        for manifest in manifests:
            cluster.store.apply(manifest, "flux")
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
        for manifest in manifests:
            assert {manager for manager, _ in cluster.store.owners_of(ref_of(manifest))} == {"flux"}

    play(scenario)


@pytest.mark.parametrize("kind", ["TrainingJob", "ModelDeployment"])
def test_what_git_drops_goes_back_to_its_default(kind: str) -> None:
    async def scenario(cluster: SimulatedCluster) -> None:
        installation(cluster)
        manifests = {"TrainingJob": training_job(limits=LIMITS), "ModelDeployment": model_deployment()}
        field = {"TrainingJob": "suspend", "ModelDeployment": "readyPolicy"}[kind]
        manifests[kind]["spec"][field] = {"TrainingJob": True, "ModelDeployment": "Accepted"}[kind]
        for manifest in manifests.values():
            cluster.store.apply(manifest, "flux")
        await asyncio.sleep(60)
        del manifests[kind]["spec"][field]
        cluster.store.apply(manifests[kind], "flux")
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")

    play(scenario)
