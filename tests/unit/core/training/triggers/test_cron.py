from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steadfit.api.trainingjob import Schedule
from steadfit.core.training.triggers import schedules
from steadfit.core.training.triggers.cron import newest_until, next_after, problem

from tests.support import effort
from tests.unit.core.training.builders import NOW, training_job


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(cron: str, zone: str, start: str, count: int) -> list[str]:
    found, at = [], utc(start)
    for _ in range(count):
        at = next_after(Schedule(cron=cron, time_zone=zone), at)
        found.append(at.strftime("%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("cron", "zone", "start", "expected"),
    [
        ("0 3 * * *", "UTC", "2026-01-01T03:00", ["02 03:00", "03 03:00"]),
        ("0 3 * * 1", "Europe/Berlin", "2026-01-01T00:00", ["05 02:00", "12 02:00"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", ["29 00:00"]),
        # 02:30 does not exist on 29 March in Berlin: right after the jump, at 03:00 (01:00 UTC).
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["29 01:00", "30 00:30"]),
        # 02:30 comes twice on 25 October: the first one counts.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["25 00:30", "26 01:30"]),
        # Between the two 02:30 nothing is due, although the library names the first again.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", ["26 01:30"]),
        # Every hour means every hour that passes.
        ("0 * * * *", "Europe/Berlin", "2026-10-24T23:30", ["25 00:00", "25 01:00", "25 02:00"]),
        ("*/30 1 * * *", "America/New_York", "2026-03-08T05:30", ["08 06:00", "08 06:30", "09 05:00"]),
    ],
)
def test_times_follow_the_cron_line_across_summer_time(cron: str, zone: str, start: str, expected: list[str]) -> None:
    assert times(cron, zone, start, len(expected)) == expected


@pytest.mark.parametrize(
    ("cron", "zone", "words"),
    [
        (
            "0 0 31 2 *",
            "UTC",
            "the cron line '0 0 31 2 *' has no time: its day-of-month is out of range, or never",
        ),
        ("0 0 30 2 *", "UTC", "never occurs"),
        ("60 * * * *", "UTC", "its minute is out of range"),
        ("* 24 * * *", "UTC", "its hour is out of range"),
        ("a b c d e", "UTC", "out of range"),
        ("0 0 * * 1#6", "UTC", "day-of-week"),
        ("0 0 0 * * *", "UTC", "must have five fields"),
        ("@daily", "UTC", "must have five fields"),
        ("0 3 * * 1", "Europe/Atlantis", "'Europe/Atlantis' is not a time zone of the IANA database"),
        ("0 3 * * 1", "Europe", "is not a time zone"),
        ("0 3 * * 1", "../etc/passwd", "is not a time zone"),
        ("0 3 * * 1", "", "is not a time zone"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused_in_a_sentence(cron: str, zone: str, words: str) -> None:
    found = problem(Schedule.model_construct(cron=cron, time_zone=zone, suspend=False))
    assert found is not None
    assert words in found


def test_a_schedule_that_can_be_kept_is_no_problem() -> None:
    assert problem(Schedule(cron="0 3 * * MON-FRI", time_zone="Europe/Berlin")) is None
    assert problem(Schedule(cron="0 0 29 2 *")) is None


MINUTES = st.integers(0, 59)
LINES = st.builds("{} {} * * *".format, MINUTES, st.sampled_from(["*", "*/2", "2", "1-3", "23"])) | st.sampled_from(
    ["* * * * *", "*/7 * * * *", "0 0 1 * *", "30 2 29 3 *", "30 2 25 10 *", "15 2 * * 0"]
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)


@given(LINES, ZONES, MOMENTS)
@settings(max_examples=effort.cases(300))
def test_times_go_forward_and_looking_back_finds_the_same_ones(cron: str, zone: str, now: datetime) -> None:
    schedule = Schedule(cron=cron, time_zone=zone)
    following = next_after(schedule, now)
    assert following > now
    newest = newest_until(schedule, following)
    assert newest == following
    assert newest_until(schedule, following - timedelta(seconds=1)) <= now


def keep(*declared: dict[str, Any], status: Any = None, **spec: Any) -> Any:
    triggers = [{"name": f"t{index}", "schedule": schedule} for index, schedule in enumerate(declared)]
    return training_job({"triggers": status or []}, triggers=triggers, **spec)


HOURLY = {"cron": "0 * * * *"}


def tracked(job: Any, now: datetime) -> list[dict[str, Any]]:
    return [state.dump() for state in schedules.track(job, now)]


def test_a_schedule_starts_from_when_it_is_first_seen() -> None:
    assert tracked(keep(HOURLY), NOW) == [
        {
            "name": "t0",
            "schedule": "0 * * * * UTC",
            "lastScheduledAt": "2026-01-05T12:00:00Z",
            "nextScheduledAt": "2026-01-05T13:00:00Z",
        }
    ]


def test_an_edited_schedule_starts_anew_and_a_reformatted_one_does_not() -> None:
    before = tracked(keep(HOURLY), NOW)
    later = NOW + timedelta(hours=5, minutes=10)
    assert tracked(keep({"cron": " 0  * * *  *"}, status=before), later) == before
    (after,) = tracked(keep({"cron": "30 * * * *"}, status=before), later)
    assert after["lastScheduledAt"] == "2026-01-05T17:10:00Z"
    (moved,) = tracked(keep({**HOURLY, "timeZone": "Asia/Kolkata"}, status=before), later)
    assert moved["nextScheduledAt"] == "2026-01-05T17:30:00Z"


@pytest.mark.parametrize(
    "job",
    [
        keep({**HOURLY, "suspend": True}, status=tracked(keep(HOURLY), NOW)),
        keep(HOURLY, status=tracked(keep(HOURLY), NOW), suspend=True),
        keep({"cron": "0 0 31 2 *"}, status=tracked(keep(HOURLY), NOW)),
        keep(status=tracked(keep(HOURLY), NOW)),
    ],
)
def test_a_schedule_that_is_not_kept_stands_nowhere_so_that_nothing_is_missed_meanwhile(job: Any) -> None:
    assert tracked(job, NOW + timedelta(days=3)) == []


def test_many_missed_times_are_honoured_once_by_the_newest() -> None:
    job = keep(HOURLY, status=tracked(keep(HOURLY), NOW))
    later = NOW + timedelta(days=30, minutes=7)
    states = schedules.track(job, later)
    assert schedules.due(states, later) == states
    (honoured,) = schedules.advance(job, states, later)
    assert honoured.last_scheduled_at == NOW + timedelta(days=30)
    assert honoured.next_scheduled_at == NOW + timedelta(days=30, hours=1)
    assert schedules.due([honoured], later) == []


def nights(cron: str, zone: str, night: str, seconds: int) -> list[str]:
    """Return when a schedule starts runs in 24 hours, if it is looked at every so many seconds."""
    line = {"cron": cron, "timeZone": zone}
    now, end = utc(night), utc(night) + timedelta(days=1)
    states = tracked(keep(line), now)
    runs = []
    while now < end:
        job = keep(line, status=states)
        current = schedules.track(job, now)
        if schedules.due(current, now):
            runs.append(now.strftime("%d %H:%M"))
            current = list(schedules.advance(job, current, now))
        states = [state.dump() for state in current]
        now += timedelta(seconds=seconds)
    return runs


@pytest.mark.parametrize("minutes", [1, 7, 40, 50])
def test_a_nightly_schedule_starts_one_run_in_the_night_in_which_clocks_go_back(minutes: int) -> None:
    assert len(nights("30 1 * * *", "America/New_York", "2026-10-31T16:00", 60 * minutes)) == 1
    assert len(nights("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 60 * minutes)) == 1


def changes(zone: ZoneInfo) -> list[datetime]:
    """Return when the clocks of a zone change in the two years, to the minute."""
    found, day = [], timedelta(days=1)
    for number in range(730):
        early, late = utc("2026-01-01T00:00") + number * day, utc("2026-01-02T00:00") + number * day
        while offset(zone, early) != offset(zone, late) and late - early > timedelta(minutes=1):
            middle = (early + (late - early) / 2).replace(second=0)
            early, late = (middle, late) if offset(zone, middle) == offset(zone, early) else (early, middle)
        if offset(zone, early) != offset(zone, late):
            found.append(late)
    return found


def offset(zone: ZoneInfo, at: datetime) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


@cache
def calendars() -> dict[str, list[datetime]]:
    """Return when clocks change in one zone of each set that changes them by the same rule."""
    zones = {name: ZoneInfo(name) for name in sorted(available_timezones())}
    found = {name: changes(zone) for name, zone in zones.items()}
    rules = {str([(at, offset(zones[name], at)) for at in times]): name for name, times in found.items() if times}
    return {name: found[name] for name in rules.values()}


def readings(zone: ZoneInfo, around: datetime) -> list[tuple[datetime, datetime, list[datetime]]]:
    """Return each minute of 28 hours before and after, what the clock shows then, and what it shows the first time.

    What it skips counts as shown at the change.
    """
    minute = timedelta(minutes=1)
    start = around - timedelta(hours=32)
    newest = start.astimezone(zone).replace(tzinfo=None)
    found = []
    for number in range(1, 60 * 60):
        at = start + number * minute
        wall = at.astimezone(zone).replace(tzinfo=None)
        found.append((at, wall, [newest + n * minute for n in range(1, (wall - newest) // minute + 1)]))
        newest = max(newest, wall)
    return found[240:]


ALL = set(range(60))
CLOCK_LINES: list[tuple[str, set[int], set[int]]] = [
    ("30 1 * * *", {1}, {30}),
    ("30 2 * * *", {2}, {30}),
    ("0 0 * * *", {0}, {0}),
    ("15,45 23,0 * * *", {0, 23}, {15, 45}),
    ("50 1-3 * * *", {1, 2, 3}, {50}),
    ("* * * * *", ALL, ALL),
    ("5 * * * *", ALL, {5}),
    ("0 */2 * * *", set(range(0, 24, 2)), {0}),
    ("*/15 23 * * *", {23}, {0, 15, 30, 45}),
    ("*/30 2-3 * * *", {2, 3}, {0, 30}),
]
DISTANCES = (-121, -31, -1, 0, 1, 30, 59, 61, 119)


def test_the_times_of_every_zone_whose_clocks_change_are_those_that_its_clocks_show() -> None:
    for zone, all_changes in effort.every(list(calendars().items())):
        for change in all_changes:
            shown = readings(ZoneInfo(zone), change)
            for cron, hours, minutes in CLOCK_LINES:
                every = cron.startswith("*") or cron.split()[1].startswith("*")
                times = [
                    at
                    for at, wall, new in shown
                    if any(time.hour in hours and time.minute in minutes for time in ([wall] if every else new))
                ]
                schedule = Schedule(cron=cron, time_zone=zone)
                for distance in DISTANCES:
                    now = change + timedelta(minutes=distance, seconds=distance % 2)
                    assert next_after(schedule, now) == min(time for time in times if time > now), (zone, cron, now)
                    assert newest_until(schedule, now) == max(time for time in times if time <= now), (zone, cron, now)


@given(LINES, st.deferred(lambda: st.sampled_from(sorted(calendars()))), st.data())
@settings(max_examples=effort.cases(300), deadline=None)
def test_the_next_time_is_after_now_whenever_a_schedule_is_looked_at(cron: str, zone: str, data: st.DataObject) -> None:
    change = data.draw(st.sampled_from(calendars()[zone]))
    now = change + timedelta(seconds=data.draw(st.integers(-100_000, 100_000)))
    line = {"cron": cron, "timeZone": zone}
    states = tracked(keep(line), now - timedelta(seconds=data.draw(st.integers(0, 200_000))))
    job = keep(line, status=states)
    for state in schedules.advance(job, schedules.track(job, now), now):
        assert state.last_scheduled_at <= now < state.next_scheduled_at


@given(LINES, ZONES, MOMENTS, st.lists(st.integers(0, 20_000), max_size=8))
@settings(max_examples=effort.cases(150))
def test_a_schedule_never_piles_up(cron: str, zone: str, now: datetime, gaps: list[int]) -> None:
    line = {"cron": cron, "timeZone": zone}
    states = tracked(keep(line), now)
    for gap in gaps:
        now += timedelta(minutes=gap)
        job = keep(line, status=states)
        current = schedules.track(job, now)
        honoured = schedules.advance(job, current, now)
        assert schedules.due(honoured, now) == []
        assert all(state.last_scheduled_at <= now < state.next_scheduled_at for state in honoured)
        states = [state.dump() for state in honoured]
