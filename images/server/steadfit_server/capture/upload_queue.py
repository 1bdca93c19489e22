"""The queue of parts to upload: a failed upload is retried for some minutes, and then the part is lost.

A restart of the store, or a network that is down for a minute, should lose no rows; a long outage must not fill the
memory of this process. So each part is retried until some minutes after its creation, and the caller bounds what waits.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

LOG = logging.getLogger(__name__)

# Long enough for a store to be restarted elsewhere.
GIVE_UP_SECONDS = 300.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


class ObjectWriter(Protocol):
    """A store that parts are written to."""

    def put(self, uri: str, content: bytes) -> None:
        """Write an object; to write the same one again changes nothing."""


@dataclass(frozen=True)
class Part:
    """An object to upload.

    Attributes
    ----------
    uri : str
        URI of the object.
    content : bytes
        Bytes of the object.
    rows : int
        Number of its rows.
    size : int
        Size that its rows were counted with while they waited, in bytes.
    made : float
        Time of its creation, by the monotonic clock.
    """

    uri: str
    content: bytes
    rows: int
    size: int
    made: float = field(default_factory=time.monotonic)


class UploadQueue:
    """Uploads parts in the order of their creation; not thread-safe.

    Parameters
    ----------
    connect : Callable[[], ObjectWriter]
        Opens the store; called again after every failure, because keys and certificates may have changed.
    done : Callable[[Part, str | None], None]
        Called with each part that was uploaded or lost, and with the reason if it was lost.
    give_up_seconds : float, default GIVE_UP_SECONDS
        Time for which a part is retried, in seconds.
    pause : float, default FIRST_PAUSE_SECONDS
        Time before the first retry, in seconds; doubles up to half a minute.

    Attributes
    ----------
    due : float
        Time of the next call of `send`, by the monotonic clock; infinite if nothing waits.
    """

    def __init__(
        self,
        connect: Callable[[], ObjectWriter],
        done: Callable[[Part, str | None], None],
        give_up_seconds: float = GIVE_UP_SECONDS,
        pause: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        self._connect = connect
        self._done = done
        self._give_up_seconds = give_up_seconds
        self._first_pause = self._pause = pause
        self._parts: deque[Part] = deque()
        self._store: ObjectWriter | None = None
        self._complained = False
        self.due = float("inf")

    def add(self, part: Part) -> None:
        """Append a part to the queue."""
        if not self._parts:
            self.due = time.monotonic()
        self._parts.append(part)

    def send(self, *, last: bool = False) -> None:
        """Upload the waiting parts until one fails; with `last`, try each part once and lose those that fail."""
        while self._parts:
            part, failure = self._parts[0], self._try(self._parts[0])
            if failure is not None and not last and time.monotonic() - part.made < self._give_up_seconds:
                self.due = time.monotonic() + self._pause
                self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
                return
            self._parts.popleft()
            self._done(part, failure)
        self.due = float("inf")

    def _try(self, part: Part) -> str | None:
        """Upload a part; return the reason if it failed, and log only the first of a series of failures."""
        try:
            if self._store is None:
                self._store = self._connect()
            self._store.put(part.uri, part.content)
        except Exception as error:
            self._store = None
            failure = f"captured rows can't be written: {error}"
            if not self._complained:
                LOG.warning("%s", failure, extra={"fields": {"tried_for_seconds": self._give_up_seconds}})
            self._complained = True
            return failure
        self._complained, self._pause = False, self._first_pause
        return None
