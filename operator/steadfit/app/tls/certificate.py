"""The intake's certificate: stored in a Secret, shared by all replicas, renewed long before it expires.

The operator is its own CA, so that nothing has to be installed first. Where another owner supplies the Secret
(cert-manager's annotation, or a setting) it is only read. If two replicas find the certificate missing or old, both
make one; one of the guarded writes succeeds, and the other replica reads its result.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from steadfit.core.names import MANAGED_BY, MANAGER
from steadfit.kube.client import AlreadyExists, APIError, Conflict, KubeClient, NotFound
from steadfit.kube.clock import Clock
from steadfit.kube.resources import SECRETS

from . import pki
from .handshakes import Handshakes, Reason

logger = logging.getLogger(__name__)

CHECK_SECONDS = 30.0
"""Interval of the checks: a certificate that was replaced is served, and its CA published, within a minute."""
RETRY_SECONDS = 5.0
FOREIGN_ANNOTATION = "cert-manager.io/certificate-name"


@dataclass(frozen=True, slots=True)
class CertificateStatistics:
    """Expiry and renewals of the certificate."""

    expires: datetime | None
    renewals: int
    """Certificates made by this process."""
    handshake_failures: Mapping[Reason, int] = field(default_factory=dict)
    """Failed handshakes of clients by reason."""


class Certificate:
    """Keeps an `ssl.SSLContext` loaded with the certificate of the Secret; new connections use the newest one."""

    def __init__(
        self,
        client: KubeClient,
        clock: Clock,
        *,
        namespace: str,
        name: str,
        hosts: tuple[str, ...],
        managed: bool,
        on_ca: Callable[[str], None] = lambda bundle: None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._hosts = hosts
        self._managed = managed
        self._on_ca = on_ca
        self._loaded: Mapping[str, str] | None = None
        self._ca_bundle = ""
        self._renewals = 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._handshakes = Handshakes(self.context)

    @property
    def ca_bundle(self) -> str:
        """PEM of the CAs by which clients verify the intake: that of the Secret, and those before it until they expire.

        Other replicas serve the old certificate until their next check.
        """
        return self._ca_bundle

    async def load(self) -> None:
        """Load the certificate, after making it where the operator manages it; retry until it is loaded."""
        while True:
            if await self._check():
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def run(self) -> None:
        """Renew and reload the certificate, without end."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await self._check()

    def statistics(self) -> CertificateStatistics:
        """Return expiry, renewals and failed handshakes."""
        expires = pki.expiry(self._loaded["tls.crt"]) if self._loaded else None
        return CertificateStatistics(expires, self._renewals, self._handshakes.failures())

    async def _check(self) -> bool:
        """Read the Secret, renew its certificate if needed, load it if it has changed; return whether one is loaded."""
        try:
            data = await self._current()
            if data is not None and data != self._loaded:
                self._load(data)
        except (APIError, ValueError, ssl.SSLError) as error:
            logger.warning("the certificate in the Secret %s cannot be used: %s", self._name, error)
        return self._loaded is not None

    async def _current(self) -> Mapping[str, str] | None:
        try:
            secret = await self._client.get(SECRETS, self._name, self._namespace)
        except NotFound:
            if not self._managed:
                logger.warning(
                    "waiting for the Secret %s, which STEADFIT_CERTIFICATE_MANAGED=false says others create", self._name
                )
                return None
            # Whoever deleted the Secret did not take the CA from those that trust it.
            return await self._write(None, pki.make(self._hosts, self._clock.now(), self._own()))
        data = _decoded(secret)
        if (
            not self._managed
            or _is_foreign(secret, data)
            or not pki.needs_renewal(data, self._hosts, self._clock.now())
        ):
            return data
        return await self._write(secret, pki.make(self._hosts, self._clock.now(), data))

    def _own(self) -> Mapping[str, str]:
        """Return what is loaded if it is of our own CA."""
        return self._loaded if self._loaded and "ca.key" in self._loaded else {}

    async def _write(self, secret: Mapping[str, Any] | None, data: Mapping[str, str]) -> Mapping[str, str] | None:
        labels = {MANAGED_BY: MANAGER}
        new = {"name": self._name, "namespace": self._namespace, "labels": labels}
        metadata = secret["metadata"] if secret else new
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": metadata,
            "data": {name: base64.b64encode(text.encode()).decode() for name, text in data.items()},
        }
        try:
            await (self._client.create(manifest) if secret is None else self._client.replace(manifest))
        except (AlreadyExists, Conflict):
            return _decoded(await self._client.get(SECRETS, self._name, self._namespace))
        self._renewals += 1
        logger.info("made a certificate for the intake, valid until %s", pki.expiry(data["tls.crt"]))
        return data

    def _load(self, data: Mapping[str, str]) -> None:
        if missing := {"tls.crt", "tls.key", "ca.crt"} - data.keys():
            raise ValueError(f"it has no {', '.join(sorted(missing))}")
        # The ssl module reads keys from files only.
        with tempfile.TemporaryDirectory() as directory:
            chain, key = Path(directory, "tls.crt"), Path(directory, "tls.key")
            chain.write_text(data["tls.crt"])
            key.touch(mode=0o600)
            key.write_text(data["tls.key"])
            self.context.load_cert_chain(chain, key)
        self._loaded = data
        bundle = pki.overlapping(data["ca.crt"], self._ca_bundle, self._clock.now())
        if bundle != self._ca_bundle:
            self._ca_bundle = bundle
            self._on_ca(bundle)


def _is_foreign(secret: Mapping[str, Any], data: Mapping[str, str]) -> bool:
    """Return whether another owner supplies the certificate: cert-manager's annotation, or no CA key beside it."""
    annotated = FOREIGN_ANNOTATION in secret["metadata"].get("annotations", {})
    return annotated or ("tls.crt" in data and "ca.key" not in data)


def _decoded(secret: Mapping[str, Any]) -> dict[str, str]:
    return {name: base64.b64decode(value).decode() for name, value in secret.get("data", {}).items()}
