"""What was decided about a pod template alone is still decided after the status of the ModelDeployment was lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.rollout import Abandoned, QuarantineEntry
from steadfit.core import names
from steadfit.core.serving import status_bounds
from steadfit.core.types import ObservedModelVersion
from steadfit.core.versions import quarantine_state

from tests.support import effort
from tests.unit.core.serving.canaries import STEPS
from tests.unit.core.serving.serving_cluster import ServingCluster, serving

STRATEGIES: list[dict[str, Any]] = [{}, {"strategy": STEPS}]
BAD = "server:bad"


def lose_status(cluster: ServingCluster) -> None:
    """Lose the status of the ModelDeployment, as in a restore; the versions have theirs."""
    cluster.versions_notice()
    deployment = cluster.reader.read(ModelDeployment, cluster.deployment)
    for number, version in cluster.versions.items():
        known = quarantine_state.recall(ObservedModelVersion(cluster.version(number), None, [deployment])).dump()
        version["status"] |= {key: known[key] for key in ("quarantine", "quarantineElsewhere") if key in known}
    cluster.deployment["status"] = {"observedGeneration": -1}


def upgrade(cluster: ServingCluster) -> None:
    image = f"steadfit/server:{int(cluster.platform.server_image[-1]) + 1}"
    cluster.platform = replace(cluster.platform, server_image=image)


def change(cluster: ServingCluster, image: str = BAD) -> None:
    cluster.edit(server={**cluster.deployment["spec"]["server"], "image": image})


def records(cluster: ServingCluster) -> list[str]:
    """Return the records of decisions about pod templates."""
    labels = {name: one["metadata"]["labels"] for name, one in cluster.frozen_templates.items()}
    return [name for name, found in labels.items() if found.get(names.DECISION) in ("Quarantined", "Abandoned")]


def rolled_back(**spec: Any) -> ServingCluster:
    """Return a ModelDeployment whose changed server took all of the traffic and was rolled back."""
    cluster = serving(1, **spec)
    change(cluster)
    cluster.settle()
    if "strategy" in spec:
        cluster.act("Promote")
        cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    return cluster


@pytest.mark.parametrize("upgraded", [False, True])
@pytest.mark.parametrize("spec", STRATEGIES)
def test_a_server_that_was_rolled_back_takes_no_traffic_after_the_status_was_lost(
    spec: dict[str, Any], upgraded: bool
) -> None:
    cluster = rolled_back(**spec)
    serves, barred = cluster.selected(), [entry.revision for entry in cluster.status.quarantine]
    if upgraded:
        upgrade(cluster)
    lose_status(cluster)
    cluster.settle()
    assert [entry.revision for entry in cluster.status.quarantine] == barred
    assert (cluster.selected(), cluster.candidate()) == (serves, None)


@pytest.mark.parametrize("upgraded", [False, True])
@pytest.mark.parametrize("spec", STRATEGIES)
def test_a_server_that_was_aborted_is_not_tried_again_after_the_status_was_lost(
    spec: dict[str, Any], upgraded: bool
) -> None:
    cluster = serving(1, **spec)
    change(cluster)
    cluster.step()
    cluster.act("Abort")
    cluster.settle()
    serves = cluster.selected()
    if upgraded:
        upgrade(cluster)
    lose_status(cluster)
    cluster.settle()
    assert (cluster.selected(), cluster.candidate()) == (serves, None)
    name = cluster.act("Promote", 1)
    cluster.settle()
    assert cluster.record(name)[0] == "Succeeded"
    assert cluster.selected() != serves
    assert records(cluster) == []


@pytest.mark.parametrize("spec", STRATEGIES)
def test_a_refresh_that_was_rolled_back_is_refused_after_the_status_was_lost_too(spec: dict[str, Any]) -> None:
    cluster = serving(1, **spec)
    upgrade(cluster)
    cluster.act("Refresh")
    cluster.settle()
    if spec:
        cluster.act("Promote")
        cluster.settle()
    cluster.act("Rollback")
    cluster.settle()
    serves = cluster.selected()
    lose_status(cluster)
    cluster.settle()
    name = cluster.act("Refresh")
    cluster.settle()
    assert cluster.record(name)[0] == "Rejected"
    assert "was rolled back" in cluster.record(name)[1]
    assert cluster.selected() == serves


@pytest.mark.parametrize("of", ["server", "both"])
@pytest.mark.parametrize("spec", STRATEGIES)
def test_a_rollback_goes_on_after_the_status_was_lost(spec: dict[str, Any], of: str) -> None:
    cluster = serving(1, **spec)
    good = cluster.selected()
    cluster.versions_notice()
    change(cluster)
    if of == "both":
        cluster.add(2)
    cluster.settle()
    if spec:
        cluster.act("Promote")
        cluster.settle()
    bad = cluster.selected()
    assert bad != good
    cluster.broken.add(str(good))
    cluster.kubelet()
    cluster.act("Rollback")
    for _ in range(4):
        cluster.step()
    assert cluster.selected() == bad
    lose_status(cluster)
    cluster.settle()
    assert cluster.selected() == bad
    cluster.broken.clear()
    cluster.settle()
    assert cluster.selected() == good


def test_a_release_ends_the_record_of_a_template_too() -> None:
    cluster = rolled_back()
    assert len(records(cluster)) == 1
    cluster.act("Release", 1)
    cluster.settle()
    assert records(cluster) == []
    lose_status(cluster)
    cluster.settle()
    assert cluster.status.quarantine == []


def test_a_record_without_its_owner_is_read_and_made_again() -> None:
    cluster = rolled_back()
    (name,) = records(cluster)
    before = cluster.frozen_templates[name]
    before["metadata"].pop("ownerReferences")
    serves = cluster.selected()
    lose_status(cluster)
    cluster.settle()
    assert cluster.selected() == serves
    after = cluster.frozen_templates[name]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["metadata"]["ownerReferences"][0]["uid"] == cluster.deployment["metadata"]["uid"]
    assert after["data"] == before["data"]


def test_a_record_that_cannot_be_read_is_made_again_from_the_status() -> None:
    cluster = rolled_back()
    (name,) = records(cluster)
    before = cluster.frozen_templates[name]["data"]
    cluster.frozen_templates[name] = {**cluster.frozen_templates[name], "data": {"entry": {"revision": 7}}}
    cluster.settle()
    assert cluster.frozen_templates[name]["data"] == before
    cluster.frozen_templates[name] = {**cluster.frozen_templates[name], "data": {}}
    lose_status(cluster)
    cluster.settle()
    assert cluster.live() == 1


@pytest.mark.parametrize("verb", ["Rollback", "Abort"])
def test_full_lists_keep_the_template_that_the_spec_asks_for(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_bounds, "MAX_QUARANTINE", 3)
    monkeypatch.setattr(status_bounds, "MAX_ABANDONED", 3)
    cluster = serving(1)
    for image in ["server:1", "server:2", "server:3", "server:4", "server:5"]:
        change(cluster, image)
        cluster.step() if verb == "Abort" else cluster.settle()
        cluster.act(verb)
        cluster.settle()
        change(cluster, BAD)
        if image == "server:1":
            cluster.step() if verb == "Abort" else cluster.settle()
            cluster.act(verb)
        cluster.settle()
        serves = cluster.selected()
    entries = cluster.status.quarantine if verb == "Rollback" else cluster.status.abandoned
    assert len(entries) == 3
    lose_status(cluster)
    cluster.settle()
    assert (cluster.selected(), cluster.candidate()) == (serves, None)


@pytest.mark.parametrize("is_lost", [False, True])
@pytest.mark.parametrize("verb", ["Rollback", "Abort"])
def test_full_lists_forget_no_template(verb: str, is_lost: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_bounds, "MAX_QUARANTINE", 3)
    monkeypatch.setattr(status_bounds, "MAX_ABANDONED", 3)
    cluster = serving(1)
    good, images = cluster.selected(), [f"server:{number}" for number in range(6)]
    for image in images:
        change(cluster, image)
        cluster.step() if verb == "Abort" else cluster.settle()
        cluster.act(verb)
        cluster.settle()
    assert len(cluster.status.further_decisions) == 3
    for image in images:
        change(cluster, image)
        if is_lost:
            lose_status(cluster)
        cluster.settle()
        assert (cluster.selected(), cluster.candidate()) == (good, None)
    assert len(records(cluster)) == 6
    if verb == "Rollback":
        cluster.act("Release", 1)
        cluster.settle()
        assert (records(cluster), cluster.status.further_decisions) == ([], [])


STORY = st.sampled_from(
    ["version", "bad", "good", "upgrade", "break", "heal", "late", "settle", "settle", "pass", "fail", "lose"]
)
ACTIONS = st.sampled_from(["Rollback", "Rollback", "Promote", "Abort", "Abort", "Refresh", "Promote 1", "Release 1"])


def happen(cluster: ServingCluster, step: str) -> None:
    """Let something happen to the cluster."""
    number = max(cluster.versions) + 1
    match step.split():
        case ["version"] if number <= 4:
            cluster.add(number)
        case ["bad" | "good"]:
            change(cluster, f"server:{step}")
        case ["upgrade"]:
            upgrade(cluster)
        case ["break"]:
            cluster.broken |= {found.revision for found in cluster.fleet.workloads} - {cluster.selected()}
        case ["heal"]:
            cluster.broken.clear()
        case ["late"]:
            cluster.now += timedelta(hours=2)
        case ["pass" | "fail"]:
            cluster.finds(step.capitalize())
        case ["settle"]:
            cluster.settle()
            cluster.versions_notice()
        case [verb] if verb[0].isupper():
            cluster.act(verb)
        case [verb, named]:
            cluster.act(verb, int(named))
    cluster.step()


@settings(max_examples=effort.cases(40))
@given(st.sampled_from(STRATEGIES), st.lists(st.one_of(STORY, ACTIONS), min_size=2, max_size=14), st.booleans())
def test_a_lost_status_lets_nothing_take_traffic_that_was_barred(
    spec: dict[str, Any], story: Sequence[str], upgraded: bool
) -> None:
    cluster = serving(1, **spec)
    for step in [*story, "lose"]:
        if step != "lose":
            happen(cluster, step)
            continue
        for _ in range(6):
            cluster.step()
        before, served, moves = cluster.status, cluster.selected(), len(cluster.moves)
        entries: list[QuarantineEntry | Abandoned] = [*before.quarantine, *before.abandoned]
        barred = {entry.revision for entry in entries}
        inputs = {entry.inputs_digest for entry in entries} - {None}
        event(f"{len(before.quarantine)} rolled back, {len(before.abandoned)} abandoned")
        if upgraded:
            upgrade(cluster)
        lose_status(cluster)
        cluster.settle()
        after = cluster.status
        assert not barred & set(cluster.moves[moves:]), "what was barred takes traffic"
        assert {entry.revision for entry in before.quarantine} <= {entry.revision for entry in after.quarantine} | {
            entry.revision for entry in before.quarantine if entry.digest
        }
        if before.live and before.candidate is None and served not in barred and after.live:
            same = after.live.digest == before.live.digest
            assert not same or after.live.revision == served or after.live.inputs_digest not in inputs
