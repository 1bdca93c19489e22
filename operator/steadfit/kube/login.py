"""Where the API server is and who we are there: in a pod its service account, elsewhere the kubeconfig."""

from __future__ import annotations

import os

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_incluster_config, load_kube_config

from steadfit import __version__

USER_AGENT = f"steadfit/{__version__}"


async def login() -> Configuration:
    """Return the connection settings; the token is read anew from its file while they are used.

    Raises
    ------
    kubernetes.aio.config.ConfigException
        If there is neither a service account nor a usable kubeconfig.
    """
    configuration = Configuration()
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        load_incluster_config(client_configuration=configuration)
    else:
        await load_kube_config(client_configuration=configuration, persist_config=False)
    return configuration
