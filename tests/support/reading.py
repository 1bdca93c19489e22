"""Reads Kubernetes objects as models, each state of an object once.

To validate is most of what a pass costs in a test, and between two passes nearly all objects are as they were. A model
is frozen, so it can be given out again; it is made from a copy, so whatever was done to it shows at no other place.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from steadfit.api.base import Object

from tests.sim.objects import JSON, clone

M = TypeVar("M", bound=Object)


class Reader:
    """Remembers the last state of every object, and the model that was made of it."""

    def __init__(self) -> None:
        self._known: dict[tuple[type[Object], str], tuple[JSON, Object]] = {}

    def read(self, model: type[M], obj: dict[str, Any]) -> M:
        """Return the object as a model; a new one only when the object is not what it was."""
        key = model, obj["metadata"]["name"]
        state, known = self._known.get(key, (None, None))
        if state != obj:
            state = clone(obj)
            known = model.model_validate(state)
            self._known[key] = state, known
        return cast(M, known)
