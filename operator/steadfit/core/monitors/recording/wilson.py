"""Wilson's interval of a share (J. Am. Stat. Assoc. 22 (1927)), in PromQL."""

from __future__ import annotations

from steadfit.core.promql import number

Z = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


def upper(share: str, samples: str) -> str:
    """Return the upper end of the 95 % interval."""
    return _end("+", share, samples)


def lower(share: str, samples: str) -> str:
    """Return the lower end of the 95 % interval."""
    return _end("-", share, samples)


def _end(sign: str, share: str, samples: str) -> str:
    spread = f"sqrt({share} * (1 - {share}) / {samples} + {number(Z**2 / 4)} / ({samples}) ^ 2)"
    middle = f"{share} + {number(Z**2 / 2)} / {samples}"
    return f"({middle} {sign} {number(Z)} * {spread}) / (1 + {number(Z**2)} / {samples})"
