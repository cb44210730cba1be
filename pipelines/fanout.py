"""Many tasks of one kind on a cluster, their results in the order in which they finish."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from distributed import Client, as_completed

from exmc.errors import ClusterError
from pipelines.code import Code, run_permitted
from pipelines.patience import patiently
from pipelines.tasks import CONNECTION_LOST


def for_each(
    client: Client,
    label: str,
    function: Callable[..., Any],
    shared: Any,
    items: Iterable[Any],
    retries: int,
    code: Code | None = None,
) -> Iterator[Any]:
    """What ``function(shared, item)`` returns for each of `items`, a task each, in the order in which they finish.

    Tasks may import `code`. Raises what a task raised, and `ClusterError` if the cluster is lost.
    """
    token = secrets.token_hex(2)
    sent = client.scatter(shared, hash=False)  # type: ignore[no-untyped-call]
    futures = [
        client.submit(
            run_permitted,
            code,
            patiently,
            retries,
            function,
            sent,
            item,
            key=f"exmc-{label}-{token}-{item}",
            pure=False,
        )
        for item in items
    ]
    try:
        for future in as_completed(futures, loop=client.loop):  # type: ignore[no-untyped-call]
            yield future.result()
    except CONNECTION_LOST as error:
        raise ClusterError("the connection to the scheduler was lost.", remedy="What is done is kept.") from error
    finally:
        with contextlib.suppress(Exception):
            client.cancel(futures, force=True)  # type: ignore[no-untyped-call]
