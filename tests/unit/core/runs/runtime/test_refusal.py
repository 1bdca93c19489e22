from __future__ import annotations

from typing import Any

import pytest
from steadfit.core.runs.runtime import refusal

from tests.unit.core.training.builders import COMPLETE, attempt_job, pod

NO_ACCOUNT = 'error looking up service account ml/trainer: serviceaccount "trainer" not found'


@pytest.mark.parametrize(
    "message",
    [
        f'Error creating: pods "flights-1-a1-9zfnl" is forbidden: {NO_ACCOUNT}',
        f'Error creating: pods "flights-1-a1-" is forbidden: {NO_ACCOUNT}',
        f'(combined from similar events): Error creating: pods "flights-1-a1-x7k2p" is forbidden: {NO_ACCOUNT}',
        f'jobs.batch "flights-1-a1" is forbidden: {NO_ACCOUNT}',
        NO_ACCOUNT,
    ],
)
def test_the_cause_of_a_refusal_is_the_same_for_every_try(message: str) -> None:
    assert refusal.cause(message) == NO_ACCOUNT


def test_the_newest_event_counts_whichever_api_wrote_it() -> None:
    def event(note: str, **times: Any) -> dict[str, Any]:
        return {"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}, "note": note, **times}

    events = [
        event("first", deprecatedLastTimestamp="2026-01-01T00:05:00Z", eventTime=None, series=None),
        event("last", series={"lastObservedTime": "2026-01-01T00:07:00.000000Z"}),
        event("second", eventTime="2026-01-01T00:06:00.000000Z"),
    ]
    assert [event["note"] for event in sorted(events, key=refusal.time_of)] == ["first", "second", "last"]


def test_a_job_lacks_a_pod_until_it_has_one_or_needs_none() -> None:
    assert refusal.lacks_pod(attempt_job(), [])
    assert not refusal.lacks_pod(attempt_job(), [pod()])
    assert not refusal.lacks_pod({**attempt_job(), "spec": {"suspend": True}}, [])
    assert not refusal.lacks_pod({**attempt_job(), "status": {"conditions": [COMPLETE]}}, [])


@pytest.mark.parametrize(
    ("message", "temporary"),
    [
        ("exceeded quota: compute, requested: limits.cpu=2, used: limits.cpu=7, limited: limits.cpu=8", True),
        ("failed quota: compute: must specify limits.cpu for: train", False),
        (NO_ACCOUNT, False),
    ],
)
def test_only_a_full_quota_ends_by_itself(message: str, temporary: bool) -> None:
    assert refusal.is_temporary(message) is temporary
