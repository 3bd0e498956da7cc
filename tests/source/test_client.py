"""The client tells apart an answer, the end, a refusal and an absence."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from contracts.errors import SettingsInvalid
from lake.bronze.landings import Provenance
from source.client import Answer, Answered, Fragment, Oversized, data_url, fetch
from source.incoming import Arrival, Incoming
from source.outcomes import EndOfData, InvalidGroup, Refused, Unavailable
from source.settings import SourceSettings, named_source, sources
from tests.source.conftest import BrokenService, Reply, impatient

Start = Callable[..., BrokenService]


@dataclass(frozen=True)
class Taken:
    """What is left of an arrival when it is settled."""

    body: bytes
    provenance: Provenance


def taken(arrival: Arrival) -> Any:
    return Taken(arrival.body, arrival.provenance)


def fetched(settings: SourceSettings, group: int = 1, fragments: list[Fragment] | None = None) -> Answer:
    """What a request came to; what came in is settled, as a collector does it."""

    def keep(fragment: Fragment) -> None:
        if fragments is not None:
            fragments.append(replace(fragment, arrival=taken(fragment.arrival)))
        fragment.arrival.discard()

    answer = fetch(settings, group, Incoming(settings.incoming), keep)
    if not isinstance(answer, Answered | Oversized):
        return answer
    came = replace(answer, arrival=taken(answer.arrival))
    answer.arrival.discard()
    return came


def detail(text: str) -> bytes:
    return f'{{"detail": "{text}"}}'.encode()


def test_an_answer_is_handed_on_byte_for_byte(broken_service: Start) -> None:
    service = broken_service(Reply(body=b"\x00 anything \xff"))
    answer = fetched(impatient(service.url), group=3)
    assert isinstance(answer, Answered)
    assert answer.arrival.body == b"\x00 anything \xff"
    assert answer.arrival.provenance.url == f"{service.url}/data?group_number=3"
    assert answer.arrival.provenance.group == 3
    assert service.asked == ["/data?group_number=3"]


@pytest.mark.parametrize("word", ["minima", "mínima", "MÍNIMA", "mi\u0301nima"])
def test_the_end_of_data_is_known_in_every_spelling(broken_service: Start, word: str) -> None:
    service = broken_service(Reply(400, detail(f"Ya se recolectó toda la información {word} necesaria")))
    assert isinstance(fetched(impatient(service.url)), EndOfData)
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("reply", "kind", "detail"),
    [
        (Reply(400, detail("Número de grupo inválido")), InvalidGroup, "Número de grupo inválido"),
        (Reply(400, detail("numero de grupo invalido.")), InvalidGroup, "numero de grupo invalido."),
        (
            Reply(422, b'{"detail": [{"loc": ["query", "group_number"], "msg": "Input should be 1"}]}'),
            InvalidGroup,
            "query.group_number: Input should be 1",
        ),
        (
            Reply(422, b'{"detail": [{"loc": ["query", "day"], "msg": "Field required"}]}'),
            Refused,
            "query.day: Field required",
        ),
        (Reply(404, b"<html>Not Found</html>"), Refused, "<html>Not Found</html>"),
        (Reply(400, b"{}"), Refused, "{}"),
        (Reply(302), Refused, "no reason given"),
    ],
)
def test_a_refusal_is_told_with_its_reason_and_not_repeated(
    broken_service: Start, reply: Reply, kind: type, detail: str
) -> None:
    service = broken_service(reply)
    refused = fetched(impatient(service.url))
    assert refused == kind(f"{service.url}/data?group_number=1", reply.status, detail)
    assert len(service.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://gateway.example/covertype/data", "https://gateway.example/covertype/data"),
        ("/v2/data", "{url}/v2/data"),
        (
            "//other.example/data?key=for-nobody&group_number=3",
            "http://other.example/data?key=***&group_number=3",
        ),
        ("http://me:for-nobody@other.example/", "http://other.example/"),
    ],
)
def test_a_redirect_names_its_target_and_is_not_followed(
    broken_service: Start, status: int, location: str, target: str
) -> None:
    service = broken_service(Reply(status, location=location), Reply(body=b"whole"))
    refused = fetched(impatient(service.url))
    assert isinstance(refused, Refused)
    assert f"sends the request on to {target.format(url=service.url)}, and" in refused.detail
    assert "for-nobody" not in refused.detail
    assert len(service.asked) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_service_that_is_down_is_asked_again_until_it_answers(broken_service: Start, status: int) -> None:
    service = broken_service(Reply(status), Reply(status), Reply(body=b"whole"))
    answer = fetched(impatient(service.url))
    assert isinstance(answer, Answered)
    assert answer.arrival.body == b"whole"
    assert len(service.asked) == 3


def test_asking_again_ends_after_the_attempts_that_are_set(broken_service: Start) -> None:
    service = broken_service(Reply(503))
    absent = fetched(impatient(service.url, attempts=3))
    assert isinstance(absent, Unavailable)
    assert "it answered 503" in absent.reason
    assert len(service.asked) == 3


def test_asking_again_ends_within_the_budget(broken_service: Start) -> None:
    service = broken_service(Reply(503))
    began = time.monotonic()
    settings = impatient(service.url, attempts=1000, first_wait_s=0.1, longest_wait_s=0.2, budget_s=0.5)
    assert isinstance(fetched(settings), Unavailable)
    assert time.monotonic() - began < 2


def test_the_waits_are_bounded_well_below_the_services_window() -> None:
    settings = SourceSettings()
    assert settings.budget_s + settings.timeout_s < 300
    assert (settings.attempts - 1) * settings.longest_wait_s < settings.budget_s


def test_a_group_without_rows_is_named_as_such(broken_service: Start) -> None:
    service = broken_service(Reply(500, b"Internal Server Error"))
    absent = fetched(impatient(service.url, attempts=1), group=10)
    assert isinstance(absent, Unavailable)
    assert "use SOURCE_GROUPS 1 to 9" in absent.reason


def test_a_closed_port_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    absent = fetched(impatient(f"http://127.0.0.1:{port}", attempts=2))
    assert isinstance(absent, Unavailable)
    assert "ConnectError" in absent.reason


def test_silence_is_unavailable_after_the_timeout(broken_service: Start) -> None:
    service = broken_service(Reply(body=b"late", delay_s=0.5))
    absent = fetched(impatient(service.url, attempts=1, timeout_s=0.1))
    assert isinstance(absent, Unavailable)
    assert "ReadTimeout" in absent.reason


def test_a_cut_answer_is_handed_over_before_it_is_asked_for_again(broken_service: Start) -> None:
    service = broken_service(Reply(body=b"half of", missing=10), Reply(body=b"whole"))
    fragments: list[Fragment] = []
    answer = fetched(impatient(service.url), fragments=fragments)
    assert isinstance(answer, Answered)
    assert [fragment.arrival.body for fragment in fragments] == [b"half of"]


def test_a_cut_answer_of_no_bytes_is_plainly_unavailable(broken_service: Start) -> None:
    service = broken_service(Reply(missing=10))
    fragments: list[Fragment] = []
    absent = fetched(impatient(service.url, attempts=1), fragments=fragments)
    assert isinstance(absent, Unavailable)
    assert "peer closed connection" in absent.reason
    assert fragments == []


def test_a_response_that_never_ends_is_given_up_at_the_end_of_the_budget() -> None:
    with Dripping() as url:
        fragments: list[Fragment] = []
        absent = fetched(impatient(url, attempts=1, budget_s=0.3), fragments=fragments)
    assert isinstance(absent, Unavailable)
    assert "SOURCE_BUDGET_S" in absent.reason
    assert fragments[0].arrival.body.startswith(b"drip")


def test_a_password_in_the_address_stays_out_of_messages(broken_service: Start) -> None:
    service = broken_service(Reply(503))
    url = service.url.replace("http://", "http://someone:secret@")
    absent = fetched(impatient(url, attempts=1))
    assert isinstance(absent, Unavailable)
    assert "secret" not in str(absent)
    assert data_url(impatient(url), 1) == f"{service.url}/data?group_number=1"


@pytest.mark.parametrize("url", ["127.0.0.1:8010", "ftp://host", "http://", ""])
def test_an_address_that_cannot_work_is_named(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="SOURCE_URL"):
        SourceSettings(url=url)


def test_further_parameters_are_asked_with(broken_service: Start) -> None:
    service = broken_service(Reply(body=b"whole"))
    fetched(impatient(service.url, parameters={"day": "Wednesday"}), group=6)
    assert service.asked == ["/data?group_number=6&day=Wednesday"]


@pytest.mark.parametrize(
    ("written", "groups"), [("3", (3,)), ("1,2", (1, 2)), (" 1 , 9 ", (1, 9)), ("0", (0,))]
)
def test_groups_are_written_with_commas(
    monkeypatch: pytest.MonkeyPatch, written: str, groups: tuple[int, ...]
) -> None:
    monkeypatch.setenv("SOURCE_GROUPS", written)
    assert SourceSettings().groups == groups


@pytest.mark.parametrize("written", ["one", "1,,x", "1,1", "1.5"])
def test_groups_that_cannot_work_are_named(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("SOURCE_GROUPS", written)
    with pytest.raises(SettingsInvalid, match="SOURCE_GROUPS"):
        SourceSettings()


def test_groups_that_are_left_empty_are_the_usual_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_GROUPS", raising=False)
    usual = SourceSettings().groups
    monkeypatch.setenv("SOURCE_GROUPS", "")
    assert SourceSettings().groups == usual


def test_each_source_has_what_it_says_of_itself_and_the_rest_from_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {
        "SOURCE_NAMES": "covertype,second-service",
        "SOURCE_GROUPS": "1,2",
        "SOURCE_URL": "http://first:1",
        "SOURCE_SECOND_SERVICE_URL": "http://second:2",
        "SOURCE_SECOND_SERVICE_ADAPTER": "objects",
        "SOURCE_SECOND_SERVICE_PARAMETERS": '{"day": "Wednesday"}',
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    first, second = sources()
    assert (first.name, first.url, first.groups, first.adapter) == (
        "covertype",
        "http://first:1",
        (1, 2),
        "none",
    )
    assert (second.name, second.url, second.groups) == ("second-service", "http://second:2", (1, 2))
    assert (second.adapter, second.parameters) == ("objects", {"day": "Wednesday"})
    assert named_source("second-service") == second
    with pytest.raises(SettingsInvalid, match="covertype, second-service"):
        named_source(None)


class Dripping:
    """A service that sends a byte or two for as long as somebody listens."""

    def __enter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self._thread = threading.Thread(target=self._drip)
        self._thread.start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def _drip(self) -> None:
        connection, _ = self._listener.accept()
        with connection, suppress(OSError):
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while True:
                connection.sendall(b"drip")
                time.sleep(0.02)


def test_an_event_names_the_address_with_all_that_stands_before_data() -> None:
    behind = SourceSettings(url="https://gateway.example/covertype/", _env_file=None)
    assert data_url(behind, 3) == "https://gateway.example/covertype/data?group_number=3"
