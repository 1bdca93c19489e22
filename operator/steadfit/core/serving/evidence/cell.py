"""What one voice said within one second."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """Requests of one voice that were answered within one second by one arm.

    Attributes
    ----------
    second
        The second, in Unix time.
    voice
        Connection, or group of connections, whose requests are not independent: the pod's server id and the group.
        Two cells of one voice and second are copies of each other, and the second one is ignored.
    requests
        Number of requests.
    bad
        How many of them failed, or were late.
    """

    second: int
    voice: str
    requests: int
    bad: int
