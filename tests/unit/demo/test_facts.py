"""From what the cluster shows to the steps of the report: each once, in the order of a year."""

import copy
from typing import Any

import pytest

from tests.demo.facts import ORDER, Chronicle, Seen, facts, missing, trainings
from tests.demo.timeline import Timeline
from tests.support.kubectl import Kubectl, Manifest

LIVE = {"version": "flights-v2", "number": 2, "revision": "bbb", "digest": "sha256:2", "since": "t2"}


def run(name: str, *, version: str | None, cause: str = "SpecChange", purpose: str = "Train") -> Manifest:
    status = {"phase": "Succeeded", "attempts": [{}], **({"version": version} if version else {})}
    spec = {"purpose": purpose, "cause": {"type": cause, "message": "why"}}
    return {"metadata": {"name": name, "uid": f"uid-{name}", "creationTimestamp": name}, "spec": spec, "status": status}


def version(name: str, phase: str, verdict: str) -> Manifest:
    return {
        "metadata": {"name": name, "uid": f"uid-{name}"},
        "spec": {"run": {"uid": "r"}, "artifact": {"digest": f"sha256:{name}"}, "evaluation": {"champion": {}}},
        "status": {"phase": phase, "gate": {"verdict": verdict, "message": "beside the champion", "margin": 0.005}},
    }


def seen(**status: Any) -> Seen:
    monitors = [{"name": "inputs", "drift": {"max": 0.35}, "minSamples": 100}, {"name": "errors", "errorRate": {}}]
    return Seen(
        job={"metadata": {"uid": "job"}, "status": {}},
        deployment={"metadata": {"uid": "mdep"}, "spec": {"monitors": monitors}, "status": status},
        service={"metadata": {"uid": "service"}, "spec": {"selector": {"steadfit.dev/revision": "bbb"}}},
        runs=[],
        versions=[],
    )


def with_(look: Seen, **changed: Any) -> Seen:
    return Seen(**{**{name: getattr(look, name) for name in Seen.__dataclass_fields__}, **changed})


def names(look: Seen, chronicle: Chronicle | None = None) -> list[str]:
    return [fact.name for fact in (chronicle or Chronicle()).news(look)]


def test_the_first_version_is_trained_and_served_and_later_ones_are_retrained_and_promoted() -> None:
    first = {**LIVE, "version": "flights-v1", "revision": "aaa"}
    chronicle = Chronicle()
    assert names(with_(seen(live=first), runs=[run("a", version="flights-v1")]), chronicle) == ["trained", "served"]
    later = with_(
        seen(live=LIVE, lastGood=first), runs=[run("a", version="flights-v1"), run("b", version="flights-v2")]
    )
    assert names(later, chronicle) == ["retrained", "promoted"]
    assert names(later, chronicle) == []


def test_a_run_that_evaluates_or_brought_nothing_is_no_training() -> None:
    runs = [run("a", version=None), run("b", version=None, purpose="Evaluate")]
    assert names(with_(seen(), runs=runs)) == []
    assert [each["metadata"]["name"] for each in trainings(runs)] == ["a"]


def test_a_run_that_was_skipped_is_no_training() -> None:
    skipped = run("b", version=None)
    skipped["status"] = {**skipped.get("status", {}), "phase": "Skipped"}
    assert [each["metadata"]["name"] for each in trainings([run("a", version=None), skipped])] == ["a"]


@pytest.mark.parametrize(
    ("drift", "told"), [((0.36, 100), ["drifted"]), ((0.35, 100), []), ((0.9, 99), []), (None, [])]
)
def test_drift_is_told_above_the_monitors_level_and_with_its_samples(drift: Any, told: list[str]) -> None:
    chronicle = Chronicle()
    chronicle.news(seen(live=LIVE))
    assert names(with_(seen(live=LIVE), drift=drift), chronicle) == told


def test_an_alert_is_told_once_the_trainingjob_has_it_too_and_again_when_it_fires_anew() -> None:
    alert = {"fingerprint": "f00d", "startsAt": "t", "labels": {"alertname": "ModelInputDrift"}}
    look, chronicle = with_(seen(), alerts=[alert]), Chronicle()
    assert names(look, chronicle) == []
    stored = copy.deepcopy(look.job)
    stored["status"]["alerts"] = [{"fingerprint": "f00d", "trigger": "drift", "receivedAt": "t"}]
    assert names(with_(look, job=stored), chronicle) == ["alerted"]
    assert names(with_(look, job=stored), chronicle) == []
    assert names(with_(look, job=stored, alerts=[{**alert, "startsAt": "later"}]), chronicle) == ["alerted"]


def test_the_gate_lets_through_or_refuses_and_the_first_version_has_none() -> None:
    versions = [version("flights-v1", "Verified", "Bootstrap"), version("flights-v2", "Verified", "Pass")]
    assert names(with_(seen(), versions=versions)) == ["gated"]
    assert names(with_(seen(), versions=[version("flights-v3", "Rejected", "Fail")])) == ["refused"]


def test_each_step_of_a_canary_is_told_once_it_takes_traffic() -> None:
    candidate: Manifest = {**LIVE, "step": 0, "weight": 33, "actualWeight": 33}
    chronicle = Chronicle()
    assert names(seen(candidate=candidate), chronicle) == []
    candidate |= {"analysedSince": "t", "stepSince": "t"}
    assert names(seen(candidate=candidate), chronicle) == ["canaried"]
    assert names(seen(candidate={**candidate, "step": 1}), chronicle) == ["canaried"]
    assert names(seen(candidate={**candidate, "step": 1}), chronicle) == []


def test_a_diagnosis_is_told_with_its_run_once_it_has_a_verdict() -> None:
    entry = {"monitor": "quality", "decidedAt": "t", "number": 2, "run": "e", "message": "concept drift"}
    evaluation = run("e", version=None, purpose="Evaluate")
    assert names(with_(seen(diagnoses=[entry]), runs=[evaluation])) == []
    told = Chronicle().news(with_(seen(diagnoses=[{**entry, "verdict": "ConceptDrift"}]), runs=[evaluation]))
    assert [(fact.name, fact.detail["run"]) for fact in told] == [("diagnosed", "uid-e")]


def test_a_worse_candidate_is_degraded_then_back_once_the_service_says_so_then_remembered() -> None:
    entry = {"revision": "ccc", "version": "flights-v3", "number": 3, "reason": "worse", "by": "analysis", "at": "t"}
    candidate: Manifest = {**LIVE, "revision": "ccc"}
    chronicle = Chronicle()
    still = seen(live=LIVE, lastGood=LIVE, quarantine=[entry], candidate=candidate)
    assert names(still, chronicle) == ["promoted", "degraded"]
    mixed = {"metadata": {"uid": "service"}, "spec": {"selector": {"steadfit.dev/traffic-bbb": "true"}}}
    gone = seen(live=LIVE, lastGood=LIVE, quarantine=[entry])
    assert names(with_(gone, service=mixed), chronicle) == []
    assert names(gone, chronicle) == ["rolledBack"]
    bad = version("flights-v3", "Verified", "Bootstrap")
    assert names(with_(gone, versions=[bad]), chronicle) == []
    bad["status"]["quarantine"] = {"reason": "worse"}
    assert names(with_(gone, versions=[bad]), chronicle) == ["quarantined"]


def test_steps_of_one_look_come_in_the_order_of_a_year() -> None:
    versions = [version("flights-v3", "Rejected", "Fail"), version("flights-v2", "Verified", "Pass")]
    told = names(with_(seen(live=LIVE, lastGood=LIVE), versions=versions, runs=[run("b", version="flights-v2")]))
    assert told == ["retrained", "gated", "promoted", "refused"]


def test_every_fact_can_be_a_step_of_the_report() -> None:
    look = with_(
        seen(
            live=LIVE,
            lastGood=LIVE,
            candidate={
                **LIVE,
                "revision": "ccc",
                "analysedSince": "t",
                "stepSince": "t",
                "weight": 33,
                "actualWeight": 33,
            },
            diagnoses=[{"monitor": "q", "decidedAt": "t", "number": 2, "message": "m", "verdict": "ConceptDrift"}],
            quarantine=[{"revision": "ddd", "version": "flights-v3", "reason": "worse", "at": "t"}],
        ),
        runs=[run("a", version="flights-v1"), run("b", version="flights-v2")],
        versions=[version("flights-v2", "Verified", "Pass"), version("flights-v4", "Rejected", "Fail")],
        drift=(0.9, 1000),
    )
    timeline = Timeline(Kubectl("none"))
    for fact in facts(look):
        timeline.step(fact.name, fact.text, month=3.5, **fact.detail)
    names_told = {step["name"] for step in timeline.steps}
    assert names_told >= {"trained", "drifted", "retrained", "gated", "canaried", "promoted", "diagnosed", "degraded"}


def test_a_year_lacks_what_did_not_come_or_came_only_too_early() -> None:
    assert missing(list(ORDER)) == []
    assert missing([*ORDER[:4], "refused", *ORDER[2:]]) == []
    assert missing([name for name in ORDER if name != "degraded"]) == ["degraded"]
    early = ["refused", *[name for name in ORDER if name != "refused"]]
    assert missing(early) == ["refused"]
