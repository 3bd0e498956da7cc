"""Great Expectations at work: frames against suites, and the pages of it, bounded."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.data_context.types.base import DataContextConfig, ProgressBarsConfig
from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier

from contracts.plain_files import absolute
from contracts.put_away import QUARANTINE, put_away
from expectations.frames import Frame

SITE = "audits"
RESULTS, DOCS = "results", "docs"
RESULT_PARTS = 4  # suite, run, time, and the file of a frame
EXAMPLES = 5
LANDING = "landing_id"


@dataclass(frozen=True)
class Finding:
    """An expectation that did not hold.

    Attributes:
        suite: Name of the suite.
        is_warning: True if it does not keep the snapshot from being published.
        text: Expectation, column, what was observed, what is allowed, a few failing rows.
        landings: Each landing that failed, with the same of it alone; empty where rows have no landing_id.
    """

    suite: str
    is_warning: bool
    text: str
    landings: tuple[tuple[str, str], ...] = ()


class Validation:
    """One audit's expectations, results and pages.

    Results and Data Docs lie in files; suites and definitions live as long as the object, because the
    contract and the settings are where they are kept.
    """

    def __init__(self, folder: Path, run_name: str) -> None:
        self._folder = absolute(folder)
        _put_strays_away(self._folder)
        self._run_id = gx.RunIdentifier(run_name=run_name)
        self._context = gx.get_context(mode="ephemeral", project_config=_configuration(self._folder))
        self._frames = self._context.data_sources.add_pandas("lake")
        self._before = set(self._keys())
        self.expectations = 0

    def run(self, suite: gx.ExpectationSuite, frame: Frame, keys: list[str]) -> list[Finding]:
        """Validates one frame.

        Args:
            suite: What must hold.
            frame: The rows.
            keys: The columns that name a row in a finding; with `landing_id` all that fail are named.
        """
        asset = self._frames.add_dataframe_asset(suite.name)
        definition = self._context.validation_definitions.add(
            gx.ValidationDefinition(
                name=suite.name,
                data=asset.add_batch_definition_whole_dataframe("whole"),
                suite=self._context.suites.add(suite),
            )
        )
        result = definition.run(
            batch_parameters={"dataframe": frame},
            result_format={
                "result_format": "COMPLETE" if LANDING in keys else "SUMMARY",
                "unexpected_index_column_names": keys,
                "partial_unexpected_count": EXAMPLES,
            },
            run_id=self._run_id,
        )
        self.expectations += len(result.results)
        return [_finding(suite.name, item.to_json_dict()) for item in result.results if not item.success]

    def write_docs(self, results_kept: int) -> Path:
        """Writes the pages of this run, drops the oldest ones, and makes the index anew."""
        keys = self._keys()
        for key in keys[:-results_kept]:
            self._forget(key)
        suites = [ExpectationSuiteIdentifier(suite.name) for suite in self._context.suites.all()]
        new = [key for key in keys[-results_kept:] if key not in self._before]
        self._context.build_data_docs(resource_identifiers=[*suites, *new])
        return self._folder / DOCS / "index.html"

    def _keys(self) -> list[Any]:
        store = self._context.validation_results_store
        return sorted(store.list_keys(), key=lambda key: key.run_id.run_time)

    def _forget(self, key: Any) -> None:
        store: Any = self._context.validation_results_store
        store.remove_key(key)
        parts = key.to_tuple()[:-1]  # suite, run name, run time
        shutil.rmtree(self._folder.joinpath(DOCS, "validations", *parts), ignore_errors=True)


def _put_strays_away(folder: Path) -> None:
    """Moves what Great Expectations would stumble over, wait for, or write through to somewhere else."""
    for top in (folder / RESULTS, folder / DOCS):
        if os.path.lexists(top) and (top.is_symlink() or not top.is_dir()):
            put_away(top, "it lies where a folder must be", folder / QUARANTINE)
        for place, folders, files in os.walk(top):
            strays = [
                path for path in (Path(place, name) for name in (*folders, *files)) if _is_stray(top, path)
            ]
            for path in strays:
                put_away(path, "no audit has written such a thing", folder / QUARANTINE)
            folders[:] = [name for name in folders if Path(place, name) not in strays]


def _is_stray(top: Path, path: Path) -> bool:
    """Returns whether something is a link, no file, not ours to write, or lies where no result and no page
    does."""
    found = path.lstat()
    if stat.S_ISDIR(found.st_mode):
        return path.suffix in (".html", ".json")
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or not _is_ours(path):
        return True
    is_result = len(path.relative_to(top).parts) == RESULT_PARTS and path.suffix == ".json"
    return top.name == RESULTS and not path.name.startswith(".") and not is_result


def _is_ours(path: Path) -> bool:
    return os.access(path, os.R_OK | os.W_OK, effective_ids=True)


def _configuration(folder: Path) -> DataContextConfig:
    memory = {"class_name": "InMemoryStoreBackend"}
    return DataContextConfig(
        stores={
            "expectations_store": {"class_name": "ExpectationsStore", "store_backend": memory},
            "checkpoint_store": {"class_name": "CheckpointStore", "store_backend": memory},
            "validation_definition_store": {
                "class_name": "ValidationDefinitionStore",
                "store_backend": memory,
            },
            "validation_results_store": {
                "class_name": "ValidationResultsStore",
                "store_backend": _files(folder / RESULTS),
            },
        },
        expectations_store_name="expectations_store",
        checkpoint_store_name="checkpoint_store",
        validation_results_store_name="validation_results_store",
        data_docs_sites={
            SITE: {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": _files(folder / DOCS),
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            }
        },
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )


def _files(folder: Path) -> dict[str, str]:
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}


def _finding(suite: str, item: dict[str, Any]) -> Finding:
    configuration, result = item["expectation_config"], item.get("result") or {}
    arguments = configuration["kwargs"]
    subject, allowed = [configuration["type"], arguments.get("column", "")], list(_allowed(arguments))
    text = _joined([*subject, *_observed(item, result), *allowed])
    rows = [row for row in result.get("unexpected_index_list") or [] if LANDING in row]
    landings = tuple((str(row[LANDING]), _joined([subject[0], _example(row), *allowed])) for row in rows)
    return Finding(suite, configuration.get("severity") == "warning", text, landings)


def _joined(words: list[str]) -> str:
    return " ".join(word for word in words if word)


def _observed(item: dict[str, Any], result: dict[str, Any]) -> Iterator[str]:
    if (item.get("exception_info") or {}).get("exception_message"):
        yield f"could not be checked: {item['exception_info']['exception_message']}"
    if "unexpected_count" in result:
        yield f"{result['unexpected_count']} of {result['element_count']} rows do not fit"
    elif "observed_value" in result:
        yield f"observed {result['observed_value']}"
    examples = result.get("partial_unexpected_index_list") or result.get("partial_unexpected_list")
    if examples:
        yield f"such as {'; '.join(_example(example) for example in examples[:EXAMPLES])}"


def _example(example: Any) -> str:
    if isinstance(example, dict):
        return " ".join(f"{name}={value}" for name, value in example.items() if value != "")
    return str(example)


def _allowed(arguments: dict[str, Any]) -> Iterator[str]:
    low, high = arguments.get("min_value"), arguments.get("max_value")
    if low is not None or high is not None:
        yield f"(allowed {'any' if low is None else low} to {'any' if high is None else high})"
    if "value_set" in arguments:
        yield f"(allowed {len(arguments['value_set'])} names)"
