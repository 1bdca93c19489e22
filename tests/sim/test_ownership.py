"""Objects that have lost their owner or their labels are adopted; of someone else's Service nothing is taken down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from steadfit.core import names

from .gateway import shares
from .harness import play
from .objects import JSON
from .observations import is_idle, serves
from .scenarios import LIMITS, first_version_serves, set_param
from .simulated_cluster import NAMESPACE, SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job
from .test_foreign_routes import behind_a_gateway
from .test_gateway import TRAFFIC
from .test_lost_deployments import deployment_name, reason

KINDS = ("Service", "Deployment", "ControllerRevision")
Change = Callable[[JSON], object]


async def two_versions(cluster: SimulatedCluster) -> None:
    await first_version_serves(cluster)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: serves(cluster, 2) and is_idle(cluster), within=7200, say="version 2 serves")
    await cluster.quiet()


def owner_lost(obj: JSON) -> None:
    obj["metadata"]["ownerReferences"] = []


def labels_lost(obj: JSON) -> None:
    obj["metadata"]["labels"] = {}


def some_labels_lost(obj: JSON) -> None:
    for label in (names.REVISION, names.VERSION):
        obj["metadata"]["labels"].pop(label, None)


def owned(cluster: SimulatedCluster, obj: JSON) -> bool:
    uid = cluster.find("ModelDeployment", NAME)["metadata"]["uid"]  # type: ignore[index]
    controller = names.controller_of(obj)
    return controller is not None and controller["uid"] == uid


def all_owned(cluster: SimulatedCluster) -> bool:
    found = [one for kind in KINDS for one in cluster.objects(kind) if one["metadata"].get("namespace") == NAMESPACE]
    return all(owned(cluster, one) and one["metadata"]["labels"].get(names.MODEL_DEPLOYMENT) == NAME for one in found)


def ready_pods(cluster: SimulatedCluster) -> set[str]:
    return {
        pod["metadata"]["uid"]
        for pod in cluster.objects("Pod")
        if any((one["type"], one["status"]) == ("Ready", "True") for one in pod.get("status", {}).get("conditions", ()))
    }


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (owner_lost, "live"),
        (owner_lost, "lastGood"),
        (labels_lost, "live"),
        (some_labels_lost, "live"),
        (some_labels_lost, "lastGood"),
    ],
)
def test_a_deployment_without_its_owner_or_labels_is_adopted_with_its_pods(change: Change, place: str) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await two_versions(cluster)
        before, name = ready_pods(cluster), deployment_name(cluster, place)
        cluster.edit("Deployment", name, change)
        await cluster.until(lambda: all_owned(cluster), within=120, say="it is adopted")
        await cluster.quiet()
        assert ready_pods(cluster) == before
        assert reason(cluster, "Ready").startswith("Serving")
        cluster.create(action("back", "Rollback"))
        await cluster.until(lambda: serves(cluster, 1), within=30, say="version 1 serves again")

    play(story)


def test_a_rollback_finds_the_warm_pods_of_a_deployment_that_has_lost_its_labels() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await two_versions(cluster)
        before = ready_pods(cluster)
        cluster.edit("Deployment", deployment_name(cluster, "lastGood"), labels_lost)
        await cluster.quiet()
        cluster.create(action("back", "Rollback"))
        await cluster.until(lambda: serves(cluster, 1), within=30, say="version 1 serves again")
        assert ready_pods(cluster) == before
        assert all_owned(cluster)

    play(story)


@pytest.mark.parametrize("change", [owner_lost, some_labels_lost])
def test_a_service_without_its_owner_is_adopted_and_follows_the_next_version(change: Change) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await two_versions(cluster)
        cluster.edit("Service", NAME, change)
        set_param(cluster, "depth", 7)
        await cluster.until(lambda: serves(cluster, 3), within=7200, say="version 3 serves")
        assert all_owned(cluster)

    play(story)


async def restored(cluster: SimulatedCluster) -> None:
    """Everything comes back without uid, owner and status, but for the Jobs."""
    kinds = ("ControllerRevision", "Deployment", "Service", "ModelDeployment", "ModelVersion", "TrainingJob")
    backup = [
        {**{key: obj[key] for key in obj if key not in ("metadata", "status")}, "metadata": _bare(obj["metadata"])}
        for kind in kinds
        for obj in cluster.objects(kind)
        if obj["metadata"].get("namespace") == NAMESPACE
    ]
    cluster.stop()
    for kind in ("ModelDeployment", "TrainingJob", "ModelVersion", "TrainingRun", *KINDS, "Job"):
        for obj in cluster.objects(kind):
            if obj["metadata"].get("namespace") == NAMESPACE:
                cluster.delete(kind, obj["metadata"]["name"])
    await asyncio.sleep(300)
    for obj in backup:
        cluster.create(obj)
        await asyncio.sleep(0.2)
    cluster.boot()


def _bare(metadata: JSON) -> dict[str, Any]:
    return {key: metadata[key] for key in ("name", "namespace", "labels", "annotations") if key in metadata}


def test_a_namespace_that_is_restored_without_owners_serves_what_it_served() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await two_versions(cluster)
        await restored(cluster)
        await cluster.until(lambda: serves(cluster, 2), within=300, say="version 2 serves")
        assert all_owned(cluster)

    play(story, restart=False)


def foreign(cluster: SimulatedCluster) -> JSON:
    """Replace the Service by one of the same name that selects the same pods, as `kubectl expose` makes it."""
    service = cluster.find("Service", NAME)
    assert service is not None
    kept = {key: value for key, value in service["spec"].items() if key not in ("clusterIP", "clusterIPs")}
    cluster.delete("Service", NAME)
    made: JSON = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": kept,
    }
    cluster.create(made)
    return made


@pytest.mark.parametrize("strategy", [None, {"canary": {"steps": [{"weight": 50}]}}])
def test_while_the_service_is_someone_elses_nothing_takes_over_and_nothing_that_it_selects_ends(strategy: Any) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        installation(cluster)
        cluster.create(training_job(limits=LIMITS))
        cluster.create(model_deployment(**({"strategy": strategy} if strategy else {})))
        await cluster.until(lambda: serves(cluster, 1) and is_idle(cluster), say="version 1 serves")
        cluster.refuses = True
        cluster.stop()
        foreign(cluster)
        cluster.boot()
        set_param(cluster, "depth", 6)
        await asyncio.sleep(3 * 86400)
        status = cluster.status("ModelDeployment", NAME)
        assert status["live"]["number"] == 1
        assert status["candidate"]["number"] == 2, "it waits for a person, and is not abandoned"
        assert reason(cluster, "Stalled").startswith("ServiceNotOwned: ")
        live = [pod for pod in cluster.objects("Pod") if pod["metadata"]["labels"].get(names.VERSION) == "1"]
        assert len(live) == 2
        cluster.delete("Service", NAME)
        if strategy is None:
            await cluster.until(lambda: serves(cluster, 2), within=3600, say="version 2 serves")
        else:
            await cluster.until(lambda: takes_traffic(cluster), within=3600, say="the canary goes on")

    play(story, restart=False)


def takes_traffic(cluster: SimulatedCluster) -> bool:
    return "stepSince" in cluster.status("ModelDeployment", NAME)["candidate"]


def test_a_deployment_whose_name_is_taken_says_so_in_the_condition_with_the_next_step() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await first_version_serves(cluster)
        name = deployment_name(cluster)
        found = cluster.find("Deployment", name)
        assert found is not None
        cluster.refuses = True
        cluster.stop()
        cluster.delete("Deployment", name)
        await asyncio.sleep(60)
        cluster.create({**found, "metadata": {"name": name, "namespace": NAMESPACE}, "status": {}})
        cluster.boot()
        await cluster.until(
            lambda: "was not made for this object: delete or rename it" in reason(cluster, "Ready"), say="it is said"
        )
        await asyncio.sleep(12 * 3600)
        cluster.delete("Deployment", name)
        await cluster.until(lambda: serves(cluster, 1), within=75, say="version 1 serves again within a minute")

    play(story, restart=False)


async def behind_a_gateway_with_two_versions(cluster: SimulatedCluster) -> None:
    await behind_a_gateway(cluster, TRAFFIC)
    set_param(cluster, "depth", 6)
    await cluster.until(lambda: shares(cluster) == {2: 100} and is_idle(cluster), within=7200, say="version 2 serves")
    await cluster.quiet()
    cluster.refuses = True


def nothing_left(obj: JSON) -> None:
    obj["metadata"] |= {"ownerReferences": [], "labels": {}}


def ready_of(cluster: SimulatedCluster, number: int) -> int:
    of = {pod["metadata"]["uid"] for pod in cluster.objects("Pod") if has_number(pod, number)}
    return len(ready_pods(cluster) & of)


def has_number(pod: JSON, number: int) -> bool:
    return bool(pod["metadata"]["labels"].get(names.VERSION) == str(number))


def test_what_a_route_sends_requests_to_stays_while_the_route_is_someone_elses() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await behind_a_gateway_with_two_versions(cluster)
        cluster.edit("HTTPRoute", NAME, nothing_left)
        cluster.create(action("back", "Rollback"))
        await asyncio.sleep(2 * 86400)
        assert reason(cluster, "RouteReady").startswith("RouteNotOwned: ")
        assert ready_of(cluster, 2) == 2
        cluster.delete("HTTPRoute", NAME)
        await cluster.until(lambda: shares(cluster) == {1: 100}, within=3600, say="version 1 has the requests")

    play(story, restart=False)


def test_what_a_route_sends_requests_to_stays_while_the_service_of_the_good_version_is_someone_elses() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await behind_a_gateway_with_two_versions(cluster)
        cluster.edit("Service", deployment_name(cluster, "lastGood"), nothing_left)
        cluster.create(action("back", "Rollback"))
        await asyncio.sleep(2 * 86400)
        service = deployment_name(cluster)
        assert reason(cluster, "Ready").startswith(f"ServiceNotOwned: the API server refuses Service {service}: ")
        assert ready_of(cluster, 2) == 2
        cluster.delete("Service", service)
        await cluster.until(lambda: shares(cluster) == {1: 100}, within=3600, say="version 1 has the requests")

    play(story, restart=False)


def test_children_that_were_left_behind_are_adopted_whole_by_the_next_model_deployment() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await two_versions(cluster)
        deployment = cluster.find("ModelDeployment", NAME)
        assert deployment is not None
        before, templates = ready_pods(cluster), len(cluster.objects("ControllerRevision"))
        cluster.stop()
        for kind in KINDS:
            for obj in cluster.objects(kind):
                if obj["metadata"].get("namespace") == NAMESPACE:
                    cluster.edit(kind, obj["metadata"]["name"], owner_lost)
        cluster.delete("ModelDeployment", NAME)
        await asyncio.sleep(60)
        cluster.create({**deployment, "metadata": _bare(deployment["metadata"]), "status": {}})
        cluster.boot()
        await cluster.until(lambda: serves(cluster, 2) and all_owned(cluster), within=300, say="version 2 serves")
        assert ready_pods(cluster) >= {uid for uid in before if uid in ready_pods(cluster)} != set()
        assert len(cluster.objects("ControllerRevision")) >= templates - 1

    play(story, restart=False)
