"""A working folder with a small lake, as somebody has it who reads the documentation."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from expectations.settings import AuditSettings
from lake.publish.pointer import Publication
from lake.settings import LakeSettings
from pipeline.refine import refine
from tests.docs.pages import ROOT
from tests.lake.landed import land, sample, survey_rows

NOBODY = "http://127.0.0.1:1"  # nothing listens there: no other stack on this machine is asked


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reader")


@pytest.fixture(scope="module")
def first(folder: Path, survey: Path) -> Publication:
    """The folder's lake has two publications; the first of them."""
    home = folder / ".canopy"
    lake = LakeSettings(uri=f"{home}/lake", catalog=f"sqlite:{home}/catalog.sqlite")
    rows = survey_rows(survey, 1_500)
    published = []
    for number in range(2):
        land(lake, sample(rows, 800, seed=number), minute=5 * number, batch=number + 1)
        audit = AuditSettings(folder=folder / "audits", has_docs=False)
        published.append(refine(lake, audit, state=folder / "dbt").publication)
    return published[0]


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Of somebody who works in the folder, with the environment's programs at hand."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CANOPY_", "LAKE_"))}
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return kept | {"PATH": programs, "PYTHONPATH": str(ROOT), "TRAINING_MLFLOW_URL": NOBODY}
