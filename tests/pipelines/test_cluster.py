"""Connecting to clusters, and clusters that are not there."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from distributed import LocalCluster as LocalDask
from distributed.comm.core import CommClosedError
from distributed.security import Security
from threadpoolctl import threadpool_info

from exmc.errors import ClusterError
from pipelines import cluster, patience
from pipelines.sections import FactoryCluster, LocalCluster, RemoteCluster, SecuritySection


def test_an_unreachable_scheduler_is_an_error_at_once() -> None:
    section = RemoteCluster(address="tcp://127.0.0.1:9", timeout_seconds=0.3)
    with pytest.raises(ClusterError, match=r"tcp://127.0.0.1:9 did not answer") as raised, cluster.connect(section, 1):
        pass
    assert raised.value.where == ("cluster", "address")


def test_a_certificate_that_cannot_be_read_is_an_error_at_once(tmp_path: Path) -> None:
    security = SecuritySection(ca_file=str(tmp_path), cert=str(tmp_path / "none.pem"), key=str(tmp_path / "none.pem"))
    section = RemoteCluster(address="tls://127.0.0.1:9", security=security)
    with pytest.raises(ClusterError, match="cannot be read") as raised, cluster.connect(section, 1):
        pass
    assert raised.value.where == ("cluster", "security", "ca_file")


def temporary_certificates(folder: Path) -> tuple[Security, SecuritySection]:
    """An authority of its own: for a scheduler, and as the keys of a config."""
    made = Security.temporary()
    paths = {}
    for key, pem in (("ca_file", made.tls_ca_file), ("cert", made.tls_client_cert), ("key", made.tls_client_key)):
        (folder / f"{key}.pem").write_text(pem)
        paths[key] = str(folder / f"{key}.pem")
    return made, SecuritySection(**paths)


def test_who_has_no_certificates_or_others_is_told_so(tmp_path: Path) -> None:
    """Not that the scheduler does not answer: it does."""
    (tmp_path / "its").mkdir()
    (tmp_path / "other").mkdir()
    security, its = temporary_certificates(tmp_path / "its")
    _, other = temporary_certificates(tmp_path / "other")
    options: dict[str, Any] = {"n_workers": 0, "processes": False, "dashboard_address": "127.0.0.1:0"}
    with LocalDask(security=security, protocol="tls", **options) as started:
        address = started.scheduler_address
        with cluster.attach(RemoteCluster(address=address, security=its)):
            pass
        for section, said in ((None, "has no certificates"), (other, "does not accept this side's certificate")):
            with pytest.raises(ClusterError, match=said), cluster.attach(
                RemoteCluster(address=address, security=section, timeout_seconds=5)
            ):  # fmt: skip
                pass


@pytest.mark.parametrize("processes", [False, True])
def test_workers_are_not_profiled(processes: bool) -> None:
    """Dask's profiler can lock a process up for good, together with the driver in it."""
    with cluster.connect(LocalCluster(workers=1, processes=processes), 1) as client:
        (callbacks,) = client.run(lambda dask_worker: sorted(dask_worker.periodic_callbacks)).values()
    assert "heartbeat" in callbacks
    assert not [name for name in callbacks if "profile" in name]


def test_an_unknown_protocol_is_an_error_that_names_it() -> None:
    with pytest.raises(ClusterError, match="protocol foo"), cluster.attach(RemoteCluster(address="foo://127.0.0.1:9")):
        pass


def factory(**kwargs: Any) -> FactoryCluster:
    quiet = {"dashboard_address": "127.0.0.1:0", "n_workers": 1, "threads_per_worker": 1, "processes": False}
    return FactoryCluster(factory="distributed.LocalCluster", kwargs=quiet | kwargs, timeout_seconds=20)


def test_nothing_listens_to_other_machines_without_certificates() -> None:
    section = factory(host="0.0.0.0", protocol="tcp")
    refused = pytest.raises(ClusterError, match=r"run code as you.*tls://.*127\.0\.0\.1")
    with refused as raised, cluster.connect(section, 1):
        pass
    assert raised.value.where == ("cluster", "factory")


@pytest.mark.parametrize(
    "kwargs",
    [{"protocol": "tcp"}, {"host": "0.0.0.0", "protocol": "tls://", "security": True}, {"protocol": "inproc"}],
    ids=["loopback", "encrypted", "threads"],
)
def test_what_only_this_machine_reaches_or_is_encrypted_is_used(kwargs: dict[str, Any]) -> None:
    with cluster.connect(factory(**kwargs), 1) as client:
        assert client.submit(sum, (1, 2), pure=False).result(timeout=20) == 3


@pytest.mark.parametrize(
    ("address", "open_to_all"),
    [("tcp://127.0.0.1:1", False), ("tcp://[::1]:1", False), ("tcp://localhost:1", False), ("tcp://10.0.0.5:1", True),
     ("tcp://head-node:1", True), ("ws://10.0.0.5:1", True), ("tls://10.0.0.5:1", False)],
)  # fmt: skip
def test_addresses_that_other_machines_reach(address: str, open_to_all: bool) -> None:
    expected = pytest.raises(ClusterError) if open_to_all else contextlib.nullcontext()
    with expected:
        cluster._refuse_to_listen_openly(factory(), address)


def test_without_a_say_on_affinity_all_processors_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has no `sched_getaffinity`."""
    with monkeypatch.context() as patched:
        patched.delattr(os, "sched_getaffinity", raising=False)
        patched.setattr(os, "cpu_count", lambda: 3)
        assert cluster._processors() == 3
    assert cluster._processors() >= 1


def test_a_local_cluster_has_a_worker_per_processor_but_no_more_than_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_processors", lambda: 3)
    for chains, workers in ((8, 3), (2, 2)):
        with cluster.connect(LocalCluster(), chains) as client:
            assert len(client.scheduler_info(n_workers=-1)["workers"]) == workers


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.slow
def test_workers_that_others_started_have_one_blas_thread(tmp_path: Path) -> None:
    """Also those that come later."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])

    def dask(kind: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments, "--no-dashboard"]
        with open(tmp_path / kind, "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    processes = [dask("scheduler", "--port", "0", "--host", "127.0.0.1")]
    try:
        deadline, found = time.monotonic() + 30, None
        while found is None:
            assert time.monotonic() < deadline, (tmp_path / "scheduler").read_text()
            time.sleep(0.05)
            found = re.search(r"Scheduler at:\s+(\S+)", (tmp_path / "scheduler").read_text())
        worker = (found[1], "--no-nanny", "--nthreads", "2", "--local-directory", str(tmp_path / "scratch"))
        processes.append(dask("worker", *worker))
        with cluster.connect(RemoteCluster(address=found[1]), 2) as client:
            client.wait_for_workers(1, timeout=30)
            processes.append(dask("worker", *worker))
            client.wait_for_workers(2, timeout=30)
            workers = list(client.scheduler_info(n_workers=-1)["workers"])
            seen = [client.submit(blas_threads, workers=[w], pure=False).result(timeout=30) for w in workers]
        assert seen == [{1}, {1}]
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.parametrize("deaths", [1, 100], ids=["once", "for ever"])
def test_a_worker_that_dies_while_it_is_set_up_is_no_end_of_a_run(deaths: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler asks all workers in turn, and the first that it loses meanwhile fails the client's request."""
    real, left = Client.register_plugin, [deaths]

    def register_plugin(client: Client, plugin: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise CommClosedError("in <TCP (closed)>: Stream is closed")
        return real(client, plugin)

    monkeypatch.setattr(Client, "register_plugin", register_plugin)
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)
    with contextlib.ExitStack() as stack:
        if deaths > 1:
            stack.enter_context(pytest.raises(ClusterError, match="workers could not be set up: CommClosedError: "))
        client = stack.enter_context(cluster.connect(factory(), 1))
        assert client.submit(sum, (1, 2), pure=False).result(timeout=20) == 3
