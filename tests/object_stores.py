"""Object stores to test on: fsspec's own, and a server that speaks S3, on loopback, while a test module runs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem
from zarr.core.sync import _get_loop

from exmc.trace.files import Location
from exmc.trace.objects import ObjectPath

KINDS = ("local", "memory", "file", "s3")
_BUCKET = "exmc"


class Request(NamedTuple):
    """What a client asked of the server: GET, HEAD, PUT, DELETE, POST or LIST, of which key, from which port."""

    method: str
    key: str
    port: int


@dataclass(slots=True)
class Server:
    """A server that speaks S3: it keeps what it was asked, and can be meddled with.

    `meddle` is called with each request, in a thread of the server, before that is answered; it may wait, and what it
    returns, if anything, is answered instead: a status such as ``503 Slow Down``.
    """

    address: str
    requests: list[Request] = field(default_factory=list)
    meddle: Callable[[Request], str | None] | None = None
    # Moto looks whether an object is there, and puts it then; S3 does both at once.
    putting: threading.Lock = field(default_factory=threading.Lock)

    def around(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        """The WSGI application `plain`, watched and meddled with."""

        def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            query = parse_qs(environ.get("QUERY_STRING", ""))
            key = environ["PATH_INFO"].removeprefix(f"/{_BUCKET}").lstrip("/")
            listed = "list-type" in query
            method = "LIST" if listed else environ["REQUEST_METHOD"]
            request = Request(method, query.get("prefix", [""])[0] if listed else key, int(environ["REMOTE_PORT"]))
            self.requests.append(request)
            instead = self.meddle(request) if self.meddle else None
            if instead is None:
                with self.putting if method == "PUT" else contextlib.nullcontext():
                    return plain(environ, start)
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start(instead, [("Content-Length", "0")])
            return [b""]

        return answer


@pytest.fixture(scope="module")
def s3_server() -> Iterator[Server]:
    """Such a server with a bucket; fsspec and the processes started find it by environment variables."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    server = Server(f"http://{host}:{port}")
    moto._server.app = server.around(moto._server.app)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", server.address)
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        # What it keeps is the process's, and would be there from the server of another module.
        urlopen(HttpRequest(f"{server.address}/moto-api/reset", method="POST")).close()
        server.requests.clear()
        close_sessions()
        ObjectPath(f"s3://{_BUCKET}")._file_system().mkdir(_BUCKET)
        yield server
        close_sessions()
    moto.stop()


def close_sessions() -> None:
    """Close the connections of this process, and forget its file systems.

    Left to the garbage collector, s3fs closes them by the loop of the thread that happens to collect, or not at all;
    then there are warnings, which are errors.
    """
    while S3FileSystem._cache:
        _close(S3FileSystem._cache.popitem()[1])
    gc.collect()


def _close(opened: S3FileSystem) -> None:
    if opened._s3 is not None:
        # Zarr's are of its own loop.
        loop = _get_loop() if opened.asynchronous else opened.loop
        asyncio.run_coroutine_threadsafe(opened._s3creator.__aexit__(None, None, None), loop).result(30)


@pytest.fixture(scope="module")
def s3(s3_server: Server) -> str:
    """The URL of the server's bucket."""
    del s3_server
    return f"s3://{_BUCKET}"


def folder_of(kind: str, request: pytest.FixtureRequest) -> Location:
    """A new folder on a store of that kind."""
    name = f"folder-{secrets.token_hex(4)}"
    if kind == "s3":
        return ObjectPath(f"{request.getfixturevalue('s3')}/{name}")
    if kind == "memory":
        return ObjectPath(f"memory://{name}")
    folder: Path = request.getfixturevalue("tmp_path")
    return folder / name if kind == "local" else ObjectPath(f"file://{folder}/{name}")
