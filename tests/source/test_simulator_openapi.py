"""What the simulator's OpenAPI says of its answers is what schemathesis gets: every check, every form.

Schemathesis' engine is driven as its command line does it: it runs every check in every phase, and hands out
all failures, each to be compared with what the real service does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pytest
import schemathesis
from schemathesis.engine import events, from_schema
from schemathesis.python.asgi import HOST

from source.simulator.app import create_app
from source.simulator.editions import EDITIONS
from source.simulator.forms import Form
from source.simulator.settings import SimulatorSettings

CONFIG = {
    "seed": 1,
    "generation": {"max-examples": 15, "database": "none"},
    # No answer refers to another operation, so there is no chain of them to follow.
    "phases": {"stateful": {"enabled": False}},
}
VERSIONS = tuple(EDITIONS)
PLAYED: list[dict[str, Any]] = [
    *({"version": version, "form": "coded"} for version in VERSIONS),
    *({"version": "2025", "form": form} for form in get_args(Form) if form != "coded"),
    {"version": "2026", "form": "objects"},
]


@dataclass(frozen=True)
class Excuse:
    """What the real service does, and no service should; whatever else fails is a mistake of ours."""

    check: str
    said: str
    versions: tuple[str, ...]
    path: str
    groups: tuple[str, ...] | None
    why: str


END, BAD_GROUP, BROKEN = "Ya se recolectó toda", "Número de grupo inválido", "Internal Server Error"
EXCUSES = [
    Excuse("not_a_server_error", BROKEN, VERSIONS, "/data", ("10",), "its slice has two rows"),
    Excuse("not_a_server_error", BROKEN, ("2026",), "/data", ("11",), "let in, and without a counter"),
    Excuse("not_a_server_error", BROKEN, ("2026",), "/restart_data_generation", ("11",), "likewise"),
    Excuse("positive_data_acceptance", END, VERSIONS, "/data", None, "a right request comes too late"),
    Excuse("positive_data_acceptance", BAD_GROUP, ("2024",), "/data", None, "it has no bounds in OpenAPI"),
    Excuse("positive_data_acceptance", BAD_GROUP, ("2024",), "/restart_data_generation", None, "likewise"),
]


@dataclass(frozen=True)
class Failed:
    """A check that an answer did not pass."""

    version: str
    check: str
    path: str
    query: dict[str, Any]
    text: str

    @property
    def is_excused(self) -> bool:
        """Whether the real service answers like that."""
        return any(self._fits(excuse) for excuse in EXCUSES)

    def _fits(self, excuse: Excuse) -> bool:
        group = str(self.query.get("group_number"))
        return (
            (self.check, self.path) == (excuse.check, excuse.path)
            and self.version in excuse.versions
            and excuse.said in self.text
            and (excuse.groups is None or group in excuse.groups)
        )


@pytest.mark.parametrize("played", PLAYED, ids=lambda played: "-".join(played.values()))
def test_every_answer_is_documented(played: dict[str, Any], tmp_path: Path, rows: pa.Table) -> None:
    assert {200, 405, 422} <= _checked_statuses(tmp_path, rows, played)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_end_of_data_is_documented(version: str, tmp_path: Path, rows: pa.Table) -> None:
    # The restart's turn comes last in a phase; until then every group is at its end.
    ended = {str(group): [0.0, EDITIONS[version].last] for group in range(1, 11)}
    (tmp_path / "state.json").write_text(json.dumps(ended))
    assert {400, 405, 422} <= _checked_statuses(tmp_path, rows, {"version": version})


@pytest.mark.parametrize(
    ("version", "data", "restart"),
    [
        ("2024", ["200", "400", "422", "500"], ["200", "400", "422"]),
        ("2025", ["200", "400", "422", "500"], ["200", "422"]),
        ("2026", ["200", "400", "422", "500"], ["200", "422", "500"]),
    ],
)
def test_each_version_documents_the_answers_that_it_has(
    version: str, data: list[str], restart: list[str], tmp_path: Path, rows: pa.Table
) -> None:
    paths = create_app(SimulatorSettings(state=tmp_path / "state.json", version=version), rows).openapi()[
        "paths"
    ]
    assert sorted(paths["/data"]["get"]["responses"]) == data
    assert sorted(paths["/restart_data_generation"]["get"]["responses"]) == restart


def test_the_data_answers_are_documented_with_their_own_words(tmp_path: Path, rows: pa.Table) -> None:
    app = create_app(SimulatorSettings(state=tmp_path / "state.json", version="2024"), rows)
    answers = app.openapi()["paths"]["/data"]["get"]["responses"]
    detail = answers["400"]["content"]["application/json"]["schema"]["properties"]["detail"]
    assert detail["enum"] == [
        "Ya se recolectó toda la información minima necesaria",
        "Número de grupo inválido",
    ]
    assert list(answers["500"]["content"]) == ["text/plain"]


def _checked_statuses(home: Path, rows: pa.Table, played: dict[str, Any]) -> set[int]:
    """Runs all checks. Returns: the statuses that were met on the way."""
    # Two rows are left for group 10, as of the real ones.
    settings = SimulatorSettings(state=home / "state.json", seed=1, allowed_hosts=HOST, **played)
    app = create_app(settings, rows.slice(0, 1_002))
    schema = schemathesis.openapi.from_asgi(
        "/openapi.json", app, config=schemathesis.Config.from_dict(CONFIG)
    )
    finished = list(_finished(schema))
    failures = [failed for event in finished for failed in _failures(event, played["version"])]
    assert [failed for failed in failures if not failed.is_excused] == []
    return {
        interaction.response.status_code
        for event in finished
        for interaction in event.recorder.interactions.values()
        if interaction.response
    }


def _finished(schema: Any) -> Iterator[events.ScenarioFinished]:
    for event in from_schema(schema).execute():
        assert not isinstance(event, events.NonFatalError | events.FatalError), event
        if isinstance(event, events.ScenarioFinished):
            yield event


def _failures(event: events.ScenarioFinished, version: str) -> Iterator[Failed]:
    for case_id, checks in event.recorder.checks.items():
        case, response = event.recorder.cases[case_id].value, event.recorder.interactions[case_id].response
        text = response.text if response else ""
        for check in checks:
            if check.failure_info:
                yield Failed(version, check.name, case.path, dict(case.query or {}), text)
