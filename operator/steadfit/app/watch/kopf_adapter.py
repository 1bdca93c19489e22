"""kopf as the source of watch events: it watches and reconnects; every event goes straight to the engine.

Handlers touch no API, never raise and return None, so kopf writes nothing anywhere: no annotation, no finalizer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import kopf
from kubernetes.aio.client import Configuration

from steadfit.app.engine.engine import SELECTOR
from steadfit.app.engine.refusals import FIELD_SELECTOR
from steadfit.kube.resources import CHILDREN, EVENTS, WATCHED

logger = logging.getLogger(__name__)

# kopf's default asks for the user's name, and a container's uid has none. (kopf's type for it is not public.)
_IDENTITY: Any = "steadfit"

Deliver = Callable[[str | None, dict[str, Any]], None]
"""Called with the type and the object of a watch event."""


class EndlessBackoff:
    """Seconds between attempts: doubling, capped, without end.

    kopf's operator exits when a list of backoffs is used up; this iterable has no end.
    """

    def __init__(self, first: float = 0.2, factor: float = 2.0, cap: float = 30.0) -> None:
        self._first = first
        self._factor = factor
        self._cap = cap

    def __iter__(self) -> Iterator[float]:
        """Yield the seconds."""
        seconds = self._first
        while True:
            yield seconds
            seconds = min(self._cap, seconds * self._factor)


def settings() -> kopf.OperatorSettings:
    """Return settings by which kopf only watches."""
    chosen = kopf.OperatorSettings()
    chosen.peering.standalone = True
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.networking.error_backoffs = EndlessBackoff()
    chosen.networking.request_timeout = 30
    chosen.networking.enforce_retry_after = True
    chosen.watching.server_timeout = 300
    chosen.watching.connect_timeout = 10
    for resource in CHILDREN:
        chosen.watching.label_selectors[resource.group, resource.version, resource.plural] = SELECTOR
    chosen.watching.field_selectors[EVENTS.group, EVENTS.version, EVENTS.plural] = FIELD_SELECTOR
    chosen.queueing.idle_timeout = 0.5
    chosen.queueing.exit_timeout = 0.5
    chosen.persistence.finalizer = "steadfit.dev/unused-by-kopf"
    chosen.execution.max_workers = 1
    return chosen


def registry(configuration: Configuration, deliver: Deliver) -> kopf.OperatorRegistry:
    """Return the handlers: a login with our own credentials, and an event handler on every watched resource."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers, id="login")
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await connection(configuration)

    for resource in (*WATCHED, EVENTS):

        @kopf.on.event(
            group=resource.group,
            version=resource.version,
            plural=resource.plural,
            registry=handlers,
            id=f"watch-{resource.plural}",
        )
        async def on_event(event: kopf.RawEvent, **_: Any) -> None:
            try:
                deliver(event["type"], dict(event["object"]))
            except Exception:
                # kopf would log it and go on; this log line has a sentence. The resync repairs the loss.
                logger.exception("an event was lost")

    return handlers


async def connection(configuration: Configuration) -> kopf.ConnectionInfo:
    """Return our credentials in kopf's form; called again whenever the API server answers 401."""
    header = await configuration.get_api_key_with_prefix("BearerToken")
    scheme, _, token = (header or "").strip().partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        username=configuration.username or None,
        password=configuration.password or None,
        scheme=scheme or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        proxy_url=configuration.proxy,
    )


async def watch(configuration: Configuration, namespaces: Sequence[str], deliver: Deliver, stop: asyncio.Event) -> None:
    """Run kopf until the event is set, or until kopf gives up with an exception."""
    await kopf.operator(
        registry=registry(configuration, deliver),
        settings=settings(),
        identity=_IDENTITY,
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
    )
