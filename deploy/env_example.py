"""`.env.example` out of the settings classes: `python -m deploy.env_example` writes it."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator

from contracts.settings import Settings, variable
from contracts.stack_settings import PROJECT
from deploy.settings_classes import default_of, meanings, own_fields, settings_classes

EXAMPLE = PROJECT / ".env.example"
WIDTH = 118
HEAD = """# Every setting with its default. Copy this file to .env, and uncomment what you change.
# `make settings` writes it out of the settings classes.
#
# A variable of the environment wins over .env, and .env over what `canopy` tells the parts of each other
# (from the settings with CANOPY_).
#
# Each line is NAME=value, a comment, or blank; any other stops every command. A path may begin with ~.
# No number is endless: *_TIMEOUT_S is a week at most, other *_S, *_HOURS and *_DAYS a hundred years,
# *_MB 1,048,576.
"""


def env_example() -> str:
    """Returns every settings class with its settings, each explained and commented out."""
    return "\n".join([HEAD, *map(_section, settings_classes())])


def _section(settings: type[Settings]) -> str:
    module = inspect.getmodule(settings)
    title = (inspect.getdoc(module) or "").partition("\n")[0]
    return "\n".join([f"## {settings.__name__}: {title}", *_lines(settings)]) + "\n"


def _lines(settings: type[Settings]) -> Iterator[str]:
    meant, fields = meanings(settings), own_fields(settings)
    names = {name: variable(settings, name, field) for name, field in fields.items()}
    for name, field in fields.items():
        said = re.sub(r"`(\w+)`", lambda found: f"`{names.get(found[1], found[1])}`", meant[name])
        yield from textwrap.wrap(
            said, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False
        )
        yield f"#{names[name]}={default_of(field)}"


if __name__ == "__main__":
    EXAMPLE.write_text(env_example(), encoding="utf-8")
