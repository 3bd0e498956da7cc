"""The client tells apart an answer, the end, a refusal and an absence."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from contracts.errors import SettingsInvalid, SourceRefused, SourceUnavailable
from source.client import Answered, EndOfData, Fragment, fetch
from source.settings import SourceSettings
from tests.source.conftest import BrokenService, Reply, impatient

Start = Callable[..., BrokenService]


def detail(text: str) -> bytes:
    return f'{{"detail": "{text}"}}'.encode()


def test_an_answer_is_handed_on_byte_for_byte(broken_service: Start) -> None:
    service = broken_service(Reply(body=b"\x00 anything \xff"))
    answer = fetch(impatient(service.url, group=3))
    assert isinstance(answer, Answered)
    assert answer.body == b"\x00 anything \xff"
    assert answer.url == f"{service.url}/data?group_number=3"
    assert service.asked == ["/data?group_number=3"]


@pytest.mark.parametrize("word", ["minima", "mínima", "MÍNIMA", "mi\u0301nima"])
def test_the_end_of_data_is_known_in_every_spelling(broken_service: Start, word: str) -> None:
    service = broken_service(Reply(400, detail(f"Ya se recolectó toda la información {word} necesaria")))
    assert isinstance(fetch(impatient(service.url)), EndOfData)
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(400, detail("Número de grupo inválido")), "400: Número de grupo inválido"),
        (
            Reply(422, b'{"detail": [{"loc": ["query", "group_number"], "msg": "Input should be 1"}]}'),
            "422: query.group_number: Input should be 1",
        ),
        (Reply(404, b"<html>Not Found</html>"), "404: <html>Not Found</html>"),
        (Reply(400, b"{}"), "400: {}"),
        (Reply(302), "302: no reason given"),
    ],
)
def test_a_refusal_is_told_with_its_reason_and_not_repeated(
    broken_service: Start, reply: Reply, words: str
) -> None:
    service = broken_service(reply)
    with pytest.raises(SourceRefused, match="SOURCE_GROUP") as refused:
        fetch(impatient(service.url))
    assert words in str(refused.value)
    assert len(service.asked) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_service_that_is_down_is_asked_again_until_it_answers(broken_service: Start, status: int) -> None:
    service = broken_service(Reply(status), Reply(status), Reply(body=b"whole"))
    answer = fetch(impatient(service.url))
    assert isinstance(answer, Answered)
    assert answer.body == b"whole"
    assert len(service.asked) == 3


def test_asking_again_ends_after_the_attempts_that_are_set(broken_service: Start) -> None:
    service = broken_service(Reply(503))
    with pytest.raises(SourceUnavailable, match="it answered 503"):
        fetch(impatient(service.url, attempts=3))
    assert len(service.asked) == 3


def test_asking_again_ends_within_the_budget(broken_service: Start) -> None:
    service = broken_service(Reply(503))
    began = time.monotonic()
    with pytest.raises(SourceUnavailable):
        fetch(impatient(service.url, attempts=1000, first_wait_s=0.1, longest_wait_s=0.2, budget_s=0.5))
    assert time.monotonic() - began < 2


def test_the_waits_are_bounded_well_below_the_services_window() -> None:
    settings = SourceSettings()
    assert settings.budget_s + settings.timeout_s < 300
    assert (settings.attempts - 1) * settings.longest_wait_s < settings.budget_s


def test_a_group_without_rows_is_named_as_such(broken_service: Start) -> None:
    service = broken_service(Reply(500, b"Internal Server Error"))
    with pytest.raises(SourceUnavailable, match="use SOURCE_GROUP 1 to 9"):
        fetch(impatient(service.url, group=10, attempts=1))


def test_a_closed_port_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SourceUnavailable, match="ConnectError"):
        fetch(impatient(f"http://127.0.0.1:{port}", attempts=2))


def test_silence_is_unavailable_after_the_timeout(broken_service: Start) -> None:
    service = broken_service(Reply(body=b"late", delay_s=0.5))
    with pytest.raises(SourceUnavailable, match="ReadTimeout"):
        fetch(impatient(service.url, attempts=1, timeout_s=0.1))


def test_a_cut_answer_is_handed_over_before_it_is_asked_for_again(broken_service: Start) -> None:
    service = broken_service(Reply(body=b"half of", missing=10), Reply(body=b"whole"))
    fragments: list[Fragment] = []
    answer = fetch(impatient(service.url), on_fragment=fragments.append)
    assert isinstance(answer, Answered)
    assert [fragment.body for fragment in fragments] == [b"half of"]


def test_a_cut_answer_of_no_bytes_is_plainly_unavailable(broken_service: Start) -> None:
    service = broken_service(Reply(missing=10))
    fragments: list[Fragment] = []
    with pytest.raises(SourceUnavailable, match="peer closed connection"):
        fetch(impatient(service.url, attempts=1), on_fragment=fragments.append)
    assert fragments == []


def test_a_response_that_never_ends_is_given_up_at_the_end_of_the_budget() -> None:
    with Dripping() as url:
        fragments: list[Fragment] = []
        with pytest.raises(SourceUnavailable, match="SOURCE_BUDGET_S"):
            fetch(impatient(url, attempts=1, budget_s=0.3), on_fragment=fragments.append)
    assert fragments[0].body.startswith(b"drip")


def test_a_password_in_the_address_stays_out_of_messages(broken_service: Start) -> None:
    service = broken_service(Reply(503))
    url = service.url.replace("http://", "http://someone:secret@")
    with pytest.raises(SourceUnavailable) as absent:
        fetch(impatient(url, attempts=1))
    assert "secret" not in str(absent.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8010", "ftp://host", "http://", ""])
def test_an_address_that_cannot_work_is_named(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="SOURCE_URL"):
        SourceSettings(url=url)


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
