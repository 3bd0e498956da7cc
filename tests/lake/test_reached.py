"""Names are looked up before a question is confined, so that it needs no UDP; where it does, it is said."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn

from lake.catalog.connection import attach_statement, secrets
from lake.read.reached import looks_names_up, ports, with_addresses
from lake.settings import LakeSettings

KNOWN = {
    "store": ["192.0.2.7"],
    "six": ["2001:db8::7"],
    "db": ["192.0.2.8", "192.0.2.9"],
    "other": ["192.0.2.10"],
}


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service that knows a few."""

    def look_up(host: str, port: int | None, **_: object) -> list[tuple[object, ...]]:
        if host not in KNOWN:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in KNOWN[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def in_store(url: str | None) -> LakeSettings:
    return LakeSettings(uri="s3://lake/x", s3_endpoint_url=url, _env_file=None)


@pytest.mark.parametrize(
    ("url", "handed", "looks_up", "port"),
    [
        ("http://store:9000", "http://192.0.2.7:9000", False, 9000),
        ("http://six:9000", "http://[2001:db8::7]:9000", False, 9000),
        ("http://nobody:9000", "http://nobody:9000", False, 9000),
        ("http://192.0.2.1", "http://192.0.2.1", False, 80),
        ("http://localhost", "http://localhost", False, 80),
        ("http://store", "http://store", True, 80),
        ("https://store:9000", "https://store:9000", True, 9000),
        ("https://192.0.2.1", "https://192.0.2.1", False, 443),
        (None, None, True, 443),
    ],
)
def test_a_store_is_asked_by_its_address_where_its_name_says_no_more(
    url: str | None, handed: str | None, looks_up: bool, port: int
) -> None:
    lake = in_store(url)
    assert with_addresses(lake).s3_endpoint_url == handed
    assert looks_names_up(lake) is looks_up
    assert ports(lake) == ports(with_addresses(lake)) == (port,)


@pytest.mark.parametrize(
    ("string", "hosts", "addresses"),
    [
        ("host=db user=r", "db,db", "192.0.2.8,192.0.2.9"),
        ("postgresql://r@db:6543/lake", "db,db", "192.0.2.8,192.0.2.9"),
        ("host=db,other user=r", "db,db,other", "192.0.2.8,192.0.2.9,192.0.2.10"),
        ("host=db,nobody user=r", "db,nobody", None),
        ("host=db hostaddr=192.0.2.1 user=r", "db", "192.0.2.1"),
        ("host=/run/postgresql user=r", "/run/postgresql", None),
        ("user=r", None, None),
    ],
)
def test_a_catalog_is_asked_by_every_address_of_its_name(
    tmp_path: Path, string: str, hosts: str | None, addresses: str | None
) -> None:
    lake = LakeSettings(uri=str(tmp_path), catalog=f"postgres:{string}", _env_file=None)
    handed = with_addresses(lake)
    found = parse_dsn(handed.catalog_target)
    assert (found.get("host"), found.get("hostaddr")) == (hosts, addresses)
    assert not looks_names_up(lake)
    assert ports(lake) == ports(handed)
    if addresses:  # the name stays, for a certificate
        assert addresses in attach_statement(handed)
        assert f"host '{hosts}'" in secrets(handed)[-1]


def test_a_lake_in_a_folder_reaches_nothing(tmp_path: Path) -> None:
    lake = LakeSettings(uri=str(tmp_path), catalog=f"sqlite:{tmp_path}/c.sqlite", _env_file=None)
    assert with_addresses(lake) == lake
    assert ports(lake) == ()
    assert not looks_names_up(lake)
