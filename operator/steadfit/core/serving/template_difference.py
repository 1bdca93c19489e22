"""Comparison of a Deployment's pod template with the declared one: only what the operator declares counts.

What others add is theirs: the annotation of `kubectl rollout restart`, an injected sidecar, a label, a default of the
API server. What a declared container runs is never theirs: another command is another program.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steadfit.core.quantities import amount

_RUNS: Mapping[str, Any] = {"command": [], "args": [], "workingDir": ""}
"""What decides which program a container runs, with the value that leaves it to the image."""
_QUANTITIES = ("requests", "limits", "sizeLimit")


@dataclass(frozen=True, slots=True)
class Difference:
    """One declared field that a stored template has otherwise."""

    field: str
    ours: Any
    theirs: Any

    @property
    def digest(self) -> str:
        """Digest of the field and the stored value."""
        content = json.dumps([self.field, self.theirs], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the fields of a declared template that another one has otherwise."""
    yield from _differences(ours, theirs, "template")
    for name, key, value in _overridden(ours, theirs):
        yield Difference(f"template.spec.containers[{name}].{key}", None, value)


def first_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any], admitted: Collection[str] = ()) -> str | None:
    """Return the path of the first field of a declared template that another one has otherwise; None without one.

    Values whose digests are among `admitted` are no difference.
    """
    found = differences(ours, theirs)
    return next((one.field for one in found if not admitted or one.digest not in admitted), None)


def put_right(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template to apply: the declared one, with empty values for what may not be theirs."""
    empty: dict[str, dict[str, Any]] = {}
    for name, key, _ in _overridden(ours, theirs):
        empty.setdefault(name, {})[key] = _RUNS[key]
    containers = [{**one, **empty.get(one["name"], {})} for one in ours["spec"]["containers"]]
    return {**ours, "spec": {**ours["spec"], "containers": containers}}


def _overridden(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield container, field and value where others decide which program a declared container runs."""
    others = {one["name"]: one for one in theirs["spec"]["containers"]}
    for container in ours["spec"]["containers"]:
        other = others.get(container["name"], {})
        yield from ((container["name"], key, other[key]) for key in _RUNS if key not in container and other.get(key))


def _differences(ours: Any, theirs: Any, path: str, *, is_quantity: bool = False) -> Iterator[Difference]:
    """Yield the fields of `ours` that `theirs` lacks or has with another value.

    In a list of objects an object may stand anywhere, and others may stand beside it. The API server leaves out empty
    values.
    """
    if ours == theirs or (theirs is None and ours in ("", [], {})):
        return
    if isinstance(ours, Mapping):
        for key, value in ours.items():
            other = theirs.get(key) if isinstance(theirs, Mapping) else None
            yield from _differences(value, other, f"{path}.{key}", is_quantity=is_quantity or key in _QUANTITIES)
    elif isinstance(ours, list) and ours and all(isinstance(item, Mapping) for item in ours):
        others = theirs if isinstance(theirs, list) else []
        for item in ours:
            yield from _nearest(item, others, f"{path}[{item.get('name', '')}]")
    elif not (is_quantity and _thousandths(ours) == _thousandths(theirs)):
        yield Difference(path, ours, theirs)


def _thousandths(quantity: Any) -> int | str:
    """Return a quantity as the API server stores it: rounded up to thousandths."""
    found = amount(str(quantity))
    return math.ceil(found * 1000) if isinstance(found, float) else found


def _nearest(item: Mapping[str, Any], others: list[Any], path: str) -> Sequence[Difference]:
    """Return the differences of an object from the one of its name, or from all that stand in the list."""
    named = [other for other in others if isinstance(other, Mapping) and other.get("name") == item.get("name")]
    found = [list(_differences(item, other, path)) for other in named]
    return min(found, key=len, default=[Difference(path, item, None)])
