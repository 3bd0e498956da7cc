"""Running a stage as the person who asks for it."""

import pytest

from contracts.errors import ServiceUnavailable
from tests.ui.stand_ins import PASSWORDS, Scheduler, scheduler
from ui.reading.runs import run_now, sign_in
from ui.settings import UiSettings

PERSON, PASSWORD = next(iter(PASSWORDS.items()))


def test_a_person_who_signs_in_starts_a_run() -> None:
    part = Scheduler()
    with scheduler(part) as url:
        settings = UiSettings(airflow_url=url)
        token = sign_in(settings, PERSON, PASSWORD)
        assert token is not None
        assert [run_now(settings, token, "refine")] == part.run_ids
    assert part.started == ["refine"]


def test_a_wrong_password_is_no_token_and_a_made_up_token_starts_nothing() -> None:
    part = Scheduler()
    with scheduler(part) as url:
        settings = UiSettings(airflow_url=url)
        assert sign_in(settings, PERSON, "another") is None
        assert run_now(settings, "made up", "refine") is None
    assert part.started == []


def test_airflow_away_is_named(nowhere: UiSettings) -> None:
    with pytest.raises(ServiceUnavailable, match="Airflow"):
        sign_in(nowhere, PERSON, PASSWORD)
    with pytest.raises(ServiceUnavailable, match="Airflow"):
        run_now(nowhere, "token", "collect")
