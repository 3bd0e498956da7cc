"""What the simulator's OpenAPI says of its answers is what schemathesis gets: every check, every form.

Schemathesis' own engine is driven: its pytest plugin needs an older pytest than ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pytest
import schemathesis
from schemathesis.engine import events, from_schema

from source.simulator.app import create_app
from source.simulator.forms import Form
from source.simulator.settings import SimulatorSettings

CONFIG = {
    "seed": 1,
    "generation": {"max-examples": 15, "database": "none"},
    # No answer refers to another operation, so there is no chain of them to follow.
    "phases": {"stateful": {"enabled": False}},
}
PLAYED: list[dict[str, Any]] = [
    *({"version": version, "form": "coded"} for version in ("2024", "2025", "2026")),
    *({"version": "2025", "form": form} for form in get_args(Form) if form != "coded"),
    {"version": "2026", "form": "objects"},
    {"version": "2025", "form": "coded", "window_s": 0.0},
]
# What the real service does, and no service should: check, status and groups (all where None), and why.
EXCUSED = [
    ("not_a_server_error", 500, {10}, "two rows are left for group 10, too few for a sample"),
    ("not_a_server_error", 500, {11}, "the 2026 version lets group 11 in and has no counter for it"),
    ("positive_data_acceptance", 400, None, "the end of data, and 2024's bad group, which has no bounds"),
]


@dataclass(frozen=True)
class Failed:
    """A check that an answer did not pass."""

    check: str
    status: int
    path: str
    query: dict[str, Any]

    @property
    def is_excused(self) -> bool:
        """Whether the real service answers like that."""
        group = str(self.query.get("group_number"))
        return any(
            (self.check, self.status) == (check, status) and (groups is None or group in map(str, groups))
            for check, status, groups, _ in EXCUSED
        )


@pytest.mark.parametrize("played", PLAYED, ids=lambda played: "-".join(map(str, played.values())))
def test_every_answer_is_documented(played: dict[str, Any], tmp_path: Path, rows: pa.Table) -> None:
    app = create_app(SimulatorSettings(state=tmp_path / "state.json", seed=1, **played), rows.slice(0, 1_002))
    config = schemathesis.Config.from_dict(CONFIG)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
    finished = list(_finished(schema))
    statuses = {
        interaction.response.status_code
        for event in finished
        for interaction in event.recorder.interactions.values()
        if interaction.response
    }
    assert {200, 405, 422} <= statuses
    assert [failed for event in finished for failed in _failures(event) if not failed.is_excused] == []


def test_the_data_answers_are_documented_with_their_own_words(tmp_path: Path, rows: pa.Table) -> None:
    app = create_app(SimulatorSettings(state=tmp_path / "state.json", version="2024"), rows)
    answers = app.openapi()["paths"]["/data"]["get"]["responses"]
    assert sorted(answers) == ["200", "400", "422", "500"]
    detail = answers["400"]["content"]["application/json"]["schema"]["properties"]["detail"]
    assert detail["enum"] == [
        "Ya se recolectó toda la información minima necesaria",
        "Número de grupo inválido",
    ]
    assert list(answers["500"]["content"]) == ["text/plain"]


def _finished(schema: Any) -> Iterator[events.ScenarioFinished]:
    for event in from_schema(schema).execute():
        assert not isinstance(event, events.NonFatalError | events.FatalError), event
        if isinstance(event, events.ScenarioFinished):
            yield event


def _failures(event: events.ScenarioFinished) -> Iterator[Failed]:
    for case_id, checks in event.recorder.checks.items():
        case, response = event.recorder.cases[case_id].value, event.recorder.interactions[case_id].response
        for check in checks:
            if check.failure_info:
                status = response.status_code if response else 0
                yield Failed(check.name, status, case.path, dict(case.query or {}))
