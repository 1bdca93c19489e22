"""Authentication and storage of a result: from a pod's token to its TrainingRun, and into that run's status.

Everything is read live, because this runs on every replica and only the leader has a cache. The request itself proves
nothing: the token names the pod, and the chain of controllers leads from the pod to the run, each compared by uid.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steadfit.api.base import OwnerReference
from steadfit.api.evaluationrecord import EvaluationRecord
from steadfit.api.record import Record, RecordRun
from steadfit.app.engine.indexes import is_finished
from steadfit.app.refusal import Refusal
from steadfit.core.runs.runtime import ownership
from steadfit.kube.client import Conflict, KubeClient, NotFound
from steadfit.kube.resources import MODEL_VERSIONS, PODS, TOKEN_REVIEWS, TRAINING_RUNS, resource_of

logger = logging.getLogger(__name__)

AUDIENCE = "steadfit"
WRITE_ATTEMPTS = 5
_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"


@dataclass(frozen=True, slots=True)
class Caller:
    """The pod that a token was made for."""

    namespace: str
    pod: str
    pod_uid: str


async def authenticate(client: KubeClient, token: str) -> Caller:
    """Return the pod that the token belongs to, by a TokenReview for our audience."""
    review = await client.create(
        {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.kind,
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
    )
    status = review.get("status", {})
    if not status.get("authenticated") or AUDIENCE not in status.get("audiences", ()):
        raise Refusal(401, f"the token is not valid for the audience {AUDIENCE!r}")
    user = status.get("user", {})
    account = str(user.get("username", "")).split(":")
    extra = user.get("extra") or {}
    names, uids = extra.get(_POD_NAME), extra.get(_POD_UID)
    if account[:2] != ["system", "serviceaccount"] or len(account) != 4 or not names or not uids:
        raise Refusal(403, "the token was not made for a pod; only the last step of a run may post its result")
    return Caller(account[2], names[0], uids[0])


async def run_of(client: KubeClient, caller: Caller, namespace: str, name: str) -> dict[str, Any]:
    """Return the TrainingRun of this name, if the caller is a pod of its current attempt."""
    if caller.namespace != namespace:
        raise Refusal(403, f"a pod of the namespace {caller.namespace} may not post for the namespace {namespace}")
    try:
        pod = await client.get(PODS, caller.pod, namespace)
        _same(pod, caller.pod_uid, "pod")
        if "deletionTimestamp" in pod["metadata"]:
            raise Refusal(403, "the pod is being deleted; its attempt has been given up")
        workload = await _owner(client, namespace, ownership.workload_of(pod))
        run = await _owner(client, namespace, ownership.run_of(pod, workload))
    except NotFound as error:
        raise Refusal(403, f"the pod does not belong to a run: {error.message}") from error
    if run["metadata"]["name"] != name:
        raise Refusal(403, f"the pod belongs to the run {run['metadata']['name']}, not to {name}")
    attempts = run.get("status", {}).get("attempts", [])
    current = workload["metadata"]["name"]
    if not attempts or attempts[-1]["job"] != current:
        raise Refusal(403, f"{workload['kind']} {current} is not the current attempt of the run")
    return run


async def store(client: KubeClient, run: dict[str, Any], record: Record) -> str | None:
    """Store the record in the run's status; return the name of its ModelVersion once that exists.

    Raises
    ------
    Refusal
        As `_kept`, and 403 if the record names another run, or the run has another purpose.
    """
    _check_names(record.run, run, "Train")
    kept = await _kept(client, run, "record", record.dump())
    return await _version(client, kept, kept["status"].get("version")) if kept is not None else None


async def store_evaluation(client: KubeClient, run: dict[str, Any], record: EvaluationRecord) -> bool:
    """Store the outcome in the run's status; return whether it was there already.

    Raises
    ------
    Refusal
        As `_kept`, and 403 if the outcome names another run, or the run has another purpose.
    """
    _check_names(record.run, run, "Evaluate")
    return await _kept(client, run, "evaluation", record.evaluation.dump()) is not None


async def _kept(client: KubeClient, run: dict[str, Any], field: str, posted: dict[str, Any]) -> dict[str, Any] | None:
    """Store a result in the run's status. Return None if it was stored now, the run if it held it already.

    Raises
    ------
    Refusal
        410 if the run has ended or holds another result, 409 if the run's status was changed again and again meanwhile
        (try again).
    """
    for _ in range(WRITE_ATTEMPTS):
        status = run.get("status", {})
        stored = status.get(field)
        if stored is not None and stored != posted:
            raise Refusal(410, f"the run holds another {field} already; a run has one result")
        if stored is not None:
            return run
        if is_finished(run):
            raise Refusal(410, f"the run has ended ({status['phase']}); its result is no longer accepted")
        try:
            await client.patch_status(run, {field: posted})
        except Conflict:
            run = await _reread(client, run)
            continue
        logger.info("stored the %s of the run %s", field, run["metadata"]["name"])
        return None
    raise Refusal(409, "the run's status was changed by others at the same time; try again")


async def _version(client: KubeClient, run: Mapping[str, Any], name: str | None) -> str | None:
    if name is None:
        return None
    try:
        await client.get(MODEL_VERSIONS, name, run["metadata"]["namespace"])
    except NotFound:
        return None
    return name


async def _reread(client: KubeClient, run: Mapping[str, Any]) -> dict[str, Any]:
    metadata = run["metadata"]
    try:
        newer = await client.get(TRAINING_RUNS, metadata["name"], metadata["namespace"])
    except NotFound as error:
        raise Refusal(410, "the run was deleted") from error
    _same(newer, metadata["uid"], "run")
    return newer


async def _owner(client: KubeClient, namespace: str, reference: OwnerReference | str) -> dict[str, Any]:
    """Read the object of an owner reference. A sentence in place of the reference is why there is none."""
    if isinstance(reference, str):
        raise Refusal(403, reference)
    resource = resource_of({"apiVersion": reference.api_version, "kind": reference.kind})
    owner = await client.get(resource, reference.name, namespace)
    _same(owner, reference.uid, reference.kind)
    return owner


def _same(obj: Mapping[str, Any], uid: str, what: str) -> None:
    if obj["metadata"]["uid"] != uid:
        raise Refusal(403, f"the {what} {obj['metadata']['name']} is another one of the same name")


def _check_names(named: RecordRun, run: Mapping[str, Any], purpose: str) -> None:
    metadata, spec = run["metadata"], run["spec"]
    actual = (metadata["namespace"], metadata["name"], metadata["uid"], spec["trainingJobRef"]["name"])
    if (named.namespace, named.name, named.uid, named.training_job) != actual:
        raise Refusal(403, f"the record names run {named.name} ({named.uid}), which is another one")
    attempt = run["status"]["attempts"][-1]["number"]
    if named.attempt != attempt:
        raise Refusal(403, f"the record names attempt {named.attempt}, the pod belongs to attempt {attempt}")
    actual_purpose = spec.get("purpose", "Train")
    if actual_purpose != purpose:
        raise Refusal(403, f"the run has purpose {actual_purpose}; only one of purpose {purpose} posts this")
