"""MLflow in a folder with a `%` in its name."""

from __future__ import annotations

from functools import partialmethod
from typing import Any


def take_percents() -> None:
    """Has MLflow's migrations and databases found in a folder with a `%`: MLflow hands it on as it is.

    Alembic's options are of a file in which `%` begins a reference (mlflow/mlflow #1487).
    """
    from alembic.config import Config

    if not isinstance(vars(Config)["set_main_option"], partialmethod):
        Config.set_main_option = partialmethod(_set, Config.set_main_option)  # type: ignore[method-assign, assignment]


def _set(config: Any, set_option: Any, name: str, value: str) -> None:
    known: dict[str, str] = config.file_config.defaults()
    known["here"] = _escaped(known["here"])
    set_option(config, name, _escaped(value))


def _escaped(value: str) -> str:
    """Returns a value that is no reference; MLflow has escaped one of its databases itself, and the other
    not."""
    return value.replace("%%", "%").replace("%", "%%")
