"""Refuses connections to link-local addresses and metadata services, which hand out the credentials of a node or cloud.

The addresses that a name resolves to are checked, and the connection goes to the checked ones: DNS rebinding has no
effect.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

_METADATA = frozenset({ip_address("fd00:ec2::254"), ip_address("fd20:ce::254")})
"""The metadata services of AWS and Google Cloud in IPv6, which are not link-local there."""
_NAT64 = IPv6Network("64:ff9b::/96")


class AddressRefused(OSError):  # noqa: N818 - an outcome, not an error of the operator
    """A name or URL leads to a refused address."""


def check(address: str) -> None:
    """Check that an address is allowed; a name is allowed until it is resolved.

    Raises
    ------
    AddressRefused
        If it is link-local or a metadata service, also when mapped or tunnelled.
    """
    try:
        parsed = ip_address(address.strip("[]"))
    except ValueError:
        return
    inner = _ipv4_within(parsed) if isinstance(parsed, IPv6Address) else parsed
    plain = ip_address(int(parsed)) if isinstance(parsed, IPv6Address) and parsed.scope_id else parsed
    if parsed.is_link_local or plain in _METADATA or (inner is not None and inner.is_link_local):
        raise AddressRefused(f"leads to {address}, a link-local or metadata address, which is refused")


def _ipv4_within(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address within a translated or tunnelled IPv6 address."""
    if address in _NAT64 or int(address) >> 32 == 0:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class GuardedResolver(AbstractResolver):
    """Resolves names, and refuses a name if any of its addresses is refused."""

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
        """Close the inner resolver."""
        await self._inner.close()
