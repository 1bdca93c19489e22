"""The S3 server in the cluster: versitygw over a directory of one node."""

import urllib.error
import urllib.request

from tests.tools.local_cluster import binaries, images, kind, overlay
from tests.tools.local_cluster.engine import Engine
from tests.tools.local_cluster.scratch import import_binary
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import step

NAMESPACE = "steadfit-store"
NODE_PORT = 30070
ENDPOINT = f"http://127.0.0.1:{NODE_PORT}"
IN_CLUSTER_ENDPOINT = f"http://store.{NAMESPACE}.svc:7070"
ACCESS_KEY = "steadfit-dev"
SECRET_KEY = "steadfit-dev-secret"  # the same as in manifests/dev/store: it guards nothing


def endpoint(settings: Settings) -> str:
    """Where this machine reaches the server: our cluster's mapped port, else a node of the user's cluster."""
    if not settings.existing:
        return ENDPOINT
    template = "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}"
    return f"http://{kind.kubectl(settings, 'get', 'nodes', '-o', template)}:{NODE_PORT}"


def answers() -> bool:
    """Whether the server answers on this machine; a refusal without keys is an answer."""
    try:
        urllib.request.urlopen(ENDPOINT, timeout=3).close()
    except urllib.error.HTTPError as error:
        return error.code == 403
    except OSError:
        return False
    return True


def ensure(settings: Settings, engine: Engine) -> None:
    """Apply the server's manifests with the image built here, and wait until it answers."""
    binary = binaries.build(settings, binaries.VERSITYGW) / "versitygw"
    reference = images.push_as(settings, engine, import_binary(engine, "versitygw", binary), "versitygw")
    directory = overlay.write(
        settings, "store", settings.root / "manifests" / "dev" / "store", {"steadfit/versitygw": reference}
    )
    with step("bringing up the S3 server"):
        kind.kubectl(settings, "apply", "--server-side", "--force-conflicts", "-k", str(directory))
        kind.kubectl(settings, "rollout", "status", "deployment/store", "-n", NAMESPACE, timeout=180)
        if not settings.existing:
            kind.wait_for("the S3 server", answers, 60)
