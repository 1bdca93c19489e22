"""While no pod of the live revision is ready, one that is answers, and nothing that answers is taken down."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.core import names

from tests.unit.core.serving import serving_cluster_gateways
from tests.unit.core.serving.canaries import champion, tried, trying
from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_gateways import TRAFFIC, shares

ONE_STEP = {"canary": {"steps": [{"weight": 50}]}}


def lonely(**spec: Any) -> ServingCluster:
    """Return a cluster in which version 2 takes traffic beside version 1, which has lost all of its pods."""
    cluster = trying(strategy=ONE_STEP, **spec)
    cluster.broken.add(champion(cluster))
    cluster.finds("NoData")
    cluster.settle()
    return cluster


def test_a_warm_version_answers_at_once_while_no_pod_of_the_live_one_is_ready() -> None:
    cluster = serving(1, 2, drains=True)
    cluster.broken.add(champion(cluster))
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (2, {1})
    assert cluster.condition("Serving") == ("True", "FailedOver")
    assert cluster.condition("Ready") == ("True", "FailedOver")
    assert "no pod of version 2 is ready" in cluster.message("Ready")
    assert len(cluster.seen("FailedOver")) == 1
    cluster.broken.clear()
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (2, {2})
    assert cluster.condition("Ready") == ("True", "Serving")


def test_a_warm_version_that_answers_keeps_its_pods_after_the_bake() -> None:
    cluster = serving(1, 2, drains=True)
    cluster.broken.add(champion(cluster))
    cluster.settle()
    cluster.now += timedelta(days=3)
    cluster.settle()
    assert (cluster.answering(), cluster.replicas()) == ({1}, {1: 2, 2: 2})
    cluster.broken.clear()
    cluster.settle()
    assert (cluster.answering(), cluster.replicas()) == ({2}, {1: 0, 2: 2})


def test_a_candidate_whose_champion_has_no_pods_answers_alone_with_all_of_its_pods_and_is_not_taken_down() -> None:
    cluster = lonely(replicas=4)
    cluster.now += timedelta(days=3)
    cluster.settle()
    assert (cluster.candidate(), cluster.answering(), cluster.status.abandoned) == (2, {2}, [])
    assert cluster.replicas() == {1: 4, 2: 4}
    assert cluster.condition("Ready") == ("False", "FailedOver")
    assert cluster.message("Ready").endswith("a Promote of version 2 makes it live")
    cluster.act("Promote")
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (2, {2})


def test_a_champion_that_is_back_shares_the_traffic_again_and_the_time_without_a_verdict_begins_anew() -> None:
    cluster = lonely()
    cluster.now += timedelta(days=3)
    cluster.broken.clear()
    cluster.settle()
    assert (tried(cluster).phase, cluster.answering()) == ("Analysing", {1, 2})
    cluster.now += timedelta(hours=24)
    cluster.settle()
    assert (cluster.candidate(), cluster.answering()) == (None, {1})


def test_a_candidate_that_answers_alone_is_promoted_by_a_pass_as_it_has_all_of_the_traffic() -> None:
    cluster = lonely(replicas=4)
    cluster.finds("Pass")
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (2, {2})


def test_a_promoted_candidate_that_answers_alone_is_not_given_up_at_its_deadline() -> None:
    cluster = trying(replicas=4, strategy={"canary": {"steps": [{"weight": 20}]}})
    cluster.finds("Pass")
    cluster.half.add(tried(cluster).revision)
    cluster.settle()
    cluster.broken.add(champion(cluster))
    cluster.settle()
    cluster.now += timedelta(hours=2)
    cluster.settle()
    assert (cluster.candidate(), cluster.answering()) == (2, {2})


def test_a_candidate_that_is_aborted_while_it_answers_alone_answers_until_the_live_one_can() -> None:
    cluster = lonely()
    cluster.act("Abort")
    cluster.settle()
    assert (cluster.candidate(), cluster.answering()) == (None, {2})
    cluster.broken.clear()
    cluster.settle()
    assert (cluster.answering(), cluster.replicas()) == ({1}, {1: 2})


def test_a_candidate_that_goes_just_as_the_pods_of_its_champion_do_answers_until_the_live_one_can() -> None:
    cluster = trying(strategy=ONE_STEP)
    cluster.broken.add(champion(cluster))
    cluster.act("Abort")
    cluster.kubelet()
    cluster.settle()
    assert (cluster.candidate(), cluster.answering()) == (None, {2})


def test_a_candidate_that_comes_up_without_a_canary_answers_while_no_pod_of_the_live_one_is_ready() -> None:
    cluster = serving(1)
    cluster.add(2)
    cluster.step()
    cluster.half.add(tried(cluster).revision)
    cluster.broken.add(champion(cluster))
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (1, {2})


def test_a_failover_that_lasts_is_no_switch_of_the_traffic() -> None:
    cluster = serving(1, 2, drains=True)
    cluster.broken.add(champion(cluster))
    cluster.settle()
    cluster.now += timedelta(days=1)
    cluster.settle()
    assert cluster.condition("Progressing") == ("True", "NewestLive")
    assert cluster.message("Serving").endswith(
        "and version 1 answers every request; version 2 takes the traffic again with 2 ready pods"
    )


def test_while_too_few_pods_of_the_live_version_are_back_the_status_names_them_and_what_answers() -> None:
    cluster = serving(1, 2, replicas=4, drains=True)
    cluster.broken.add(champion(cluster))
    cluster.settle()
    cluster.broken.clear()
    live = cluster.status.live
    assert live is not None
    cluster.most_ready[live.revision] = 1
    cluster.settle()
    assert cluster.answering() == {1}
    assert cluster.condition("Progressing") == ("True", "NewestLive")
    assert cluster.condition("Ready") == ("True", "FailedOver")
    assert "1 of 4 pods of version 2 are ready" in cluster.message("Ready")
    assert cluster.message("Ready").endswith("version 2 takes the traffic again with 3 ready pods")
    del cluster.most_ready[live.revision]
    cluster.settle()
    assert (cluster.answering(), cluster.condition("Ready")) == ({2}, ("True", "Serving"))


@pytest.mark.parametrize("gateways", [False, True], ids=["Service", "Gateways"])
def test_an_artifact_in_quarantine_by_another_pod_template_leaves_the_traffic_to_the_first_live_pod(
    gateways: bool,
) -> None:
    spec = {"traffic": TRAFFIC} if gateways else {}
    cluster = ServingCluster(replicas=4, drains=True, **spec)
    cluster.gateway = serving_cluster_gateways.accepts
    for number in (1, 2):
        cluster.add(number)
        cluster.settle()
    cluster.broken.add(champion(cluster))
    cluster.settle()
    cluster.act("Quarantine", 1)
    cluster.settle()
    for entry in cluster.deployment["status"]["quarantine"]:
        entry["revision"] = "of another template"
    cluster.broken.clear()
    cluster.most_ready[champion(cluster)] = 1
    cluster.settle()
    assert shares(cluster).get(2) == 100 if gateways else cluster.answering() == {2}


def test_a_candidate_that_answers_until_enough_pods_of_its_champion_are_back_is_named() -> None:
    cluster = lonely(replicas=4)
    cluster.broken.clear()
    live = cluster.status.live
    assert live is not None
    cluster.most_ready[live.revision] = 1
    cluster.settle()
    assert cluster.answering() == {2}
    assert cluster.condition("Ready") == ("False", "FailedOver")
    assert cluster.condition("Serving") == ("True", "FailedOver")
    assert "and version 2 answers every request" in cluster.message("Ready")


def test_a_rollback_while_another_version_answers_names_the_one_that_does() -> None:
    cluster = serving(1, 2, 3, drains=True)
    live = cluster.status.live
    assert live is not None
    cluster.broken.add(live.revision)
    cluster.settle()
    assert cluster.answering() == {2}
    cluster.act("Rollback", 1)
    cluster.step()
    candidate = cluster.status.candidate
    assert candidate is not None
    cluster.broken.add(candidate.revision)
    cluster.settle()
    assert (cluster.candidate(), cluster.answering()) == (1, {2})
    assert cluster.condition("Ready") == ("False", "RollingBack")
    assert cluster.message("Ready").startswith("version 3 was rolled back and version 2 answers; version 1 replaces it")
    assert cluster.message("Serving").endswith("and version 2 answers every request; version 1 replaces it")


def test_a_version_that_was_rolled_back_and_has_no_ready_pod_does_not_answer() -> None:
    cluster = serving(1, 2)
    live = cluster.status.live
    assert live is not None
    cluster.broken.add(live.revision)
    cluster.settle()
    cluster.act("Rollback")
    cluster.step()
    candidate = cluster.status.candidate
    assert candidate is not None
    cluster.broken.add(candidate.revision)
    cluster.settle()
    assert (cluster.candidate(), cluster.answering()) == (1, set())
    assert cluster.message("Ready").startswith("version 2 was rolled back and has no ready pod; version 1 replaces it")


def test_behind_a_service_of_somebody_else_no_traffic_is_being_switched() -> None:
    cluster = serving(1)
    assert cluster.service is not None
    cluster.service["metadata"] |= {"ownerReferences": [], "labels": {}}
    cluster.settle()
    assert cluster.condition("Ready") == ("False", "ServiceNotOwned")
    assert cluster.condition("Progressing") == ("True", "NewestLive")


def test_a_candidate_that_is_not_judged_yet_answers_nothing() -> None:
    cluster = serving(1, strategy=ONE_STEP)
    cluster.add(2)
    cluster.step()
    cluster.half.add(tried(cluster).revision)
    cluster.broken.add(champion(cluster))
    cluster.settle()
    assert (tried(cluster).phase, cluster.answering()) == ("Starting", set())


def test_a_canary_does_not_begin_while_no_pod_of_its_champion_is_ready_and_a_person_can_promote_it() -> None:
    cluster = serving(1, strategy=ONE_STEP)
    cluster.broken.add(champion(cluster))
    cluster.add(2)
    cluster.settle()
    assert (tried(cluster).phase, cluster.answering()) == ("Starting", set())
    assert cluster.condition("Progressing") == ("True", "CandidateStarting")
    message = cluster.message("Progressing")
    assert "it takes no traffic while no pod of version 1 is ready" in message
    assert message.endswith("correct the pods of version 1, or Promote version 2")
    cluster.now += timedelta(days=3)
    cluster.settle()
    assert (cluster.candidate(), cluster.answering(), cluster.status.abandoned) == (2, set(), [])
    assert cluster.condition("Progressing") == ("False", "ProgressDeadlineExceeded")
    assert "were not ready" not in cluster.message("Progressing")
    cluster.act("Promote")
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (2, {2})


def test_a_canary_begins_once_a_pod_of_its_champion_is_ready_again() -> None:
    cluster = serving(1, strategy=ONE_STEP)
    cluster.broken.add(champion(cluster))
    cluster.add(2)
    cluster.settle()
    cluster.now += timedelta(days=3)
    cluster.broken.clear()
    cluster.settle()
    assert (tried(cluster).phase, cluster.answering()) == ("Analysing", {1, 2})


def test_a_candidate_whose_pods_do_not_come_beside_a_dead_champion_is_abandoned() -> None:
    cluster = serving(1, strategy=ONE_STEP)
    cluster.broken.add(champion(cluster))
    cluster.add(2)
    cluster.step()
    cluster.broken.add(tried(cluster).revision)
    cluster.settle()
    cluster.now += timedelta(hours=2)
    cluster.settle()
    assert (cluster.candidate(), [entry.number for entry in cluster.status.abandoned]) == (None, [2])


def test_while_the_last_good_version_answers_a_canary_beside_the_dead_live_one_does_not_begin() -> None:
    cluster = serving(1, 2, drains=True)
    cluster.edit(strategy=ONE_STEP)
    cluster.settle()
    cluster.broken.add(champion(cluster))
    cluster.settle()
    cluster.add(3)
    cluster.settle()
    assert (cluster.candidate(), cluster.answering()) == (3, {1})


def test_what_is_in_quarantine_does_not_stand_in() -> None:
    cluster = serving(1, 2, drains=True)
    cluster.act("Quarantine", 1)
    cluster.settle()
    cluster.broken.add(champion(cluster))
    cluster.settle()
    assert cluster.answering() == set()


def test_without_replicas_nothing_stands_in() -> None:
    cluster = serving(1, 2, drains=True)
    cluster.edit(server={"replicas": 0})
    cluster.step()
    cluster.step()
    assert cluster.selected() == champion(cluster)


def test_gateways_send_nothing_to_a_candidate_whose_champion_had_no_ready_pod_before_it_began() -> None:
    cluster = behind_a_gateway(1, strategy={"canary": {"steps": [{"weight": 10}]}})
    cluster.broken.add(champion(cluster))
    cluster.add(2)
    cluster.settle()
    assert (tried(cluster).phase, shares(cluster)[2]) == ("Starting", 0)


def behind_a_gateway(*numbers: int, **spec: Any) -> ServingCluster:
    cluster = ServingCluster(replicas=2, traffic=TRAFFIC, **spec)
    cluster.gateway = serving_cluster_gateways.accepts
    for number in numbers:
        cluster.add(number)
        cluster.settle()
    return cluster


def test_gateways_fail_over_to_the_warm_version_too() -> None:
    cluster = behind_a_gateway(1, 2, drains=True)
    cluster.broken.add(champion(cluster))
    cluster.settle()
    assert shares(cluster) == {1: 100, 2: 0}
    cluster.broken.clear()
    cluster.settle()
    assert shares(cluster) == {1: 0, 2: 100}


def test_gateways_fail_over_although_somebody_deleted_the_service_of_the_live_revision() -> None:
    cluster = behind_a_gateway(1, 2, drains=True)
    cluster.broken.add(champion(cluster))
    cluster.kubelet()
    del cluster.services[f"flights-{champion(cluster)}"]
    cluster.settle()
    assert shares(cluster) == {1: 100, 2: 0}


def test_gateways_send_everything_to_a_candidate_whose_champion_has_no_pods() -> None:
    cluster = behind_a_gateway(1, 2, strategy={"canary": {"steps": [{"weight": 10}]}})
    assert shares(cluster) == {1: 90, 2: 10}
    cluster.broken.add(champion(cluster))
    cluster.finds("NoData")
    cluster.settle()
    cluster.now += timedelta(days=3)
    cluster.settle()
    assert shares(cluster) == {1: 0, 2: 100}
    cluster.broken.clear()
    cluster.settle()
    assert shares(cluster) == {1: 90, 2: 10}


def quarantined_alone(**spec: Any) -> ServingCluster:
    """Return a cluster in which version 2 is in quarantine and answers alone, as version 1 has lost all of its pods."""
    cluster = lonely(**spec)
    cluster.act("Quarantine", 2)
    cluster.settle()
    assert (cluster.candidate(), cluster.answering()) == (None, {2})
    return cluster


def test_a_newer_version_with_enough_pods_answers_instead_of_one_in_quarantine() -> None:
    cluster = quarantined_alone(replicas=4)
    cluster.add(3)
    for _ in range(60):
        cluster.step()
        cluster.kubelet()
        assert cluster.answering() in ({2}, {3})
        if cluster.answering() == {3}:
            ready = [item["status"]["readyReplicas"] for item in cluster.workloads.values() if "3" in version_of(item)]
            assert ready[0] >= 3
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.answering()) == (1, 3, {3})
    assert cluster.replicas() == {1: 4, 3: 4}
    assert cluster.message("Ready").endswith("a Promote of version 3 makes it live")
    cluster.now += timedelta(days=3)
    cluster.settle()
    assert (cluster.candidate(), cluster.answering(), cluster.status.abandoned) == (3, {3}, [])


def version_of(workload: dict[str, Any]) -> str:
    return str(workload["metadata"]["labels"][names.VERSION])


def test_a_newer_version_that_lacks_pods_leaves_the_traffic_and_is_abandoned() -> None:
    cluster = quarantined_alone(replicas=4)
    cluster.add(3)
    cluster.step()
    candidate = cluster.status.candidate
    assert candidate is not None
    cluster.most_ready[candidate.revision] = 2
    cluster.settle()
    assert (cluster.candidate(), cluster.answering()) == (3, {2})
    assert "2 of 4 pods are ready; with 3 of them it answers" in tried(cluster).message
    assert cluster.message("Ready").endswith("with 3 ready pods, or version 3 with as many")
    cluster.now += timedelta(hours=2)
    cluster.settle()
    assert (cluster.candidate(), cluster.answering()) == (None, {2})


def test_a_newer_version_that_answers_alone_begins_its_canary_when_the_champion_is_back() -> None:
    cluster = quarantined_alone(replicas=4)
    cluster.add(3)
    cluster.settle()
    cluster.broken.clear()
    cluster.settle()
    assert (cluster.live(), tried(cluster).phase, cluster.answering()) == (1, "Analysing", {1, 3})


def test_a_newer_version_answers_instead_of_one_that_a_person_aborted() -> None:
    cluster = lonely()
    cluster.act("Abort")
    cluster.settle()
    assert (cluster.candidate(), cluster.answering()) == (None, {2})
    cluster.add(3)
    cluster.settle()
    assert (cluster.candidate(), cluster.answering()) == (3, {3})


def test_by_weights_a_newer_version_answers_instead_of_one_in_quarantine() -> None:
    cluster = behind_a_gateway(1, 2, strategy=ONE_STEP)
    cluster.broken.add(champion(cluster))
    cluster.finds("NoData")
    cluster.settle()
    cluster.act("Quarantine", 2)
    cluster.settle()
    assert shares(cluster)[2] == 100
    cluster.add(3)
    cluster.settle()
    assert (cluster.candidate(), shares(cluster)[3]) == (3, 100)


def test_a_newer_version_does_not_replace_a_candidate_that_answers_alone() -> None:
    cluster = lonely()
    cluster.add(3)
    cluster.now += timedelta(days=3)
    cluster.settle()
    assert (cluster.candidate(), cluster.answering(), cluster.status.abandoned) == (2, {2}, [])
    cluster.broken.clear()
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (1, 3)


def test_a_promoted_newer_version_replaces_a_candidate_that_answers_alone() -> None:
    cluster = lonely()
    cluster.add(3)
    cluster.settle()
    cluster.act("Promote", 3)
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (3, {3})


def test_a_revision_that_was_rolled_back_at_0_replicas_gets_no_pods_again() -> None:
    cluster = serving(1, 2, 3, drains=True)
    bad = champion(cluster)
    cluster.edit(server={"replicas": 0})
    cluster.settle()
    cluster.act("Rollback", 1)
    cluster.settle()
    assert (cluster.live(), cluster.candidate()) == (3, 1)
    cluster.edit(server={"replicas": 2})
    for _ in range(40):
        cluster.step()
        cluster.kubelet()
        assert 3 not in cluster.answering()
        assert cluster.workloads.get(f"flights-{bad}", {"spec": {"replicas": 0}})["spec"]["replicas"] == 0
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (1, {1})


def test_scaled_up_during_a_rollback_the_last_good_version_answers_until_the_named_one_can() -> None:
    cluster = serving(1, 2, 3, drains=True)
    cluster.edit(server={"replicas": 0})
    cluster.settle()
    cluster.act("Rollback", 1)
    cluster.settle()
    candidate = cluster.status.candidate
    assert candidate is not None
    cluster.broken.add(candidate.revision)
    cluster.edit(server={"replicas": 2})
    cluster.settle()
    assert (cluster.live(), cluster.candidate(), cluster.answering()) == (3, 1, {2})
    assert "version 3 was rolled back and version 2 answers; version 1 replaces it" in cluster.message("Ready")
    cluster.broken.clear()
    cluster.settle()
    assert (cluster.live(), cluster.answering()) == (1, {1})


def forget_the_template(cluster: ServingCluster, number: int) -> str:
    """Let nothing prove the pod template of a version any more, which someone has changed. Return its revision."""
    revision = next(
        ref.revision for ref in (cluster.status.live, cluster.status.last_good) if ref and ref.number == number
    )
    del cluster.frozen_templates[f"flights-{revision}"]
    cluster.stores = []
    return revision


def test_traffic_never_moves_to_pods_that_nobody_has_verified() -> None:
    cluster = serving(1, 2, drains=True)
    forget_the_template(cluster, 1)
    cluster.settle()
    cluster.broken.add(champion(cluster))
    cluster.settle()
    assert (cluster.live(), cluster.selected()) == (2, champion(cluster))
    assert cluster.condition("Serving") == ("False", "NoReadyPods")
    assert cluster.seen("FailedOver") == []


def test_what_answers_alone_keeps_answering_when_nothing_proves_its_pods_any_more_and_is_not_called_good() -> None:
    cluster = serving(1, 2, drains=True)
    cluster.broken.add(champion(cluster))
    cluster.settle()
    assert cluster.answering() == {1}
    forget_the_template(cluster, 1)
    cluster.settle()
    assert cluster.answering() == {1}
    assert cluster.condition("Serving") == ("Unknown", "TemplateUnproven")
    assert cluster.condition("Ready") == ("False", "TemplateUnproven")
    assert "create a Refresh action" in cluster.message("Ready")
    cluster.broken.clear()
    cluster.settle()
    assert cluster.answering() == {2}
    assert cluster.condition("Serving") == ("True", "Serving")


def test_no_sentence_counts_pods_of_none() -> None:
    cluster = serving(1, 2, drains=True)
    cluster.edit(server={"replicas": 0})
    for _ in range(60):
        assert not [one.message for one in cluster.status.conditions if " of 0 " in one.message]
        if not cluster.step():
            break
    assert cluster.condition("PodsReady") == ("True", "PodsReady")
