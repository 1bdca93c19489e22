"""`make demo`: the main job on a real cluster, told as it happens, with a report that can be checked."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.support.kubectl import Kubectl, KubectlError, Manifest, TimedOut, ticks

from . import ending, overlay, story
from .lake import Lake
from .monitoring import Monitoring
from .timeline import Timeline

OUTPUT = Path("build/demo")
FEWEST_REQUESTS = 30_000
FORGOTTEN_SECONDS = 330


def main() -> int:
    """Run the demo; 0 when every step came in order and no request failed."""
    images: dict[str, str] = json.loads(Path(os.environ["STEADFIT_IMAGES"]).read_text())
    OUTPUT.mkdir(parents=True, exist_ok=True)
    timeline = Timeline(Kubectl(story.NAME))
    lake = Lake.from_environment()
    monitoring = Monitoring.from_environment()
    print("\nSteadfit: a model that is trained, recorded and served, and a world that moves away from it\n")
    _clean(timeline, lake, monitoring)
    example = overlay.write(OUTPUT / "overlay", images["flights-train"])
    try:
        load = story.tell(timeline, story.World(lake, monitoring, example, _secret(), images["trainer"]))
    except (TimedOut, KubectlError, OSError) as problem:
        ending.show(timeline.kubectl)
        ending.dump(timeline.kubectl, OUTPUT / "objects.json")
        monitoring.write(OUTPUT / "alerts.json")
        print(f"\nThe demo stopped: {problem}", file=sys.stderr)
        return 1
    ending.show(timeline.kubectl)
    print(ending.lineage(timeline.kubectl, story.NAME))
    ending.dump(timeline.kubectl, OUTPUT / "objects.json")
    monitoring.write(OUTPUT / "alerts.json")
    report = ending.report(OUTPUT / "report.json", timeline.steps, load)
    if report["failedRequests"]:
        print(f"\nWhat the load generator saw: {json.dumps(load)}", file=sys.stderr)
    print(
        f"\n{report['requests']} requests, {report['failedRequests']} failed."
        f" The report and the objects are in {OUTPUT}/."
        '\nWhere to look next: eval "$(make -s env)"; kubectl -n flights describe mdep flights; docs/reading-status.md'
    )
    return 0 if report["failedRequests"] == 0 and report["requests"] >= FEWEST_REQUESTS else 1


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
    if monitoring.alert(namespace=story.NAME):
        timeline.note("waiting until Alertmanager has forgotten the earlier demo's alert")
        for _ in ticks(FORGOTTEN_SECONDS, interval=3.0):
            if not monitoring.alert(namespace=story.NAME):
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
