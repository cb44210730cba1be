"""Object stores to test on: fsspec's own, and a server that speaks S3, on loopback, while a test module runs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from exmc.trace.files import Location
from exmc.trace.objects import ObjectPath

KINDS = ("local", "memory", "file", "s3")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The URL of a bucket of such a server; fsspec and the processes started find it by environment variables."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        bucket = ObjectPath("s3://exmc")
        bucket._file_system().clear_instance_cache()
        bucket._file_system().mkdir("exmc")
        yield bucket.url
        bucket._file_system().clear_instance_cache()
    server.stop()


def folder_of(kind: str, request: pytest.FixtureRequest) -> Location:
    """A new folder on a store of that kind."""
    name = f"folder-{secrets.token_hex(4)}"
    if kind == "s3":
        return ObjectPath(f"{request.getfixturevalue('s3')}/{name}")
    if kind == "memory":
        return ObjectPath(f"memory://{name}")
    folder: Path = request.getfixturevalue("tmp_path")
    return folder / name if kind == "local" else ObjectPath(f"file://{folder}/{name}")
