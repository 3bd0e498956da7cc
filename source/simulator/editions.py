"""What differs between the versions of the service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edition:
    """A version of the service.

    Attributes:
        last: Its last batch, and the last group that it lets in.
        end: How it spells the end of the data.
        bad_group: Its own words for a group that does not exist; None where FastAPI answers.
    """

    last: int
    end: str
    bad_group: str | None


EDITIONS = {
    "2024": Edition(10, "Ya se recolectó toda la información minima necesaria", "Número de grupo inválido"),
    "2025": Edition(10, "Ya se recolectó toda la información mínima necesaria", None),
    "2026": Edition(11, "Ya se recolectó toda la información minima necesaria", None),
}
