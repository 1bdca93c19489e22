"""A status stays well below 256 KiB, whatever legal input fills it, in whatever characters."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo
from steadfit.api.base import Condition, Model
from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.core.reasons.condition_types import CONDITION_TYPES
from steadfit.core.serving import status_bounds
from steadfit.core.status_texts import ONE_EACH, shortened
from steadfit.core.text import cut

from tests.unit.core.serving.serving_cluster import serving

MOST = 230 * 1024
AT = datetime(2026, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)
LENGTHS = {
    "revision": 10,
    "replaces": 10,
    "champion_revision": 10,
    "further_decisions": 10,
    "version": 63,
    "run": 63,
    "pod": 63,
    "uid": 36,
    "container": 80,
    "name": 253,
    "action": 253,
    "monitor": 40,
    "field": 256,
}
"""Lengths of what the API server or the operator names; digests have 71 letters."""
TEXTS = {"reason": 1024, "message": 1024, "by": 512 + 3 + 253, "promoted_by": 512 + 3 + 253, "requested_by": 512}
"""Lengths of what people write, in characters."""
LISTED = ("Abandoned", "ActionRecord", "AutomaticRollback", "Diagnosis", "MonitorState", "QuarantineEntry", "Verdict")
"""Entries of lists whose texts the bounds cut."""
SHORT_NAMES = ("Verdict", "MonitorState", "MetricValue")
"""Entries that are named as the spec names them, by labels."""


def largest(model: type[Model], letter: str) -> Model:
    """Return a part of a status with every list at its bound and every text as long as it can be."""
    values = {name: value(name, info, model.__name__, letter) for name, info in model.model_fields.items()}
    return model.model_construct(**values)


def value(name: str, info: FieldInfo, owner: str, letter: str) -> Any:
    bound = next((item.max_length for item in info.metadata if hasattr(item, "max_length")), None)
    return of_type(info.annotation, name, bound, owner, letter)


def of_type(annotation: Any, name: str, bound: int | None, owner: str, letter: str) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        (annotation, *_) = (one for one in get_args(annotation) if one is not NoneType)
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return max(map(str, arguments), key=len)
    if hasattr(annotation, "__metadata__"):
        length = next((one.max_length for one in annotation.__metadata__ if hasattr(one, "max_length")), bound)
        return of_type(arguments[0], name, length, owner, letter)
    if get_origin(annotation) is list:
        count = bound if bound is not None else 16
        return [of_type(arguments[0], name, None, owner, letter) for _ in range(count if name != "actions" else 48)]
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return largest(annotation, letter)
    if annotation is str:
        return text(name, bound, owner, letter)
    return {datetime: AT, int: 2**31, float: -1.2345678901234567e-100, bool: False}[annotation]


def text(name: str, bound: int | None, owner: str, letter: str) -> str:
    if name == "reason" and owner in ("ActionRecord", "Condition", "PodFailure"):
        return "R" * 64
    if name in TEXTS:
        # `author` has cut the user of what is no list.
        return letter * TEXTS[name] if owner in LISTED else cut(letter * 512, 256) + "n" * 256
    if owner in SHORT_NAMES and name == "name":
        return "n" * 40
    return "n" * LENGTHS.get(name, min(bound or 71, 1024) if "digest" not in name else 71)


@pytest.mark.parametrize("letter", ["a", "é", "<", "\x01", "😀"])
def test_the_largest_status_of_a_model_deployment_is_well_below_256_kib(letter: str) -> None:
    full = largest(ModelDeploymentStatus, letter)
    assert isinstance(full, ModelDeploymentStatus)
    kept = status_bounds.keep(full, serving(1).fleet)
    states = shortened(kept.monitors, ONE_EACH)
    further = full.further_decisions[: status_bounds.MAX_FURTHER]
    kept = kept.model_copy(
        update={"conditions": conditions(kept, letter), "monitors": states, "further_decisions": further}
    )
    sizes = {name: stored_size(value) for name, value in kept.dump().items()}
    assert sum(sizes.values()) < MOST


def conditions(status: ModelDeploymentStatus, letter: str) -> list[Condition]:
    """Return one condition of each type, as `merge` writes it."""
    written = status.conditions[0].model_copy(update={"message": cut(letter * 5000), "reason": "R" * 32})
    types = [kind for kind, known in CONDITION_TYPES.items() if "ModelDeployment" in known.kinds]
    return [written.model_copy(update={"type": kind}) for kind in types]


def stored_size(stored: Any) -> int:
    """Return the bytes of JSON as the API server stores it, which escapes these characters with six."""
    written = json.dumps(stored, ensure_ascii=False, separators=(",", ":"))
    return len(written.encode()) + 5 * sum(written.count(one) for one in "<>&") + 3 * written.count("\u2028")


@pytest.mark.parametrize("letter", ["a", "é", "<", "\x01", "😀", '"', "\u2028"])
def test_a_text_is_cut_by_the_bytes_that_the_api_server_stores(letter: str) -> None:
    short = cut(letter * 1000, 100)
    assert 90 < stored_size(short) <= 100 + 2 + 2
    assert cut(letter * 10, 100) == letter * 10
