"""Connection and credentials for the API server: the service account in a pod, the kubeconfig elsewhere."""

from __future__ import annotations

import os

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_incluster_config, load_kube_config

from steadfit import __version__

USER_AGENT = f"steadfit/{__version__}"


async def login() -> Configuration:
    """Return the connection settings; the token is read again from its file during use.

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
