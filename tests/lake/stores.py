"""An S3 service in this process, and lakes in it."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moto.server import ThreadedMotoServer

from lake.settings import LakeSettings


@contextmanager
def s3_service() -> Iterator[str]:
    """A service with the bucket `lake`; its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{url}/lake", method="PUT")).close()
    try:
        yield url
    finally:
        server.stop()


def lake_in_s3(url: str, folder: Path) -> LakeSettings:
    """A lake with its objects in the service and its catalog in a folder."""
    return LakeSettings(
        uri=f"s3://lake/{folder.name}",
        catalog=f"sqlite:{folder}/catalog.sqlite",
        s3_endpoint_url=url,
        s3_access_key_id="key",
        s3_secret_access_key="secret",
    )
