"""The groups of connections whose requests are counted together.

Each connection is in one group for its life. While few connections are counted at once, each has a group of its own,
with a number that no other connection gets; then they share groups in turn. A group of several connections is still one
cluster, so a variance between groups stays valid.
"""

from collections.abc import Iterable

# Most groups at once: with 120 seconds there are at most 7,680 rows.
MAX_GROUPS = 64


class Voice:
    """One connection; its group is chosen when its first request is counted."""

    __slots__ = ("group", "has_left")

    def __init__(self) -> None:
        self.group: int | None = None
        self.has_left = False


class Voices:
    """Chooses the group of each connection.

    A group is in use while one of its connections is open, or a request of it is counted in the present second.
    """

    def __init__(self) -> None:
        self._uses: dict[int, int] = {}
        self._next = 0
        self._turn: list[int] = []

    def group_of(self, voice: Voice) -> int:
        """Return the group of a connection.

        One that has left, and whose group is not in use any more, gets another group for its last answer.
        """
        group = voice.group
        if group is None or group not in self._uses:
            group = voice.group = self._choose()
            # A client may have gone before its answer: its group is in use for this second only.
            self._uses[group] = self._uses.get(group, 0) + (not voice.has_left)
        return group

    def counted(self, group: int) -> None:
        """Note the first request of a group in the present second."""
        self._uses[group] += 1

    def closed(self, groups: Iterable[int]) -> None:
        """Note the end of a second in which these groups had requests."""
        for group in groups:
            self._release(group)

    def left(self, voice: Voice) -> None:
        """Note the end of a connection."""
        voice.has_left = True
        if voice.group is not None and voice.group in self._uses:
            self._release(voice.group)

    def _release(self, group: int) -> None:
        if self._uses[group] == 1:
            del self._uses[group]
        else:
            self._uses[group] -= 1

    def _choose(self) -> int:
        if len(self._uses) < MAX_GROUPS:
            self._next += 1
            return self._next
        while True:
            if not self._turn:
                self._turn = list(self._uses)
            group = self._turn.pop()
            if group in self._uses:
                return group
