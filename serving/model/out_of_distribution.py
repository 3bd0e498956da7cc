"""Rows that are out of distribution: rare or unseen categories, values outside those of the training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ValidationError

from contracts.covertype import Contract
from contracts.model_artefact import Metadata
from contracts.prediction import Flag, FlagCode


class _TrainingProfile(BaseModel):
    """The training profile: the range of each number, and how many rows had each category."""

    ranges: dict[str, tuple[int, int]]
    counts: dict[str, dict[str, int]]


@dataclass(frozen=True)
class OutOfDistribution:
    """Flags rows by what the model learned from.

    Attributes:
        ranges: Position, name, lowest and highest value of each measured feature.
        counts: Position, name and rows by value of each category.
    """

    ranges: Sequence[tuple[int, str, int, int]]
    counts: Sequence[tuple[int, str, Mapping[str, int]]]

    @classmethod
    def of(cls, metadata: Mapping[str, str], contract: Contract) -> OutOfDistribution:
        """Reads it from the model's own metadata; a model that tells nothing flags nothing."""
        try:
            profile = _TrainingProfile.model_validate(json.loads(metadata.get(Metadata.TRAINING_PROFILE, "")))
        except (ValueError, ValidationError, RecursionError):
            return cls((), ())
        names = enumerate(column.name for column in contract.features)
        listed = list(names)
        return cls(
            [(place, name, *profile.ranges[name]) for place, name in listed if name in profile.ranges],
            [(place, name, profile.counts[name]) for place, name in listed if name in profile.counts],
        )

    def flags(self, row: Sequence[int | str], rare_rows: int) -> list[Flag]:
        """Returns what of a row the model has hardly seen.

        Args:
            row: Its values, in the contract's order.
            rare_rows: A category with fewer rows than this is rare.
        """
        found = []
        for place, name, low, high in self.ranges:
            if not low <= row[place] <= high:  # type: ignore[operator]  # measured values are integers
                found.append(_outside(name, low, high))
        for place, name, counts in self.counts:
            count = counts.get(row[place], 0)  # type: ignore[arg-type]  # categories are strings
            if count < rare_rows:
                found.append(_rare(name, count))
        return found

    def codes(self, rows: pa.RecordBatch, rare_rows: int) -> pa.Array:
        """Returns the same for many rows: a list of `field:code` for each."""
        marks: list[tuple[str, pa.Array]] = []
        for _, name, low, high in self.ranges:
            outside = pc.or_(pc.less(rows[name], low), pc.greater(rows[name], high))
            marks.append((f"{name}:{FlagCode.OUTSIDE}", outside))
        for _, name, counts in self.counts:
            usual = pa.array([value for value, count in counts.items() if count >= rare_rows], pa.string())
            known = pa.array([value for value, count in counts.items() if count], pa.string())
            unseen = pc.invert(pc.is_in(rows[name], value_set=known))
            rare = pc.and_not(pc.invert(pc.is_in(rows[name], value_set=usual)), unseen)
            marks += [(f"{name}:{FlagCode.UNSEEN}", unseen), (f"{name}:{FlagCode.RARE}", rare)]
        return _lists(marks, rows.num_rows)


def _lists(marks: Sequence[tuple[str, pa.Array]], count: int) -> pa.Array:
    """Returns one list of names a row, from one column of booleans a name."""
    told = [(name, np.asarray(mark.to_numpy(zero_copy_only=False), bool)) for name, mark in marks]
    told = [(name, mark) for name, mark in told if mark.any()]
    if not told:
        return pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.string()))
    matrix = np.column_stack([mark for _, mark in told])
    _, names = np.nonzero(matrix)
    offsets = np.concatenate([[0], matrix.sum(axis=1).cumsum()]).astype(np.int32)
    values = np.array([name for name, _ in told], dtype=object)[names]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, pa.string()))


def _outside(name: str, low: int, high: int) -> Flag:
    detail = f"The model learned from values of {low} to {high}."
    return Flag(field=name, code=FlagCode.OUTSIDE, detail=detail)


def _rare(name: str, count: int) -> Flag:
    if count == 0:
        return Flag(field=name, code=FlagCode.UNSEEN, detail="The model has learned from no such row.")
    return Flag(field=name, code=FlagCode.RARE, detail=f"The model has learned from {count} such rows.")
