"""The result of one check: findings, metrics, and kinds that could not be decided."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from contracts.outside import shown
from deploy.monitor.kinds import KINDS


@dataclass(frozen=True)
class Finding:
    """Something that is wrong now.

    Attributes:
        kind: One of `KINDS`.
        subject: What is: a part, a group, a landing. With the kind it is what makes an alert the same alert.
        text: One sentence that says what was found, and with which value.
        is_certain: Whether it needs no time to be believed.
    """

    kind: str
    subject: str
    text: str
    is_certain: bool = False

    def __post_init__(self) -> None:
        """Makes harmless what comes from outside."""
        if self.kind not in KINDS:
            raise ValueError(self.kind)
        object.__setattr__(self, "subject", shown(self.subject, 120))
        object.__setattr__(self, "text", shown(self.text, 400))


@dataclass(frozen=True)
class Figure:
    """One number for Prometheus, under a name of `deploy.monitor.figures`."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """What a check has found.

    Attributes:
        findings: What is wrong.
        figures: Numbers.
        undecided: Kinds that nothing is known of at present: their alerts neither begin nor end.
    """

    findings: tuple[Finding, ...] = ()
    figures: tuple[Figure, ...] = ()
    undecided: frozenset[str] = field(default=frozenset())


class Check(Protocol):
    """One thing that the monitor checks."""

    @property
    def name(self) -> str:
        """Returns what it is of."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Returns what it can find."""

    def check(self, now: datetime, /) -> CheckResult:
        """Returns what is the case now. Raises: whatever it meets; the others are checked all the same."""


def check_result(
    findings: Iterable[Finding], figures: Iterable[Figure] = (), undecided: Iterable[str] = ()
) -> CheckResult:
    """Returns what a check has found, out of any lists."""
    return CheckResult(tuple(findings), tuple(figures), frozenset(undecided))
