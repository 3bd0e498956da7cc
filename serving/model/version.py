"""One version of the registered model, as the registry describes it."""

from __future__ import annotations

from functools import cached_property

from pydantic import BaseModel, ConfigDict

from clients import mlflow
from contracts.model_artefact import Tag
from contracts.prediction import AnsweringModel, Scores


class Version(BaseModel):
    """A registered version and what its tags say.

    Attributes:
        created_at_ms: When it was registered, in milliseconds since 1970. A registry that was started
            anew counts its versions from 1 again: this tells them apart.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    number: str
    alias: str
    source: str
    created_at_ms: int
    tags: dict[str, str]

    @classmethod
    def registered(cls, name: str, alias: str, found: mlflow.Version) -> Version:
        """Returns the version of a model that bears an alias, as the registry describes it."""
        return cls(
            name=name,
            number=str(found.number),
            alias=alias,
            source=found.source,
            created_at_ms=round(found.created_at.timestamp() * 1000),
            tags=dict(found.tags),
        )

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """Returns what differs between two versions; tags may change on one and the same."""
        return (self.name, self.number, self.source, self.created_at_ms)

    @property
    def folder_name(self) -> str:
        """Returns the name of its folder in the cache."""
        return f"{self.number}-{self.created_at_ms}"

    @cached_property
    def answering_fields(self) -> dict[str, str | None]:
        """Returns the same as plain values, made once: every reply repeats them."""
        return self.answering.model_dump()

    @cached_property
    def logged(self) -> tuple[str, int, int | None]:
        """Returns its name, its number and the snapshot it learned from, as far as its tags say a number."""
        snapshot = self.tags.get(Tag.SNAPSHOT_ID, "")
        return self.name, int(self.number), int(snapshot) if snapshot.isdecimal() else None

    @property
    def answering(self) -> AnsweringModel:
        """Returns how a reply names it."""
        return AnsweringModel(name=self.name, version=self.number, snapshot_id=self.tags.get(Tag.SNAPSHOT_ID))

    @property
    def scores(self) -> Scores:
        """Returns its scores on held-out rows; None where a tag is missing or no number."""
        return Scores(**{name: _number(self.tags.get(name)) for name in Scores.model_fields})


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
