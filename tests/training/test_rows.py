"""What training reads from gold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contracts.errors import TooFewRows
from lake.publish.pointer import latest
from lake.settings import LakeSettings
from tests.training.survey import make_lake, survey
from training.fit.challenger import fit
from training.fit.rows import Rows, TrainingSet, read_training_set
from training.settings import TrainingSettings


@pytest.fixture(scope="module")
def rows(lake: LakeSettings) -> TrainingSet:
    return read_training_set(lake, latest(lake))


def identities(rows: Rows) -> set[tuple[object, ...]]:
    columns = [values[:, 0].tolist() for values in rows.features.values()]
    return set(zip(*columns, rows.labels.tolist(), strict=True))


def test_no_row_is_on_both_sides(rows: TrainingSet) -> None:
    assert len(rows.train) + len(rows.test) == 2500
    assert not identities(rows.train) & identities(rows.test)


def test_the_order_depends_on_the_rows_alone(rows: TrainingSet, tmp_path) -> None:
    columns = survey(2500)
    order = np.random.default_rng(5).permutation(2500)
    other = make_lake(tmp_path, {name: values[order] for name, values in columns.items()})
    again = read_training_set(other, latest(other))
    np.testing.assert_array_equal(again.train.labels, rows.train.labels)
    for name, values in rows.train.features.items():
        np.testing.assert_array_equal(again.train.features[name], values)


@pytest.mark.parametrize(
    ("train", "test", "says"),
    [(150, 100, "150 rows to train on, 200 are needed"), (400, 20, "20 rows to test on, 50 are needed")],
)
def test_too_few_rows_are_refused_with_both_figures(
    rows: TrainingSet, train: int, test: int, says: str
) -> None:
    few = replace(rows, train=rows.train.at(np.arange(train)), test=rows.test.at(np.arange(test)))
    with pytest.raises(TooFewRows, match=says):
        fit(few, TrainingSettings(_env_file=None))


def test_one_class_alone_is_refused(rows: TrainingSet) -> None:
    one = rows.train.at(np.flatnonzero(rows.train.labels == 1))
    with pytest.raises(TooFewRows, match="one class"):
        fit(replace(rows, train=one), TrainingSettings(_env_file=None))


def test_the_same_rows_and_seed_grow_the_same_artefact(rows: TrainingSet) -> None:
    settings = [
        TrainingSettings(parameters={"trees": 5}, n_jobs=jobs, leak_meter=False, _env_file=None)
        for jobs in (1, 2)
    ]
    first, second = (fit(rows, chosen).artefact.serialized for chosen in settings)
    assert first == second
