"""Kubernetes quantities as numbers: `1Gi` is `1024Mi`, and the API server stores neither as it was written."""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)")
_SCALES = {
    **{"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0},
    **{unit: 1000.0**power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{unit: 1024.0**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}


def amount(quantity: str) -> float | str:
    """Return a quantity as a number; as it is, if it is none."""
    found = _QUANTITY.fullmatch(quantity)
    if found is None or found[2] not in _SCALES:
        return quantity
    return float(f"{float(found[1]) * _SCALES[found[2]]:.12g}")
