"""A version that was released from quarantine gets its pods once nothing in the store refuses them any more."""

from __future__ import annotations

from steadfit.core import names

from .harness import play
from .observations import serves
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME, action, installation, model_deployment, training_job
from .store import Change


def test_the_pods_of_a_released_version_start_once_its_note_is_deleted() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        def number(change: Change) -> str:
            found: str = change.new["metadata"].get("labels", {}).get(names.VERSION, "")
            return found

        def version() -> object:
            return next(iter(cluster.objects("ModelVersion")), {}).get("status", {})

        early: list[object] = []

        def watch(change: Change) -> None:
            if change.ref.kind == "Pod" and change.type == "ADDED" and number(change) == "1" and released:
                early.append(change.at) if "releases" not in version() else None  # type: ignore[operator]

        released = False
        installation(cluster)
        cluster.create(training_job())
        cluster.create(model_deployment())
        await cluster.until(lambda: cluster.status("ModelDeployment", NAME).get("candidate"), say="version 1 comes up")
        cluster.create(action("halt", "Quarantine", version=1))
        await cluster.until(lambda: "quarantine" in version(), say="it is noted")  # type: ignore[operator]
        await cluster.until(lambda: not cluster.objects("Deployment"), say="its Deployment is gone")
        await cluster.quiet()
        cluster.store.listeners.append(watch)
        released = True
        cluster.create(action("mercy", "Release", version=1))
        await cluster.until(lambda: serves(cluster, 1), say="version 1 serves")
        assert early == []

    play(story, restart=False)
