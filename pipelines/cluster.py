"""The cluster that a config describes: connected to, or started and closed again."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker
from typing import Any

import dask
from distributed import Client, LocalCluster, Worker, WorkerPlugin
from distributed.comm.addressing import get_address_host, parse_address
from distributed.comm.core import FatalCommClosedError
from distributed.comm.registry import backends
from distributed.security import Security
from threadpoolctl import threadpool_limits

from exmc.errors import ClusterError, ModelError
from exmc.imports import import_function
from pipelines.control import StoppedError
from pipelines.patience import patiently
from pipelines.sections import Cluster, FactoryCluster, RemoteCluster, SecuritySection
from pipelines.sections import LocalCluster as LocalClusterSection

# `retries` counts exceptions only. A worker's death is charged to each task it had, hence the high limit; and a worker
# is given no more tasks than it has threads, so that its death is charged to as few as possible.
_SCHEDULER = {
    "distributed.scheduler.allowed-failures": 50,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.worker-ttl": "60 s",
    "distributed.scheduler.no-workers-timeout": "120 s",
    "distributed.scheduler.http.routes": [],
    # Dask's profiler asks for all threads' frames a hundred times a second. Python 3.11 holds a lock meanwhile, and may
    # collect garbage under it: a thread that ends just then waits for that lock with the GIL, and all stand still.
    "distributed.worker.profile.enabled": False,
}
_ATTEMPTS = 4
_LOGGERS = ("distributed", "tornado.application", "asyncio")


@contextlib.contextmanager
def connect(cluster: Cluster, chains: int) -> Iterator[Client]:
    """A client of the cluster that the section describes; what was started here is closed again.

    Raises
    ------
    ClusterError
        If the scheduler cannot be reached, the cluster cannot be started, a certificate cannot be read, or what was
        started would take orders from other machines without asking for one.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet_logs())
        stack.enter_context(dask.config.set(_SCHEDULER))
        if isinstance(cluster, RemoteCluster):
            client = stack.enter_context(attach(cluster))
            _set_up_workers(client)
            yield client
            return
        if isinstance(cluster, FactoryCluster):
            started = stack.enter_context(_from_factory(cluster))
            client = stack.enter_context(_client(started, cluster.timeout_seconds))
            _await_workers(client, cluster)
            _set_up_workers(client)
            yield client
            return
        if not cluster.processes:
            # Worker processes are started with one BLAS thread each; worker threads share this process's BLAS, and the
            # last bits of a matrix product depend on its number of threads.
            stack.enter_context(threadpool_limits(limits=1))
        with _interrupts_blocked():
            started = stack.enter_context(_start_local(cluster, chains))
        if not cluster.processes:
            stack.enter_context(_left_behind_if_stopped(started))
        yield stack.enter_context(_client(started, 30.0))


@contextlib.contextmanager
def attach(cluster: RemoteCluster) -> Iterator[Client]:
    """A client of the scheduler that looks on, and sets nothing up; raises `ClusterError` as `connect` does."""
    security = _security(cluster.security) if cluster.security else Security()  # type: ignore[no-untyped-call]
    _check_protocol(cluster.address, security)
    with _quiet_logs(), _client(cluster.address, cluster.timeout_seconds, security) as client:
        yield client


class OneBlasThread(WorkerPlugin):
    """Gives BLAS one thread on every worker there is and will be, whoever starts it.

    The last bits of a matrix product depend on the number of threads. It is set for the worker's life: runs may share
    it. Within a task it would come too late: OpenBLAS heeds the main thread only, which a worker's plugins run in.
    """

    name = "exmc-one-blas-thread"
    idempotent = True

    def setup(self, worker: Worker) -> None:
        """Called once on each worker."""
        del worker
        threadpool_limits(limits=1)


def _set_up_workers(client: Client) -> None:
    """Have BLAS use one thread on each worker. One that dies just then fails the request for all: it is made again."""
    try:
        patiently(_ATTEMPTS - 1, client.register_plugin, OneBlasThread())
    except ClusterError as error:
        raise _fault(f"the workers could not be set up: {error.message}", "Are they being restarted?") from error


def _start_local(section: LocalClusterSection, chains: int) -> LocalCluster:
    return LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=section.workers or max(1, min(chains, _processors())),
        threads_per_worker=section.threads_per_worker,
        processes=section.processes,
        # With None, Dask would still open its HTTP port 8787, to everybody, and warn where that is taken.
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    )


@contextlib.contextmanager
def _left_behind_if_stopped(cluster: LocalCluster) -> Iterator[None]:
    """What threads of this process still compute when a run is stopped is not waited for: half a minute, else."""
    try:
        yield
    except (StoppedError, KeyboardInterrupt):
        for worker in cluster.workers.values():
            cluster.sync(worker.close, executor_wait=False)  # type: ignore[no-untyped-call]
        raise


def _processors() -> int:
    """How many processors this process may use; macOS does not say, so there it is how many there are."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Threads and processes begun in here, and those that they begin, do not get the SIGINT of a Ctrl-C.

    A terminal sends it to worker processes too, which would die of it just when they are asked to stop in good order.
    """
    # multiprocessing would start its tracker along with the first worker, and unblock the signal at that.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _security(section: SecuritySection) -> Security:
    """The certificates of `section`, each of which is there to be read; nothing unencrypted is spoken with them."""
    paths = {key: os.path.expanduser(path) for key, path in section.model_dump().items()}
    for key, path in paths.items():
        if not os.access(path, os.R_OK) or os.path.isdir(path):
            raise _fault(f"{path} cannot be read.", "Name a PEM file of yours.", "security", key)
    return Security(
        require_encryption=True,
        tls_ca_file=paths["ca_file"],
        tls_client_cert=paths["cert"],
        tls_client_key=paths["key"],
    )  # type: ignore[no-untyped-call]


def _check_protocol(address: str, security: Security) -> None:
    """Refuse what no client could connect to; a client that fails half-made may lock up the one that is made next."""
    protocol = parse_address(address)[0]
    if protocol not in backends:
        raise _fault(
            f"{address} is of the protocol {protocol}, which Dask does not speak here.",
            "Write host:port or tls://host:port, as the scheduler prints it.",
            "address",
        )
    options = security.get_connection_args("client")  # type: ignore[no-untyped-call]
    if protocol == "tls" and options.get("ssl_context") is None:
        raise _fault(
            f"{address} is encrypted, and this side has no certificates.",
            "Give them: cluster.security in the config, or distributed.comm.tls in Dask's own.",
            "address",
        )


def _refuse_to_listen_openly(section: FactoryCluster, address: str) -> None:
    """Whoever reaches an unencrypted scheduler runs code as its user: only this machine may."""
    if parse_address(address)[0] in ("tls", "inproc"):
        return
    host = get_address_host(address)
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise _fault(
            f"{section.factory} listens on {address}, where whoever reaches it can run code as you.",
            'Encrypt it (kwargs: {protocol: "tls://", security: true}), or bind it to 127.0.0.1.',
            "factory",
        )


@contextlib.contextmanager
def _client(target: Any, timeout: float, security: Security | None = None) -> Iterator[Client]:
    try:
        client = Client(target, timeout=timeout, set_as_default=False, security=security)  # type: ignore[no-untyped-call]
    except FatalCommClosedError as error:
        message = (
            f"the scheduler at {target} has no TLS, or does not accept this side's certificate, or this side not its."
        )
        remedy = "The authority in the ca_file of each must have signed the certificate of the other."
        raise _fault(message, remedy, "security") from error
    except (OSError, TimeoutError) as error:
        message = f"the scheduler at {target} did not answer within {timeout:g} s ({type(error).__name__})."
        remedy = "Check the address, that it is running, and whether it asks for tls://."
        raise _fault(message, remedy, "address") from error
    with _closed(client, timeout=5):
        yield client


@contextlib.contextmanager
def _from_factory(section: FactoryCluster) -> Iterator[Any]:
    module, _, name = section.factory.rpartition(".")
    try:
        kind = import_function(f"{module}:{name}", ())
    except ModelError as error:
        raise _fault(error.message, error.remedy, "factory") from error
    with _starting(section):
        cluster = kind(**section.kwargs)
    with _closed(cluster):
        _refuse_to_listen_openly(section, cluster.scheduler_address)
        with _starting(section):
            cluster.scale(section.workers)
        yield cluster


@contextlib.contextmanager
def _starting(section: FactoryCluster) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        message = f"{section.factory} could not be started: {type(error).__name__}: {error}."
        raise _fault(message, "Check that kwargs are its arguments.", "factory") from error


def _await_workers(client: Client, section: FactoryCluster) -> None:
    try:
        client.wait_for_workers(1, timeout=section.timeout_seconds)
    except TimeoutError as error:
        message = f"no worker of {section.factory} came within {section.timeout_seconds:g} s."
        raise _fault(message, "Raise timeout_seconds if jobs wait in a queue.", "timeout_seconds") from error


def _fault(message: str, remedy: str, *key: str) -> ClusterError:
    """What is wrong with the cluster, told at a `key` of its section."""
    return ClusterError(message, where=("cluster", *key), remedy=remedy)


@contextlib.contextmanager
def _closed(opened: Any, **options: Any) -> Iterator[None]:
    """Close what was `opened` in the end; that it cannot be is no news any more."""
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            opened.close(**options)


@contextlib.contextmanager
def _quiet_logs() -> Iterator[None]:
    """Dask's own log of lost connections and closing workers is no news for whoever runs a model."""
    # Dask gives several of its loggers a level of their own, so that silencing the parent is not enough.
    known = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]
    before = {name: logging.getLogger(name).level for name in (*known, *_LOGGERS)}
    for name in before:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
