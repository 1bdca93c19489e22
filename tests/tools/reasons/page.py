"""Renders the reference page of conditions, reasons and Events from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from steadfit.core.reasons.catalogue import CATALOGUE, SECTIONS
from steadfit.core.reasons.condition_types import CONDITION_TYPES, TypeOfCondition
from steadfit.core.reasons.entry import Reason
from steadfit.core.reasons.general import KINDS

from .usage import OPERATOR, setters

_HEAD = """\
<!-- Generated from operator/steadfit/core/reasons by `make crds`. Do not edit. -->
# Conditions, reasons and Events

Every word that the operator writes as the type or the reason of a condition, or as the reason of an Event. The
condition's or Event's message has the particulars. [Reading status](../reading-status.md) explains how conditions fit
together. The files that set a reason are relative to `operator/steadfit/`.

## Conditions

| condition | of | there | says |
|---|---|---|---|
"""
_COLUMNS = "| reason | shown as | means | next step | set in |\n|---|---|---|---|---|\n"


def page(code: Mapping[Path, str]) -> str:
    """Return the page, with the files of `code` that set each reason."""
    files = setters(code, CATALOGUE)
    types = "".join(
        f"| `{name}` | {_of(one.kinds)} | {_there(one)} | {one.meaning} |\n"
        for name, one in sorted(CONDITION_TYPES.items())
    )
    sections = (
        f"\n## {title}\n\n{_COLUMNS}"
        + "".join(_row(word, reason, files[word]) for word, reason in sorted(section.items()))
        for title, section in SECTIONS.items()
    )
    return _HEAD + types + "".join(sections)


def _there(one: TypeOfCondition) -> str:
    return "always" if one.always else "while it is `True`"


def _row(word: str, reason: Reason, files: Sequence[Path]) -> str:
    places = "<br>".join(f"`{file.relative_to(OPERATOR)}`" for file in files)
    return f"| `{word}` | {'<br>'.join(_shown(reason))} | {reason.meaning} | {reason.next_step} | {places} |\n"


def _shown(reason: Reason) -> Iterator[str]:
    """Yield where a reason is shown: by kind its conditions, then its Events."""
    types: dict[str, list[str]] = {}
    for place in sorted(reason.conditions):
        kind, _, type_ = place.partition("/")
        types.setdefault(kind, []).append(f"`{type_}`")
    for kind, names in types.items():
        yield f"{kind}: {', '.join(names)}"
    for severity, kinds in (("Normal", reason.normal), ("Warning", reason.warning)):
        if kinds:
            yield f"{severity} Event of {_of(kinds)}"


def _of(kinds: Sequence[str]) -> str:
    return "every kind" if set(kinds) == set(KINDS) else ", ".join(sorted(kinds))
