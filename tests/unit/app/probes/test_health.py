from __future__ import annotations

from dataclasses import replace

from steadfit.app.probes.health import Health, Vital, problem

WELL = Vital(
    answer_age_seconds=1.0,
    leading=True,
    stale_watches=[],
    resync_age_seconds=300.0,
    resync_interval_seconds=600.0,
)
STALE = replace(WELL, stale_watches=["Job", "Pod"])


def test_a_leader_whose_watches_tell_is_well() -> None:
    assert problem(WELL) is None


def test_stale_watches_while_the_api_server_answers_need_a_restart() -> None:
    reason = problem(STALE)
    assert reason is not None
    assert "Job, Pod" in reason


def test_nothing_is_restarted_while_the_api_server_does_not_answer() -> None:
    assert problem(replace(STALE, answer_age_seconds=61.0)) is None
    assert problem(replace(STALE, answer_age_seconds=None)) is None


def test_lists_that_fail_for_long_although_the_api_server_answers_need_a_restart() -> None:
    assert problem(replace(WELL, resync_age_seconds=1700.0)) is None
    assert problem(replace(WELL, resync_age_seconds=1900.0)) is not None


def test_a_standby_has_no_watches_to_judge() -> None:
    assert problem(replace(STALE, leading=False, resync_age_seconds=10.0**6)) is None


def test_a_replica_is_ready_once_its_intake_listens() -> None:
    health = Health(lambda: WELL)
    assert health.readiness()[0] == 503
    health.ready = True
    assert health.readiness() == (200, "ok")
    assert health.liveness() == (200, "ok")
    assert Health(lambda: STALE).liveness()[0] == 503


def test_a_leader_that_waits_for_a_right_is_not_ready_and_names_it() -> None:
    health = Health(lambda: replace(WELL, missing_rights=["list controllerrevisions.apps", "list jobs.batch"]))
    health.ready = True
    status, text = health.readiness()
    assert status == 503
    assert "lacks list controllerrevisions.apps, list jobs.batch: apply the roles of this release" in text
    assert health.liveness()[0] == 200
