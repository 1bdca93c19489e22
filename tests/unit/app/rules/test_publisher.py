from __future__ import annotations

import asyncio
from typing import Any

import pytest
import yaml
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.app.probes.metrics import exposition
from steadfit.app.rules.publisher import KEY, NAME, POLL_SECONDS, REPAIR_SECONDS, RulesPublisher, RulesStatistics
from steadfit.kube.client import Unavailable
from steadfit.kube.key import Key
from steadfit.kube.resources import CONFIG_MAPS, PROMETHEUS_RULES

from tests.support.memory_api import MemoryAPI
from tests.support.virtual_time import run
from tests.tools.local_cluster.settings import REPOSITORY
from tests.unit.core.rules.rising_counters import deployment

CONFIG_MAP = Key(CONFIG_MAPS, "steadfit-system", NAME)
PROMETHEUS_RULE = Key(PROMETHEUS_RULES, "steadfit-system", NAME)
ERRORS = {"name": "errors", "errorRate": {"max": 0.1}}


class Fixture:
    def __init__(self, *deployments: ModelDeployment, form: Any = "ConfigMap", limit: int = 900_000) -> None:
        self.api = MemoryAPI()
        self.deployments = list(deployments)
        self.publisher = RulesPublisher(
            self.api,
            lambda: self.deployments,
            namespace="steadfit-system",
            form=form,
            interval_seconds=5,
            limit=limit,
        )

    def work(self, *, seconds: float = 1.0) -> None:
        """Let the publisher run for a while, from nothing known on."""

        async def work() -> None:
            task = asyncio.create_task(self.publisher.run())
            await asyncio.sleep(seconds)
            task.cancel()

        run(work())

    def published(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.api.objects[CONFIG_MAP]["data"][KEY])
        return found


def names(file: dict[str, Any]) -> list[str]:
    return [group["name"] for group in file["groups"]]


def edited(before: ModelDeployment, *monitors: Any) -> ModelDeployment:
    after = deployment(*monitors, name=before.name)
    metadata = after.metadata.model_copy(update={"generation": before.metadata.generation + 1})
    return after.model_copy(update={"metadata": metadata})


def test_the_rules_of_all_model_deployments_are_published_in_one_config_map() -> None:
    fixture = Fixture(deployment(ERRORS, name="a"), deployment(ERRORS, name="b"))
    fixture.work()
    assert names(fixture.published()) == ["steadfit:traffic", "steadfit:10m", "steadfit:ns/a", "steadfit:ns/b"]
    assert {group["interval"] for group in fixture.published()["groups"]} == {"5s"}


def test_without_monitors_an_empty_file_is_published_so_that_it_can_be_mounted() -> None:
    fixture = Fixture()
    fixture.work()
    assert fixture.published() == {"groups": []}


def test_a_prometheus_rule_holds_the_same_groups() -> None:
    fixture = Fixture(deployment(ERRORS), form="PrometheusRule")
    fixture.work()
    assert names(fixture.api.objects[PROMETHEUS_RULE]["spec"]) == [
        "steadfit:traffic",
        "steadfit:10m",
        "steadfit:ns/flights",
    ]
    assert CONFIG_MAP not in fixture.api.objects


def test_off_publishes_nothing() -> None:
    fixture = Fixture(deployment(ERRORS), form="Off")
    fixture.work(seconds=1000)
    assert not fixture.api.objects


def test_a_new_monitor_is_published_within_seconds_and_nothing_else_is_ever_written() -> None:
    fixture = Fixture(deployment(ERRORS))

    async def story() -> None:
        task = asyncio.create_task(fixture.publisher.run())
        await asyncio.sleep(1000)
        assert len(fixture.api.writes) == 1
        fixture.deployments = [edited(fixture.deployments[0], ERRORS, {**ERRORS, "name": "more"})]
        await asyncio.sleep(2 * POLL_SECONDS)
        assert len(fixture.published()["groups"][2]["rules"]) == 2
        await asyncio.sleep(1000)
        assert len(fixture.api.writes) == 2
        task.cancel()

    run(story())


def test_a_model_deployment_that_goes_takes_its_alerts_with_it() -> None:
    fixture = Fixture(deployment(ERRORS, name="a"), deployment(ERRORS, name="b"))
    going = fixture.deployments[0].metadata.model_copy(update={"deletion_timestamp": "2026-01-01T00:00:00Z"})
    fixture.deployments[0] = fixture.deployments[0].model_copy(update={"metadata": going})
    fixture.work()
    assert names(fixture.published()) == ["steadfit:traffic", "steadfit:10m", "steadfit:ns/b"]


@pytest.mark.parametrize("harm", ["edited", "deleted"])
def test_what_somebody_else_does_to_the_rules_does_not_last(harm: str) -> None:
    fixture = Fixture(deployment(ERRORS))

    async def story() -> None:
        task = asyncio.create_task(fixture.publisher.run())
        await asyncio.sleep(1)
        if harm == "edited":
            fixture.api.edit(CONFIG_MAP, data={KEY: "groups: []"})
        else:
            fixture.api.remove(CONFIG_MAP)
        await asyncio.sleep(REPAIR_SECONDS + 2 * POLL_SECONDS)
        assert names(fixture.published()) == ["steadfit:traffic", "steadfit:10m", "steadfit:ns/flights"]
        task.cancel()

    run(story())


def test_a_new_leader_that_finds_the_rules_as_they_should_be_writes_nothing() -> None:
    fixture = Fixture(deployment(ERRORS))
    fixture.work()
    successor = Fixture(deployment(ERRORS))
    successor.api.objects = fixture.api.objects
    successor.work(seconds=1000)
    assert not successor.api.writes


def test_an_api_server_that_does_not_answer_is_asked_again_and_counted() -> None:
    fixture = Fixture(deployment(ERRORS))
    fails = [Unavailable(503, "ServiceUnavailable", "etcd")] * 3
    fixture.api.fail = lambda verb, key: fails.pop() if fails else None
    fixture.work(seconds=60)
    assert names(fixture.published()) == ["steadfit:traffic", "steadfit:10m", "steadfit:ns/flights"]
    assert fixture.publisher.statistics().failures == 3
    assert fixture.publisher.statistics().writes == 1


def test_a_bug_over_one_monitor_ends_nobody() -> None:
    fixture = Fixture()
    fixture.publisher._deployments = lambda: 1 / 0  # type: ignore[assignment, return-value]

    async def story() -> None:
        task = asyncio.create_task(fixture.publisher.run())
        await asyncio.sleep(10)
        assert not task.done()
        task.cancel()

    run(story())


def test_alerts_that_have_no_room_are_named_in_the_log_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    models = [deployment(ERRORS, name=name) for name in ("a", "b", "c")]
    whole = Fixture(*models)
    whole.work()
    size = len(whole.api.objects[CONFIG_MAP]["data"][KEY])
    fixture = Fixture(*models, limit=size - 1)
    fixture.work(seconds=100)
    assert names(fixture.published()) == ["steadfit:traffic", "steadfit:10m", "steadfit:ns/a", "steadfit:ns/b"]
    assert fixture.publisher.statistics().refused == 1
    assert sum("ns/c" in record.message for record in caplog.records) == 1


def test_the_metrics_page_tells_what_was_published() -> None:
    page = exposition(RulesStatistics(rules=40, refused=2, writes=3, failures=1)).decode()
    for line in ("rules 40.0", "rules_refused_models 2.0", "rules_writes_total 3.0", "rules_failures_total 1.0"):
        assert f"steadfit_operator_{line}\n" in page


def test_the_operator_may_write_config_maps_of_no_other_name_and_in_no_other_namespace() -> None:
    documents = list(yaml.safe_load_all((REPOSITORY / "manifests/base/operator-rbac.yaml").read_text()))
    rules = [
        (document["kind"], tuple(rule["verbs"]), rule.get("resourceNames"))
        for document in documents
        if document["kind"] in ("Role", "ClusterRole")
        for rule in document["rules"]
        if "configmaps" in rule["resources"] or "prometheusrules" in rule["resources"]
    ]
    assert rules == [("Role", ("create",), None), ("Role", ("get", "patch"), [NAME])] * 2
