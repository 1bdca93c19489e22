"""Small recipes for cluster tests: a few hundred rows, and training containers that do one thing each.

All run in the image of the flights example, with the script on the command line, so that no test builds an image.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import obstore
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.buckets import bucket
from tests.support.kubectl import Kubectl, Manifest, TimedOut, condition, ticks

ROWS = 400
HELD_OUT = 80

FIT = """
import steadfit_sdk as steadfit
from sklearn.linear_model import LogisticRegression

table = steadfit.load_data("rows")
features = steadfit.features(table, exclude=["key", "at", "y"])
model = LogisticRegression(C=float(steadfit.params().get("C", 1.0)))
model.fit(steadfit.encode(table, features), table["y"].to_numpy())
steadfit.save(model, features, table)
"""
"""Fits a logistic regression; another value of the parameter C gives another artifact."""

KEYS = (
    """
import json, os, pathlib, pyarrow.parquet as pq
seen = set()
for folder, _, files in os.walk("/steadfit"):
    for name in files:
        path = pathlib.Path(folder, name)
        try:
            seen.update(pq.read_table(path)["key"].to_pylist())
        except Exception:
            pass
print("KEYS", json.dumps(sorted(seen)), flush=True)
"""
    + FIT
)
"""Tells every row key that it can find anywhere under /steadfit, then fits."""

EXIT = "import sys; print('the learning rate must be positive', file=sys.stderr); sys.exit(3)"

MEMORY_IN_A_CHILD = """
import subprocess, sys, time
subprocess.run([sys.executable, "-c", "b = []\\nwhile True: b.append(bytearray(16 << 20))"])
"""
"""A child process is killed for memory; the container itself goes on to exit with 0."""

SLEEP = "import time; time.sleep(600)"


def rows(seed: int = 0, count: int = ROWS) -> pa.Table:
    """Rows with a key, a time, two features and a label that depends on them."""
    rng = np.random.default_rng(seed)
    x1, x2 = rng.normal(size=count), rng.normal(size=count)
    noise = rng.normal(scale=0.5, size=count)
    return pa.table(
        {
            "key": [f"row-{seed}-{number}" for number in range(count)],
            "at": pa.array(np.arange(count), pa.timestamp("s")),
            "x1": x1,
            "x2": x2,
            "y": (x1 + x2 + noise > 0).astype("int64"),
        }
    )


def put_rows(store: str, table: pa.Table | None = None) -> str:
    """Put rows into the store of a test and return their URI."""
    buffer = io.BytesIO()
    pq.write_table(rows() if table is None else table, buffer)
    obstore.put(bucket("tests"), f"{store}/rows/part-0.parquet", buffer.getvalue())
    return f"s3://tests/{store}/rows/"


def training_job(default_image: str, store: str, script: str = FIT, name: str = "model", **spec: Any) -> Manifest:
    """A TrainingJob on the rows of `put_rows`; fields of the spec are overridden by keyword, in camelCase."""
    return {
        "apiVersion": "steadfit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name},
        "spec": {
            "image": default_image,
            "command": ["python3", "-c", script],
            "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            "storeRef": {"name": store},
            "data": [{"name": "rows", "uri": f"s3://tests/{store}/rows/", "format": "Parquet", "keyColumn": "key"}],
            "evaluation": {
                "target": "y",
                "holdout": {"by": "Time", "column": "at", "fraction": HELD_OUT / ROWS},
                "metrics": [{"name": "roc_auc", "goal": "Maximize", "threshold": 0.6}],
                # 80 rows show of no model that it is as good as another one.
                "champion": {"margin": 1},
            },
            **spec,
        },
    }


def model_deployment(name: str = "model", replicas: int = 1, **spec: Any) -> Manifest:
    """A ModelDeployment of the TrainingJob of the same name."""
    return {
        "apiVersion": "steadfit.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {
            "server": {
                "replicas": replicas,
                "resources": {"requests": {"cpu": "20m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            },
            **spec,
        },
    }


def trained(kubectl: Kubectl, image: str, store: str, *values: float) -> None:
    """Make one verified version for each value of the parameter C."""
    put_rows(store)
    for number, value in enumerate(values, start=1):
        kubectl.apply(training_job(image, store, params={"C": value}))
        kubectl.wait_for(
            "modelversion", f"model-v{number}", lambda v: v["status"].get("phase") == "Verified", timeout=180
        )
        kubectl.wait_for("trainingjob", "model", lambda j: "activeRun" not in j["status"], timeout=60)


def act(kubectl: Kubectl, verb: str, name: str = "model", **fields: Any) -> Manifest:
    """Create a ModelAction as the cluster's admin and return it."""
    return kubectl.create(
        {
            "apiVersion": "steadfit.dev/v1alpha1",
            "kind": "ModelAction",
            "metadata": {"generateName": f"{verb.lower()}-"},
            "spec": {
                "verb": verb,
                "target": {"kind": "TrainingJob" if verb in ("Retrain", "Cancel") else "ModelDeployment", "name": name},
                "reason": "a test asks for it",
                "requestedBy": kubectl.whoami(),
                **fields,
            },
        }
    )


def finished_run(kubectl: Kubectl, timeout: float = 180) -> Manifest:
    """Wait until the only TrainingRun of the namespace has ended, and return it."""
    return ended(kubectl, newest_run(kubectl, timeout)["metadata"]["name"], timeout)


def ended(kubectl: Kubectl, run: str, timeout: float = 180) -> Manifest:
    """Wait until a TrainingRun has ended, and return it."""
    return kubectl.wait_for(
        "trainingrun",
        run,
        lambda r: r.get("status", {}).get("phase") in ("Succeeded", "Failed", "Superseded", "Cancelled", "Skipped"),
        timeout=timeout,
        what="the run ends",
    )


def newest_run(kubectl: Kubectl, timeout: float = 60) -> Manifest:
    """Wait for a TrainingRun and return the newest one."""
    for _ in ticks(timeout):
        runs = kubectl.list("trainingruns")
        if runs:
            return max(runs, key=lambda run: str(run["metadata"]["creationTimestamp"]))
    raise TimedOut("no TrainingRun was created")


def live(kubectl: Kubectl, number: int, name: str = "model", timeout: float = 120) -> Manifest:
    """Wait until a version serves with nothing else coming up, and return the ModelDeployment."""
    return kubectl.wait_for(
        "modeldeployment",
        name,
        lambda d: (
            (d.get("status", {}).get("live") or {}).get("number") == number
            and "candidate" not in d["status"]
            and d["status"].get("replicas", 0) >= d["spec"]["server"]["replicas"]
            # What serves is decided first; the Service follows in the next pass.
            and condition(d, "Serving").get("status") == "True"
        ),
        timeout=timeout,
        what=f"version {number} serves",
    )


def request(rows: int = 1) -> dict[str, Any]:
    """An Open Inference Protocol request for the model of these recipes."""
    return {
        "inputs": [
            {"name": feature, "datatype": "FP64", "shape": [rows], "data": [0.5] * rows} for feature in ("x1", "x2")
        ]
    }


def infer(kubectl: Kubectl, rows: int = 1, name: str = "model") -> dict[str, Any]:
    """Ask the Service for a prediction through the API server."""
    return kubectl.post(infer_path(kubectl, name), request(rows))


def infer_path(kubectl: Kubectl, name: str = "model") -> str:
    """The path of the Service's inference endpoint at the API server."""
    return f"/api/v1/namespaces/{kubectl.namespace}/services/{name}:http/proxy/v2/models/{name}/infer"
