"""dbt waits its turn at the catalog, whoever started it: a dbt-duckdb plugin that profiles.yml names."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin

from lake.catalog.spill import spill_folder
from lake.catalog.writer import is_writer, one_writer
from lake.settings import LakeSettings

# Given back when the process ends: dbt does not say when it has closed its connections.
_UNTIL_THE_END = ExitStack()


class Plugin(BasePlugin):
    """Takes the catalog for dbt's process, unless the program around it holds it already."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Args: plugin_config: With `catalog`, as in `LAKE_CATALOG`."""
        self._lake = LakeSettings(catalog=plugin_config["catalog"])

    def update_connection_config(
        self,
        creds: DuckDBCredentials,  # noqa: ARG002  # dbt-duckdb's signature
        config: dict[str, Any],
    ) -> None:
        """Changes what dbt-duckdb takes, before it opens the database: it spills where no other connection
        does.

        Raises: LakeBusy.
        """
        config["temp_directory"] = spill_folder(self._lake)
        if not is_writer(self._lake):
            _UNTIL_THE_END.enter_context(one_writer(self._lake))
