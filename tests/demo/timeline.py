"""What the demo shows while it runs: a line for each step, and the operator's own Events between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.support.kubectl import Kubectl, Manifest, TimedOut, ticks

GROUP = "steadfit.dev/"


@dataclass
class Timeline:
    """The story as it happens.

    Attributes
    ----------
    steps
        What the report lists: `{"name", "at", "detail"}`, times in RFC 3339.
    """

    kubectl: Kubectl
    started: float = field(default_factory=time.monotonic)
    steps: list[dict[str, Any]] = field(default_factory=list)
    _seen: set[tuple[str, int]] = field(default_factory=set)

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.started

    def note(self, text: str) -> None:
        """Print one line with the time since the start."""
        minutes, seconds = divmod(int(self.elapsed()), 60)
        print(f"  {minutes:02d}:{seconds:02d}  {text}", flush=True)

    def step(self, name: str, text: str, **detail: Any) -> None:
        """Record one step of the report and print it."""
        self.steps.append({"name": name, "at": datetime.now(UTC).isoformat(timespec="seconds"), "detail": detail})
        self.note(f"\033[1m{name:<11}\033[0m {text}")

    def until(self, kind: str, name: str, done: Callable[[Manifest], object], *, timeout: float, what: str) -> Manifest:
        """Wait until `done` is true of an object, telling meanwhile what the operator says.

        Raises
        ------
        TimedOut
            After `timeout` seconds, with the object's last status.
        """
        last: Manifest | None = None
        for _ in ticks(timeout, interval=1.0):
            self.tell_events()
            last = self.kubectl.get(kind, name)
            if last is not None and done(last):
                self.tell_events()
                return last
        raise TimedOut(f"{what}: {kind}/{name} after {timeout:.0f} s is {(last or {}).get('status')}")

    def tell_events(self) -> None:
        """Print the operator's Events that were not told yet."""
        for event in sorted(self.kubectl.list("events.events.k8s.io"), key=_when):
            count = event.get("series", {}).get("count", 1)
            key = (event["metadata"]["uid"], count)
            regarding = event.get("regarding", {})
            if key in self._seen or not regarding.get("apiVersion", "").startswith(GROUP):
                continue
            self._seen.add(key)
            about = f"{regarding['kind']}/{regarding['name']}"
            self.note(f"  {event['reason']:<18} {about:<42} {event.get('note', '')}")


def _when(event: Manifest) -> str:
    when: str = event.get("eventTime") or event["metadata"]["creationTimestamp"]
    return when
