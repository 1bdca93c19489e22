"""Which addresses are never connected to: those at which a node or a cloud hands out credentials.

A name is judged by what it resolves to, and the connection goes to the very addresses that were judged: a name that
resolves to something else the next time gains nothing.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

_METADATA = frozenset({ip_address("fd00:ec2::254"), ip_address("fd20:ce::254")})
"""The metadata services of AWS and Google Cloud in IPv6, which are not link-local there."""
_NAT64 = IPv6Network("64:ff9b::/96")


class AddressRefused(OSError):  # noqa: N818 - what became of the address
    """A name or URL leads to an address that is never connected to."""


def check(address: str) -> None:
    """Return if an address may be connected to; what is no address (a name) may, until it is resolved.

    Raises
    ------
    AddressRefused
        If it is link-local or a metadata service, in whatever clothing.
    """
    try:
        parsed = ip_address(address.strip("[]"))
    except ValueError:
        return
    inner = _ipv4_within(parsed) if isinstance(parsed, IPv6Address) else parsed
    plain = ip_address(int(parsed)) if isinstance(parsed, IPv6Address) and parsed.scope_id else parsed
    if parsed.is_link_local or plain in _METADATA or (inner is not None and inner.is_link_local):
        raise AddressRefused(f"leads to {address}, a link-local or metadata address, which is never asked")


def _ipv4_within(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that a translated or tunnelled IPv6 address stands for."""
    if address in _NAT64 or int(address) >> 32 == 0:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class GuardedResolver(AbstractResolver):
    """Resolves names and refuses those of which any address is refused."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host."""
        found = await self._inner.resolve(host, port, family)
        for result in found:
            check(result["host"])
        return found

    async def close(self) -> None:
        """Release what resolving holds."""
        await self._inner.close()
