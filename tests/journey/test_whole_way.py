"""The whole way by hand: ten batches of a real simulator, refined, published, learned from, compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score

from contracts.covertype import covertype
from lake.bronze.landings import RAW, read_raw
from lake.catalog.connection import connect
from lake.objects import open_objects
from lake.read.query import run_query
from lake.settings import LakeSettings
from pipeline.refine import Refined, refine
from source.collect import Collected, collect
from source.outcomes import EndOfData
from source.settings import SourceSettings
from source.simulator.rows import read_rows
from source.simulator.server import serving as simulating
from source.simulator.settings import SimulatorSettings
from training.fit.rows import as_features
from training.promote.registry import Registry
from training.settings import TrainingSettings
from training.train import Trained, train

pytestmark = pytest.mark.long

BATCHES = 10


@dataclass(frozen=True)
class Way:
    """What the walk left behind."""

    lake: LakeSettings
    training: TrainingSettings
    offered: pa.Table
    polls: list[Collected]
    last: Collected
    refined: Refined
    trained: Trained


@pytest.fixture(scope="module")
def way(survey: Path, mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Way:
    home = tmp_path_factory.mktemp("way")
    lake = LakeSettings(uri=str(home / "lake"), catalog=f"sqlite:{home}/catalog.sqlite")
    training = TrainingSettings(
        mlflow_url=mlflow_url, model_name="way", experiment="way", parameters={"trees": 60}
    )
    offered = read_rows(survey)
    simulator = SimulatorSettings(window_s=0.0, seed=7, state=home / "source.json")
    with simulating(simulator, offered) as url:
        source = SourceSettings(url=url, window_s=0, requests_per_window=1, incoming=home / "incoming")
        polls = [collect([source], lake) for _ in range(BATCHES)]
        last = collect([source], lake)
    refined = refine(lake, state=home / "dbt")
    return Way(lake, training, offered, polls, last, refined, train(training, lake))


def test_ten_polls_land_ten_batches_and_the_next_one_ends(way: Way) -> None:
    landed = [landing.batch for poll in way.polls for landing in poll.landings]
    assert landed == list(range(1, BATCHES + 1))
    assert [type(outcome) for outcome in way.last.outcomes] == [EndOfData]
    assert way.last.landings == []


def test_every_landed_row_is_accepted_or_quarantined(way: Way) -> None:
    with connect(way.lake) as lake:
        counts = lake.execute(
            "select (select sum(landed_rows) from silver.landings), (select count(*) from silver.sightings), "
            "(select count(*) from silver.quarantine)"
        ).fetchone()
    landed, accepted, quarantined = counts or (0, 0, 0)
    assert landed == sum(landing.rows for poll in way.polls for landing in poll.landings)
    assert accepted + quarantined == landed


def test_distinct_rows_equal_a_count_made_from_the_raw_responses(way: Way) -> None:
    objects = open_objects(way.lake)
    served = {
        tuple(row) for key in objects.keys(RAW) for row in json.loads(read_raw(objects, key)[0])["data"]
    }
    assert way.refined.publication.observations == len(served)
    assert run_query("select count(*) from gold.training_set", lake=way.lake).rows == [(len(served),)]


def test_no_row_and_no_features_are_on_both_sides_of_the_split(way: Way) -> None:
    features = ", ".join(column.name for column in covertype().features)
    for identity in ("row_id", features):
        query = (
            f"select {identity} from gold.training_set group by {identity} having count(distinct split) > 1"
        )
        assert run_query(query, lake=way.lake).rows == []
    shares = dict(run_query("select split, count(*) from gold.training_set group by 1", lake=way.lake).rows)
    assert 0.17 < shares["test"] / sum(shares.values()) < 0.23


def test_the_reported_interval_holds_the_score_on_rows_never_served(way: Way) -> None:
    names = [column.name for column in covertype().columns]
    gold = run_query(f"select {', '.join(names)} from gold.training_set", lake=way.lake).rows
    served = {tuple(map(str, row)) for row in gold}
    unseen = [row for row in zip(*way.offered.to_pydict().values(), strict=True) if row not in served]
    columns = dict(zip(names, map(np.array, zip(*unseen, strict=True)), strict=True))
    labels = columns.pop("cover_type").astype(np.int64)
    registry = Registry(way.training)
    artefact = registry.fetch(registry.version(way.trained.version))
    answered = artefact.answer(as_features(columns, covertype()))
    true = f1_score(labels, answered.labels, average="macro")
    interval = way.trained.macro_f1
    assert interval.low <= true <= interval.high, f"{true:.3f} on {len(unseen)} rows never served"


def test_a_query_answers_while_a_refine_is_running(way: Way, tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from pipeline.dbt import build; "
        "from lake.settings import LakeSettings; "
        f"build(LakeSettings(), state=Path({str(tmp_path)!r}), is_full_refresh=True)"
    )
    environment = os.environ | {"LAKE_URI": way.lake.uri, "LAKE_CATALOG": way.lake.catalog}
    running = subprocess.Popen([sys.executable, "-c", script], env=environment)
    answers = []
    while running.poll() is None:
        answers.append(run_query("select count(*) from gold.training_set", lake=way.lake).rows[0][0])
    assert running.returncode == 0
    assert len(answers) > 3
    assert set(answers) == {way.refined.publication.observations}
