"""The HTTP client of the servers' metrics ports. It trusts no server: time, size and number of answers are bounded."""

from __future__ import annotations

from ipaddress import ip_address

import aiohttp
from yarl import URL

from steadfit.prometheus import address_guard

from .answer import MAX_BYTES, Answer, NoTallies, read
from .pods import ServerPod

AT_ONCE = 16
"""Most requests at once, to the pods of one trial: those that do not answer delay no other trial."""
TIMEOUT_SECONDS = 1.0


class TalliesClient:
    """Reads `GET /tallies` of pods by their address. It resolves no names and follows no redirects."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            # The servers close each connection; one that is kept would only be found closed.
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def read(self, pod: ServerPod, since: int, *, comparing: bool = True) -> Answer:
        """Return the closed seconds of a pod after one; while it is compared, it ends its connections sooner.

        Raises
        ------
        NoTallies
            If it has none, or did not answer in time.
        """
        try:
            body = await self._get(pod, since, comparing=comparing)
        except TimeoutError as error:
            raise NoTallies(f"did not answer within {TIMEOUT_SECONDS:g} s", silent=True) from error
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, ConnectionRefusedError)
            message = f"refuses connections to port {pod.port}" if refused else f"cannot be reached at port {pod.port}"
            raise NoTallies(message, silent=not refused) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoTallies("broke the connection before it had answered", silent=True) from error
        return read(body, pod.namespace, pod.model, pod.revision)

    async def _get(self, pod: ServerPod, since: int, *, comparing: bool) -> bytes:
        address = str(ip_address(pod.address))
        try:
            address_guard.check(address)
        except address_guard.AddressRefused as error:
            raise NoTallies(f"its address {error}") from error
        query = {"since": str(since), **({"comparing": "true"} if comparing else {})}
        url = URL.build(scheme="http", host=address, port=pod.port, path="/tallies", query=query)
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise NoTallies(f"answers /tallies with HTTP {response.status}")
            if response.content_type != "application/json":
                raise NoTallies("answers /tallies with something else than JSON")
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise NoTallies(f"answers with more than {MAX_BYTES} bytes")
            return bytes(body)
