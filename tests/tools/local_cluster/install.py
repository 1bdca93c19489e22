"""Installing the operator: CRDs and manifests/base through an overlay with the images just built."""

import json
from collections.abc import Mapping

from tests.tools.local_cluster import kind, overlay
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import BringUpError, CommandError, step

NAMESPACE = "steadfit-system"
DEPLOYMENT = "steadfit-operator"
# Images the operator gives to the pods it makes; kustomize cannot see them, they are environment variables.
IMAGE_VARIABLES = {"STEADFIT_TRAINER_IMAGE": "trainer", "STEADFIT_SERVER_IMAGE": "server"}


def variables_patch(images: Mapping[str, str]) -> dict[str, object]:
    """A strategic merge patch that puts the image references into the operator's environment."""
    env = [{"name": name, "value": images[image]} for name, image in sorted(IMAGE_VARIABLES.items())]
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": DEPLOYMENT, "namespace": NAMESPACE},
        "spec": {"template": {"spec": {"containers": [{"name": "operator", "env": env}]}}},
    }
    return {"patch": json.dumps(patch)}


def install(settings: Settings, images: Mapping[str, str]) -> None:
    """Apply CRDs and manifests and wait until the operator's rollout is complete."""
    directory = overlay.write(
        settings,
        "operator",
        settings.root / "manifests" / "dev" / "operator",
        {"steadfit/operator": images["operator"]},
        [variables_patch(images)],
    )
    with step("installing CRDs and operator"):
        kind.kubectl(settings, "apply", "--server-side", "--force-conflicts", "-k", str(directory))
        rollout = ("rollout", "status", f"deployment/{DEPLOYMENT}", "-n", NAMESPACE)
        try:
            kind.kubectl(settings, *rollout, "--timeout=180s", timeout=200)
        except CommandError as error:
            logs = ("logs", "-n", NAMESPACE, f"deployment/{DEPLOYMENT}", "--tail=15", "--ignore-errors")
            raise BringUpError(f"{error}\nThe operator's last words:\n{kind.kubectl(settings, *logs)}") from error
