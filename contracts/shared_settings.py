"""Settings that several parts share: from where on data has drifted, who may ask, where services are."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from contracts.settings import Address, Settings


class DriftSettings(Settings):
    """The settings of the audit and of the UI have this one as well.

    Attributes:
        drift_psi_warning: Greatest population stability index of a feature before a warning; 0 for any.
    """

    drift_psi_warning: float = Field(default=0.2, ge=0, validation_alias="AUDIT_DRIFT_PSI_WARNING")


class HostsSettings(Settings):
    """Of every part that answers over HTTP.

    Attributes:
        allowed_hosts: Names beside this machine's own under which parts may be asked, comma between them.
    """

    allowed_hosts: str = Field(default="", validation_alias="CANOPY_ALLOWED_HOSTS")


class GroupSettings(Settings):
    """Of whatever writes for other accounts of this machine.

    Attributes:
        group: A group of this machine whose members may read the analysts' file; unset, only its owner.
    """

    group: str | None = Field(default=None, validation_alias="CANOPY_GROUP")


class MonitorUrlSettings(Settings):
    """Of who tells when the monitor is away, and of the pages that show what it knows.

    Attributes:
        monitor_url: Where the monitor answers; tasks look at its port here if not given, and the pages say
            nothing of it.
    """

    monitor_url: Address | None = Field(default=None, validation_alias="CANOPY_MONITOR_URL")


class ServicesSettings(Settings):
    """Of who asks the other services, the UI and the monitor.

    Attributes:
        serving_url: The prediction service.
        airflow_url: Airflow's API server, for its REST API and as a link.
        airflow_username: Who asks Airflow for its runs; reading is enough.
        airflow_password_file: JSON object of user to password, as SimpleAuthManager writes it; without
            it the pages link to Airflow and show no runs, and the monitor does not ask for any.
    """

    serving_url: Address = Field(default="http://127.0.0.1:8000", validation_alias="UI_SERVING_URL")
    airflow_url: Address = Field(default="http://127.0.0.1:8080", validation_alias="UI_AIRFLOW_URL")
    airflow_username: str = Field(default="admin", validation_alias="UI_AIRFLOW_USERNAME")
    airflow_password_file: Path | None = Field(default=None, validation_alias="UI_AIRFLOW_PASSWORD_FILE")
