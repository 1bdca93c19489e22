"""Margins: by how much something may be worse, as a number or as a percentage of what it is compared with."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from pydantic import WithJsonSchema
from pydantic_core import core_schema

_PERCENTAGE = r"^[0-9]{1,3}(\.[0-9]{1,6})?%$"
_NOT_ZERO = "[1-9]"
"""Pattern of a percentage above 0: it has a digit that is not 0."""


class Margin(NamedTuple):
    """A margin, absolute or relative.

    Attributes
    ----------
    amount
        In the unit of what is compared, or in per cent; never negative.
    relative
        Whether it is in per cent of a reference.
    """

    amount: float
    relative: bool = False

    @classmethod
    def parse(cls, value: object) -> Margin:
        """Return the margin that a field holds: a number such as 0.005, or a text such as `5%`.

        Raises
        ------
        ValueError
            If it is neither, or negative.
        """
        if isinstance(value, Margin):
            return value
        if isinstance(value, str) and re.fullmatch(_PERCENTAGE, value):
            return cls(float(value[:-1]), relative=True)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
            return cls(float(value))
        raise ValueError(f"{value!r} is no margin: a number such as 0.005, or a percentage such as 5%")

    def of(self, reference: float) -> float:
        """Return the margin in the unit of the reference. A percentage is of its absolute value, so of 0 it is 0."""
        return self.amount * abs(reference) / 100 if self.relative else self.amount

    def written(self) -> float | str:
        """Return what a field holds for it."""
        return f"{self.amount:.6f}".rstrip("0").rstrip(".") + "%" if self.relative else self.amount

    def text(self, reference: float) -> str:
        """Return what was asked for and what it comes to: `0.005`, or `5% = 0.035`."""
        return f"{self.written()} = {self.of(reference):.4g}" if self.relative else f"{self.amount:g}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Read and write the field's form."""
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(cls.written)
        )


def margin_schema(**bounds: float) -> WithJsonSchema:
    """Return the published schema of a margin whose numbers have these bounds, such as `minimum`.

    Where a number must be above 0, so must a percentage.

    A value of several types has no `type`, so that CEL cannot see it. But bounds of numbers hold for whatever is none,
    and a pattern for whatever is no text. A list or an object that must be both empty and not empty is none.
    """
    neither = {"minItems": 1, "maxItems": 0, "minProperties": 1, "maxProperties": 0, "not": {"enum": [True, False]}}
    conditions: list[dict[str, Any]] = [neither]
    if bounds.get("exclusiveMinimum") == 0:
        conditions.append({"pattern": _NOT_ZERO})
    return WithJsonSchema(
        {"x-kubernetes-preserve-unknown-fields": True, **bounds, "pattern": _PERCENTAGE, "allOf": conditions}
    )
