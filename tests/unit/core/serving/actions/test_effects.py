"""An action that has succeeded has done what its message says: without further trouble, its effect is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.serving.quarantine import is_quarantined, is_version_quarantined
from steadfit.core.serving.revisions.revision import Rendering, render

from tests.support import effort
from tests.unit.core.serving.canaries import STEPS
from tests.unit.core.serving.serving_cluster import ServingCluster, serving

NUMBERED = ("Rollback", "Promote", "Pin", "Quarantine", "Release")
STRATEGIES = [None, STEPS]


def upgrade(cluster: ServingCluster) -> None:
    image = f"steadfit/server:{int(cluster.platform.server_image[-1]) + 1}"
    cluster.platform = replace(cluster.platform, server_image=image)


def give_up(cluster: ServingCluster, way: str) -> None:
    """End the candidate without a verdict: by a person, or because its pods do not start in time."""
    if way == "aborted":
        cluster.act("Abort")
        cluster.settle()
        return
    candidate = cluster.status.candidate
    assert candidate is not None
    cluster.broken.add(candidate.revision)
    cluster.settle()
    cluster.now += timedelta(hours=2)
    cluster.settle()
    cluster.broken.clear()


@pytest.mark.parametrize("way", ["aborted", "late"])
@pytest.mark.parametrize("change", ["operator", "spec.server", "both"])
def test_a_promote_serves_the_pod_template_that_was_abandoned(change: str, way: str) -> None:
    cluster = serving(1, strategy=STEPS)
    before = cluster.selected()
    if change != "spec.server":
        upgrade(cluster)
    if change != "operator":
        cluster.edit(server={**cluster.deployment["spec"]["server"], "image": "server:b"})
    else:
        cluster.act("Refresh")
    cluster.step()
    cluster.step()
    given_up = cluster.status.candidate
    assert given_up is not None
    give_up(cluster, way)
    assert (cluster.candidate(), cluster.selected()) == (None, before)
    name = cluster.act("Promote", 1)
    cluster.settle()
    assert cluster.record(name)[0] == "Succeeded"
    assert cluster.selected() == given_up.revision
    assert cluster.condition("UpToDate") == ("True", "UpToDate")


@pytest.mark.parametrize("way", ["aborted", "late"])
def test_a_promote_that_serves_a_refreshed_template_ends_like_any_other_if_its_pods_do_not_start(way: str) -> None:
    cluster = serving(1, strategy=STEPS)
    before = cluster.selected()
    upgrade(cluster)
    cluster.act("Refresh")
    cluster.settle()
    give_up(cluster, "aborted")
    cluster.act("Promote", 1)
    cluster.step()
    give_up(cluster, way)
    assert (cluster.candidate(), cluster.selected(), cluster.status.refresh) == (None, before, None)


def test_what_was_abandoned_beside_a_pin_names_a_next_step_that_is_accepted() -> None:
    cluster = serving(1, strategy=STEPS, pin={"version": 1})
    upgrade(cluster)
    cluster.act("Refresh")
    cluster.settle()
    give_up(cluster, "aborted")
    step = "a Promote of version 1 serves it, once version 1 is not pinned any more"
    assert cluster.message("Progressing").endswith(step)
    refused = cluster.act("Promote", 1)
    cluster.settle()
    assert cluster.record(refused)[0] == "Rejected"
    cluster.edit(pin=None)
    name = cluster.act("Promote", 1)
    cluster.settle()
    assert cluster.record(name)[0] == "Succeeded"
    assert cluster.condition("UpToDate") == ("True", "UpToDate")


TROUBLE = st.sampled_from(
    ["version", "edit", "edit", "upgrade", "break", "heal", "late", "settle", "settle", "pass", "fail", "held"]
)
ACTIONS = st.tuples(
    st.sampled_from(["Rollback", "Promote", "Pin", "Quarantine", "Release", "Abort", "Unpin", "Refresh"]),
    st.integers(min_value=1, max_value=4),
)


def happen(cluster: ServingCluster, step: str | tuple[str, int]) -> None:
    """Let something happen to the cluster."""
    if isinstance(step, tuple):
        act(cluster, step)
        cluster.step()
        return
    number = max(cluster.versions) + 1
    match step:
        case "version" | "held" if number <= 4:
            cluster.add(number, "Held" if step == "held" else "Verified")
        case "edit":
            server = cluster.deployment["spec"]["server"]
            cluster.edit(server={**server, "image": "server:a" if server.get("image") == "server:b" else "server:b"})
        case "upgrade":
            upgrade(cluster)
        case "break":
            cluster.broken |= {name.removeprefix("flights-") for name in cluster.workloads} - {cluster.selected()}
        case "heal":
            cluster.broken.clear()
        case "late":
            cluster.now += timedelta(hours=2)
        case "pass" | "fail":
            cluster.finds(step.capitalize())
        case _:
            cluster.settle()
    cluster.step()


def act(cluster: ServingCluster, step: tuple[str, int]) -> str:
    verb, number = step
    return cluster.act(verb, number if verb in NUMBERED else None)


@settings(max_examples=effort.cases(80))
@given(st.sampled_from(STRATEGIES), st.lists(st.one_of(TROUBLE, ACTIONS), max_size=10), ACTIONS)
def test_what_has_succeeded_has_its_effect(
    strategy: dict[str, object] | None, story: Sequence[str | tuple[str, int]], last: tuple[str, int]
) -> None:
    cluster = serving(1, **({"strategy": strategy} if strategy else {}))
    for one in story:
        happen(cluster, one)
    cluster.broken.clear()
    cluster.settle()
    before = cluster.status
    name = act(cluster, last)
    cluster.step()
    decided = cluster.status
    cluster.settle()
    phase, message = cluster.record(name)
    event(f"{last[0]} {phase}")
    if phase == "Succeeded":
        check(cluster, last, message, before, decided)


def check(
    cluster: ServingCluster,
    step: tuple[str, int],
    message: str,
    before: ModelDeploymentStatus,
    decided: ModelDeploymentStatus,
) -> None:
    """Assert that the message of an action is true."""
    verb, number = step
    after, fleet = cluster.status, cluster.fleet
    assert after.live is not None or before.live is None
    match verb:
        case "Promote" if "without a verdict" in message:
            assert after.live is not None
            assert before.live is not None
            assert after.live.number == number
            assert after.live.revision != before.live.revision
        case "Promote" | "Pin":
            assert after.live is not None
            assert after.live.number == number
        case "Rollback":
            assert after.live is not None
            assert before.live is not None
            assert not is_quarantined(after.live, after, fleet)
            assert is_quarantined(before.live, after, fleet)
            assert cluster.selected() == after.live.revision
        case "Abort":
            assert before.candidate is not None
            assert decided.candidate is None or decided.candidate.revision != before.candidate.revision
            assert before.candidate.revision in {entry.revision for entry in after.abandoned}
            assert before.live is None or (after.live is not None and after.live.revision == before.live.revision)
        case "Unpin":
            assert after.override is None
        case "Quarantine" | "Release":
            version = cluster.version(number)
            assert is_version_quarantined(version, after, fleet) == (verb == "Quarantine")
            assert verb == "Release" or after.live is None or after.live.number != number
        case "Refresh":
            assert after.live is not None
            version = cluster.version(after.live.number)
            present = render(version, fleet)
            assert isinstance(present, Rendering)
            assert present.template_digest == after.live.template_digest
