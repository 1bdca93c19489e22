"""The Job of one attempt: `fetch`, then the user's `train`, then `publish`, in one pod.

A run of purpose Evaluate has `fetch` and `evaluate` and no container of the user's.
Only Steadfit's own steps mount credentials, the holdout and the token. train mounts its data (read-only), its
parameters and a directory for its output; nothing that fetch writes elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from steadfit.api.artifactstore import ArtifactStore
from steadfit.api.trainingrun import Attempt, TrainingRun
from steadfit.core import names, pod_security, store_access, store_choice
from steadfit.core.runs import step_config
from steadfit.core.runs.champion import ComparedVersion
from steadfit.core.types import Manifest, Platform, Stores

from . import job
from .pod_view import EVALUATE, FETCH, PUBLISH, TRAIN

TOKEN_AUDIENCE = "steadfit"  # noqa: S105 - the audience of the token, not the token
TOKEN_SECONDS = 3600
_SHARED_RESOURCES = ("cpu", "memory", "ephemeral-storage")

_HANDOVER = {"name": "handover", "mountPath": "/steadfit/handover"}
_TRUST = (
    {"name": "operator-ca", "mountPath": "/steadfit/operator-ca", "readOnly": True},
    {"name": "token", "mountPath": "/steadfit/token", "readOnly": True},
)


def missing(run: TrainingRun, stores: Stores) -> str | None:
    """Return why the Job cannot be rendered now, in a sentence, or None."""
    found = _stores(run, stores)
    return found if isinstance(found, str) else None


def render(
    run: TrainingRun,
    attempt: Attempt,
    stores: Stores,
    platform: Platform,
    champion: ComparedVersion | None = None,
    evaluated: Sequence[ComparedVersion] = (),
    known: Sequence[tuple[str, str]] = (),
) -> dict[str, Any] | None:
    """Return the Job, or None while a store of the run is missing.

    `champion` is the version that a result is compared with, `evaluated` those that a run of purpose Evaluate
    compares. A missing store of theirs does not delay the run. `known` are the versions that need not be trained again.
    """
    found = _stores(run, stores)
    if isinstance(found, str):
        return None
    others = [*([champion] if champion else []), *evaluated]
    template = _template(run, attempt, [*found, *_further(others, found, stores)], platform)
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()
    config = step_config.render(run, attempt, stores, platform, template, champion, evaluated, known)
    return job.render(
        attempt.job,
        run,
        _configured(template, config, platform),
        labels={**_labels(run, attempt), **names.queue_labels(run)},
        annotations={names.TEMPLATE_ANNOTATION: f"sha256:{digest}"},
    )


def template_digest(workload: Manifest) -> str | None:
    """Return the digest of the pod template that an attempt was rendered from."""
    digest: str | None = workload["metadata"].get("annotations", {}).get(names.TEMPLATE_ANNOTATION)
    return digest


def _stores(run: TrainingRun, stores: Stores) -> list[ArtifactStore] | str:
    """Return every store that the run needs, each once, or why one of them cannot be used."""
    wanted = [store_choice.by_name(run.spec.store_ref.name, stores)]
    wanted += [store_choice.for_source(source, run.spec.store_ref.name, stores) for source in run.spec.data]
    found: dict[str, ArtifactStore] = {}
    for store in wanted:
        if isinstance(store, str):
            return store
        found[store.name] = store
    return list(found.values())


def _further(others: Sequence[ComparedVersion], found: Sequence[ArtifactStore], stores: Stores) -> list[ArtifactStore]:
    """Return the stores of other versions that are not among `found`, each once, if they may be used here."""
    further: dict[str, ArtifactStore] = {}
    for version in (other.version for other in others):
        store = store_choice.by_name(version.spec.store_ref.name, stores) if version else None
        if isinstance(store, ArtifactStore) and store.name not in {item.name for item in found}:
            further[store.name] = store
    return list(further.values())


def _labels(run: TrainingRun, attempt: Attempt) -> dict[str, str]:
    return {
        names.MANAGED_BY: names.MANAGER,
        names.TRAINING_JOB: run.spec.training_job_ref.name,
        names.TRAINING_RUN: run.name,
        names.ATTEMPT: str(attempt.number),
    }


def _template(
    run: TrainingRun, attempt: Attempt, stores: Sequence[ArtifactStore], platform: Platform
) -> dict[str, Any]:
    """Return the pod template as it is recorded: without the configuration, which contains it."""
    placement = run.spec.pod.dump()
    placement.pop("labels", None)
    secrets = [volume for store in stores for volume in store_access.volumes(store)]
    keys = [mount for store in stores for mount in store_access.mounts(store)]
    init, main = _steps(run, platform, keys)
    return {
        "metadata": {
            "labels": {**run.spec.pod.labels, **_labels(run, attempt)},
            # Else `kubectl logs` shows publish, which seldom logs anything.
            "annotations": {"kubectl.kubernetes.io/default-container": (init[1:] or [main])[0]["name"]},
        },
        "spec": {
            **{key: value for key, value in placement.items() if value},
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": pod_security.pod(),
            "initContainers": init,
            "containers": [main],
            "volumes": [*_volumes(run), *secrets],
        },
    }


def _steps(
    run: TrainingRun, platform: Platform, keys: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the init containers, which run one after the other, and the last container."""
    mounts = [_tmp("tmp"), _workspace(), _HANDOVER, *keys]
    fetch = _steadfit_step(FETCH, run, platform, mounts)
    if run.spec.purpose == "Evaluate":
        return [fetch], _steadfit_step(EVALUATE, run, platform, [*mounts, *_TRUST])
    return [fetch, _train(run)], _steadfit_step(PUBLISH, run, platform, [*mounts, *_TRUST])


def _train(run: TrainingRun) -> dict[str, Any]:
    spec = run.spec
    # A dollar sign is doubled, so that the kubelet expands nothing in a value.
    env = {variable.name: variable.value.replace("$", "$$") for variable in spec.env}
    # The root file system is read-only, and libraries write caches below HOME.
    env = {"HOME": "/tmp", **env, "STEADFIT_RUN": run.name, "STEADFIT_SEED": str(spec.seed)}  # noqa: S108
    container: dict[str, Any] = {
        **_base(TRAIN, spec.image),
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "resources": spec.resources.dump(),
        "volumeMounts": [
            _tmp("tmp-train"),
            _workspace(),
            {"name": "workspace", "mountPath": "/steadfit/data", "subPath": "data", "readOnly": True},
        ],
    }
    command = {"command": spec.command, "args": spec.args}
    return {**container, **{key: list(value) for key, value in command.items() if value}}


def _steadfit_step(
    name: str, run: TrainingRun, platform: Platform, mounts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a step of Steadfit's. It gets the resources of train: the pod reserves the largest of its steps anyway."""
    resources = {
        part: {key: value for key, value in amounts.items() if key in _SHARED_RESOURCES}
        for part, amounts in run.spec.resources.dump().items()
    }
    return {
        **_base(name, platform.trainer_image),
        "args": [name],
        "env": [],
        "resources": resources,
        "volumeMounts": list(mounts),
    }


def _base(name: str, image: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "securityContext": pod_security.container(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _workspace() -> dict[str, Any]:
    return {"name": "workspace", "mountPath": "/steadfit"}


def _tmp(volume: str) -> dict[str, Any]:
    return {"name": volume, "mountPath": "/tmp"}  # noqa: S108 - the container's own


def _volumes(run: TrainingRun) -> list[dict[str, Any]]:
    size = run.spec.limits.workspace
    scratch = [
        {"name": name, "emptyDir": {"sizeLimit": size}} for name in ("workspace", "handover", "tmp", "tmp-train")
    ]
    field = {"fieldPath": f"metadata.annotations['{names.CA_ANNOTATION}']"}
    token = {"audience": TOKEN_AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token"}
    return [
        *scratch,
        {"name": "operator-ca", "downwardAPI": {"items": [{"path": "ca.crt", "fieldRef": field}]}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}},
    ]


def _configured(template: Mapping[str, Any], config: str, platform: Platform) -> dict[str, Any]:
    """Return the template with the configuration of Steadfit's own steps, and the operator's CA."""
    metadata, spec = template["metadata"], template["spec"]
    env = [{"name": "STEADFIT_CONFIG", "value": config.replace("$", "$$")}]
    trust = [{"name": "STEADFIT_CA_FILE", "value": "/steadfit/operator-ca/ca.crt"}]
    fetch, *train = spec["initContainers"]
    (last,) = spec["containers"]
    return {
        "metadata": {
            **metadata,
            "annotations": {**metadata["annotations"], names.CA_ANNOTATION: platform.ca_bundle},
        },
        "spec": {
            **spec,
            "initContainers": [{**fetch, "env": env}, *train],
            "containers": [{**last, "env": [*env, *trust]}],
        },
    }
