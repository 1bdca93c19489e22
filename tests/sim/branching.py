"""One play of a story, and a copy of it for each write at which the operator is hit.

Up to that write the copy is the same play, so the copy is a fork of the process that plays it: it starts at the write,
with the whole simulation as it stands there, instead of at the beginning.
"""

from __future__ import annotations

import asyncio
import os
import select
import traceback
from collections.abc import Callable, Sequence

from .client import CrashPlan, Interruption, Write
from .harness import Outcome, play
from .parallel import processes
from .scenarios import Scenario
from .simulated_cluster import Conditions

Target = tuple[int, Interruption]
"""The number of a write, and how the operator is hit there."""

LONGEST_ANSWER = 16_000
"""Bytes of what a copy says; a pipe takes so many before anybody reads it."""


def failures_of_hits(
    story: Scenario, targets: Sequence[Target], judge: Callable[[Outcome], str | None] = lambda _: None, seed: int = 1
) -> list[tuple[Target, str]]:
    """Play what `hit` plays, for each target; return those that fail, with what is wrong, in their order.

    `judge` returns what is wrong with the end of a copy that came to its end.
    """
    branches = _Branches(sorted(targets, key=lambda target: target[0]))
    text = "the copy did not come to its end"
    try:
        text = _play(story, branches.plan, judge, seed)
    except Exception:
        text = traceback.format_exc()
    finally:
        if branches.copied:
            branches.answer(text)
    found = {**branches.answers(), branches.target: text}
    return [(target, sentence) for target in targets if (sentence := found.get(target, _NOT_REACHED))]


_NOT_REACHED = "nothing happened: the trace is not the reference's"


def _play(story: Scenario, plan: CrashPlan, judge: Callable[[Outcome], str | None], seed: int) -> str:
    try:
        outcome = play(story, Conditions(crash=plan), seed, restart=False)
    except AssertionError as error:
        return str(error) or repr(error)
    if not outcome.crashes:
        return _NOT_REACHED
    return judge(outcome) or ""


class _Branches:
    """The copies of the play in this process. The last target needs no copy: the play itself is hit there."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.plan = CrashPlan(self._is_hit)
        self.target = targets[-1]
        self.copied = False
        """Whether this process is a copy."""
        self._left = list(targets)
        self._running: dict[int, tuple[int, Target]] = {}
        # By the pipe on which the copy tells how it ended.
        self._answers: dict[Target, str] = {}
        self._to_the_play = -1

    def answer(self, text: str) -> None:
        """Tell the play how this copy ended, and end the process: what else it holds is the play's."""
        os.write(self._to_the_play, text.encode()[:LONGEST_ANSWER])
        os._exit(0)

    def answers(self) -> dict[Target, str]:
        """Wait for all copies; return what each says, nothing if it ended well."""
        while self._running:
            self._wait_for_one()
        return self._answers

    def _is_hit(self, write: Write) -> bool:
        while self._left and self._left[0][0] == write.number:
            target = self._left.pop(0)
            if not self._left or self._fork(target):
                self.target, self.plan.interruption = target, target[1]
                return True
        return False

    def _fork(self, target: Target) -> bool:
        """Fork a copy for a target; return True in the copy."""
        while len(self._running) >= processes():
            self._wait_for_one()
        loop = asyncio.get_running_loop()
        from_the_copy, to_the_play = os.pipe()
        pid = os.fork()
        if pid:
            os.close(to_the_play)
            self._running[from_the_copy] = pid, target
            return False
        # asyncio forgets in a forked process that its loop runs.
        asyncio._set_running_loop(loop)
        self.copied, self._to_the_play = True, to_the_play
        self._left.clear()
        self._running.clear()
        return True

    def _wait_for_one(self) -> None:
        readable, _, _ = select.select(list(self._running), [], [])
        pid, target = self._running.pop(readable[0])
        with os.fdopen(readable[0], "rb") as pipe:
            text = pipe.read().decode(errors="replace")
        _, status = os.waitpid(pid, 0)
        self._answers[target] = text if status == 0 else f"the copy ended with wait status {status}: {text}"
