"""Why the newest version is not rolled out, and what a person can do about it.

The newest version's cause is the first of `_cause` that applies, whatever older ones wait for. What was abandoned since
the live version serves is named beside it, and so is the pod template that the live version does not get. The newest
decision comes first, as its next step is the one that counts.
"""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.api.rollout import Abandoned, QuarantineEntry
from steadfit.core.problem import Problem
from steadfit.core.reasons.catalogue import ReasonWord
from steadfit.core.serving import permitted
from steadfit.core.serving.fleet import Fleet
from steadfit.core.serving.messages import describe
from steadfit.core.serving.quarantine import is_version_quarantined, quarantines_of
from steadfit.core.serving.revisions import pod_inputs

from . import abandoned, eligible_versions, older_template, pin, version_floor


def problem(status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return why the newest version is not rolled out; None if it serves, may be rolled out, or there is none."""
    newest = _newest(status, fleet)
    cause = _cause(newest, status, fleet) if newest else None
    last = _abandoned_since(status, fleet)
    found = []
    if newest is not None and cause is not None:
        found.append((_decided_at(newest, status), cause))
    if last is not None and not (cause and newest and last.version == newest.name):
        found.append((last.at, _abandoned(last, status, fleet)))
    if not found and (replaced := _of_replaced_job(status, fleet)):
        found.append((None, replaced))
    if template := older_template.decision(status):
        found.append((template.at, older_template.problem(template, _after_pin(status, fleet))))
    found.sort(key=lambda one: one[0].timestamp() if one[0] else 0.0, reverse=True)
    if not found:
        return None
    return Problem(found[0][1].reason, "; ".join(one.message for _, one in found))


def _decided_at(version: ModelVersion, status: ModelDeploymentStatus) -> datetime | None:
    """Return when the last decision about a version was made; without one, when the version was made."""
    digest = version.spec.artifact.digest
    promoted, override = status.promoted, status.override
    times = [
        version.metadata.creation_timestamp,
        *(entry.at for entry in status.quarantine if digest in (entry.digest, entry.artifact)),
        *(item.at for item in quarantines_of(version.status)),
        *(item.at for item in status.released if item.digest == digest),
        *(entry.at for entry in status.abandoned if entry.digest == digest),
        promoted.at if promoted and version.spec.number <= promoted.above else None,
        override.at if override else None,
    ]
    return max((at for at in times if at), default=None)


def _newest(status: ModelDeploymentStatus, fleet: Fleet) -> ModelVersion | None:
    """Return the newest version with a verdict; None if the live one is not older, or has the same artifact.

    While no version is live, rejected ones are left out, as the next run brings another; those of an earlier
    TrainingJob of the name count after the present ones.
    """
    found = (
        version
        for version in fleet.versions.newest_first
        if version.metadata.deletion_timestamp is None and version.status.phase is not None
    )
    live = status.live
    if live is None:
        permissible = [version for version in found if version.status.phase != "Rejected"]
        own = (version for version in permissible if version_floor.is_of_job(version, status, fleet))
        return next(own, next(iter(permissible), None))
    above = version_floor.live_number(status, fleet)
    newest = next((version for version in found if version_floor.is_of_job(version, status, fleet)), None)
    serves = newest is None or newest.spec.number <= above or newest.spec.artifact.digest == live.digest
    return None if serves else newest


def _cause(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return the first cause that applies to a version; None if it may be rolled out."""
    if is_version_quarantined(version, status, fleet):
        return _quarantined(version, status, fleet)
    if version.status.phase == "Rejected":
        return _rejected(version)
    pinned, entry = _pinned(version, status, fleet), _entry_of(version, status)
    if pinned or entry:
        return pinned or (_abandoned(entry, status, fleet) if entry else None)
    if version.status.phase == "Held":
        gate = version.status.gate
        return _needs_promote("Held", version, f" is held: {gate.message}" if gate else " is held")
    return _passed_over(version, status, fleet) or _not_compared(version, status, fleet)


def _quarantined(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> Problem:
    number, name = version.spec.number, fleet.observed.deployment.name
    digest = version.spec.artifact.digest
    here = [(entry.by, entry.reason) for entry in status.quarantine if entry.digest == digest]
    noted = [(item.by, item.reason) for item in quarantines_of(version.status) if item.deployment == name]
    by, reason = [*here, *noted][0]
    step = f"a Release and then a Promote of version {number} serve it"
    if status.live is None:
        step = f"a Release of version {number} lets it serve"
    else:
        step += _after_pin(status, fleet)
    return Problem("Quarantined", f"version {number} is in quarantine by {by}: {reason}; {step}")


def _template_quarantined(
    version: ModelVersion, entry: QuarantineEntry, status: ModelDeploymentStatus, fleet: Fleet
) -> Problem:
    """Return that the pods of a version were rolled back and the model was not, which others may serve."""
    number, store = version.spec.number, pod_inputs.store_of(version, fleet)
    asked = None if isinstance(store, Problem) else pod_inputs.digest(fleet.observed.deployment, store)
    promote = f"a Promote of version {number} serves it{_after_pin(status, fleet)}"
    step = f"correct spec.server, then {promote}; with the same pods, a Release and then a Promote of version {number}"
    if None not in (asked, entry.inputs_digest) and asked != entry.inputs_digest:
        step = f"spec.server has changed since: {promote}"
    return Problem("Quarantined", f"{older_template.quarantined(entry)}; {step}")


def _abandoned(entry: Abandoned, status: ModelDeploymentStatus, fleet: Fleet) -> Problem:
    """Return the message that names who abandoned a version, why, and what serves it."""
    step = f"a Promote of version {entry.number} serves it{_after_pin(status, fleet)}"
    return Problem("CandidateAbandoned", f"{describe(entry)} was abandoned by {entry.by}: {entry.reason}; {step}")


def _after_pin(status: ModelDeploymentStatus, fleet: Fleet) -> str:
    """Return that a Promote waits for the end of a pin; empty without one."""
    if status.live is None or pin.effective_pin(status, fleet) is None:
        return ""
    return f", once version {status.live.number} is not pinned any more"


def _rejected(version: ModelVersion) -> Problem:
    number, gate = version.spec.number, version.status.gate
    failed = [judgement.metric for judgement in version.status.judgements if not judgement.passed]
    why = f": {gate.message}" if gate else ""
    why = f": {', '.join(failed)} misses its threshold" if failed else why
    return Problem(
        "Rejected", f"version {number} is rejected{why}; `kubectl describe mv {version.name}` compares its metrics"
    )


def _pinned(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return that a version waits for a pin to end; None without a pin."""
    live, number = status.live, version.spec.number
    if live is None or pin.effective_pin(status, fleet) is None:
        return None
    step = "" if status.override else "; remove it to serve newer versions"
    pinned = f"version {live.number} is pinned by {pin.author(status)}{step}"
    return Problem("OlderVersionPinned", f"version {number} is newer and is not rolled out: {pinned}")


def _entry_of(version: ModelVersion, status: ModelDeploymentStatus) -> Abandoned | None:
    """Return the last entry of an abandoned version."""
    found = [one for one in status.abandoned if abandoned.is_of(one, version)]
    return max(found, key=lambda entry: entry.at, default=None)


def _passed_over(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return which decision keeps a version at or below the version floor from returning by itself; None above it."""
    live, digest, promoted = status.live, version.spec.artifact.digest, status.promoted
    if live is None or version.spec.number > version_floor.current(status, fleet):
        return None
    entries = [entry for entry in status.quarantine if entry.artifact == digest]
    if entries:
        # With the pod template that it had; a Promote with another one needs no Release.
        return _template_quarantined(version, entries[-1], status, fleet)
    released = [item.by for item in status.released if item.digest == digest]
    if released:
        why = f" was released from quarantine by {released[-1]}, and is not rolled out by itself"
        return _needs_promote("Released", version, why)
    if any(entry.digest == digest for entry in status.served_versions):
        why = f" served before, and version {live.number} was chosen since"
    elif promoted is not None and promoted.digest == live.digest:
        why = f" existed when {promoted.by} promoted version {promoted.number}"
    else:
        why = " does not lie above the version floor"
    return _needs_promote("BelowVersionFloor", version, why)


def _not_compared(version: ModelVersion, status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return what the version was compared with, and what serves instead; None if it was compared with that."""
    if eligible_versions.is_compared_with_live(version, status, fleet):
        return None
    champion, live, number = version.spec.evaluation.champion, status.live, version.spec.number
    observed = fleet.observed
    compared = f"was compared with {champion.version}" if champion else "was not compared with any version"
    serves = f"{live.version} serves here" if live else "that one was rolled back"
    if champion and live and champion.version == live.version:
        compared, serves = f"{compared} ({champion.digest[:19]})", f"{serves} ({live.digest[:19]})"
    # Runs compare with the live version of the deployment of the TrainingJob's name: a Retrain helps no other one.
    retrain = "a Retrain compares again, " if observed.deployment.name == observed.deployment.training_job else ""
    return Problem(
        "ChampionChanged",
        f"version {number} is not rolled out: it {compared}, and {serves}; {retrain}a Promote of version {number}"
        " serves it without a comparison",
    )


def _needs_promote(reason: ReasonWord, version: ModelVersion, why: str) -> Problem:
    number = version.spec.number
    return Problem(reason, f"version {number}{why}; a Promote of version {number} serves it")


def _abandoned_since(status: ModelDeploymentStatus, fleet: Fleet) -> Abandoned | None:
    """Return what was abandoned last since the live version serves: it may be older, or of an earlier TrainingJob."""
    live = status.live
    found = [one for one in status.abandoned if live and one.at > live.since and _is_promotable(one, status, fleet)]
    return max(found, key=lambda entry: entry.at, default=None)


def _is_promotable(entry: Abandoned, status: ModelDeploymentStatus, fleet: Fleet) -> bool:
    """Return whether a Promote can serve an abandoned version."""
    return any(
        abandoned.is_of(entry, version)
        and not permitted.without_verdict(version)
        and permitted.may_serve(version, status, fleet)
        for version in fleet.versions.named(entry.version)
    )


def _of_replaced_job(status: ModelDeploymentStatus, fleet: Fleet) -> Problem | None:
    """Return that a newer version than the live one is of the TrainingJob that was deleted and made again since."""
    live = status.live
    present = fleet.version_of(live) if live else None
    if live is None or present is None or version_floor.is_of_job(present, status, fleet):
        return None
    own = (one for one in fleet.versions.newest_first if version_floor.is_of_job(one, status, fleet))
    if any(eligible_versions.may_roll_out(one, status, fleet) for one in own):
        # It serves under the number of an older one with the same artifact, or another cause says why it does not.
        return None
    newer = [
        version.spec.number
        for version in takewhile(lambda version: version.spec.number > live.number, fleet.versions.newest_first)
        if not version_floor.is_of_job(version, status, fleet)
        and eligible_versions.may_roll_out(version, status, fleet)
    ]
    if not newer:
        return None
    return Problem(
        "TrainingJobReplaced",
        f"version {max(newer)} is not rolled out: TrainingJob {fleet.observed.deployment.training_job} was made again"
        f" since, and has no verified version yet; a Promote of version {max(newer)} serves it",
    )
