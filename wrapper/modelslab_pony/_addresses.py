"""Which addresses a download may have: on the web, and not inside the network that this machine is in."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

import httpx

from modelslab_pony._files import NotAnImageError

MOST_HOPS = 5
"""Redirects of one download that are followed."""

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses whose last four bytes are an IPv4 address (RFC 6052)."""
_PROTOCOLS = ipaddress.ip_network("192.0.0.0/24")
"""Protocol assignments (RFC 6890), some clouds' metadata among them; not every Python counts all as private."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Guard:
    """Knows the base URL, and with it what else may be asked.

    A URL in an answer is chosen by whoever wrote the answer. Taken at its word, it would let a
    stranger have this machine ask its own services, its neighbours, or its cloud's metadata. So
    private, loopback and link-local addresses are refused, unless the base URL is itself at one.
    """

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._origin = _origin(parts)
        self._host = asked_host(base_url)
        self._is_inside = is_inside(self._host)

    def is_base(self, url: str) -> bool:
        """Tell whether a URL is at the base URL's own origin."""
        return _origin(urlsplit(url)) == self._origin

    def check(self, url: str) -> None:
        """Raise `NotAnImageError` for a URL that is not asked: not of the web, or written with an inner address."""
        try:
            parts = urlsplit(url)
            host = parts.hostname
            parts.port  # noqa: B018 - a bad port raises here and not in the midst of a call
        except ValueError:
            host = None
        if not host or parts.scheme not in _PORTS:
            raise _no_url()
        asked = asked_host(url)
        if not self._is_inside and not self.is_base(url):
            for one in (host, asked):
                if is_inside(one):
                    raise _refused(one)
        if not asked:
            raise _no_url()

    def met(self, host: str, address: str) -> None:
        """Note to which address a call to the base URL was connected."""
        if host == self._host and is_inside(address):
            self._is_inside = True

    def check_peer(self, url: str, host: str, address: str) -> None:
        """Raise `NotAnImageError` if a name led inside; a proxy's address is not the download's."""
        is_named = host == asked_host(url)
        if is_named and not self._is_inside and not self.is_base(url) and is_inside(address):
            raise _refused(host)


def asked_host(url: str) -> str:
    """Return the host that httpx asks for: "127\u30020.0.1" and names of other scripts are written anew by it."""
    try:
        return httpx.URL(url).raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError):
        return ""  # of which httpx asks nobody


def is_this_machine(host: str) -> bool:
    """Tell whether a host's name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_inside(host: str) -> bool:
    """Tell whether a host is written as an address that is not of the public internet.

    Also in the spellings that a resolver takes ("127.1", "0x7f000001"), and for names of this machine.
    """
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and not all(map(_is_public, _meanings(address)))


def _address(name: str) -> Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except (OSError, UnicodeError, ValueError):
        return None


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        return address.is_global and not (address.is_multicast or address.is_reserved or address.is_site_local)
    return address.is_global and not (address.is_multicast or address.is_reserved or address in _PROTOCOLS)


def _meanings(address: Address) -> list[Address]:
    """Return an address and the IPv4 addresses that it stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    found: list[Address | None] = [address, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found = [ipaddress.IPv4Address(address.packed[-4:])]
    return [one for one in found if one is not None]


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _no_url() -> NotAnImageError:
    reason = "not an http(s) URL"
    return NotAnImageError(reason, again=False)


def _refused(host: str) -> NotAnImageError:
    reason = f"{host} is inside a private network, which no answer of the service may lead to"
    return NotAnImageError(reason, again=False)
