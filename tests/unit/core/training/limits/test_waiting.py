from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from steadfit.api.run import Cause
from steadfit.api.trainingjob import ActiveRun, AlertState, Skipped, Waiting
from steadfit.core.serving.recovery.retrain_causes import FiringMonitor
from steadfit.core.training.limits import skip_counts, waiting
from steadfit.core.training.limits.blocked import Hold
from steadfit.core.training.limits.waiting import RunRequest

from tests.unit.core.training.builders import NOW, alert, training_run

COOLDOWN = Hold("Cooldown", "waits until then", NOW + timedelta(hours=1))
ROLLOUT = Hold("RolloutInProgress", "waits until the rollout is over")
ONE = [RunRequest("alert ModelInputDrift", NOW)]


def entry(reason: Any = "Cooldown", minutes_ago: int = 5) -> Waiting:
    return Waiting(reason=reason, message="waits until then", since=NOW - timedelta(minutes=minutes_ago))


def test_a_wait_names_what_asks_once_each_and_by_name() -> None:
    alerts = [AlertState.model_validate(alert(print_)) for print_ in ("b", "a")]
    asked = waiting.requests(alerts, [FiringMonitor("orders/inputs", NOW, "PSI")])
    found = waiting.wait(None, asked, COOLDOWN, NOW)
    assert found is not None
    assert found.causes == ["alert ModelInputDrift", "monitor orders/inputs"]
    assert (found.reason, found.message, found.since, found.until) == (
        "Cooldown",
        "waits until then",
        NOW,
        COOLDOWN.until,
    )


def test_a_wait_names_at_most_16_and_in_a_sentence_three() -> None:
    found = waiting.wait(
        None, [RunRequest(f"alert {number:02}" + "n" * 300, NOW) for number in range(40)], COOLDOWN, NOW
    )
    assert found is not None
    assert len(found.causes) == 16
    assert Waiting.model_validate(found.dump()) == found
    short = found.model_copy(update={"causes": ["a", "b", "c", "d", "e"]})
    assert waiting.wait_message(short) == "a, b, c and 2 more: waits until then"


@pytest.mark.parametrize(("asked", "hold"), [([], COOLDOWN), (ONE, None), ([], None)])
def test_nothing_waits_when_nothing_asks_or_nothing_holds_it_back(asked: Any, hold: Any) -> None:
    assert waiting.wait(entry(), asked, hold, NOW) is None


def test_a_wait_keeps_its_beginning_until_its_reason_changes() -> None:
    before = entry()
    same, other = waiting.wait(before, ONE, COOLDOWN, NOW), waiting.wait(before, ONE, ROLLOUT, NOW)
    assert same is not None
    assert other is not None
    assert (same.since, other.since) == (before.since, NOW)


def test_a_run_in_flight_serves_what_began_before_it_was_made() -> None:
    run = training_run()
    active = ActiveRun(name=run.name, cause=Cause(type="Alert", key="k"), input_hash="h")
    made = run.metadata.creation_timestamp
    assert made is not None
    old, new = RunRequest("alert Old", made), RunRequest("alert New", made + timedelta(seconds=1))
    assert waiting.unserved([old, new], active, [run]) == [new]
    assert waiting.unserved([old, new], active, []) == [], "it is being made now"
    assert waiting.unserved([old, new], None, [run]) == [old, new]


@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [
        (None, None, {}),
        (None, entry(), {"Cooldown": 1}),
        (entry(), entry(), {}),
        (entry(), None, {}),
        (entry(), entry("RunLimitReached"), {"RunLimitReached": 1}),
    ],
)
def test_a_skip_is_counted_when_a_wait_begins(before: Any, after: Any, counted: dict[str, int]) -> None:
    assert {item.reason: item.count for item in skip_counts.count([], before, after, NOW)} == counted


def test_skips_add_up_by_reason() -> None:
    known = [
        Skipped(reason="RunLimitReached", count=2, last_at=NOW - timedelta(days=1)),
        Skipped(reason="Cooldown", count=4, last_at=NOW),
    ]
    found = skip_counts.count(known, None, entry("RunLimitReached"), NOW)
    assert found == [Skipped(reason="RunLimitReached", count=3, last_at=NOW), known[1]]
