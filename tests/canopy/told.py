"""What a person is told of a setting."""

from __future__ import annotations

from contracts.errors import CanopyError
from contracts.settings import Settings


def said_of(settings: type[Settings]) -> str:
    """The sentence with which these settings are refused; nothing where they are taken.

    A command leaves with 2 then.
    """
    try:
        settings()
    except CanopyError as error:
        said = error
    else:
        return ""
    assert said.exit_status == 2, said
    return str(said)
