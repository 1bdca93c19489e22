"""The reader: while a candidate takes traffic it reads the tallies of both arms' pods. Only the leader runs it.

It reads every second. With many trials at once it does so in the first five minutes of a step, when a new version or a
larger share breaks something, and every 15 s after that. Seconds are read once they are closed, so the pace changes
when a verdict comes and not what it says. Each trial is read by a task of its own: a pod that does not answer delays no
other trial.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol

from steadfit.core.serving.evidence.voices import RENEWAL
from steadfit.kube.cache import JSONObject
from steadfit.kube.clock import Clock
from steadfit.prometheus.canary_results import ComparisonResults
from steadfit.prometheus.canary_trial import Trial

from .answer import Answer, NoTallies
from .client import AT_ONCE
from .pairing import Pairing
from .pods import ServerPod, pods_of
from .trial_evidence import TrialEvidence, counted

logger = logging.getLogger(__name__)

FAST_SECONDS = 300.0
"""Time since the begin of a step in which the pods are read every second, however many trials there are."""
MOST_FAST = 25
"""Trials that are read every second at any time; those of four pods take less than a tenth of a processor."""
SLOW_INTERVAL = 15.0
FOREIGN_INTERVAL = 60.0
"""Time between two reads of an arm that has no tallies and never had any."""
AFTER_THE_SECOND = 0.1
"""When a second is read, in seconds after its end: the servers have closed it by then."""
MOST_SKEW = 0.5
"""Largest difference of a pod's clock from the median of all and the operator's, in seconds. What befalls both arms at
once would look like a harm if their seconds were not the same."""
MOST_LAG = 3.0
"""Time in which a server closes a second; one that does not has an event loop that is stuck."""
FRESH_SECONDS = 45.0
"""Time without a complete second after which the comparison is that of the MetricSource again."""
MOST_READS = 4
"""Reads in a row of a pod whose answer was cut."""
ANSWERED, SILENT, NONE = "Answered", "Silent", "NoTallies"


class Discovery(Protocol):
    """Lists what there is to read; the engine's cache implements it."""

    def trials(self) -> Sequence[Trial]:
        """Return the candidates that take traffic beside a champion."""

    def server_pods(self, namespace: str, name: str) -> Sequence[JSONObject]:
        """Return the pods of a ModelDeployment's servers."""


class Client(Protocol):
    """Reads one pod."""

    async def read(self, pod: ServerPod, since: int, *, comparing: bool = True) -> Answer:
        """Return the closed seconds of a pod after one, or raise NoTallies."""

    async def close(self) -> None:
        """Close its connections."""


@dataclass(frozen=True, slots=True)
class TalliesStatistics:
    """Counts of reads, and how far the comparisons are behind."""

    reads: Mapping[str, int]
    """Reads by result: `Answered`, `Silent` for no answer, `NoTallies` for another server."""
    trials: int
    """Trials that are read."""
    behind_seconds: float
    """Largest time since the last complete second of a trial that has one."""


@dataclass(frozen=True, slots=True)
class _Read:
    """The answers of one pod in one round.

    Attributes
    ----------
    least, most
        By how many seconds its clock is ahead of the operator's: it was read between the request and the answer.
    """

    answers: Sequence[Answer]
    least: float
    most: float

    @property
    def ahead(self) -> float:
        """The middle of both."""
        return (self.least + self.most) / 2


_Found = _Read | NoTallies


@dataclass(slots=True)
class _Reading:
    """The state of one trial."""

    trial: Trial
    pairing: Pairing
    evidence: TrialEvidence
    begun: float
    due: float = 0.0
    fresh_at: float | None = None
    task: asyncio.Task[None] | None = None
    bounds: tuple[float, ...] = ()
    """Bounds of the champion's buckets, which the candidate's have to be."""
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


class TalliesReader:
    """Reads the pods of every trial and stores the comparisons."""

    def __init__(
        self, discovery: Discovery, comparisons: ComparisonResults, connect: Callable[[], Client], clock: Clock
    ) -> None:
        self._discovery = discovery
        self._comparisons = comparisons
        self._connect = connect
        self._clock = clock
        self._readings: dict[tuple[object, ...], _Reading] = {}
        self._reads: Counter[str] = Counter()

    def statistics(self) -> TalliesStatistics:
        """Return the counts so far, and how far the comparisons are behind."""
        now = self._clock.now().timestamp()
        behind = [now - each.pairing.complete for each in self._readings.values() if each.fresh_at is not None]
        return TalliesStatistics(dict(self._reads), len(self._readings), max(behind, default=0.0))

    async def run(self) -> None:
        """Read until cancelled."""
        client = self._connect()
        try:
            while True:
                try:
                    self.sweep(client)
                except Exception:
                    logger.exception("looking for candidates to read failed")
                await asyncio.sleep(1.0 - (self._clock.now().timestamp() - AFTER_THE_SECOND) % 1.0)
        finally:
            tasks = [reading.task for reading in self._readings.values() if reading.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await client.close()

    def sweep(self, client: Client) -> None:
        """Begin a read of every trial that is due; forget the trials that have ended."""
        now = asyncio.get_running_loop().time()
        trials = {_identity(trial): trial for trial in self._discovery.trials() if _is_counted(trial)}
        for gone in self._readings.keys() - trials.keys():
            task = self._readings.pop(gone).task
            if task is not None:
                task.cancel()
        for identity, trial in trials.items():
            reading = self._readings.get(identity) or self._readings.setdefault(identity, _begin(trial, now))
            if (trial.step_since, trial.analysis) != (reading.trial.step_since, reading.trial.analysis):
                reading.due = now
            reading.trial = trial
            if now >= reading.due and (reading.task is None or reading.task.done()):
                reading.task = asyncio.create_task(self._read(reading, client))

    async def _read(self, reading: _Reading, client: Client) -> None:
        try:
            await self.read(reading, client)
        except Exception:
            # An error with one trial must not end the process or the reads of others.
            logger.exception("reading the servers of %s/%s failed", reading.trial.namespace, reading.trial.name)

    async def read(self, reading: _Reading, client: Client) -> None:
        """Read all pods of a trial once, and store its comparisons."""
        trial, pairing = reading.trial, reading.pairing
        pods = pods_of(trial, self._discovery.server_pods(trial.namespace, trial.name))
        pairing.keep_only({pod.uid: pod.revision for pod in pods})
        # The other arm would end its connections sooner for a comparison that never comes.
        foreign = [arm for arm in (trial.revision, trial.champion_revision) if pairing.is_foreign(arm)]
        asked = [pod for pod in pods if pod.revision in foreign] or pods
        found = await asyncio.gather(*(self._read_pod(pod, reading, client, comparing=not foreign) for pod in asked))
        self._take(reading, asked, found)
        now, complete = asyncio.get_running_loop().time(), pairing.complete
        for second in pairing.seconds():
            reading.evidence.add(trial, reading.bounds, second)
        reading.due = now + self._pause(reading)
        # The plan may have moved on meanwhile: what was read counts for the trial as it is now.
        trial = reading.trial
        if pairing.complete > complete:
            reading.fresh_at = now
        if now - (reading.begun if reading.fresh_at is None else reading.fresh_at) > FRESH_SECONDS:
            self._comparisons.record_fallback(trial, self._fallback(reading))
        elif reading.fresh_at is not None:
            self._comparisons.record_by_connection(trial, reading.evidence.compared(trial, pairing.complete), now)
        elif problem := self._foreign(reading):
            self._comparisons.record_fallback(trial, problem)

    async def _read_pod(self, pod: ServerPod, reading: _Reading, client: Client, *, comparing: bool) -> _Found:
        """Return the answers of a pod, which are several if one would be too large, or why it has none."""
        answers: list[Answer] = []
        since = reading.pairing.since(pod.uid)
        for _ in range(MOST_READS):
            try:
                async with reading.slots:
                    asked = self._clock.now().timestamp()
                    answer = await client.read(pod, since, comparing=comparing)
            except NoTallies as error:
                return error
            answers.append(answer)
            since = answer.closed
            if answer.closed == answer.latest:
                break
        return _Read(answers, answer.time - self._clock.now().timestamp(), answer.time - asked)

    def _take(self, reading: _Reading, pods: Sequence[ServerPod], found: Sequence[_Found]) -> None:
        """Give the answers of one round to the pairing, but for those of wrong clocks or other buckets."""
        ahead = median([0.0, *(each.ahead for each in found if isinstance(each, _Read))])
        # The champion's buckets are what the candidate's have to be.
        arms = sorted(zip(pods, found, strict=True), key=lambda arm: arm[0].revision == reading.trial.revision)
        for pod, each in arms:
            problem = each if isinstance(each, NoTallies) else _problem(each, ahead) or _other_buckets(each, reading)
            if problem is not None:
                self._reads[SILENT if problem.silent else NONE] += 1
                reading.pairing.failed(pod.uid, problem)
            elif isinstance(each, _Read):
                self._reads[ANSWERED] += len(each.answers)
                for answer in each.answers:
                    reading.bounds = answer.bounds
                    reading.pairing.answered(pod.uid, answer)

    def _pause(self, reading: _Reading) -> float:
        """Return how long after a read the next one is due."""
        trial, pairing = reading.trial, reading.pairing
        if reading.fresh_at is None and any(map(pairing.is_foreign, (trial.revision, trial.champion_revision))):
            return FOREIGN_INTERVAL - 0.5
        return 0.0 if self._is_fast(trial) or pairing.waits else SLOW_INTERVAL - 0.5

    def _is_fast(self, trial: Trial) -> bool:
        if trial.step_since is None or len(self._readings) <= MOST_FAST:
            return True
        return (self._clock.now() - trial.step_since).total_seconds() < FAST_SECONDS

    def _foreign(self, reading: _Reading) -> str:
        """Return why an arm has no tallies, when all of its pods have said so; empty while one may have some."""
        trial = reading.trial
        problems = [reading.pairing.problem(revision) for revision in (trial.revision, trial.champion_revision)]
        return self._fallback(reading) if any(problems) else ""

    @staticmethod
    def _fallback(reading: _Reading) -> str:
        trial = reading.trial
        for revision, who in ((trial.revision, "candidate"), (trial.champion_revision, "champion")):
            problem = reading.pairing.problem(revision)
            if problem:
                return f"by time slices from Prometheus, as a pod of the {who} {problem}"
        return "by time slices from Prometheus, as no pods of both count by connection"


def _problem(read: _Read, ahead: float) -> NoTallies | None:
    """Return why answers do not count; None if they do. `ahead` is the median of the clocks."""
    last = read.answers[-1]
    if not read.least - MOST_SKEW <= ahead <= read.most + MOST_SKEW:
        return NoTallies("has a clock that differs from those of the other pods", silent=True)
    if last.time - last.latest - 1 > MOST_LAG:
        return NoTallies("has not closed a second for some seconds", silent=True)
    return None


def _other_buckets(read: _Read, reading: _Reading) -> NoTallies | None:
    """Return why latencies of two pods cannot be compared; None if they can. The rows have numbers of buckets."""
    if all(answer.bounds == (reading.bounds or answer.bounds) for answer in read.answers):
        return None
    return NoTallies("counts latencies by other buckets than the pods of the other version")


def _begin(trial: Trial, now: float) -> _Reading:
    first = math.ceil(trial.since.timestamp())
    pairing = Pairing(trial.revision, trial.champion_revision, first - RENEWAL)
    return _Reading(trial, pairing, TrialEvidence(first), now)


def _identity(trial: Trial) -> tuple[object, ...]:
    return trial.namespace, trial.name, trial.revision, trial.champion_revision, trial.since


def _is_counted(trial: Trial) -> bool:
    return any(map(counted, trial.analysis.metrics))
