"""What a confined question reaches: the store and the catalog, by address where that is enough.

A process that looks names up needs UDP, which reaches any host. So names are looked up before it is confined.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from lake.settings import LakeSettings

POSTGRES_PORT, HTTP_PORT, HTTPS_PORT = 5432, 80, 443
AMAZON = "https://amazonaws.com"


def ports(lake: LakeSettings) -> tuple[int, ...]:
    """Returns the ports of the store and of the catalog; none for a lake in a folder."""
    found = set[int]()
    if lake.is_s3:
        store = _store(lake)
        found.add(store.port or (HTTPS_PORT if store.scheme == "https" else HTTP_PORT))
    if lake.catalog_kind == "postgres":
        from psycopg2.extensions import parse_dsn  # a lake of one machine does not need it

        ports = str(parse_dsn(lake.catalog_target).get("port", POSTGRES_PORT))  # each host may have one
        found |= {int(port) for port in ports.split(",") if port.isdecimal()}
    return tuple(sorted(found))


def looks_names_up(lake: LakeSettings) -> bool:
    """Tells whether a question must look up the store's name itself.

    A certificate is compared with the name, and a service at the port of all web servers may be told from
    others by it: there, the address is not enough.
    """
    return lake.is_s3 and _is_name(_store(lake).hostname) and not _is_told_by_its_port(_store(lake))


def with_addresses(lake: LakeSettings) -> LakeSettings:
    """Returns the settings with addresses instead of names; a name that has none stays."""
    changes = {}
    store = _store(lake)
    if lake.is_s3 and _is_told_by_its_port(store) and (found := _addresses(store.hostname, store.port)):
        host = f"[{found[0]}]" if ":" in found[0] else found[0]
        changes["s3_endpoint_url"] = store._replace(netloc=f"{host}:{store.port}").geturl()
    if lake.catalog_kind == "postgres":
        changes["catalog"] = f"postgres:{_connection(lake.catalog_target)}"
    return lake.model_copy(update=changes)


def _connection(target: str) -> str:
    """Returns a connection string with all addresses of its hosts; the names stay, for certificates."""
    import psycopg2
    from psycopg2.extensions import make_dsn, parse_dsn

    try:
        given = parse_dsn(target)
    except psycopg2.ProgrammingError:
        return target  # who connects says what is wrong with it
    names = str(given.get("host", "")).split(",")
    pairs = [(name, address) for name in names for address in _addresses(name, None)]
    if "hostaddr" in given or len({name for name, _ in pairs}) < len(names):
        return target
    hosts, addresses = (",".join(column) for column in zip(*pairs, strict=True))
    return str(make_dsn(**given | {"host": hosts, "hostaddr": addresses}))


def _store(lake: LakeSettings) -> SplitResult:
    return urlsplit(lake.s3_endpoint_url or AMAZON)


def _is_told_by_its_port(store: SplitResult) -> bool:
    return store.scheme == "http" and store.port not in (None, HTTP_PORT)


def _is_name(host: str | None) -> bool:
    try:
        ipaddress.ip_address(host or "")
    except ValueError:
        return host != "localhost"
    return False


def _addresses(host: str | None, port: int | None) -> list[str]:
    """Returns every address of a host, the best first; none of what is no host, such as a folder of
    sockets."""
    if not host or host.startswith(("/", "@")):
        return []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
