"""What is done each day, step by step, as the DAG `maintain` and `canopy maintain` do it."""

from __future__ import annotations

from contracts.stack_settings import StackSettings
from lake.bronze.merging import merge_predictions
from lake.catalog.compact import compact
from lake.catalog.keep import keep_catalog
from lake.settings import LakeSettings
from pipeline.airflow_history import clean_airflow
from pipeline.dbt import build_docs
from pipeline.role import act_as
from training.promote.registry import Registry
from training.promote.retention import retain
from training.settings import TrainingSettings


def docs_step() -> str:
    """Writes dbt's description of the tables. Returns: the page."""
    return str(build_docs())


def compact_step() -> int:
    """Merges small files and lets go of snapshots that no version cites. Returns: how many files are gone."""
    return compact(LakeSettings(), Registry(TrainingSettings()).cited_snapshots()).deleted


def catalog_step() -> str:
    """Keeps a proven copy of a SQLite catalog. Returns: the file."""
    return str(keep_catalog(LakeSettings()))


def models_step() -> list[int]:
    """Removes versions that nothing needs any more. Returns: their numbers."""
    act_as("training")
    return retain(TrainingSettings(), LakeSettings()).versions


def airflow_step() -> int:
    """Removes what Airflow has written down of old runs. Returns: how many rows."""
    return clean_airflow(StackSettings()).rows


def predictions_step() -> int:
    """Merges the segments of days that are over. Returns: how many."""
    return merge_predictions(LakeSettings()).segments
