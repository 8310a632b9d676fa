"""Which addresses the operator may be sent to. Pure: names are resolved elsewhere, and what they resolve to is checked
by `check_address`.

Link-local addresses are always refused, in every spelling: behind them are the metadata services of clouds, which hand
out credentials to whoever asks. `--allow-endpoint` narrows further.
"""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Metadata services outside of the link-local ranges: Alibaba, Azure, Oracle, AWS and Google.
_METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(text)
    for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
# Whatever else there is in a host, somebody behind us reads differently: %31 and fullwidth digits become digits.
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_PATTERN = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(:(?P<port>[0-9*]+))?")
_ADDRESS_PATTERN = re.compile(r"[0-9.*]*[0-9][0-9.*]*")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_endpoint(url: str, allowed: Sequence[str]) -> str | None:
    """Why `url` is refused, as a sentence that does not repeat secrets of it; None if it is fine.

    `allowed` are patterns of host or host:port with * for any characters (`*.aliyuncs.com`, `10.0.*:19530`,
    `[fd00::*]:19530`); none means any. A pattern of digits and dots is for addresses and matches no name.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", _DEFAULT_PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    except ValueError:
        return "The address is not a URL; write http://host:port or https://host:port."
    if parts.scheme not in _DEFAULT_PORTS or not host:
        return "The address is not a URL; write http://host:port or https://host:port."
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "The address carries user info, a query or a fragment; remove it."
    host = host.removesuffix(".")
    address = _literal(host)
    if address is None and not _NAME.fullmatch(host):
        return (
            "The host of the address is neither a DNS name nor an IP address; write names of other alphabets as xn--…."
        )
    if host in _METADATA_NAMES or (address is not None and _is_refused(address)):
        return _refused(host)
    if allowed and not any(_matches(host, address, port, pattern.strip().lower()) for pattern in allowed):
        return f"The operator's --allow-endpoint does not include {host}; ask who runs the operator to add it."
    return None


def check_pattern(pattern: str) -> str | None:
    """Why this is no pattern of --allow-endpoint; None if it is one."""
    parts = _PATTERN.fullmatch(pattern.strip().lower())
    if parts is not None and re.fullmatch(r"\[[0-9a-f:.*]+\]|[a-z0-9_.*-]+", parts["host"]):
        return None
    return (
        f"allow_endpoint has {pattern[:80]!r}; write a host or host:port without scheme and path, with * for any "
        "characters and an IPv6 address in brackets"
    )


def check_address(address: str) -> str | None:
    """Why what a name resolved to is refused; None if it is fine, or no address at all."""
    found = _literal(address.partition("%")[0])
    return _refused(address) if found is not None and _is_refused(found) else None


def _refused(host: str) -> str:
    return (
        f"{host} is a link-local address or a cloud's metadata service, which is always refused; use another address."
    )


def _is_refused(address: IpAddress) -> bool:
    embedded = _embedded(address)
    return any(one.is_link_local or one in _METADATA_ADDRESSES for one in (address, *embedded))


def _embedded(address: IpAddress) -> list[IpAddress]:
    """IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    mapped: list[ipaddress.IPv4Address | None] = [address.ipv4_mapped, address.sixtofour]
    if any(address in network for network in _NAT64) or int(address) >> 32 == 0:
        mapped.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in mapped if one is not None]


def _literal(host: str) -> IpAddress | None:
    """The address in any spelling that resolvers take (169.254.43518, 0xa9fea9fe); None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    parts = host.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return None
    *bytes_, rest = numbers
    if any(number > 255 for number in bytes_) or rest >= 256 ** (4 - len(bytes_)):
        return None
    value = rest
    for position, number in enumerate(bytes_):
        value += number << (8 * (3 - position))
    return ipaddress.IPv4Address(value)


def _number(text: str) -> int:
    if text[:2].lower() == "0x":
        return int(text[2:] or "0", 16)
    return int(text, 8) if len(text) > 1 and text.startswith("0") else int(text)


def _matches(host: str, address: IpAddress | None, port: int, pattern: str) -> bool:
    """An address is compared as it is usually written, whatever its spelling in the URL."""
    parts = _PATTERN.fullmatch(pattern)
    if parts is None or not _fits(parts["port"] or "*", str(port)):
        return False
    wanted = parts["host"]
    if address is None:
        return not _ADDRESS_PATTERN.fullmatch(wanted) and _fits(wanted, host)
    return _fits(wanted, f"[{address}]" if address.version == 6 else str(address))


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
