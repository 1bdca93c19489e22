"""Whether a recipe is valid, as far as admission cannot check it."""

from __future__ import annotations

import json
from typing import Any

from steadfit.api.trainingjob import TrainingJob
from steadfit.core import store_choice
from steadfit.core.input_hash import inputs
from steadfit.core.problem import Problem
from steadfit.core.training.triggers import cron
from steadfit.core.types import Stores

LONGEST_INPUTS = 48 * 1024
"""Bytes of the inputs as JSON: fetch and publish read them from one environment variable, of 128 KiB at most."""


def problem(job: TrainingJob, stores: Stores) -> Problem | None:
    """Return why no run can be created from a recipe, or None."""
    return _params(job) or _store(job, stores) or _data(job, stores) or _schedules(job)


def _params(job: TrainingJob) -> Problem | None:
    for name, value in sorted(job.spec.params.items()):
        if not _is_scalar(value):
            return Problem(
                "InvalidParams", f"spec.params.{name} must be a string, a number or a boolean, not {_kind(value)}"
            )
    size = len(json.dumps(inputs(job.spec)).encode())
    if size > LONGEST_INPUTS:
        return Problem(
            "InputsTooLarge",
            f"the recipe's inputs are {size} bytes of JSON; at most {LONGEST_INPUTS} can be passed to the run's pod:"
            " put long parameters into a file of the image or into the data",
        )
    return None


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return "a list" if isinstance(value, list) else "an object"


def _store(job: TrainingJob, stores: Stores) -> Problem | None:
    found = store_choice.by_name(job.spec.store_ref.name, stores)
    return Problem("StoreNotUsable", f"spec.storeRef: {found}") if isinstance(found, str) else None


def _data(job: TrainingJob, stores: Stores) -> Problem | None:
    for source in job.spec.data:
        found = store_choice.for_source(source, job.spec.store_ref.name, stores)
        if isinstance(found, str):
            return Problem("StoreNotUsable", f"spec.data[{source.name}]: {found}")
    return None


def _schedules(job: TrainingJob) -> Problem | None:
    for trigger in job.spec.triggers:
        wrong = cron.problem(trigger.schedule) if trigger.schedule else None
        if wrong:
            return Problem("InvalidSchedule", f"spec.triggers[{trigger.name}]: {wrong}")
    return None
