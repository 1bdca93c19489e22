"""How told alerts become the list in the status of a TrainingJob."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from steadfit.api.trainingjob import Alerts, AlertState, AlertTrigger, Trigger
from steadfit.core.training.triggers.alert_matching import Listener, ReceivedAlert
from steadfit.core.training.triggers.alert_state import MAX_ALERTS, REFRESH, REORDERED, STALE, merge

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LABELS = {"namespace": "shop", "model": "flights", "alertname": "ModelInputDrift", "severity": "warning"}
FLIGHTS = Listener(
    "shop", "flights", [Trigger(name="drift", alert=AlertTrigger(match_labels={"alertname": "ModelInputDrift"}))]
)


def told(
    fingerprint: str = "f1", status: Literal["firing", "resolved"] = "firing", at: datetime = NOW, **labels: str
) -> ReceivedAlert:
    return ReceivedAlert(fingerprint, status, {**LABELS, **labels}, NOW - timedelta(hours=1), at)


def entry(
    fingerprint: str = "f1", status: Literal["firing", "resolved"] = "firing", age: timedelta = timedelta()
) -> AlertState:
    (stored,) = merge([], [told(fingerprint)], FLIGHTS).alerts
    return stored.model_copy(update={"status": status, "received_at": NOW - age})


def result(stored: Sequence[AlertState], *alerts: ReceivedAlert) -> tuple[list[AlertState], list[str]]:
    merged = merge(stored, alerts, FLIGHTS)
    return merged.alerts, [merged.results[alert.fingerprint] for alert in alerts]


def test_a_firing_alert_is_stored_with_its_trigger_and_the_labels_that_were_matched() -> None:
    merged = merge([], [told()], FLIGHTS)
    assert [alert.dump() for alert in merged.alerts] == [
        {
            "fingerprint": "f1",
            "alertname": "ModelInputDrift",
            "status": "firing",
            "trigger": "drift",
            "startsAt": "2026-03-01T11:00:00Z",
            "receivedAt": "2026-03-01T12:00:00Z",
            "labels": {"alertname": "ModelInputDrift"},
        }
    ]
    assert merged.changed


def test_what_is_stored_reads_back_as_the_same() -> None:
    stored = merge([], [told()], FLIGHTS).alerts
    dumped = [alert.dump() for alert in stored]
    assert TypeAdapter(list[AlertState]).validate_python(dumped) == stored


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(), "unchanged"),
        (REFRESH - SECOND, "unchanged"),
        (REFRESH, "refreshed"),
        (timedelta(hours=13), "refreshed"),
    ],
)
def test_a_firing_alert_that_is_repeated_is_written_again_only_now_and_then(age: timedelta, expected: str) -> None:
    merged = merge([entry(age=age)], [told()], FLIGHTS)
    assert merged.results == {"f1": expected}
    assert merged.changed == (expected == "refreshed")
    assert merged.alerts[0].received_at == (NOW if merged.changed else NOW - age)


def test_a_resolved_alert_is_stored_as_resolved_and_not_written_again() -> None:
    (resolved,), outcome = result([entry(age=SECOND)], told(status="resolved"))
    assert (resolved.status, outcome) == ("resolved", ["stored"])
    later = told(status="resolved", at=NOW + timedelta(hours=3))
    assert result([resolved], later) == ([resolved], ["unchanged"])


def test_an_alert_that_fires_again_is_stored_at_once() -> None:
    (again,), outcome = result([entry(status="resolved", age=SECOND)], told())
    assert (again.status, outcome) == ("firing", ["stored"])


def test_a_resolved_alert_that_nobody_knows_is_not_stored() -> None:
    assert result([], told(status="resolved")) == ([], ["unchanged"])


def test_what_another_replica_was_told_later_is_not_overwritten() -> None:
    late = entry(status="resolved", age=-10 * SECOND)
    assert result([late], told()) == ([late], ["unchanged"])


def test_a_replica_whose_clock_is_ahead_does_not_silence_the_others() -> None:
    ahead = entry(status="resolved", age=-REORDERED - SECOND)
    (stored,), outcome = result([ahead], told())
    assert (stored.status, stored.received_at, outcome) == ("firing", NOW, ["stored"])


def test_an_alert_that_matches_another_trigger_now_is_stored_at_once() -> None:
    renamed = entry().model_copy(update={"trigger": "old"})
    (stored,), outcome = result([renamed], told())
    assert (stored.trigger, outcome) == ("drift", ["stored"])


def test_an_alert_that_matches_nothing_any_more_leaves_the_list_as_it_is() -> None:
    assert result([entry()], told("f2", alertname="Other")) == ([entry()], ["no_match"])


def test_a_long_name_is_cut_to_what_the_schema_takes() -> None:
    loud = Listener("shop", "flights", [Trigger(name="loud", alert=AlertTrigger(match_labels={"severity": "warning"}))])
    (stored,) = merge([], [told(alertname="x" * 1000)], loud).alerts
    assert stored.alertname == "x" * 256


def test_the_list_is_as_long_as_the_schema_allows() -> None:
    field = TypeAdapter(Alerts).json_schema()
    assert field["maxItems"] == MAX_ALERTS


def full(**changes: AlertState) -> list[AlertState]:
    entries = {f"f{number}": entry(f"f{number}", age=SECOND) for number in range(MAX_ALERTS)}
    return list({**entries, **changes}.values())


def names(entries: Sequence[AlertState]) -> set[str]:
    return {entry.fingerprint for entry in entries}


def test_a_full_list_gives_up_its_oldest_resolved_entry() -> None:
    stored = full(
        f3=entry("f3", "resolved", timedelta(hours=1)),
        f4=entry("f4", "resolved", timedelta(hours=2)),
        f5=entry("f5", "firing", timedelta(hours=20)),
    )
    alerts, outcome = result(stored, told("new"))
    assert outcome == ["stored"]
    assert names(stored) - names(alerts) == {"f4"}
    assert len(alerts) == MAX_ALERTS


def test_a_full_list_gives_up_what_nobody_has_repeated_for_half_a_day() -> None:
    stored = full(f5=entry("f5", "firing", STALE), f6=entry("f6", "firing", STALE - SECOND))
    alerts, outcome = result(stored, told("new"), told("newer"))
    assert outcome == ["stored", "overflow"]
    assert names(stored) - names(alerts) == {"f5"}


def test_what_finds_no_room_is_counted_and_drives_nothing_out() -> None:
    merged = merge(full(), [told("new"), told("newer"), told("f0", "resolved")], FLIGHTS)
    assert merged.results == {"f0": "stored", "new": "stored", "newer": "overflow"}
    assert merged.dropped == 1
    assert merge(full(), [told("new")], FLIGHTS).changed


def test_an_entry_that_is_told_again_does_not_make_room_for_a_new_one() -> None:
    stored = full(f3=entry("f3", "resolved", timedelta(hours=1)))
    alerts, outcome = result(stored, told("new"), told("f3"))
    assert outcome == ["overflow", "stored"]
    assert names(alerts) == names(stored)


STATUS: st.SearchStrategy[Literal["firing", "resolved"]] = st.sampled_from(["firing", "resolved"])
WORDS = st.lists(st.tuples(st.integers(0, 80).map("f{}".format), STATUS, st.integers(0, 100)), max_size=150)


@given(WORDS, st.integers(1, 20))
def test_any_sequence_of_messages_keeps_the_list_short_distinct_and_true_of_what_fires(words: Any, size: int) -> None:
    stored: list[AlertState] = []
    last: dict[str, str] = {}
    dropped = 0
    clock = NOW
    for start in range(0, len(words), size):
        message = {}
        for fingerprint, status, wait in words[start : start + size]:
            clock += timedelta(seconds=wait)
            message[fingerprint] = told(fingerprint, status, clock)
        merged = merge(stored, message.values(), FLIGHTS)
        stored, dropped = merged.alerts, dropped + merged.dropped
        last |= {fingerprint: alert.status for fingerprint, alert in message.items()}
        assert len(stored) <= MAX_ALERTS
        assert len(names(stored)) == len(stored)
        assert all(last[entry.fingerprint] == entry.status for entry in stored)
        firing = {fingerprint for fingerprint, status in last.items() if status == "firing"}
        assert dropped or firing <= names(stored)


@given(WORDS)
def test_a_message_that_is_told_twice_changes_nothing_the_second_time(words: Any) -> None:
    message = {fingerprint: told(fingerprint, status) for fingerprint, status, _ in words}
    once = merge([], message.values(), FLIGHTS)
    twice = merge(once.alerts, message.values(), FLIGHTS)
    assert twice.alerts == once.alerts
    assert twice.dropped == once.dropped
