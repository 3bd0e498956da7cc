"""The forms other than the contract's own that a source's responses may have."""

from __future__ import annotations

from typing import Literal

Adapter = Literal["none", "one_hot", "labels_from_one", "objects"]
