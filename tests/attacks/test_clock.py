"""The clock may jump in both directions: collecting goes on, and no time is believed that has not come."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import accumulate
from pathlib import Path

import pytest

from contracts.errors import ClockDoubted, ServiceUnavailable
from contracts.stack_settings import StackSettings
from lake.bronze.events import Event, newest_event, record
from lake.bronze.merging import merge_predictions
from lake.bronze.samples import kept_at
from lake.catalog.compact import compact
from lake.catalog.connection import connect
from lake.catalog.settled import settled_now
from lake.objects import open_objects
from lake.publish.pointer import latest, published
from lake.settings import LakeSettings
from pipeline.airflow_history import clean_airflow
from pipeline.refine import refine
from source.clock import steady, utc_now
from source.collect import collect, collect_step, to_refine
from source.policy import CLOCK_SKEW
from source.settings import SourceSettings
from tests.lake.asides import aside
from tests.lake.landed import survey_rows
from tests.lake.published import fill_with_numbers
from tests.source import test_response
from tests.source.conftest import BrokenService, Reply, broken_service, impatient
from tests.source.test_response import body
from tests.training.conftest import small
from training.fit.rows import read_training_set
from training.promote.retention import retain
from training.settings import TrainingSettings
from training.train import train

__all__ = ["broken_service"]

Start = Callable[..., BrokenService]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR, YEARS = timedelta(hours=1), timedelta(days=3653)
DAY, YEAR = timedelta(days=1), timedelta(days=365)
# Where the product asks for the time while it refines and trains.
DATED = (
    "expectations.audit", "lake.bronze.held", "lake.catalog.settled", "lake.publish.pointer",
    "training.judge.prequential_predictions",
)  # fmt: skip
ROW, OTHER = list(test_response.ROW), list(test_response.OTHER)


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return LakeSettings(uri=str(tmp_path / "lake"), catalog=f"sqlite:{tmp_path / 'catalog.sqlite'}")


@pytest.fixture(autouse=True)
def own_incoming_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_INCOMING", str(tmp_path / "incoming"))


class Machine:
    """A machine's clock, which goes on a second at each look and can be set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def polite(url: str, **changes: object) -> SourceSettings:
    """A source as it really is: windows of five minutes, three requests in each."""
    real = {"window_s": 300.0, "requests_per_window": 3, "recheck_s": 3600.0}
    return impatient(url, **(real | changes))


def service_of_all(broken_service: Start) -> BrokenService:
    return broken_service(Reply(body=body([ROW, OTHER])))


@pytest.mark.parametrize("jump", [-HOUR, HOUR, YEARS, -YEARS], ids=str)
def test_after_a_jump_the_next_window_is_collected_as_ever(
    broken_service: Start, lake: LakeSettings, jump: timedelta
) -> None:
    machine, source = Machine(), polite(service_of_all(broken_service).url)
    first = collect([source], lake, clock=machine, sleep=lambda _: None)
    assert first.landings
    machine.now += jump
    assert collect([source], lake, clock=machine, sleep=lambda _: None).landings
    machine.now += timedelta(minutes=6)
    assert collect([source], lake, clock=machine, sleep=lambda _: None).landings


@pytest.mark.parametrize("jump", [HOUR, YEARS], ids=str)
def test_what_was_landed_in_a_future_that_was_none_stops_nobody_when_the_clock_is_right_again(
    broken_service: Start, lake: LakeSettings, jump: timedelta
) -> None:
    machine, source = Machine(), polite(service_of_all(broken_service).url)
    machine.now += jump
    collect([source], lake, clock=machine, sleep=lambda _: None)
    machine.now = NOW
    for _ in range(3):
        collected = collect([source], lake, clock=machine, sleep=lambda _: None)
        assert collected.landings
        assert "ahead of this clock" in collected.reasons[0]
        machine.now += timedelta(minutes=6)
    noted = [one for one in aside(open_objects(lake)) if one.key.startswith("clock/")]
    assert len(noted) == 1  # told once
    assert not noted[0].kept  # and left where it is
    machine.now += jump  # that future has come
    assert "ahead of this clock" not in str(
        collect([source], lake, clock=machine, sleep=lambda _: None).reasons
    )


@pytest.mark.parametrize("kind", ["end_of_data", "failure"])
def test_an_event_of_the_future_has_not_happened(
    broken_service: Start, lake: LakeSettings, kind: str
) -> None:
    objects = open_objects(lake)
    future = Event(kind, "covertype", 1, NOW + YEARS, "http://x", "over")  # type: ignore[arg-type]
    record(objects, future)
    assert newest_event(objects, "covertype", 1, NOW + CLOCK_SKEW) is None
    machine, source = Machine(), polite(service_of_all(broken_service).url)
    assert collect([source], lake, clock=machine, sleep=lambda _: None).landings


def test_the_budget_is_kept_when_the_clock_is_set_back_within_a_run(
    broken_service: Start, lake: LakeSettings
) -> None:
    machine, service = Machine(), service_of_all(broken_service)
    source, started_at = polite(service.url, pace_s=10.0), NOW
    assert collect_step(started_at, [source], lake, clock=machine).wait_s is not None
    machine.now -= HOUR
    for _ in range(5):
        step = collect_step(started_at, [source], lake, clock=machine)
        assert step.wait_s is None
        assert "set back" in step.reasons[0]
    assert len(service.asked) == 1


def test_a_small_step_back_asks_for_no_longer_wait_than_the_pace(
    broken_service: Start, lake: LakeSettings
) -> None:
    machine, source = Machine(), polite(service_of_all(broken_service).url, pace_s=10.0)
    collect_step(NOW, [source], lake, clock=machine)
    machine.now -= timedelta(seconds=60)
    wait_s = collect_step(machine.now, [source], lake, clock=machine).wait_s
    assert wait_s is not None
    assert wait_s <= 10


def test_a_day_is_named_when_the_next_batch_is_due_on_another(
    broken_service: Start, lake: LakeSettings
) -> None:
    machine = Machine()
    machine.now = NOW.replace(hour=23, minute=58)
    collected = collect(
        [polite(service_of_all(broken_service).url, target_coverage=0.001, requests_per_window=30)],
        lake, clock=machine, sleep=lambda _: None,
    )  # fmt: skip
    assert "2026-11-23 00:0" in collected.reasons[0]


def test_within_a_run_the_clock_goes_on_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = steady()
    before = clock()
    monkeypatch.setattr("source.clock.datetime", None)  # nobody asks the machine again
    assert timedelta() <= clock() - before < timedelta(seconds=5)
    assert utc_now is not clock


def test_a_landing_of_the_future_is_announced_to_no_later_run(
    broken_service: Start, lake: LakeSettings
) -> None:
    machine = Machine()
    machine.now = datetime.now(UTC) + YEARS
    collect([polite(service_of_all(broken_service).url)], lake, clock=machine, sleep=lambda _: None)
    assert to_refine(datetime.now(UTC), lake) == []


def snapshots_of(lake: LakeSettings) -> list[int]:
    with connect(lake) as connection:
        return [row[0] for row in connection.execute("select snapshot_id from lake.snapshots()").fetchall()]


@pytest.fixture
def numbers(lake: LakeSettings, monkeypatch: pytest.MonkeyPatch) -> LakeSettings:
    """A lake with two publications, made just now; the commands find it too."""
    monkeypatch.setenv("LAKE_URI", lake.uri)
    monkeypatch.setenv("LAKE_CATALOG", lake.catalog)
    return fill_with_numbers(lake)


@pytest.fixture
def maintained(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The clock that maintenance looks at; it begins at the present, as the catalog's does."""
    machine = Machine()
    machine.now = datetime.now(UTC)
    monkeypatch.setattr("lake.catalog.settled.utc_now", machine)
    return machine


def test_a_clock_years_ahead_makes_nothing_old_at_first_and_a_lake_at_rest_is_maintained_a_day_later(
    numbers: LakeSettings, maintained: Machine
) -> None:
    before = snapshots_of(numbers)
    maintained.now += YEARS
    for _ in range(3):  # the run, and those that try it again
        with pytest.raises(ClockDoubted, match="nothing is removed as old"):
            compact(numbers)
        maintained.now += HOUR
    assert snapshots_of(numbers) == before
    maintained.now += timedelta(hours=21)
    assert compact(numbers).expired > 0
    for _ in range(2):
        maintained.now += timedelta(days=1)
        compact(numbers)


def test_when_the_clock_is_right_again_maintenance_goes_on_as_if_nothing_had_been(
    numbers: LakeSettings, maintained: Machine
) -> None:
    compact(numbers)
    maintained.now += YEARS
    with pytest.raises(ClockDoubted):
        compact(numbers)
    maintained.now -= YEARS
    assert compact(numbers).expired == 0


def test_what_a_wrong_clock_has_written_into_the_lake_does_not_make_it_right(
    numbers: LakeSettings, maintained: Machine
) -> None:
    """The scheduler collects and refines before it maintains."""
    with closing(sqlite3.connect(numbers.catalog_target)) as catalog, catalog:
        (last,) = catalog.execute("select max(snapshot_id) from ducklake_snapshot").fetchone()
        written = (datetime.now(UTC) + YEARS).isoformat(sep=" ")
        catalog.execute(
            "update ducklake_snapshot set snapshot_time = ? where snapshot_id > ?", [written, last - 2]
        )
    before = snapshots_of(numbers)
    maintained.now += YEARS + HOUR
    with pytest.raises(ClockDoubted):
        compact(numbers)
    assert snapshots_of(numbers) == before


def test_a_clock_years_behind_removes_nothing_and_stops_nothing(
    numbers: LakeSettings, maintained: Machine
) -> None:
    before = snapshots_of(numbers)
    maintained.now -= YEARS
    assert compact(numbers).expired == 0
    assert {*before} <= {*snapshots_of(numbers)}


@pytest.mark.long
def test_a_lake_that_rests_is_maintained_day_by_day(numbers: LakeSettings, maintained: Machine) -> None:
    expired = []
    for _ in range(9):
        maintained.now += timedelta(days=1)
        expired.append(compact(numbers).expired)
    assert sum(expired) > 0
    maintained.now += timedelta(days=2)  # a weekend
    compact(numbers)


def test_models_and_runs_of_airflow_do_not_get_old_by_a_jump_either(
    numbers: LakeSettings, maintained: Machine, tmp_path: Path
) -> None:
    stack = StackSettings(home=tmp_path / "home", _env_file=None)
    log = stack.folder / "airflow" / "logs" / "dag_id=collect" / "attempt=1.log"
    log.parent.mkdir(parents=True)
    log.write_text("said")
    (stack.folder / "airflow" / "airflow.sqlite").touch()
    nowhere = TrainingSettings(mlflow_url="http://127.0.0.1:9", _env_file=None)
    maintained.now += YEARS
    with pytest.raises(ClockDoubted):
        retain(nowhere, numbers)  # before anybody asks for a model
    with pytest.raises(ClockDoubted):
        clean_airflow(stack)
    with pytest.raises(ClockDoubted):
        merge_predictions(numbers)
    assert log.exists()
    with pytest.raises(ClockDoubted):
        compact(numbers)
    maintained.now += timedelta(days=1)
    with pytest.raises(ServiceUnavailable):
        retain(nowhere, numbers)


def test_retention_asks_a_lake_that_is_not_there_nothing(maintained: Machine, lake: LakeSettings) -> None:
    maintained.now += YEARS
    assert settled_now(lake) >= maintained.now


@pytest.mark.long
@pytest.mark.timeout(600)
def test_landings_of_three_ages_are_built_audited_published_and_learned_from(
    broken_service: Start, lake: LakeSettings, tmp_path: Path, survey: Path, mlflow_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("AUDIT_FOLDER", str(tmp_path / "audits"))
    rows = survey_rows(survey, 1_500)
    replies = [Reply(body=body(rows[at : at + 500])) for at in (0, 500, 1_000)]
    machine, source = Machine(), impatient(broken_service(*replies).url)
    for jump in (timedelta(), YEARS, -YEARS):
        machine.now += jump
        assert collect([source], lake, clock=machine).landings
    assert refine(lake, state=tmp_path / "dbt").landings == 3
    trained = train(small(mlflow_url, "of-three-ages"), lake)
    assert trained.is_new
    assert trained.train_rows + trained.test_rows == 1_500


class Shifted(datetime):
    """What a module of ours takes for the time, set off by so much."""

    by = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + cls.by


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Shifted]]:
    """The clock of all parts that write into the lake; those of DuckDB and MLflow are not ours to set."""
    for module in DATED:
        monkeypatch.setattr(f"{module}.datetime", Shifted)
    yield Shifted
    Shifted.by = timedelta()


@pytest.mark.longest
@pytest.mark.timeout(1800)  # it builds, audits, publishes and trains, four times
def test_after_steps_back_between_runs_each_is_published_and_learned_from_behind_the_last(
    broken_service: Start, lake: LakeSettings, tmp_path: Path, survey: Path, mlflow_url: str,
    machine: type[Shifted], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("AUDIT_FOLDER", str(tmp_path / "audits"))
    rows, counts = survey_rows(survey, 1_800), (1_200, 200, 200, 200)
    ends = list(accumulate(counts))
    replies = [Reply(body=body(rows[end - count : end])) for end, count in zip(ends, counts, strict=True)]
    source, told, kept = impatient(broken_service(*replies).url), [], {}
    trained = []
    for jump, end in zip((timedelta(), -DAY, -2 * YEAR, timedelta()), ends, strict=True):
        machine.by = jump
        assert collect([source], lake, clock=lambda: machine.now(UTC), sleep=lambda _: None).landings
        assert refine(lake, state=tmp_path / "dbt").landings == 1
        found = published(lake)[::-1]
        assert [one for one, _ in found[:-1]] == told  # as they were
        told = [one for one, _ in found]
        assert latest(lake) == told[-1]
        assert told[-1].observations == end
        now = bronze(lake)
        assert kept.items() <= now.items()
        kept = now
        trained.append(train(small(mlflow_url, tmp_path.name), lake))
        assert trained[-1].train_rows + trained[-1].test_rows == end
    assert [one.publication_id for one in told] == [1, 2, 3, 4]
    assert [one.landings for one in told] == [1, 2, 3, 4]
    assert [one.snapshot_id for one in trained] == [one.snapshot_id for one in told]
    assert [one.version for one in trained] == [1, 2, 3, 4]
    ages = [told[0].published_at - one.published_at for one in told]
    assert DAY / 2 < ages[1] < DAY < 2 * YEAR - DAY < ages[2]  # the clock was set, and went on
    assert ages[3] < timedelta()


def bronze(lake: LakeSettings) -> dict[str, str]:
    """What has landed, by its key: never touched again."""
    objects = open_objects(lake)
    return {key: hashlib.sha256(objects.read(key)).hexdigest() for key in objects.keys("bronze/raw")}


@pytest.mark.longest
@pytest.mark.timeout(1200)  # it builds, audits and publishes, several times
def test_a_jump_of_ten_years_and_back_goes_through_refine_audit_and_training(
    broken_service: Start, lake: LakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIT_FOLDER", str(tmp_path / "audits"))
    rows = [[str(int(ROW[0]) + number), *ROW[1:]] for number in range(60)]
    replies = [Reply(body=body(rows[at : at + 20])) for at in (0, 20, 40)]
    machine, source = Machine(), impatient(broken_service(*replies).url)
    for jump in (timedelta(), YEARS, -YEARS):
        machine.now += jump
        assert collect([source], lake, clock=machine).landings
        refined = refine(lake, state=tmp_path / "dbt")
        assert refined.landings == 1
    publication = latest(lake)
    assert publication is not None
    assert publication.landings == 3
    assert publication.observations == 60
    assert len(kept_at(open_objects(lake), "covertype", 1)) == 3
    learned = read_training_set(lake, publication)
    assert len(learned.train) + len(learned.test) == 60
