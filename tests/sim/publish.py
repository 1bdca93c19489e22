"""The publish step and the operator's intake: a run's record on its way into the run's status."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from random import Random
from typing import Any

from steadfit.api.evaluationrecord import EvaluationRecord
from steadfit.api.record import Record
from steadfit.app.results.recording import Caller, run_of, store, store_evaluation

from .behaviour import Training
from .client import CrashPlan, Faults, SimClient
from .objects import JSON, Ref
from .store import Store


class Intake:
    """The operator's own intake on a replica that is always up, from where the pod's token has been reviewed."""

    def __init__(self, store: Store) -> None:
        self._client = SimClient(store, Random("intake"), Faults(), CrashPlan(), lambda: None, lambda: None)

    async def post(self, pod: Mapping[str, Any], run: Ref, record: Mapping[str, Any]) -> str | None:
        """Post a record; return the name of the version once it exists (200), else None (202: try again).

        Raises
        ------
        Refusal
            As the intake refuses.
        """
        return await store(self._client, await self._run_of(pod, run), Record.model_validate(record))

    async def post_evaluation(self, pod: Mapping[str, Any], run: Ref, record: Mapping[str, Any]) -> bool:
        """Post an outcome; return whether it was there already (200), else it was stored now (202: try again).

        Raises
        ------
        Refusal
            As the intake refuses.
        """
        live = await self._run_of(pod, run)
        return await store_evaluation(self._client, live, EvaluationRecord.model_validate(record))

    async def _run_of(self, pod: Mapping[str, Any], run: Ref) -> JSON:
        metadata = pod["metadata"]
        caller = Caller(metadata["namespace"], metadata["name"], metadata["uid"])
        return await run_of(self._client, caller, str(run.namespace), run.name)


def configuration(pod: Mapping[str, Any]) -> JSON:
    """Return the configuration that the operator gave to the publish step of a pod."""
    (publish,) = pod["spec"]["containers"]
    env = {item["name"]: item["value"] for item in publish["env"]}
    found: JSON = json.loads(env["STEADFIT_CONFIG"].replace("$$", "$"))
    return found


def compared(config: Mapping[str, Any], script: Training, store: Store, namespace: str) -> JSON:
    """Return the comparison with the champion that the configuration names: by the values, and as certain as can be."""
    named = config.get("champion")
    if named is None:
        return {}
    metric = config["evaluation"]["metrics"][0]["name"]
    found: JSON = {"version": named["version"], "digest": named["artifact"]["digest"], "metric": metric}
    version = store.find(Ref("steadfit.dev/v1alpha1", "ModelVersion", namespace, named["version"]))
    if "problem" in named or version is None:
        return {"champion": {**found, "rows": 0, "method": "", "reason": named.get("problem", "its artifact is gone")}}
    value = version["spec"]["evaluation"]["metrics"][0]["value"]
    difference = round(script.roc_auc - value, 6)
    numbers = {"value": value, "difference": difference, "lower": difference - 0.001, "upper": difference + 0.001}
    return {"champion": {**found, **numbers, "rows": 200, "method": "paired bootstrap", "reason": ""}}


def evaluation_of(run: Mapping[str, Any], attempt: int, script: Training) -> JSON:
    """Return what the evaluate step posts for an attempt."""
    metadata, spec = run["metadata"], run["spec"]
    return {
        "schemaVersion": 1,
        "run": {
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "attempt": attempt,
            "trainingJob": spec["trainingJobRef"]["name"],
        },
        "evaluation": dict(script.found or {"rows": 12, "reason": "12 labelled rows, and 200 are needed"}),
    }


def data_digest(source: Mapping[str, Any], run: Mapping[str, Any], script: Training) -> str:
    """Return the digest of a data source: that of its content, which has moved since any other run."""
    made_of = f"{source.get('uri')} {script.data or run['metadata']['uid']}"
    return f"sha256:{hashlib.sha256(made_of.encode()).hexdigest()}"


def known_version(config: Mapping[str, Any], run: Mapping[str, Any], script: Training) -> str | None:
    """Return the version whose data fetch finds, if the configuration names one."""
    sources = sorted([source["name"], data_digest(source, run, script)] for source in run["spec"]["data"])
    data = hashlib.sha256(json.dumps(sources, separators=(",", ":")).encode()).hexdigest()
    return next((str(known["version"]) for known in config.get("known", ()) if known["data"] == data), None)


def record_of(run: Mapping[str, Any], attempt: int, script: Training, comparison: Mapping[str, Any]) -> JSON:
    """Return what publish posts for an attempt."""
    spec, metadata = run["spec"], run["metadata"]
    made_of = script.artifact or json.dumps([spec["inputHash"], spec["cause"]["type"], spec["cause"]["key"]])
    digest = hashlib.sha256(made_of.encode()).hexdigest()
    namespace, job = metadata["namespace"], spec["trainingJobRef"]["name"]
    return {
        "schemaVersion": 1,
        "run": {
            "namespace": namespace,
            "name": metadata["name"],
            "uid": metadata["uid"],
            "attempt": attempt,
            "trainingJob": job,
        },
        "artifact": {
            "uri": f"s3://models/{namespace}/{job}/artifacts/sha256/{digest}/",
            "digest": f"sha256:{digest}",
            "size": 1024,
            "files": [{"path": "model.onnx", "size": 1024, "sha256": digest}],
        },
        "data": [
            {
                "name": source["name"],
                "uri": source["uri"],
                "digest": data_digest(source, run, script),
                "rows": 800,
                "holdoutRows": 200,
                "objects": [],
                "objectCount": 2,
            }
            for source in spec["data"]
        ],
        "evaluation": {
            "metrics": {metric["name"]: script.roc_auc for metric in spec["evaluation"]["metrics"]},
            "holdoutRows": 200,
            "holdoutDigest": f"sha256:{'0' * 64}",
            "by": spec["evaluation"]["holdout"]["by"],
            "column": spec["evaluation"]["holdout"]["column"],
            "fraction": spec["evaluation"]["holdout"].get("fraction", 0.2),
            **comparison,
        },
        "signature": [{"name": "distance", "datatype": "FP32"}],
        "environment": {"python": "3.13.5"},
        "source": {"commit": "0123456789abcdef", "dirty": False},
        "params": spec.get("params", {}),
        "seed": spec.get("seed", 0),
        "parity": {"checked": True},
    }
