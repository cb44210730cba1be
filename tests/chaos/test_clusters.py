"""The same bytes on clusters of every kind: started by hand, encrypted, shrinking, dying, cut in two."""

from __future__ import annotations

import contextlib
import datetime
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed import LocalCluster as LocalDask

from pipelines.checking import check_config
from pipelines.config import load_config, with_out
from pipelines.events import Event
from pipelines.run import run_config, start
from tests.chaos.campaign import CONFIG
from tests.chaos.disturbances import IMPATIENT
from tests.chaos.processes import CODE, Driver, HandCluster
from tests.pipelines.running import PATIENCE, assert_same_store


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The undisturbed run, in threads of this process."""
    folder = tmp_path_factory.mktemp("clusters")
    (folder / "chaos.yaml").write_text(CONFIG.replace("DRAWS", "1000"))
    run_config(folder / "chaos.yaml", out=folder / "whole", code=CODE)
    return folder / "whole"


def drive(driver: Driver, disturb: threading.Thread | None = None) -> None:
    """Bring the run to its end by one command, without a resume."""
    deadline = time.monotonic() + PATIENCE
    driver.begin()
    try:
        if disturb is not None:
            disturb.start()
        while not driver.finished():
            assert driver.attempts == 1, driver.config.with_name(f"{driver.out.name}-1.log").read_text()
            assert time.monotonic() < deadline, driver.said()
            time.sleep(0.05)
    finally:
        driver.close()
        if disturb is not None:
            disturb.join()
    assert driver.attempts == 1


def await_segments(out: Path, count: int, over: threading.Event | None = None) -> None:
    """Wait until `count` segments are committed, or until it is `over`."""
    deadline = time.monotonic() + PATIENCE
    while len(list(out.glob("state/chain-*/segment-*.json"))) < count and time.monotonic() < deadline:
        if over is not None and over.wait(0.02):
            return
        time.sleep(0.02)


def certificate(folder: Path) -> dict[str, str]:
    """An authority that certifies itself, and serves as everybody's certificate: its PEM files by config key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "exmc-test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(private)
    cert = str(folder / "cert.pem")
    return {"ca_file": cert, "cert": cert, "key": str(folder / "key.pem")}


def test_with_certificates(whole: Path, tmp_path: Path) -> None:
    """On a scheduler and a worker started by hand; one of them goes by SIGTERM, and its chains go on elsewhere."""
    files = certificate(tmp_path)
    tls = ("--tls-ca-file", files["ca_file"], "--tls-cert", files["cert"], "--tls-key", files["key"])
    options = ("--host", "127.0.0.1", "--protocol", "tls", *tls)
    with HandCluster(tmp_path / "cluster", 2, scheduler_options=options, worker_options=tls) as cluster:
        assert cluster.address.startswith("tls://")
        section = f"cluster={{address: '{cluster.address}', security: {files}}}"
        driver = Driver(whole.parent / "chaos.yaml", tmp_path / "out", ("--set", section))

        def retire() -> None:
            await_segments(tmp_path / "out", 2)
            os.kill(cluster.workers[0].pid, signal.SIGTERM)

        drive(driver, threading.Thread(target=retire))
        cluster.workers[0].wait(timeout=PATIENCE)
    assert_same_store(whole, tmp_path / "out")


def test_an_adaptive_cluster_that_shrinks(whole: Path, tmp_path: Path) -> None:
    with LocalDask(
        n_workers=3, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
    ) as cluster:
        overrides = [f"cluster={{address: '{cluster.scheduler_address}'}}"]
        config = with_out(load_config(whole.parent / "chaos.yaml", overrides, code=CODE), tmp_path / "out")
        seen: list[Event] = []

        def shrink(event: Event) -> None:
            seen.extend([event] if event.kind == "segment" else [])
            if len(seen) == 3:
                cluster.adapt(minimum=1, maximum=1, interval="100 ms", wait_count=1)
                deadline = time.monotonic() + PATIENCE
                while len(cluster.scheduler.workers) > 1:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)

        start(check_config(config), shrink)
        assert len(seen) > 3
        assert len(cluster.scheduler.workers) == 1
    assert_same_store(whole, tmp_path / "out")


@pytest.mark.slow
def test_workers_that_die_every_few_seconds(whole: Path, tmp_path: Path) -> None:
    """As spot machines do, one after each segment: the run goes on by itself, on whichever come after them."""
    generator = random.Random(5)
    config = whole.parent / "longer.yaml"
    config.write_text(CONFIG.replace("DRAWS", "2000"))
    run_config(config, out=tmp_path / "whole", code=CODE)
    out, over, killed = tmp_path / "out", threading.Event(), []
    with HandCluster(tmp_path / "cluster", 2) as cluster:

        def kill() -> None:
            while not over.is_set():
                await_segments(out, len(list(out.glob("state/chain-*/segment-*.json"))) + 1, over)
                chosen = generator.choice(cluster.workers)
                chosen.kill()
                chosen.wait()
                killed.append(chosen.pid)
                cluster.mend()

        thread = threading.Thread(target=kill)
        thread.start()
        try:
            drive(Driver(config, out, ("--scheduler", cluster.address)))
        finally:
            over.set()
            thread.join()
    assert len(killed) >= 5
    assert_same_store(tmp_path / "whole", out)


def ip(*arguments: str) -> bool:
    try:
        return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def two_networks() -> Iterator[tuple[str, str] | None]:
    """Two network namespaces joined by a bridge in the first, whose port ``far`` can be cut; None where none can be."""
    near, far = f"exmc-near-{os.getpid()}", f"exmc-far-{os.getpid()}"
    steps = [
        ("netns", "add", near),
        ("netns", "add", far),
        ("-n", near, "link", "add", "bridge", "type", "bridge"),
        ("-n", near, "link", "add", "port", "type", "veth", "peer", "name", "far", "netns", far),
        ("-n", near, "link", "set", "port", "master", "bridge"),
        ("-n", near, "addr", "add", "10.77.0.1/24", "dev", "bridge"),
        ("-n", far, "addr", "add", "10.77.0.2/24", "dev", "far"),
        *((("-n", near, "link", "set", device, "up")) for device in ("lo", "port", "bridge")),
        *((("-n", far, "link", "set", device, "up")) for device in ("lo", "far")),
    ]
    try:
        yield (near, far) if all(ip(*step) for step in steps) else None
    finally:
        for name in (near, far):
            ip("netns", "del", name)


@pytest.mark.slow
def test_a_network_cut_in_two(whole: Path, tmp_path: Path) -> None:
    """A worker is out of reach for longer than connections last, and comes back."""
    with two_networks() as names:
        if names is None:
            pytest.skip("network namespaces cannot be made here")
        near, far = (("ip", "netns", "exec", name) for name in names)
        config = whole.parent / "chaos-partition.yaml"
        config.write_text(CONFIG.replace("DRAWS", "2000"))
        run_config(config, out=tmp_path / "whole", code=CODE)
        bridge = (*near, "bridge", "link", "set", "dev", "port", "state")
        with HandCluster(
            tmp_path / "cluster", 2, scheduler_options=("--host", "10.77.0.1"), extra=IMPATIENT, prefix=near,
            worker_prefixes=(near, far),
        ) as cluster:  # fmt: skip
            driver = Driver(config, tmp_path / "out", ("--scheduler", cluster.address), prefix=near)

            def cut() -> None:
                await_segments(tmp_path / "out", 3)
                subprocess.run([*bridge, "0"], check=True)
                time.sleep(20)
                subprocess.run([*bridge, "3"], check=True)

            drive(driver, threading.Thread(target=cut))
        assert_same_store(tmp_path / "whole", tmp_path / "out")
