"""Follows the champion: loads a new one beside the old, tries it, and swaps."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from clients.mlflow import MlflowApi
from contracts.covertype import Contract
from contracts.errors import CanopyError, ModelMissing, ModelRefused
from contracts.version_signature import SIGNATURE_TAG, May
from serving.http.metrics import Metrics
from serving.model.cache import ModelCache
from serving.model.loaded import Gate, Model, load_model
from serving.model.version import Version
from serving.settings import ServingSettings

LOG = logging.getLogger(__name__)
STOP_WITHIN_S = 2.0


class AliasFollower:
    """The model that bears an alias. It is one reference: a request takes it once and keeps it to its end.

    Attributes:
        model: What answers, or None while there is nothing.
        problem: Why the alias is not followed at present, in words, or None.
        checked_at: When the registry last answered, or None.
        alias: Whom it follows.
    """

    def __init__(
        self, settings: ServingSettings, contract: Contract, metrics: Metrics, alias: str | None = None
    ) -> None:
        self.model: Model | None = None
        self.problem: str | None = "the champion is being looked up"
        self.checked_at: datetime | None = None
        self.alias = alias or settings.alias
        self._settings = settings
        self._contract = contract
        self._metrics = metrics
        account = settings.mlflow_account
        self._registry = MlflowApi(settings.mlflow_url, settings.model_name, account=account)
        self._cache = ModelCache(settings.cache, settings.model_name, self.alias)
        may = (May.ANSWER,) if self.alias == settings.alias else (May.BE_ASKED, May.ANSWER)
        self._gate = Gate(settings.gate_key, may) if settings.gate_key else None
        self._refused: tuple[Version, str] | None = None
        self._spoilt: str | None = None  # why the cached model must not answer, while none does
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="champion", daemon=True)

    def start(self) -> None:
        """Begins to follow, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Ends following; a download that hangs does not hold the service up."""
        self._stopped.set()
        self._thread.join(STOP_WITHIN_S)

    def require(self) -> Model:
        """Returns the model that answers. Raises: ModelMissing while there is none."""
        model = self.model
        if model is None:
            raise ModelMissing(self._settings.model_name, (self.problem or "unknown").rstrip("."))
        return model

    def check(self, *, again: bool = False) -> None:
        """Looks at the alias once, and swaps if it has moved. Never raises what can be expected.

        Args:
            again: Also try a version that was refused before.
        """
        with self._turn:
            try:
                self._advance(again)
            except CanopyError as error:
                self._report(str(error))
            except OSError as error:
                self._report(_unusable(error))

    def _advance(self, again: bool) -> None:
        name, alias = self._settings.model_name, self.alias
        found = self._registry.with_alias(alias)
        self.checked_at = datetime.now(UTC)
        version = Version.registered(name, alias, found) if found else None
        if version is None:
            self._report(f"no version bears the alias {alias!r}")
        elif self.model is not None and self.model.version.identity == version.identity:
            self.model.version = version  # its tags may have changed
            self._report(None)
        elif self._refused and _is_same(self._refused[0], version) and not again:
            self._report(self._refused[1])
        else:
            self._swap(version)

    def _swap(self, version: Version) -> None:
        folder = self._cache.fetch(version, self._download)
        try:
            model = load_model(version, folder, self._contract, gate=self._gate)
        except ModelRefused as error:
            self._refused = (version, str(error))
            self._metrics.refusals.labels(self.alias).inc()
            self._cache.discard(version)
            raise
        before = self.model.version.number if self.model else None
        self._take_over(model)
        self._refused = None
        self._report(None)
        LOG.info("champion_swapped name=%s version=%s before=%s", version.name, version.number, before)
        self._cache.remember(version)

    def _download(self, version: Version, folder: Path) -> Path:
        return self._registry.download(int(version.number), folder)

    def _take_over(self, model: Model) -> None:
        self.model = model
        self._metrics.swaps.labels(self.alias).inc()
        self._metrics.model.labels(model.version.name, self.alias).set(float(model.version.number))

    def _follow(self) -> None:
        self._safely(self._start_from_cache)
        self._safely(self.check)
        # All libraries are in by now. To look through their objects for garbage holds requests up for 70 ms.
        gc.collect()
        gc.freeze()
        while not self._stopped.wait(self._settings.poll_s):
            self._safely(self.check)

    def _safely(self, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            self._report(_unusable(error))
        except Exception as error:  # the thread must outlive whatever it meets; the log has the trace
            LOG.exception("champion_check_failed")
            self._report(f"the champion cannot be looked up ({type(error).__name__})")

    def _start_from_cache(self) -> None:
        last_good = self._cache.last_good()
        if last_good is None:
            return
        version, folder = last_good
        gate = self._gate
        if gate is not None and SIGNATURE_TAG not in version.tags and not self._cache.has_signed:
            gate = None  # it answered before there were signatures, and nothing else has
            LOG.warning("champion_unsigned version=%s: sign it with `canopy promote`", version.number)
        try:
            self._take_over(load_model(version, folder, self._contract, gate=gate))
        except ModelRefused as error:
            self._cache.put_away(folder, str(error))
            self._spoilt = str(error)
            self._report("the model that answered last is set aside")
        else:
            LOG.info("champion_from_cache name=%s version=%s", version.name, version.number)

    def _report(self, problem: str | None) -> None:
        if problem is not None and self._spoilt and self.model is None:
            problem = f"{problem.rstrip('.')}. {self._spoilt}"
        if problem is not None and problem != self.problem:
            LOG.warning("alias_not_followed alias=%s problem=%s", self.alias, problem)
        self.problem = problem
        self._metrics.is_following.labels(self.alias).set(problem is None)


def _is_same(one: Version, other: Version) -> bool:
    """Returns whether nothing has changed that a refusal could be about: not even what the gate has
    signed."""
    signatures = [version.tags.get(SIGNATURE_TAG) for version in (one, other)]
    return one.identity == other.identity and signatures[0] == signatures[1]


def _unusable(error: OSError) -> str:
    return f"the folder of models cannot be used: {error}. Correct SERVING_CACHE, or move it away"
