"""Parts on their way to the store: what it refuses is tried again for a while, and only then lost.

A store that restarts, or a network that was cut for a minute, should cost no rows; one that is away for long may not
fill this process. So a part has some minutes, counted from when it was made, and whoever makes parts bounds what waits.
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
    """What takes parts."""

    def put(self, uri: str, content: bytes) -> None:
        """Write an object; writing the same one again changes nothing."""


@dataclass(frozen=True)
class Part:
    """What is to lie at one URI.

    Attributes
    ----------
    uri : str
        Where.
    content : bytes
        Of the object.
    rows : int
        That are in it.
    size : int
        What it was counted as while its rows were waiting.
    made : float
        When, by the monotonic clock.
    """

    uri: str
    content: bytes
    rows: int
    size: int
    made: float = field(default_factory=time.monotonic)


class UploadQueue:
    """Hands parts to the store in the order they were made; not for several threads at once.

    Parameters
    ----------
    connect : Callable[[], ObjectWriter]
        Opens the store; called again after every failure, because keys and certificates may be others by then.
    done : Callable[[Part, str | None], None]
        Is told of every part that leaves, and why it is lost, if it is.
    give_up_seconds : float, default GIVE_UP_SECONDS
        Seconds that a part is tried for.
    pause : float, default FIRST_PAUSE_SECONDS
        Seconds between a refusal and the next try; doubles up to half a minute.

    Attributes
    ----------
    due : float
        When to call `send` again, by the monotonic clock; infinite when nothing waits.
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
        """Let a part wait for its turn."""
        if not self._parts:
            self.due = time.monotonic()
        self._parts.append(part)

    def send(self, *, last: bool = False) -> None:
        """Hand over what waits, until the store refuses; `last` tries each part once and gives it up."""
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
        """Return why the store did not take a part; the log has the first of a series."""
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
