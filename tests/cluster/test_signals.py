"""What real servers count and take back: bins like numpy's, outcomes on every replica, captured rows to learn from."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.buckets import bucket
from tests.support.kubectl import Kubectl, Manifest, TimedOut, ticks
from tests.support.tokens import tampered

from .recipes import FIT, act, infer_path, live, model_deployment, rows, trained, training_job

FEATURES = ("x1", "x2")
SAMPLE = re.compile(r"^(?P<name>\w+)\{(?P<labels>[^}]*)\} (?P<value>\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')

FIT_ON_EVERYTHING = FIT.replace(
    'table = steadfit.load_data("rows")',
    """
import pyarrow as pa
tables = [steadfit.load_data(name) for name in ("rows", "live")]
print("ROWS", [table.num_rows for table in tables], flush=True)
kept = [table.select(["x1", "x2", "y"]) for table in tables]
table = pa.concat_tables(kept, promote_options="permissive")
""",
).replace('exclude=["key", "at", "y"]', 'exclude=["y"]')
"""Learns from the rows in the lake and from those that the live model was asked about."""


def ask(kubectl: Kubectl, columns: dict[str, Sequence[float]]) -> dict[str, Any]:
    """Ask for predictions and return the answer."""
    inputs = [
        {"name": name, "datatype": "FP64", "shape": [len(values)], "data": list(values)}
        for name, values in columns.items()
    ]
    return kubectl.post(infer_path(kubectl), {"inputs": inputs})


def post_outcomes(kubectl: Kubectl, pod: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Post outcomes to one pod."""
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/{pod}:8080/proxy/v2/models/model/feedback"
    return kubectl.post(path, {"feedback": entries})


def pods(kubectl: Kubectl) -> list[str]:
    """The pods of the live revision; those of the one before may still be there, and go with what they counted."""
    deployment = kubectl.get("modeldeployment", "model")
    assert deployment is not None
    found = kubectl.list("pods", f"steadfit.dev/revision={deployment['status']['live']['revision']}")
    return sorted(pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"])


def counted(kubectl: Kubectl, name: str, *by: str) -> Counter[tuple[str, ...]]:
    """One series of all pods, added up by some of its labels."""
    found: Counter[tuple[str, ...]] = Counter()
    for pod in pods(kubectl):
        text = kubectl.run("get", "--raw", f"/api/v1/namespaces/{kubectl.namespace}/pods/{pod}:9090/proxy/metrics")
        for sample in SAMPLE.finditer(text):
            if sample["name"] == name:
                labels = dict(LABEL.findall(sample["labels"]))
                found[tuple(labels[label] for label in by)] += float(sample["value"])  # type: ignore[assignment]
    return found


def reference(kubectl: Kubectl) -> dict[str, Any]:
    """The bins that were frozen with version 1."""
    version = kubectl.get("modelversion", "model-v1")
    assert version is not None
    place = str(version["spec"]["artifact"]["uri"]).removeprefix("s3://tests/")
    found: dict[str, Any] = json.loads(bytes(obstore.get(bucket("tests"), f"{place}reference.json").bytes()))
    return found


def tables_below(store: str, folder: str) -> list[pa.Table]:
    """The captured Parquet parts of a test's namespace."""
    prefix = f"{store}/{store}/_captures/model/{folder}/"
    paths = [meta["path"] for batch in obstore.list(bucket("tests"), prefix) for meta in batch]
    return [pq.read_table(io.BytesIO(bytes(obstore.get(bucket("tests"), path).bytes()))) for path in sorted(paths)]


def test_bins_of_all_replicas_together_are_those_of_numpy(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(model_deployment(replicas=2))
    live(namespace, 1)
    rng = np.random.default_rng(5)
    asked = {name: rng.normal(loc=0.7, scale=1.5, size=400) for name in FEATURES}
    for start in range(0, 400, 20):
        ask(namespace, {name: values[start : start + 20].tolist() for name, values in asked.items()})

    frozen = {feature["name"]: feature for feature in reference(namespace)["features"]}
    found = counted(namespace, "steadfit_feature_bin_total", "feature", "bin")
    training = rows()
    for name, values in asked.items():
        edges = frozen[name]["edges"]
        expected = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
        assert [found[name, str(index)] for index in range(len(edges) + 1)] == expected.tolist()
        assert found[name, "missing"] == 0
        # Frozen at training: the bins hold a tenth each of the rows that were trained on.
        kept = training[name].to_numpy()[:320]
        assert edges == pytest.approx(np.quantile(kept, np.arange(1, 10) / 10).tolist(), abs=0.1)
    assert counted(namespace, "steadfit_predicted_rows_total", "version") == {("1",): 400}


def test_outcomes_count_on_any_replica_late_and_for_a_version_that_serves_no_longer(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0, 0.1)
    namespace.apply(model_deployment(replicas=2, pin={"version": 1}))
    live(namespace, 1)
    answer = ask(namespace, {name: [3.0, -3.0] for name in FEATURES})
    token = answer["parameters"]["prediction_token"]
    first, second = pods(namespace)
    assert post_outcomes(namespace, first, [{"token": token, "row": 0, "outcome": 1}])["counted"] == 1
    assert post_outcomes(namespace, second, [{"token": token, "row": 1, "outcome": 0}])["counted"] == 1
    again = post_outcomes(namespace, first, [{"token": token, "row": 0, "outcome": 1}])
    assert (again["counted"], again["replayed"]) == (0, 1)
    forged = post_outcomes(
        namespace, first, [{"token": token, "row": 1, "outcome": 0}, {"token": tampered(token), "outcome": 1}]
    )
    assert [entry["reason"] for entry in forged["rejected"]] == ["forged"]
    seen = counted(namespace, "steadfit_feedback_total", "bin", "outcome")
    assert {key: count for key, count in seen.items() if count} == {("19", "positive"): 1, ("0", "negative"): 2}

    late = ask(namespace, {name: [3.0] for name in FEATURES})["parameters"]["prediction_token"]
    act(namespace, "Pin", version=2)
    live(namespace, 2)
    (pod, *_) = pods(namespace)
    assert post_outcomes(namespace, pod, [{"token": late, "row": 0, "outcome": 1}])["counted"] == 1
    for _ in ticks(60, 2.0):  # held back until a scrape has shown the 0
        found = counted(namespace, "steadfit_feedback_total", "version", "outcome")
        if found["1", "positive"]:
            break
    assert found["1", "positive"] == 1
    assert found["2", "positive"] == 0


def test_captured_rows_with_their_outcomes_are_learned_from(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(model_deployment(replicas=2, capture={"sample": 1}))
    live(namespace, 1)
    later = rows(seed=9, count=60)
    columns = {name: later[name].to_pylist() for name in FEATURES}
    for start in range(0, 60, 10):
        answer = ask(namespace, {name: values[start : start + 10] for name, values in columns.items()})
        token = answer["parameters"]["prediction_token"]
        outcomes = later["y"].to_pylist()[start : start + 10]
        # The last ten never get an outcome, so nothing can be learned from them.
        if start < 50:
            entries = [{"token": token, "row": row, "outcome": value} for row, value in enumerate(outcomes)]
            assert post_outcomes(namespace, pods(namespace)[start % 2], entries)["counted"] == 10
    # A pod writes what it holds when it ends.
    namespace.run("scale", "modeldeployment", "model", "--replicas=0")
    for _ in ticks(90, 2.0):
        if (
            sum(map(len, tables_below(store, "requests"))) == 60
            and sum(map(len, tables_below(store, "outcomes"))) == 50
        ):
            break
    else:
        raise TimedOut("what was captured did not reach the store")
    together = pa.concat_tables(tables_below(store, "requests"))
    assert sorted(together["x1"].to_pylist()) == pytest.approx(sorted(columns["x1"]))

    lake = {"name": "rows", "uri": f"s3://tests/{store}/rows/", "format": "Parquet", "keyColumn": "key"}
    captured = {"name": "live", "captured": {"deployment": "model", "window": "1h"}}
    spec = training_job(images["flights-train"], store, FIT_ON_EVERYTHING, name="again", data=[lake, captured])
    spec["spec"]["evaluation"]["holdout"] = {"by": "Hash", "column": "x1", "fraction": 0.2}
    namespace.apply(spec)
    run = _run_of(namespace, "again")
    assert run["status"]["phase"] == "Succeeded", run["status"]
    data = {source["name"]: source for source in run["status"]["record"]["data"]}
    assert data["live"]["rows"] + data["live"]["holdoutRows"] == 50


def _run_of(kubectl: Kubectl, job: str) -> Manifest:
    """Wait until the run of a TrainingJob has ended."""
    found = kubectl.wait_for(
        "trainingjob", job, lambda j: (j.get("status", {}).get("lastRun") or {}).get("finishedAt"), timeout=180
    )
    run = kubectl.get("trainingrun", found["status"]["lastRun"]["name"])
    assert run is not None
    return run
