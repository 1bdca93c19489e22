"""A real Gateway in the local cluster: Traefik, whose provider for the Gateway API follows HTTPRoutes."""

from tests.tools.local_cluster import binaries, images, kind, overlay
from tests.tools.local_cluster.engine import Engine
from tests.tools.local_cluster.scratch import import_binary
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import step

NAMESPACE = "steadfit-gateway"
NAME = "public"


def install(settings: Settings, engine: Engine) -> None:
    """Apply Traefik with the image built here, and wait until it has taken its Gateway.

    A cluster of the user's gets none: whoever has another Traefik there would have two of one controller name.
    """
    if settings.existing:
        return
    binary = binaries.build(settings, binaries.TRAEFIK) / "traefik"
    reference = images.push_as(settings, engine, import_binary(engine, "traefik", binary), "traefik")
    base = settings.root / "manifests" / "dev" / "gateway"
    directory = overlay.write(settings, "gateway", base, {"steadfit/traefik": reference})
    with step("installing Traefik"):
        kind.kubectl(settings, "apply", "--server-side", "--force-conflicts", "-k", str(directory))
        rollout = ("rollout", "status", "deployment/traefik", "-n", NAMESPACE, "--timeout=180s")
        kind.kubectl(settings, *rollout, timeout=200)
        taken = ("wait", f"gateway/{NAME}", "-n", NAMESPACE, "--for=condition=Programmed", "--timeout=60s")
        kind.kubectl(settings, *taken, timeout=70)
