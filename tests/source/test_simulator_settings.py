"""A setting of the simulator that cannot work is named, with its value and what to do."""

from __future__ import annotations

import pytest

from contracts.errors import SettingsInvalid
from source.simulator.settings import SimulatorSettings

SHARES = ("dirt_share", "timeout_share", "error_share", "cut_share", "wrong_type_share")


@pytest.mark.parametrize("name", SHARES)
@pytest.mark.parametrize("value", ["1.5", "-0.1", "half", "nan"])
def test_a_share_is_a_number_from_0_to_1(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"SIMULATOR_{name}".upper(), value)
    with pytest.raises(
        SettingsInvalid, match=rf"SIMULATOR_{name.upper()}='{value}' cannot work\. It is to be"
    ):
        SimulatorSettings()


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("form", "wide", "'coded', 'one_hot', 'labels_from_one', 'objects' or 'bare_objects'"),
        ("drift", "slope", "'none', 'area' or 'elevation'"),
        ("version", "2023", "'2024', '2025' or '2026'"),
        ("latency_s", "-1", "greater than or equal to 0"),
        ("timeout_s", "0", "greater than 0"),
        ("slow_bytes_per_s", "0", "greater than or equal to 1"),
        ("workers", "0", "greater than or equal to 1"),
        ("port", "70000", "less than or equal to 65535"),
    ],
)
def test_what_a_setting_may_be_is_said(
    name: str, value: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SIMULATOR_{name}".upper(), value)
    with pytest.raises(SettingsInvalid) as raised:
        SimulatorSettings()
    assert str(raised.value).startswith(f"The setting SIMULATOR_{name.upper()}='{value}' cannot work. ")
    assert remedy in str(raised.value)


def test_several_workers_and_a_seed_do_not_go_together() -> None:
    with pytest.raises(SettingsInvalid, match=r"SIMULATOR_WORKERS=2 cannot work.*leave SIMULATOR_SEED out"):
        SimulatorSettings(workers=2, seed=1)
