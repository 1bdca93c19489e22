"""What is put back by itself, what is trained anew instead, and where that ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from tests.support.background import again_and_again
from tests.support.kubectl import Kubectl, KubectlError, Manifest, condition

from .recipes import live, model_deployment, put_rows, rows, trained, training_job
from .test_canary import RESOURCES, another, faulty, traffic
from .test_signals import ask, pods, post_outcomes

FLOOR = {
    "name": "floor",
    "quality": {"metric": "accuracy", "min": 0.7},
    "window": "1m",
    "minSamples": 200,
    "action": "Recover",
}


def flipped(table: pa.Table) -> pa.Table:
    """The same rows with the opposite outcomes."""
    outcomes = pa.array(1 - table["y"].to_numpy())
    return table.set_column(table.schema.get_field_index("y"), "y", outcomes)


@contextmanager
def labelled_requests(kubectl: Kubectl, *, sign: int) -> Iterator[list[str]]:
    """Ask again and again, and post what came of it: the recipes' own outcomes, or with sign -1 the opposite ones."""
    rng = np.random.default_rng(11)

    def ask_and_tell() -> None:
        columns = {name: rng.normal(size=40) for name in ("x1", "x2")}
        truth = (sign * (columns["x1"] + columns["x2"]) > 0).astype(int).tolist()
        answer = ask(kubectl, {name: values.tolist() for name, values in columns.items()})
        token = answer["parameters"]["prediction_token"]
        entries = [{"token": token, "row": row, "outcome": outcome} for row, outcome in enumerate(truth)]
        post_outcomes(kubectl, pods(kubectl)[0], entries)

    with again_and_again(ask_and_tell, 1.0, KubectlError, IndexError) as errors:
        yield errors


def watched() -> Manifest:
    """A ModelDeployment that keeps what it answers, and recovers from a fall in accuracy."""
    return model_deployment(
        server={"replicas": 1, "resources": RESOURCES},
        capture={"sample": 1, "flushInterval": "2s"},
        monitors=[FLOOR],
    )


def diagnosis(kubectl: Kubectl) -> dict[str, Any]:
    """Wait for the verdict on whose fault it is."""
    found = kubectl.wait_for(
        "modeldeployment",
        "model",
        lambda d: any(one.get("verdict") not in (None, "Inconclusive") for one in d["status"].get("diagnoses", [])),
        timeout=240,
        what="the fall is put down to the model or to the world",
    )
    held: dict[str, Any] = found["status"]["diagnoses"][0]
    return held


def test_a_version_that_is_worse_than_the_last_good_one_on_recent_rows_is_rolled_back(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    image = images["flights-train"]
    trained(namespace, image, store, 1.0)
    namespace.apply(watched())
    live(namespace, 1)
    # Its own holdout is as wrong as what it learned from, so there it looks good.
    put_rows(store, flipped(rows(seed=1)))
    job = training_job(image, store, params={"C": 0.5})
    job["spec"]["evaluation"]["champion"] = {"margin": 0.3}
    namespace.apply(job)
    live(namespace, 2, timeout=240)
    with labelled_requests(namespace, sign=1):
        found = diagnosis(namespace)
        assert found["verdict"] == "ModelWorse", found
        assert (found["number"], found["comparedNumber"]) == (2, 1)
        after = live(namespace, 1)
    assert [entry["number"] for entry in after["status"]["quarantine"]] == [2]
    run = namespace.get("trainingrun", found["run"])
    assert run is not None
    assert run["spec"]["purpose"] == "Evaluate"
    assert run["status"]["evaluation"]["rows"] >= 200
    assert run["status"]["evaluation"]["lastGood"] > 0.8 > 0.2 > run["status"]["evaluation"]["live"]


def test_when_no_version_is_good_any_more_the_world_has_moved_and_a_run_starts(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    image = images["flights-train"]
    trained(namespace, image, store, 1.0)
    namespace.apply(watched())
    live(namespace, 1)
    namespace.apply(training_job(image, store, params={"C": 0.1}, limits={"cooldown": "1s"}))
    live(namespace, 2, timeout=240)
    with labelled_requests(namespace, sign=-1):
        found = diagnosis(namespace)
        assert found["verdict"] == "ConceptDrift", found
        job = namespace.wait_for(
            "trainingjob", "model", lambda j: j["status"].get("automaticRuns"), timeout=120, what="a run starts"
        )
    after = namespace.get("modeldeployment", "model")
    assert after is not None
    assert after["status"].get("quarantine", []) == []
    run = namespace.get("trainingrun", job["status"]["automaticRuns"][0]["name"])
    assert run is not None
    assert run["spec"]["cause"]["type"] == "Monitor"
    assert "concept drift" in run["spec"]["cause"]["message"]


def test_errors_while_it_bakes_roll_back_to_the_warm_version_until_the_limit_of_the_day(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    def deployment(server: dict[str, Any]) -> Manifest:
        return model_deployment(
            server={"replicas": 1, "resources": RESOURCES, **server},
            limits={"maxRollbacksPerDay": 1},
            bakeDuration="10m",
            monitors=[
                {
                    "name": "errors",
                    "errorRate": {"max": 0.02},
                    "window": "1m",
                    "minSamples": 50,
                    "action": "Rollback",
                }
            ],
        )

    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(deployment({}))
    good = live(namespace, 1)["status"]["live"]["revision"]
    clients = traffic(namespace, images)
    namespace.apply(deployment(faulty(images)))
    namespace.wait_for(
        "modeldeployment", "model", lambda d: d["status"]["live"]["revision"] != good, what="the server is replaced"
    )
    after = namespace.wait_for(
        "modeldeployment", "model", lambda d: d["status"].get("quarantine"), timeout=180, what="it is rolled back"
    )
    assert "errors" in after["status"]["quarantine"][0]["by"] + after["status"]["quarantine"][0]["reason"]
    assert len(after["status"]["rollbacks"]) == 1
    namespace.wait_for(
        "modeldeployment", "model", lambda d: d["status"]["live"]["revision"] == good, what="the good one serves"
    )

    namespace.apply(deployment(faulty(images) | another("once more")))
    namespace.wait_for(
        "modeldeployment", "model", lambda d: d["status"]["live"]["revision"] != good, what="it is replaced again"
    )
    frozen = namespace.wait_for(
        "modeldeployment",
        "model",
        lambda d: condition(d, "RollbacksFrozen").get("status") == "True",
        timeout=180,
        what="no more rollbacks today",
    )
    clients.stop()
    assert frozen["status"]["live"]["revision"] != good
    assert len(frozen["status"]["quarantine"]) == 1
