"""The oracles themselves: each rule catches what it is there for, and the table of situations reads as promised."""

from __future__ import annotations

from typing import Any

import pytest
from steadfit.api.kinds import DEFINITIONS

from tests.oracles import argocd, conditions, flux, kstatus, status

AT = "2026-01-05T00:00:00Z"
REASONS = {"Training": "RunInFlight", "LastRunSucceeded": "UserError"}
ALWAYS = {
    "AlertsReachable": ("True", "CertificateTrusted"),
    "LastRunSucceeded": ("Unknown", "NoRun"),
    "Training": ("False", "Idle"),
}


def job(*conditions: tuple[str, str], observed: int = 2, generation: int = 2, **fields: Any) -> dict[str, Any]:
    """Return a TrainingJob with conditions of these types and statuses, and those that are always there."""
    shown = [(type_, value, REASONS.get(type_, "AwaitingFirstModel")) for type_, value in conditions]
    if shown:
        shown += [(type_, *of) for type_, of in ALWAYS.items() if type_ not in dict(conditions)]
    return {
        "apiVersion": "steadfit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "flights", "uid": "1", "generation": generation, **fields.get("metadata", {})},
        "spec": fields.get("spec", {}),
        "status": {
            "observedGeneration": observed,
            "conditions": [
                {
                    "type": type_,
                    "status": value,
                    "reason": reason,
                    "message": f"{type_} is {value}",
                    "lastTransitionTime": AT,
                    "observedGeneration": observed,
                }
                for type_, value, reason in shown
            ],
        },
    }


READY = ("Ready", "True")
NOT_READY = ("Ready", "False")
RECONCILING = ("Reconciling", "True")
STALLED = ("Stalled", "True")


@pytest.mark.parametrize(
    ("situation", "obj", "computed", "health"),
    [
        ("fresh, unseen", job(observed=-1), "InProgress", "Progressing"),
        ("spec being applied", job(NOT_READY, RECONCILING), "InProgress", "Progressing"),
        ("a newer spec, unseen", job(READY, observed=1), "InProgress", "Progressing"),
        ("idle, waiting for a trigger", job(READY), "Current", "Healthy"),
        ("retraining beside an accepted model", job(READY, ("Training", "True")), "Current", "Healthy"),
        ("first training has never succeeded", job(NOT_READY, RECONCILING), "InProgress", "Progressing"),
        ("a run failed and is retried", job(READY, ("LastRunSucceeded", "False")), "Current", "Healthy"),
        ("invalid spec", job(NOT_READY, STALLED), "Failed", "Degraded"),
        ("retries exhausted beside a good version", job(READY, ("LastRunSucceeded", "False")), "Current", "Healthy"),
        ("suspended", job(READY, spec={"suspend": True}), "Current", "Suspended"),
        ("deleting", job(READY, metadata={"deletionTimestamp": AT}), "Terminating", "Progressing"),
    ],
)
def test_the_table_of_situations_reads_as_promised(
    situation: str, obj: dict[str, Any], computed: str, health: str
) -> None:
    assert kstatus.compute(obj).status == computed
    assert argocd.health(obj)[0] == health
    assert status.violations(obj) == []


def test_every_kind_has_a_health_script() -> None:
    assert set(argocd.scripts()) == {f"steadfit.dev_{definition.kind}" for definition in DEFINITIONS}


def test_an_object_without_status_counts_as_healthy_which_is_why_there_is_a_default() -> None:
    bare = job()
    del bare["status"]
    assert kstatus.compute(bare).status == "Current"
    assert kstatus.compute(job(observed=-1)).status == "InProgress"


def test_the_health_message_is_that_of_ready() -> None:
    assert argocd.health(job(NOT_READY, STALLED)) == ("Degraded", "Ready is False")


def test_a_health_script_may_not_reach_outside() -> None:
    with pytest.raises(Exception, match="nil"):
        argocd.run('return {status = io.open("/etc/passwd"):read()}', job())


def test_a_health_script_that_knows_no_health_fails() -> None:
    with pytest.raises(AssertionError, match="returned"):
        argocd.run('return {status = "Fine"}', job())


@pytest.mark.parametrize(
    ("rule", "obj"),
    [
        ("FAIL0001", job(READY, STALLED)),
        ("FAIL0002", job(("Training", "True"))),
        ("FAIL0003", job(("Ready", "Unknown"), ("Reconciling", "True"))),
        ("FAIL0004", job(("Ready", "Unknown"), STALLED)),
        ("FAIL0005", job(NOT_READY, RECONCILING, STALLED)),
        ("FAIL0006", job(READY, observed=3)),
        ("FAIL0011", job(("Ready", "Unknown"))),
        ("WARN0001", job(READY, ("Reconciling", "False"))),
        ("WARN0003", job(NOT_READY, ("Reconciling", "False"))),
        ("WARN0004", job(NOT_READY, ("Stalled", "False"))),
        ("WARN0005", job(NOT_READY, RECONCILING, observed=0)),
    ],
)
def test_flux_s_rules_catch_what_they_are_there_for(rule: str, obj: dict[str, Any]) -> None:
    assert any(found.startswith(rule) for found in flux.violations(obj)), flux.violations(obj)


def test_conditions_must_speak_of_the_generation_that_the_status_speaks_of() -> None:
    obj = job(READY)
    obj["status"]["conditions"][0]["observedGeneration"] = 1
    assert any(found.startswith("FAIL0009") for found in flux.violations(obj))


@pytest.mark.parametrize("rule", ["FAIL0007", "FAIL0008"])
def test_a_settled_object_speaks_of_its_newest_generation(rule: str) -> None:
    obj = job(READY, observed=1)
    assert flux.violations(obj) == []
    assert any(found.startswith(rule) for found in flux.settled_violations(obj))
    assert status.settled(obj)


@pytest.mark.parametrize(
    ("sentence", "change"),
    [
        ("twice", lambda one, all_: all_.append(dict(one))),
        ("CamelCase", lambda one, all_: one.update(reason="because of this")),
        ("CamelCase", lambda one, all_: one.update(type="is-ready")),
        ("does not exist yet", lambda one, all_: one.update(observedGeneration=3)),
        ("is 'yes'", lambda one, all_: one.update(status="yes")),
    ],
)
def test_malformed_conditions_are_caught(sentence: str, change: Any) -> None:
    obj = job(READY)
    all_ = obj["status"]["conditions"]
    change(all_[0], all_)
    assert any(sentence in found for found in conditions.violations(obj)), conditions.violations(obj)


def test_a_transition_time_moves_only_with_the_status() -> None:
    later = job(READY)
    later["status"]["conditions"][0]["lastTransitionTime"] = "2026-01-06T00:00:00Z"
    assert conditions.violations(later, job(READY)) == [
        "lastTransitionTime of Ready moved although its status did not change"
    ]
    assert conditions.violations(later, job(NOT_READY)) == []


def test_argo_cd_and_kstatus_may_not_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(argocd, "health", lambda obj: ("Healthy", ""))
    assert any("Argo CD says" in found for found in status.violations(job(NOT_READY, STALLED)))
