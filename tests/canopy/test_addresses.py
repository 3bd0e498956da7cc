"""What a person copies from the end of a start is all there, however narrow the terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from canopy.screens.demo import addresses
from contracts.stack_settings import StackSettings
from deploy.local.parts import parts
from deploy.secrets import load_secrets


@pytest.mark.parametrize("width", [70, 80, 200])
def test_addresses_and_passwords_are_whole(tmp_path: Path, width: int) -> None:
    settings, written = StackSettings(home=tmp_path), io.StringIO()
    known = load_secrets(tmp_path)
    Console(file=written, width=width).print(addresses(settings))
    lines = written.getvalue().splitlines()
    for password in (known.airflow_password, known.mlflow_reader_password):
        assert [line for line in lines if line.endswith(f" with {password}")]
    for part in parts(settings):
        assert not part.url or any(part.url in line for line in lines), part.name
