"""What a request to the source can come to: each is a type, and which of them are failures is said here."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.errors import ResponseBroken, ResponseTooLarge, SourceError, SourceRefused, SourceUnavailable
from lake.bronze.landings import Landing


@dataclass(frozen=True)
class Landed:
    """It answered with a batch, and its rows are in bronze."""

    landing: Landing


@dataclass(frozen=True)
class EndOfData:
    """The normal end: the service has handed out its last batch."""

    url: str
    detail: str


@dataclass(frozen=True)
class InvalidGroup:
    """It has no such group."""

    url: str
    status: int
    detail: str


@dataclass(frozen=True)
class Refused:
    """It does not accept the request for another reason than the group."""

    url: str
    status: int
    detail: str


@dataclass(frozen=True)
class Unavailable:
    """Refused connection, timeout, 5xx, cut body: the one outcome that is asked for again."""

    url: str
    reason: str


@dataclass(frozen=True)
class ContractBroken:
    """It answered 200 with something that is not the contract; that is kept byte for byte."""

    difference: str
    raw_key: str


@dataclass(frozen=True)
class GivenUp:
    """It answered 200 with more than is taken; the beginning of that is kept."""

    reason: str
    kept: str


Outcome = Landed | EndOfData | InvalidGroup | Refused | Unavailable | ContractBroken | GivenUp


def failure(outcome: Outcome) -> SourceError | None:
    """Returns the error that an outcome is to a person; None where all is well, the end of data included."""
    match outcome:
        case InvalidGroup(url, status, detail) | Refused(url, status, detail):
            return SourceRefused(url, status, detail)
        case Unavailable(url, reason):
            return SourceUnavailable(url, reason)
        case ContractBroken(difference, raw_key):
            return ResponseBroken(difference, raw_key)
        case GivenUp(reason, kept):
            return ResponseTooLarge(reason, kept)
        case _:
            return None
