"""The publish step and the operator's intake: a run's record on its way into the run's status."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from random import Random
from typing import Any

from steadfit.api.record import Record
from steadfit.app.recording import Caller, run_of, store

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
        metadata = pod["metadata"]
        caller = Caller(metadata["namespace"], metadata["name"], metadata["uid"])
        live = await run_of(self._client, caller, str(run.namespace), run.name)
        return await store(self._client, live, Record.model_validate(record))


def record_of(run: Mapping[str, Any], attempt: int, script: Training) -> JSON:
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
                "digest": f"sha256:{hashlib.sha256(source['uri'].encode()).hexdigest()}",
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
        },
        "signature": [{"name": "distance", "datatype": "FP32"}],
        "environment": {"python": "3.13.5"},
        "source": {"commit": "0123456789abcdef", "dirty": False},
        "params": spec.get("params", {}),
        "seed": spec.get("seed", 0),
        "parity": {"checked": True},
    }
