"""The reply to an apply of a pod template is kept, and told when it is new."""

from __future__ import annotations

from typing import Any

from steadfit.app.engine import applied_templates
from steadfit.app.engine.applied_templates import AppliedTemplates


def deployment(uid: str = "1", **spec: Any) -> dict[str, Any]:
    return {"kind": "Deployment", "metadata": {"name": "flights", "uid": uid}, "spec": spec}


def test_the_reply_to_an_apply_of_a_template_is_kept_and_told_once() -> None:
    told: list[Any] = []
    applied = AppliedTemplates(told.append)
    for image in ("mirror/server:1", "mirror/server:1", "mirror/server:2"):
        applied.record(deployment(template={"image": "server:1"}), deployment(template={"image": image}))
    assert [one["spec"]["template"]["image"] for one in told] == ["mirror/server:1", "mirror/server:2"]
    assert applied.of([deployment(), deployment("2")]) == {"1": {"image": "mirror/server:2"}}


def test_what_is_no_apply_of_a_template_tells_nothing() -> None:
    applied = AppliedTemplates(lambda reply: None)
    applied.record(deployment(replicas=2), deployment(template={"image": "mallory/server:1"}, replicas=2))
    applied.record({"kind": "Pod", "metadata": {"name": "a", "uid": "1"}}, deployment(template={}))
    assert applied.of([deployment()]) == {}


def test_it_is_bounded() -> None:
    applied = AppliedTemplates(lambda reply: None)
    for number in range(applied_templates.REMEMBERED + 1):
        applied.record(deployment(template={}), deployment(str(number), template={}))
    assert applied.of([deployment("0")]) == {}
    assert applied.of([deployment("1")]) == {"1": {}}
