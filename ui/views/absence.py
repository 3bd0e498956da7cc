"""A part that is unavailable: said plainly, with the command that helps, never as a traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from contracts.errors import CanopyError, ModelMissing, NothingPublished, ServiceUnavailable
from ui.language import Texts

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Unavailable:
    """What could not be read.

    Attributes:
        part: `lake`, `serving`, `mlflow`, `airflow`, `monitor`, or `published` and `model` where the part is
            there and has nothing to show yet.
        detail: The error in its own words, in English.
    """

    part: str
    detail: str

    @property
    def is_early(self) -> bool:
        """Returns whether nothing is broken: there is only nothing to show yet."""
        return self.part in ("published", "model")


def try_read(part: str, read: Callable[[], Answer]) -> Answer | Unavailable:
    """Returns what `read` returns, or why it could not.

    This is the edge of the UI: whatever a part fails with, the rest of the page stays usable.
    """
    try:
        return read()
    except NothingPublished as error:
        return Unavailable("published", str(error))
    except ModelMissing as error:
        return Unavailable("model", str(error))
    except ServiceUnavailable as error:
        return Unavailable(
            part, f"{error.url}: {error.reason}"
        )  # the page says the rest in the reader's language
    except CanopyError as error:
        return Unavailable(part, str(error))
    except Exception as error:
        logger.exception("part_unreadable part=%s", part)
        return Unavailable(part, f"{type(error).__name__}: {error}")


def show_unavailable(texts: Texts, found: Unavailable) -> None:
    """Says what is missing and which command helps."""
    message = f"**{texts(f'unavailable.{found.part}.what')}** {texts(f'unavailable.{found.part}.remedy')}"
    if found.is_early:
        st.info(message, icon=":material/hourglass_empty:")
    else:
        detail = found.detail.replace("`", "'")
        st.warning(f"{message}  \n:small[`{detail}`]", icon=":material/cloud_off:")
