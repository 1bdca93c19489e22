"""Times of a schedule: a cron line in a time zone, also across changes to and from summer time.

Lines are read as Debian's cron reads them: a time that the clock skips is due right after the change, and one that
occurs twice is due once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from steadfit.api.trainingjob import Schedule

_FIELDS = 5
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def problem(schedule: Schedule) -> str | None:
    """Return what is wrong with a schedule, in a sentence, or None."""
    try:
        ZoneInfo(schedule.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"{schedule.time_zone!r} is not a time zone of the IANA database, for example UTC or Europe/Berlin"
    if len(schedule.cron.split()) != _FIELDS:
        return (
            f"the cron line {schedule.cron!r} must have five fields: minute, hour, day of month, month, day of week;"
            " for example '0 3 * * 1'"
        )
    try:
        next_after(schedule, _EPOCH)
    except CronSimError as error:
        field = str(error).removeprefix("Bad ")
        return f"the cron line {schedule.cron!r} has no time: its {field} is out of range, or never occurs"
    except StopIteration:
        return f"the cron line {schedule.cron!r} has no time: no date matches it in 50 years"
    return None


def next_after(schedule: Schedule, after: datetime) -> datetime:
    """Return the first time of a valid schedule after `after`, in UTC."""
    zone = ZoneInfo(schedule.time_zone)
    next_of = _next_running if _runs_on(schedule.cron) else _next_fixed
    return next_of(schedule.cron, zone, after.astimezone(UTC).replace(microsecond=0))


def newest_until(schedule: Schedule, now: datetime) -> datetime:
    """Return the newest time of a valid schedule that is not after `now`, in UTC."""
    minute = timedelta(minutes=1)
    back = minute
    while next_after(schedule, now - back) > now:
        back *= 2
    # The newest time is the first moment whose next time is after `now`. The library's own search backwards misses
    # times while the clock shows an hour again.
    early, late = now - back, now
    while late - early > minute:
        middle = early + (late - early) / 2
        if next_after(schedule, middle) > now:
            late = middle
        else:
            early = middle
    return next_after(schedule, early)


def _runs_on(line: str) -> bool:
    """Return whether a line counts minutes or hours that pass, and not times of day: one of both starts with `*`."""
    minute, hour, *_ = line.split()
    return minute.startswith("*") or hour.startswith("*")


def _next_fixed(line: str, zone: ZoneInfo, after: datetime) -> datetime:
    """Return the first time of day after `after`: the first of two, and for a skipped one the change of the clock."""
    # The library gets times without a zone, as a clock on the wall shows them.
    for wall in CronSim(line, _wall(zone, after)):
        due = wall.replace(tzinfo=zone).astimezone(UTC)
        if _wall(zone, due) != wall:
            due = _change(zone, due - timedelta(days=1), due) or due
        if due > after:
            return due
    raise StopIteration


def _next_running(line: str, zone: ZoneInfo, after: datetime) -> datetime:
    """Return the first time after `after` at which the wall clock matches the line, however often it shows it."""
    start = change = after
    while True:
        offset = _offset(zone, change)
        wall = next(CronSim(line, (start + offset).replace(tzinfo=None)))
        due = (wall - offset).replace(tzinfo=UTC)
        changed = _change(zone, change, due)
        if changed is None:
            return due
        # The clock shows other times from this change on, and may show the change itself as one that is due.
        start, change = changed - timedelta(seconds=1), changed


def _change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """Return when the clock changes first after `start` and not after `end`, to the second."""
    day, second = timedelta(days=1), timedelta(seconds=1)
    while start < end:
        late = min(start + day, end)
        if _offset(zone, late) == _offset(zone, start):
            start = late
            continue
        while late - start > second:
            middle = start + (late - start) // second // 2 * second
            if _offset(zone, middle) == _offset(zone, start):
                start = middle
            else:
                late = middle
        return late
    return None


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _wall(zone: ZoneInfo, at: datetime) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)
