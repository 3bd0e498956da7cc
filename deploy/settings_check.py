"""Settings that cannot be, found before anything is begun."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator

from contracts.errors import SettingsInvalid, SettingUnknown
from contracts.settings import Settings, env_file, variable
from deploy.settings_classes import setting_names, settings_classes
from source.settings import SourceSettings, sources

# Close enough to a setting's name to be meant as it; others' variables may begin as ours do.
CLOSE = 0.85
# What teams call these in their own projects.
ALSO = {
    **dict.fromkeys(("GROUP_NUMBER", "SOURCE_GROUP_NUMBER", "SOURCE_GROUP_NUMBERS"), "SOURCE_GROUPS"),
    **dict.fromkeys(("DATA_API_URL", "SOURCE_API_URL", "SOURCE_BASE_URL", "SOURCE_ENDPOINT"), "SOURCE_URL"),
    **dict.fromkeys(("SOURCE_DAY", "SOURCE_PARAMS", "SOURCE_QUERY"), "SOURCE_PARAMETERS"),
    **dict.fromkeys(("LAKE_ROOT", "LAKE_PATH", "LAKE_DIR", "LAKE_FOLDER", "LAKE_BUCKET"), "LAKE_URI"),
    **dict.fromkeys(("CANOPY_DIR", "CANOPY_FOLDER", "CANOPY_ROOT"), "CANOPY_HOME"),
}
# What were settings: each is another one now, or a constant of the module that uses it.
RENAMED = {
    **dict.fromkeys(("SERVING_MLFLOW_URL", "UI_MLFLOW_URL"), "TRAINING_MLFLOW_URL"),
    **dict.fromkeys(("SERVING_MODEL_NAME", "UI_MODEL_NAME"), "TRAINING_MODEL_NAME"),
    "MONITOR_AIRFLOW_PASSWORD_FILE": "UI_AIRFLOW_PASSWORD_FILE",
    "MONITOR_AIRFLOW_URL": "UI_AIRFLOW_URL",
    "MONITOR_AIRFLOW_USERNAME": "UI_AIRFLOW_USERNAME",
    "MONITOR_SERVING_URL": "UI_SERVING_URL",
    "UI_MONITOR_URL": "CANOPY_MONITOR_URL",
    "UI_PORT": "CANOPY_UI_PORT",
}
CONSTANTS = {
    "AUDIT_CLASSES": "CLASSES in expectations/suites.py",
    "AUDIT_DRIFT_READINGS": "DRIFT_READINGS in expectations/frames.py",
    "AUDIT_MINIMUM_LANDED_ROWS": "LEAST_ROWS in expectations/suites.py",
    "AUDIT_ROWS": "NEWEST_ROWS in expectations/frames.py",
    "AUDIT_SHARE_ROWS": "SHARE_ROWS in expectations/frames.py",
    **dict.fromkeys(
        ("AUDIT_TEST_SHARE_HIGH", "AUDIT_TEST_SHARE_LOW"), "TEST_SHARE in expectations/suites.py"
    ),
    "INIT_ARTEFACT_BUCKET": "ARTEFACT_BUCKET in deploy/containers/store.py",
    "INIT_LAKE_BUCKET": "LAKE_BUCKET in deploy/containers/store.py",
    "INIT_MYSQL_HOST": "MYSQL_HOST in deploy/containers/init.py",
    "INIT_POSTGRES_HOST": "POSTGRES_HOST in deploy/containers/init.py",
    "INIT_S3_ROOT_USER": "ROOT_USER in deploy/containers/store.py",
    "INIT_SECRETS": "SECRETS in pipeline/role.py",
    "SIMULATOR_SYNTHETIC_SEED": "SYNTHETIC_SEED in source/simulator/slices.py",
    "TRAINING_DRIFT_LANDINGS": "DRIFT_LANDINGS in training/retrain_policy.py",
    "TRAINING_MINIMUM_TEST_ROWS": "MINIMUM_TEST_ROWS in training/fit/rows.py",
    "TRAINING_MINIMUM_TRAIN_ROWS": "MINIMUM_TRAIN_ROWS in training/fit/rows.py",
    "UI_REFRESH_S": "REFRESH_S in ui/views/pipeline.py",
    "UI_TIMEOUT_S": "TIMEOUT_S in ui/settings.py",
}
OURS = ("CANOPY_", "LAKE_", "SIMULATOR_", "SOURCE_")


def check_settings() -> None:
    """Reads every settings class once, and looks for names that were meant as settings.

    Raises: SettingsInvalid; SettingUnknown; SettingsFileUnreadable.
    """
    for error in wrong_settings():
        raise error


def wrong_settings() -> Iterator[SettingsInvalid | SettingUnknown]:
    """Yields everything that is wrong with the settings. Raises: SettingsFileUnreadable."""
    for settings in settings_classes():
        yield from _wrong_of(settings)
    try:
        sources()
    except SettingsInvalid as error:
        yield error
    yield from unknown_settings()


def _wrong_of(settings: type[Settings]) -> Iterator[SettingsInvalid]:
    """Yields what is wrong with a class: it says one thing at a time, and the next once that has its
    default."""
    fields = {
        variable(settings, name, field): (str(field.validation_alias or name), field)
        for name, field in settings.model_fields.items()
    }
    right: dict[str, object] = {}
    while True:
        try:
            settings(**right)
        except SettingsInvalid as error:
            name, field = fields.get(error.name, ("", None))
            if name in right:  # what is no JSON is found before a value of ours is looked at
                return
            yield error
            if field is None:
                return
            right[name] = field.get_default(call_default_factory=True, validated_data={})
        else:
            return


def unknown_settings() -> Iterator[SettingUnknown]:
    """Yields names that are no setting and were meant as one, with the one that was meant if it can be told.

    In `.env`, whatever begins as the settings of the lake and the source do; in the environment, where others
    have their variables too, what comes close to a setting.
    """
    known, lines = setting_names() | _own_settings(), env_file()
    for name in sorted({*os.environ, *lines}):
        if name in known:
            continue
        if name in RENAMED or name in CONSTANTS:
            yield SettingUnknown(name, RENAMED.get(name), constant=CONSTANTS.get(name))
            continue
        also = ALSO.get(name)
        if also and (also in lines or (also in os.environ and also != "SOURCE_URL")):  # which the stack sets
            continue
        alike = [one for one in known if one.partition("_")[0] == name.partition("_")[0]]
        meant = also or next(iter(difflib.get_close_matches(name, alike, n=1, cutoff=CLOSE)), None)
        if meant or (name in lines and name.startswith(OURS)):
            yield SettingUnknown(name, meant)


def _own_settings() -> set[str]:
    """Returns the settings that each of several sources may have of its own."""
    try:
        names = SourceSettings().names
    except SettingsInvalid:
        return set()
    begins = [f"SOURCE_{name.upper().replace('-', '_')}_" for name in names]
    return {f"{begin}{field.upper()}" for begin in begins for field in SourceSettings.model_fields}
