"""A search under a time budget."""

from __future__ import annotations

import time

import pytest

from contracts.errors import CandidateUnknown, NothingFound, ParametersInvalid
from lake.settings import LakeSettings
from training.fit.candidates import CANDIDATES, Choice
from training.fit.candidates.candidate import usual
from training.fit.search import found_by_search, search
from training.promote.registry import Registry
from training.settings import TrainingSettings
from training.train import train


@pytest.fixture
def quick(settings: TrainingSettings) -> TrainingSettings:
    return settings.model_copy(update={"parameters": {}, "leak_meter": False, "bootstrap_draws": 200})


@pytest.mark.longest
def test_the_winner_is_what_is_trained_from_then_on(quick: TrainingSettings, lake: LakeSettings) -> None:
    registry = Registry(quick)
    assert found_by_search(registry, quick) is None
    began = time.monotonic()
    found = search(quick, lake, seconds=20, candidates=["extra_trees", "histogram_boosting"], rows=600)
    assert time.monotonic() - began < 120  # the fold that had begun is learned to its end
    assert found.trials >= 1
    assert found.macro_f1.value <= found.best_macro_f1.value
    children = registry.client.search_runs(
        [registry.client.get_experiment_by_name(quick.experiment).experiment_id],
        f"tags.mlflow.parentRunId = '{found.run_id}'",
    )
    assert len(children) == found.trials + found.pruned
    assert {"macro_f1", "macro_f1_low", "megabytes", "latency_ms"} <= set().union(
        *(child.data.metrics for child in children)
    )
    assert found_by_search(registry, quick) == found.choice

    trained = train(quick, lake)
    assert registry.version(trained.version).tags["candidate"] == found.choice.name
    settled = quick.model_copy(update={"candidate": "random_forest", "parameters": {"trees": 5}})
    again = train(settled, lake, force=True)
    assert registry.version(again.version).tags["candidate"] == "random_forest"


def test_what_is_too_large_or_too_slow_is_given_up_and_said_so(
    quick: TrainingSettings, lake: LakeSettings
) -> None:
    tiny = quick.model_copy(update={"maximum_megabytes": 0.000001})
    with pytest.raises(NothingFound, match=r"below 1e-06 MB"):
        search(tiny, lake, seconds=2, candidates=["extra_trees"], rows=300)


def test_the_usual_settings_are_among_what_a_trial_may_try() -> None:
    import optuna

    for candidate in CANDIDATES.values():
        trial = optuna.trial.FixedTrial(usual(candidate))
        suggested = candidate.suggest(trial)
        assert suggested.items() <= candidate.parameters().model_dump().items()


def test_a_candidate_or_a_setting_that_does_not_exist_is_named() -> None:
    with pytest.raises(CandidateUnknown, match=r"'oracle'.*extra_trees, histogram_boosting"):
        Choice("oracle").resolve()
    with pytest.raises(ParametersInvalid, match=r"trees: Input should be greater than or equal to 1"):
        Choice("extra_trees", {"trees": 0}).resolve()
    with pytest.raises(ParametersInvalid, match=r"leaves: Extra inputs.*criterion"):
        Choice("extra_trees", {"leaves": 3}).resolve()


def test_what_is_set_comes_before_what_was_found_and_that_before_what_is_usual() -> None:
    found = Choice("extra_trees", {"trees": 40, "criterion": "gini"})
    assert Choice.by(TrainingSettings(_env_file=None)) == Choice("extra_trees")
    assert Choice.by(TrainingSettings(_env_file=None), found) == found
    given = TrainingSettings(parameters={"trees": 7}, _env_file=None)
    assert Choice.by(given, found) == Choice("extra_trees", {"trees": 7, "criterion": "gini"})
    other = TrainingSettings(candidate="lightgbm", _env_file=None)
    assert Choice.by(other, found) == Choice("lightgbm")
