"""Times of a schedule: a cron line in a time zone, also across changes to and from summer time.

Lines are read as Debian's cron reads them: a time that the clock skips is due right after the change, and one that
occurs twice is due once.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    # In the hour that occurs twice the library may return the first of the two, which has passed.
    return next(time for time in _times(schedule, after) if time > after)


def newest_until(schedule: Schedule, now: datetime) -> datetime:
    """Return the newest time of a valid schedule that is not after `now`, in UTC."""
    return next(time for time in _times(schedule, now + timedelta(seconds=1), reverse=True) if time <= now)


def _times(schedule: Schedule, start: datetime, *, reverse: bool = False) -> Iterator[datetime]:
    local = start.astimezone(ZoneInfo(schedule.time_zone))
    for time in CronSim(schedule.cron, local, reverse=reverse):
        yield time.astimezone(UTC)
