"""A level that is relative to the gate's score follows the version that serves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.monitor import Monitor
from steadfit.app.rules.publisher import KEY, NAME, POLL_SECONDS, RulesPublisher
from steadfit.core.monitors.relative import absolute
from steadfit.core.monitors.thresholds import thresholds
from steadfit.core.rules.alerts import alerts
from steadfit.core.serving.recovery import retrain_causes
from steadfit.core.types import Signal
from steadfit.kube.key import Key
from steadfit.kube.resources import CONFIG_MAPS

from tests.support.memory_api import MemoryAPI
from tests.support.virtual_time import run
from tests.unit.core.serving.serving_cluster import ServingCluster, serving

QUALITY: dict[str, Any] = {
    "name": "quality",
    "quality": {"metric": "roc_auc", "within": 0.02},
    "window": "1h",
    "action": "Retrain",
}


def served(*, action: str = "Retrain", **quality: Any) -> ServingCluster:
    """Return a cluster where version 1 serves, whose gate's score is 0.7."""
    return serving(1, monitors=[{**QUALITY, "action": action, "quality": {**QUALITY["quality"], **quality}}])


def deployment(cluster: ServingCluster) -> ModelDeployment:
    return ModelDeployment.model_validate(cluster.deployment)


def phase(cluster: ServingCluster, value: float) -> str:
    cluster.signals["quality"] = Signal(value, 4000)
    cluster.settle()
    (state,) = cluster.status.monitors
    return state.phase


def goes_live(cluster: ServingCluster, number: int, *metrics: tuple[str, float]) -> None:
    """Let a version with these scores take over."""
    cluster.signals.clear()
    scores = [{"name": name, "value": value} for name, value in metrics]
    cluster.add(number)
    cluster.versions[number]["spec"]["evaluation"]["metrics"] = scores
    while cluster.live() != number:
        cluster.step()
        cluster.kubelet()
    cluster.settle()


def rule(cluster: ServingCluster) -> str:
    (found,) = alerts(deployment(cluster))
    return str(found["expr"])


def test_the_level_lies_within_the_margin_of_the_gates_score_of_the_live_version_and_follows_it() -> None:
    cluster = served()
    assert [phase(cluster, value) for value in (0.681, 0.679)] == ["OK", "Firing"]
    assert [one.metric for one in retrain_causes.firing([deployment(cluster)])] == ["roc_auc"]
    goes_live(cluster, 2, ("roc_auc", 0.8))
    assert [phase(cluster, value) for value in (0.781, 0.779)] == ["OK", "Firing"]
    (cause,) = retrain_causes.firing([deployment(cluster)])
    assert cause.limit is not None
    assert cause.limit.value == pytest.approx(0.78)
    assert "it fires below 0.78" in cause.message


def test_it_stops_halfway_between_the_level_and_the_score() -> None:
    cluster = served()
    assert [phase(cluster, value) for value in (0.67, 0.685, 0.689, 0.691)] == ["Firing", "Firing", "Firing", "OK"]


@pytest.mark.parametrize(
    ("metric", "score", "within", "level", "above", "clear"),
    [
        ("roc_auc", 0.8, 0.02, 0.78, False, 0.79),
        ("roc_auc", 0.8, "5%", 0.76, False, 0.78),
        ("brier_score", 0.2, 0.02, 0.22, True, 0.21),
        ("mae", 1000.0, "10%", 1100.0, True, 1050.0),
    ],
)
def test_a_margin_is_a_number_or_a_percentage_on_the_bad_side_of_the_score(
    metric: str, score: float, within: float | str, level: float, above: bool, clear: float
) -> None:
    cluster = served(metric=metric, within=within)
    goes_live(cluster, 2, (metric, score))
    found = absolute(Monitor.model_validate(cluster.deployment["spec"]["monitors"][0]), cluster.status)
    assert found is not None
    limits = thresholds(found)
    assert limits.above is above
    assert [limits.limit, limits.clear] == pytest.approx([level, clear])


@pytest.mark.parametrize("action", ["Retrain", "Recover", "Alert"])
def test_without_a_score_of_the_live_version_it_is_not_judged_and_says_what_to_do(action: str) -> None:
    cluster = served(metric="accuracy", action=action)
    cluster.signals["quality"] = Signal(0.1, 4000)
    cluster.settle()
    assert [state.phase for state in cluster.status.monitors] == ([] if action == "Alert" else ["NoData"])
    assert cluster.condition("MetricsAvailable") == ("False", "NoScore")
    (found,) = [one for one in cluster.status.conditions if one.type == "MetricsAvailable"]
    assert "the gate has no score of version 1 by accuracy" in found.message
    assert "add accuracy to evaluation.metrics of the TrainingJob and train, or set min or max" in found.message
    assert list(alerts(deployment(cluster))) == []


def test_the_scores_stay_when_the_model_version_is_deleted() -> None:
    cluster = served()
    del cluster.versions[1]
    assert phase(cluster, 0.679) == "Firing"


def test_another_version_of_the_same_number_has_another_level() -> None:
    cluster = served()
    status = deployment(cluster).status
    assert status.live is not None
    (monitor,) = deployment(cluster).spec.monitors
    assert absolute(monitor, status) is not None
    other = status.live.model_copy(update={"digest": "sha256:" + "f" * 64})
    assert absolute(monitor, status.model_copy(update={"live": other})) is None


def test_a_status_without_relative_monitors_has_no_scores() -> None:
    cluster = served(min=0.7, within=None)
    assert cluster.status.live_scores is None


def test_the_alert_has_the_level_of_the_live_version_and_applies_to_it_alone() -> None:
    cluster = served()
    assert 'version="1"' in rule(cluster)
    assert "< 0.68 " in rule(cluster)
    goes_live(cluster, 2, ("roc_auc", 0.8))
    assert 'version="2"' in rule(cluster)
    assert "< 0.78 " in rule(cluster)
    assert "0.68" not in rule(cluster)


def test_the_rules_are_published_again_when_another_version_goes_live() -> None:
    cluster = served()
    found = [deployment(cluster)]
    api = MemoryAPI()
    publisher = RulesPublisher(api, lambda: found, namespace="n", form="ConfigMap", interval_seconds=5, limit=900_000)

    def published() -> str:
        return str(api.objects[Key(CONFIG_MAPS, "n", NAME)]["data"][KEY])

    async def story() -> None:
        task = asyncio.create_task(publisher.run())
        await asyncio.sleep(POLL_SECONDS)
        assert "< 0.68 " in published()
        goes_live(cluster, 2, ("roc_auc", 0.8))
        found[:] = [deployment(cluster)]
        await asyncio.sleep(2 * POLL_SECONDS)
        assert "< 0.78 " in published()
        assert "< 0.68 " not in published()
        task.cancel()

    run(story())
