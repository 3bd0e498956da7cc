"""The measurement of a landing's way takes the tasks that belong to it, and reports medians."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.publishing import Way, ended_before, report

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def airflow(tmp_path: Path) -> Path:
    """Airflow's notes of two runs, a failed audit between them, and another DAG's task."""
    tasks = [
        ("refine", "build.dbt_producer_watcher", "success", 10),
        ("refine", "audit", "success", 12),
        ("refine", "audit", "failed", 35),
        ("refine", "build.dbt_producer_watcher", "success", 40),
        ("refine", "audit", "success", 43),
        ("train", "audit", "success", 44),
    ]
    database = tmp_path / "airflow.sqlite"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("create table task_instance (dag_id, task_id, state, end_date)")
        for dag, task, state, second in tasks:
            end = (NOON + timedelta(seconds=second)).replace(tzinfo=None).isoformat(" ")
            connection.execute("insert into task_instance values (?, ?, ?, ?)", [dag, task, state, end])
        connection.commit()
    return database


def test_the_tasks_of_a_publication_are_the_last_before_it(airflow: Path) -> None:
    noon = NOON.timestamp()
    assert ended_before(airflow, noon + 14) == {"build": noon + 10, "audit": noon + 12}
    assert ended_before(airflow, noon + 45) == {"build": noon + 40, "audit": noon + 43}


def test_the_table_has_medians_and_extremes() -> None:
    lines = report([Way(10, 2, 1, 580), Way(12, 3, 1, 590), Way(20, 4, 2, 600)]).splitlines()
    assert lines[2] == "| landing to published | 16.0 s | 13.0 s | 26.0 s |"
    assert lines[3].endswith("| 12.0 s | 10.0 s | 20.0 s |")
