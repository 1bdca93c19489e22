"""Traffic moves from version to version under load, and no request fails."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.background import again_and_again
from tests.support.kubectl import Kubectl, KubectlError, Manifest
from tests.support.load import Record
from tests.support.traffic import Traffic

from .recipes import act, live, model_deployment, request, trained

pytestmark = pytest.mark.disruptive

SWAPS = int(os.environ.get("SWAPS", "10"))
"""A minute of swaps with every test run; `SWAPS=50` takes five."""
SECONDS_TO_MOVE = 10.0
"""After this time nothing may answer that was replaced. A pod that stays learns from its kubelet that the traffic has
left, in a second; where a dozen processes wait for the node's two cores, in more than five (docs/design/0077)."""
SECONDS_ALONE = 1.0
"""So long after that every third swap is followed by the next: an answer of what was replaced is then out of turn. The
others follow at once, in which case nothing can be said of a late answer, and what was lost is not back yet."""


@contextmanager
def reapplied(kubectl: Kubectl, manifest: Manifest, every: float = 3.0) -> Iterator[list[str]]:
    """Apply the same manifest again and again by another field manager, as a GitOps tool does; yield its errors."""

    def apply() -> None:
        kubectl.apply(manifest, "--server-side", "--field-manager=argocd-controller", "--force-conflicts")

    with again_and_again(apply, every, KubectlError) as errors:
        yield errors


def pods_of(kubectl: Kubectl, revision: str) -> list[str]:
    found = kubectl.list("pods", f"steadfit.dev/revision={revision}")
    return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]


def disturb(kubectl: Kubectl, serving: str, coming: str, swap: int) -> None:
    """Before every other swap, in turn kill a pod of the revision that is to serve, or delete one of those that serve.

    Before, because both revisions stand: a swap is over before a test has seen that it began. What takes the traffic is
    deleted and not killed: no server answers what was under way when it was killed.
    """
    if swap % 4 == 1:
        kubectl.run("delete", "pod", pods_of(kubectl, coming)[0], "--grace-period=0", "--force")
    elif swap % 4 == 3:
        kubectl.run("delete", "pod", pods_of(kubectl, serving)[0], "--wait=false")


def answers_out_of_turn(records: list[Record], turns: list[tuple[str, float, float]]) -> list[Record]:
    """Return successful answers of a revision at a time at which it was not its turn."""

    def allowed(record: Record) -> bool:
        return any(record.revision == revision and since <= record.at <= until for revision, since, until in turns)

    return [record for record in records if not record.error and not allowed(record)]


def in_context(failures: list[Record], records: list[Record], moments: list[tuple[float, str]]) -> list[str]:
    """Say of each failed request how its neighbours fared and what had just happened."""
    told = []
    for failed in failures:
        near = sorted(record.latency for record in records if abs(record.at - failed.at) < 0.5 and not record.error)
        slow = f"{len(near)} others within 0.5 s took up to {near[-1]:.3f} s" if near else "no other was answered"
        what = [f"{failed.at - at:.1f} s after {what}" for at, what in moments if 0 <= failed.at - at < 10]
        told.append(f"{failed.error} of a {failed.client} client, {', '.join(what) or 'long after a swap'}; {slow}")
    return told


@pytest.mark.timeout(1200)
def test_no_request_fails_in_swaps_while_pods_die_and_git_is_reapplied(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0, 0.1)
    # Shares of the CPU follow requests: two versions at once and the load leave two cores little to spare.
    resources = {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
    manifest = model_deployment(server={"replicas": 2, "resources": resources})
    namespace.apply(manifest)
    serving = live(namespace, 2)["status"]["live"]["revision"]
    turns: list[tuple[str, float, float]] = []
    since = time.time()
    url = f"http://model.{namespace.namespace}.svc/v2/models/model/infer"
    traffic = Traffic.start(namespace, images["server"], url, request())
    moments: list[tuple[float, str]] = []
    with reapplied(namespace, manifest) as errors:
        for swap in range(SWAPS):
            if swap % 2:
                disturb(namespace, serving, turns[-1][0], swap)
                moments.append((time.time(), f"losing a pod before swap {swap}"))
            asked = time.time()
            moments.append((asked, f"pin {swap}"))
            act(namespace, "Pin", version=swap % 2 + 1)
            moved = live(namespace, swap % 2 + 1, timeout=60)["status"]["live"]["revision"]
            moments.append((time.time(), f"swap {swap} was done"))
            turns.append((serving, since, time.time() + SECONDS_TO_MOVE))
            assert moved != serving
            serving, since = moved, asked
            if swap % 3 == 2:
                time.sleep(SECONDS_TO_MOVE + SECONDS_ALONE)
        asked = time.time()
        act(namespace, "Unpin")
        act(namespace, "Rollback")
        rolled_back = live(namespace, 1, timeout=60)
        turns.append((serving, since, time.time() + SECONDS_TO_MOVE))
        turns.append((rolled_back["status"]["live"]["revision"], asked, time.time() + 600))
        time.sleep(SECONDS_TO_MOVE)
    records = traffic.records()
    failures = [record for record in records if record.error]
    report = traffic.stop()
    after = namespace.get("modeldeployment", "model")

    assert errors == []
    assert in_context(failures, records, moments) == [], report
    assert report["failed"] == 0, report
    assert report["requests"] >= 0.99 * 300 * report["seconds"]
    assert min(records).at < moments[0][0], "there were swaps without load"
    assert answers_out_of_turn(records, turns) == []
    assert after is not None
    assert after["metadata"]["generation"] == 1
    assert [entry["number"] for entry in after["status"]["quarantine"]] == [2]
