"""The kinds of alerts: Prometheus' rules and docs/incidents.md use the same names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One thing that can be wrong.

    Attributes:
        title: What it is, in a few words.
        is_urgent: Whether somebody should be woken; it can wait for the morning otherwise.
        after_s: For how long it must be so before anybody is told.
    """

    title: str
    is_urgent: bool = False
    after_s: float = 0.0


KINDS = {
    "PartDown": Kind("A part is down", is_urgent=True, after_s=60),
    "PartRestarted": Kind("A part has ended and was started again"),
    "LandingStale": Kind("Nothing is collected", is_urgent=True),
    "LandingFromFuture": Kind("A landing is dated in the future"),
    "LandingHeld": Kind("A landing is held back"),
    "ThingQuarantined": Kind("Something could not be read and was put aside"),
    "PublicationLate": Kind("What has landed is not published", is_urgent=True),
    "AuditFailed": Kind("The newest audit failed", is_urgent=True),
    "AccuracyLow": Kind("The champion is right less often than it promised"),
    "RunFailed": Kind("A run has failed", is_urgent=True),
    "DagBroken": Kind("Airflow cannot read a DAG", is_urgent=True, after_s=60),
    "NoChampion": Kind("No model answers", after_s=900),
    "ModelRefused": Kind("A promoted version was not let in"),
    "PredictionsFail": Kind("Requests end in an error of the service", is_urgent=True),
    "PredictionsLost": Kind("Predictions were lost for the lake", is_urgent=True),
    "PredictionsWaiting": Kind("Predictions do not get to the lake", after_s=120),
    "DiskFilling": Kind("A disk is nearly full", is_urgent=True),
    "StoreFilling": Kind("The object store is nearly full", is_urgent=True),
    "ClockJumped": Kind("The clock has jumped"),
    "BackupOld": Kind("There is no recent backup"),
    "LookFailed": Kind("The monitor cannot look at something", after_s=120),
    "MessageFailed": Kind("An address of ALERT_URLS takes no message"),
}
