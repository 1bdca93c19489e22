"""What the API server makes of the pod templates that this operator applies; in memory, a new leader applies again.

Whoever changes a Deployment may do so before its next observation. Only the reply to an apply tells what admission has
made of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from steadfit.kube.cache import JSONObject

REMEMBERED = 1000


class AppliedTemplates:
    """The template in the last reply, by the uid of its Deployment. `listen` is called with the reply if it is new."""

    def __init__(self, listen: Callable[[JSONObject], None]) -> None:
        self._listen = listen
        self._templates: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

    def record(self, manifest: Mapping[str, Any], reply: JSONObject) -> None:
        """Store the reply to an apply, if that was of a pod template."""
        if manifest["kind"] != "Deployment" or "template" not in manifest["spec"]:
            return
        uid, template = reply["metadata"]["uid"], reply["spec"]["template"]
        is_new = self._templates.get(uid) != template
        self._templates[uid] = template
        self._templates.move_to_end(uid)
        if len(self._templates) > REMEMBERED:
            self._templates.popitem(last=False)
        if is_new:
            # The Deployment may be as it was before, which no watch tells.
            self._listen(reply)

    def of(self, deployments: Sequence[JSONObject]) -> Mapping[str, Mapping[str, Any]]:
        """Return the templates of these Deployments, by uid."""
        uids = (deployment["metadata"]["uid"] for deployment in deployments) if self._templates else ()
        return {uid: self._templates[uid] for uid in uids if uid in self._templates}
