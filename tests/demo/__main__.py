"""`make demo`: a year on a real cluster, told as it happens, with a report that can be checked and a picture of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.kubectl import Kubectl, KubectlError, Manifest, TimedOut, ticks

from . import closing, ending, story
from .calendar import WHOLE, played
from .facts import missing
from .lake import Lake
from .monitoring import Monitoring
from .timeline import Timeline

OUTPUT = Path("build/demo")
RIVALS = OUTPUT / "rivals"
FORGOTTEN_SECONDS = 330


def main() -> int:
    """Run the demo; 0 when it kept all that it promises."""
    images: dict[str, str] = json.loads(Path(os.environ["STEADFIT_IMAGES"]).read_text())
    months = int(os.environ.get("MONTHS") or WHOLE)
    played(months)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    timeline = Timeline(Kubectl(story.NAME))
    lake = Lake.from_environment()
    monitoring = Monitoring.from_environment()
    print("\nSteadfit: a model that is trained, recorded and served, and a world that moves away from it")
    print(f"A year of flights{'' if months == WHOLE else f', its first {months} months'}\n")
    _clean(timeline, lake, monitoring)
    # At the lowest priority: it has a quarter of an hour for a minute of work.
    rivals = subprocess.Popen(["nice", "-n", "19", sys.executable, "-m", "tests.demo.rivals", str(RIVALS), str(months)])
    world = story.World(
        lake, monitoring, OUTPUT / "overlay", images["flights-train"], _secret(), images["trainer"], months
    )
    year = story.Year(timeline, world)
    try:
        load = year.tell()
    except (TimedOut, KubectlError, OSError) as problem:
        rivals.kill()
        _keep(timeline, monitoring)
        print(f"\nThe demo stopped: {problem}", file=sys.stderr)
        return 1
    if rivals.wait() != 0:
        print("\nThe models to compare with could not be trained.", file=sys.stderr)
        return 1
    _keep(timeline, monitoring)
    print(ending.lineage(timeline.kubectl, story.NAME))
    closed = closing.close(year, RIVALS, OUTPUT)
    report = ending.report(OUTPUT / "report.json", timeline.steps, load, months=months, **closed)
    return _tell(report, load, months)


def _tell(report: dict[str, Any], load: dict[str, Any], months: int) -> int:
    """Print what came of it; return 1 when a promise was broken."""
    wrong = list(report["shortfalls"])
    if report["failedRequests"]:
        wrong.append(f"{report['failedRequests']} requests failed")
        print(f"\nWhat the load generator saw: {json.dumps(load)}", file=sys.stderr)
    if months == WHOLE:
        if report["requests"] < closing.FEWEST_REQUESTS:
            wrong.append(f"there were only {report['requests']} requests")
        wrong += [
            f"the step {name} did not come, or not in its place"
            for name in missing([s["name"] for s in report["steps"]])
        ]
    auc, runs = report["year"]["auc"], report["year"]["runs"]
    print(f"\n{report['requests']} requests, {report['failedRequests']} failed. Mean AUC: {auc}; runs: {runs}.")
    print(f"The report, the objects and the picture (year.html) are in {OUTPUT}/.")
    if months < WHOLE:
        print(f"These were {months} months: only what happens in them was shown and asked for.")
    print('Where to look next: eval "$(make -s env)"; kubectl -n flights describe mdep flights; docs/reading-status.md')
    for each in wrong:
        print(f"NOT KEPT: {each}", file=sys.stderr)
    return 1 if wrong else 0


def _keep(timeline: Timeline, monitoring: Monitoring) -> None:
    """Show what there is at the end, and write it down."""
    ending.show(timeline.kubectl)
    ending.dump(timeline.kubectl, OUTPUT / "objects.json")
    monitoring.write(OUTPUT / "alerts.json")


def _clean(timeline: Timeline, lake: Lake, monitoring: Monitoring) -> None:
    """Take away what an earlier demo left, so that the story begins in January.

    An alert that fired when its rule went is never told to be over: Alertmanager forgets it after four minutes.

    Raises
    ------
    TimedOut
        When it does not.
    """
    if Kubectl().get("namespace", story.NAME):
        timeline.note("removing what an earlier demo left")
        Kubectl().run("delete", "namespace", story.NAME, "--wait", "--timeout=120s")
    lake.clear()
    if monitoring.alerts(namespace=story.NAME):
        timeline.note("waiting until Alertmanager has forgotten the earlier demo's alerts")
        for _ in ticks(FORGOTTEN_SECONDS, interval=3.0):
            if not monitoring.alerts(namespace=story.NAME):
                return
        raise TimedOut(f"an alert of an earlier demo still fires after {FORGOTTEN_SECONDS} s")


def _secret() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "store-credentials", "namespace": story.NAME},
        "stringData": {
            "AWS_ACCESS_KEY_ID": os.environ["STEADFIT_STORE_ACCESS_KEY_ID"],
            "AWS_SECRET_ACCESS_KEY": os.environ["STEADFIT_STORE_SECRET_ACCESS_KEY"],
        },
    }


if __name__ == "__main__":
    sys.exit(main())
