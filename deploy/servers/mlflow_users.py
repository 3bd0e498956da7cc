"""MLflow's accounts and what they may do, as the local stack and the containers make them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)


def make_mlflow_users(uri: str, users: dict[str, str]) -> Any:
    """Makes MLflow's accounts, and gives them today's passwords.

    Returns: The store of accounts.
    """
    import sqlalchemy
    from mlflow.server.auth.db import utils
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    # By itself init_db would migrate over a second connection, which may wait for its own first one for ever.
    engine = sqlalchemy.create_engine(uri)
    utils.migrate(engine, "head")
    engine.dispose()
    store: Any = SqlAlchemyStore()
    store.init_db(uri)
    for user, password in users.items():
        if not store.has_user(user):
            store.create_user(user, password, is_admin=user == "admin")
        elif not store.authenticate_user(user, password):
            store.update_user(user, password=password)
    logger.info("mlflow_users_ready users=%d", len(users))
    return store


def make_model(uri: str, accounts: Any, name: str) -> None:
    """Makes the registered model, still without a version, and lets training do with it what it wants.

    MLflow with accounts answers 403, not 404, to who asks for a model that is not there.
    """
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    open_store: Any = SqlAlchemyStore
    with unless_there():
        open_store(uri).create_registered_model(name)
    with unless_there():
        accounts.create_registered_model_permission(name, "training", "MANAGE")
    logger.info("model_ready name=%s", name)


@contextmanager
def unless_there() -> Iterator[None]:
    """Lets MLflow make what it may have already."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
