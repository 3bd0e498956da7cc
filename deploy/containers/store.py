"""The stack's object store: buckets, users, and what each of them may do."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from deploy.containers.settings import InitSettings

Statement = dict[str, Any]
ROOT_USER = "canopy"  # the store's administrator
LAKE_BUCKET, ARTEFACT_BUCKET = "lake", "mlflow"  # as compose.yaml names them
READ = ("s3:GetObject",)
WRITE = ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
REMOVE = ("s3:DeleteObject",)
MANAGE = (*WRITE, "s3:DeleteObject")

# What each user may do below which keys of the lake's bucket. Nobody deletes a response; nobody writes
# what the source said but who asks the source. What cannot be read is moved into `quarantine/` by who reads
# it first; among raw responses nothing is removed.
GRANTS: dict[str, dict[str, tuple[str, ...]]] = {
    "ingest": {
        "bronze/*": WRITE,
        **dict.fromkeys(("bronze/rows/*", "bronze/refused/*", "bronze/events/*"), REMOVE),
        "quarantine/*": WRITE,
        ".writable": WRITE,
        "ducklake/*": READ,
    },
    "transform": {
        "bronze/*": READ,
        "bronze/held/*": WRITE,
        "bronze/predictions/*": MANAGE,  # it merges them
        **dict.fromkeys(("bronze/rows/*", "bronze/refused/*", "bronze/answered/*"), REMOVE),
        "quarantine/*": WRITE,
        "ducklake/*": MANAGE,
        "published/*": MANAGE,
    },
    "training": {"bronze/*": READ, "bronze/answered/*": WRITE, "ducklake/*": READ, "published/*": READ},
    "serving": {"bronze/predictions/*": WRITE},
    # The monitor's too, which reads what happened at the source and why something was put aside.
    "reader": {"bronze/events/*": READ, "quarantine/*": READ, "ducklake/*": READ, "published/*": READ},
    "analyst": {"ducklake/*": READ, "published/*": READ},
}


def policies(lake: str, artefacts: str) -> dict[str, Statement]:
    """Returns a policy document for each user, in the language of S3.

    Args:
        lake: The bucket of the lake.
        artefacts: The bucket of MLflow's artefacts, which only MLflow itself sees.
    """
    found = {user: _policy(lake, grants) for user, grants in GRANTS.items()}
    return found | {"mlflow": _policy(artefacts, {"*": MANAGE})}


def _policy(bucket: str, grants: dict[str, tuple[str, ...]]) -> Statement:
    listing = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
        "Resource": [f"arn:aws:s3:::{bucket}"],
    }
    objects = [
        {"Effect": "Allow", "Action": list(actions), "Resource": [f"arn:aws:s3:::{bucket}/{keys}"]}
        for keys, actions in grants.items()
    ]
    return {"Version": "2012-10-17", "Statement": [listing, *objects]}


def make_buckets(settings: InitSettings, password: str) -> None:
    """Makes the two buckets where they are not there."""
    client = client_of("s3", settings.s3_endpoint_url, password)
    there = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for bucket in {LAKE_BUCKET, ARTEFACT_BUCKET} - there:
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=bucket)


def make_users(settings: InitSettings, password: str, users: dict[str, str]) -> None:
    """Gives each user its key and its policy, in the way of the store that there is.

    Args:
        settings: Which store, and where.
        password: The administrator's.
        users: Each user's secret key.
    """
    documents = policies(LAKE_BUCKET, ARTEFACT_BUCKET)
    if settings.s3_accounts == "minio":
        _make_minio_users(settings, password, users, documents)
    elif settings.s3_accounts == "iam":
        client = client_of("iam", settings.s3_endpoint_url, password)
        # An object belongs to who wrote it: without this, the administrator could not back it up.
        every = [_policy(bucket, {"*": MANAGE}) for bucket in (LAKE_BUCKET, ARTEFACT_BUCKET)]
        statements = [statement for policy in every for statement in policy["Statement"]]
        documents[ROOT_USER] = {"Version": "2012-10-17", "Statement": statements}
        for user, document in documents.items():
            client.put_user_policy(UserName=user, PolicyName="canopy", PolicyDocument=json.dumps(document))


def _make_minio_users(
    settings: InitSettings, password: str, users: dict[str, str], documents: dict[str, Statement]
) -> None:
    from minio import MinioAdmin
    from minio.credentials.providers import StaticProvider

    address = urlsplit(settings.s3_endpoint_url)
    admin = MinioAdmin(
        endpoint=address.netloc,
        credentials=StaticProvider(ROOT_USER, password),
        secure=address.scheme == "https",
    )
    for user, secret in users.items():
        admin.user_add(user, secret)
        admin.policy_add(f"canopy-{user}", policy=documents[user])
        admin.policy_set(f"canopy-{user}", user=user)


def client_of(service: str, endpoint_url: str, password: str) -> Any:
    """Returns a client of the store's, as its administrator; `service` is `s3` or `iam`."""
    import boto3

    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        aws_access_key_id=ROOT_USER,
        aws_secret_access_key=password,
        region_name="us-east-1",
    )
