"""One thing that the gate looks at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Criterion:
    """One thing that the gate looks at.

    Attributes:
        name: What it is about.
        passed: Whether it held.
        value: What was measured; None where there was nothing to measure.
        threshold: What it was measured against.
        says: One sentence for people, with the figures.
    """

    name: str
    passed: bool
    value: float | None
    threshold: float | None
    says: str


def at_most(name: str, value: float, threshold: float, says: str) -> Criterion:
    """Holds if the value is no greater than the threshold."""
    return Criterion(name, bool(value <= threshold), float(value), float(threshold), says)


def at_least(name: str, value: float, threshold: float, says: str) -> Criterion:
    """Holds if the value is no less than the threshold."""
    return Criterion(name, bool(value >= threshold), float(value), float(threshold), says)


def equal(name: str, is_equal: bool, says: str) -> Criterion:
    """Holds if two things are the same."""
    return Criterion(name, is_equal, float(not is_equal), 0.0, says)
