"""The year, told as it happens: months go by, somebody commits to Git, and all else is the operator's doing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.kubectl import Manifest, TimedOut, ticks

from . import overlay
from .calendar import FEED_ENDS, LEARNED, WHOLE, Act, Situation, due, played, time_of
from .facts import Chronicle, Seen, trainings
from .flights import partition
from .lake import METRIC, Lake
from .monitoring import Monitoring
from .offline import EXAMPLE
from .player import RATE, Player
from .replay import DELAY, SECONDS
from .timeline import Timeline

NAME = "flights"
DRIFT = "steadfit:drift_psi:weighted"
LOOK_SECONDS = 2.0
HALF = 0.5


@dataclass(frozen=True)
class World:
    """What the story is told with.

    Attributes
    ----------
    folder
        Where the manifests that are applied lie.
    training_image
        The training image by its digest.
    secret
        The store's keys, as a Secret of the example's namespace.
    image
        Image that has a Python with obstore and pyarrow, to play the months with.
    months
        How many months the year has.
    """

    lake: Lake
    monitoring: Monitoring
    folder: Path
    training_image: str
    secret: Manifest
    image: str
    months: int = WHOLE


@dataclass
class Year:
    """The story in the making.

    Attributes
    ----------
    applied_again
        What serves, and which runs there are, before and after the same manifests were applied again.
    drift
        Time of the year and weighted drift of what served, of enough flights.
    level
        The level of the drift monitor.
    """

    timeline: Timeline
    world: World
    chronicle: Chronicle = field(default_factory=Chronicle)
    done: dict[Act, float] = field(default_factory=dict)
    applied_again: dict[str, Any] = field(default_factory=dict)
    drift: list[tuple[float, float]] = field(default_factory=list)
    level: float = 0.0
    _landed: set[tuple[int, int]] = field(default_factory=set)
    _said: float = 0.0

    def tell(self) -> dict[str, Any]:
        """Tell the year and return the load generator's report.

        Raises
        ------
        TimedOut
            When the first version does not serve, or traffic does not go on.
        """
        kubectl, lake = self.timeline.kubectl, self.world.lake
        learned = " and ".join(lake.arrive(month) for month in LEARNED)
        self.timeline.note(f"{learned} are in the lake; applying {EXAMPLE}/ in demo time")
        kubectl.apply(EXAMPLE / "namespace.yaml")
        kubectl.apply(self.world.secret)
        kubectl.apply(overlay.write(self.world.folder, self.world.training_image))
        self._until_it_serves()
        months = played(self.world.months)
        lake.to_be_played(months[0])
        url = f"http://{NAME}.{NAME}.svc/v2/models/{NAME}/infer"
        player = Player.start(kubectl, self.world.image, url, months[0])
        self.timeline.note(f"load: {RATE} flights a second, a month in {SECONDS:.0f} s; outcomes {DELAY:.0f} s later")
        for _ in ticks((len(months) + 1) * SECONDS, interval=LOOK_SECONDS):
            now = time_of(player.state())
            self._let_time_pass(now, months, player)
            self._look(now)
            if now >= months[-1] + 1:
                return player.stop()
        raise TimedOut("the months do not go by")

    def _until_it_serves(self) -> None:
        for _ in ticks(420, interval=LOOK_SECONDS):
            self._look(LEARNED[-1] + 1)
            if any(step["name"] == "served" for step in self.timeline.steps):
                return
        raise TimedOut(f"version 1 does not serve: {self.timeline.kubectl.run('get', 'tj,tr,mv,mdep,pods')}")

    def _let_time_pass(self, now: float, months: range, player: Player) -> None:
        """Let each half of a month arrive in the lake when it is over, and let month follow month."""
        for month in months:
            for half in (0, 1):
                if now >= month + HALF * (half + 1) and (month, half) not in self._landed:
                    self._landed.add((month, half))
                    self.world.lake.arrive(month, half)
                    self.timeline.note(f"{partition(month)}, half {half + 1}, is over and in the lake")
                    if half == 0 and month + 1 in months:
                        self.world.lake.to_be_played(month + 1)
                        player.play(month + 1)

    def _look(self, now: float) -> None:
        """Tell what is new, and do what is due."""
        self.timeline.tell_events()
        seen = self._seen()
        if seen is None:
            return
        for fact in self.chronicle.news(seen):
            self.timeline.step(fact.name, fact.text, month=round(now, 2), **fact.detail)
        self._note_drift(now, seen)
        self._act(now, seen)

    def _note_drift(self, now: float, seen: Seen) -> None:
        monitor = next(each for each in seen.deployment["spec"]["monitors"] if "drift" in each)
        self.level = monitor["drift"]["max"]
        if seen.drift is None:
            return
        if seen.drift[1] >= monitor["minSamples"]:
            self.drift.append((now, seen.drift[0]))
        if self.timeline.elapsed() - self._said >= SECONDS / 3:
            self._said = self.timeline.elapsed()
            value, samples = seen.drift
            self.timeline.note(f"  month {now:.2f}: drift of what serves {value:.2f} ({samples:.0f} flights)")

    def _seen(self) -> Seen | None:
        kubectl = self.timeline.kubectl
        kinds = {each: kubectl.list(each) for each in ("trainingruns", "modelversions")}
        job, deployment, service = (kubectl.get(kind, NAME) for kind in ("trainingjob", "modeldeployment", "service"))
        if job is None or deployment is None:
            return None
        alerts = self.world.monitoring.alerts(namespace=NAME, model=NAME)
        return Seen(
            job,
            deployment,
            service or {},
            kinds["trainingruns"],
            kinds["modelversions"],
            alerts,
            self._drift(deployment),
        )

    def _drift(self, deployment: Manifest) -> tuple[float, float] | None:
        live = deployment.get("status", {}).get("live")
        if not live:
            return None
        labels = {"namespace": NAME, "model": NAME, "version": str(live["number"]), "window": overlay.WINDOW}
        value = self.world.monitoring.value(DRIFT, **labels)
        samples = self.world.monitoring.value("steadfit:predictions_count", **labels)
        return None if value is None or samples is None else (value, samples)

    def _act(self, now: float, seen: Seen) -> None:
        status = seen.deployment.get("status", {})
        situation = Situation(now, _idle(seen), bool(status.get("quarantine")), self.done)
        act = due(situation)
        if self.applied_again and "after" not in self.applied_again and act == "revert":
            self.applied_again["after"] = _standing(seen)
        if act is None:
            return
        self.done[act] = now
        if act == "commit":
            for month in range(LEARNED[0], FEED_ENDS + 1):
                self.world.lake.arrive_in_celsius(month)
            self.timeline.note(f"Git: learn from s3://lake/{METRIC}/, the feed with metric units, instead")
            self._apply(f"s3://lake/{METRIC}/")
        elif act == "apply again":
            self.applied_again = {"month": round(now, 2), "before": _standing(seen)}
            self.timeline.note("Git: the same manifests are applied again")
            self._apply(f"s3://lake/{METRIC}/")
        else:
            self.timeline.note("Git: that commit is reverted")
            self._apply(None)

    def _apply(self, data: str | None) -> None:
        self.timeline.kubectl.apply(overlay.write(self.world.folder, self.world.training_image, data))


def _idle(seen: Seen) -> bool:
    unjudged = any(not version.get("status", {}).get("phase") for version in seen.versions)
    under_way = seen.job.get("status", {}).get("activeRun") or seen.deployment.get("status", {}).get("candidate")
    return not unjudged and not under_way


def _standing(seen: Seen) -> dict[str, Any]:
    """Return what serves and which trainings there were."""
    live = seen.deployment["status"]["live"]
    return {
        "live": {each: live[each] for each in ("version", "revision", "digest")},
        "runs": [run["metadata"]["uid"] for run in trainings(seen.runs)],
    }
