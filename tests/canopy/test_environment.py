"""What a person sets wins over what the stack would choose."""

from __future__ import annotations

from pathlib import Path

import pytest

from canopy.settings import StackSettings
from canopy.stack.environment import stack_environment


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackSettings:
    monkeypatch.chdir(tmp_path)
    for name in ("LAKE_URI", "SERVING_PORT", "SOURCE_URL"):
        monkeypatch.delenv(name, raising=False)
    return StackSettings(home=tmp_path / "home", _env_file=None)


def test_rooms_lie_below_the_home_folder(settings: StackSettings) -> None:
    assert stack_environment(settings)["LAKE_URI"] == str(settings.folder / "lake")


def test_the_env_file_wins_over_the_stack_and_the_environment_over_both(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("LAKE_URI=/from-the-file\nSERVING_PORT=9001\n")
    monkeypatch.setenv("SERVING_PORT", "9002")
    environment = stack_environment(settings)
    assert environment["LAKE_URI"] == "/from-the-file"
    assert environment["SERVING_PORT"] == "9002"


def test_secrets_are_made_once_for_their_owner_only(settings: StackSettings) -> None:
    first, second = stack_environment(settings), stack_environment(settings)
    for name in ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__CORE__FERNET_KEY"):
        assert first[name] == second[name]
        assert len(first[name]) > 30
    for file in (settings.folder / "secrets.json", settings.folder / "airflow" / "passwords.json"):
        assert file.stat().st_mode & 0o777 == 0o600
