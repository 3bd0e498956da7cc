"""A setting that cannot be, as an expected error: pydantic knows fields, a person knows variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canopy.site.setting_reference import settings_classes, variable
from contracts.errors import SettingsInvalid

if TYPE_CHECKING:
    from pydantic import ValidationError


def invalid_settings(error: ValidationError) -> SettingsInvalid | None:
    """The first setting that an error of pydantic's is about; None if it is about something else."""
    named = {settings.__name__: settings for settings in settings_classes()}
    settings, first = named.get(error.title), error.errors()[0]
    if settings is None:
        return None
    name = str(first["loc"][0]) if first["loc"] else ""
    field = settings.model_fields.get(name)
    shown = variable(settings, name, field) if field else name or settings.__name__
    remedy = f"{first['msg']}. Correct it in the environment or in .env; .env.example says what it means."
    return SettingsInvalid(shown, first["input"] if name else "…", remedy)
