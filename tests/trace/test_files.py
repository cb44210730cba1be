"""One suite for every kind of storage: what is promised of files holds on all of them."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from exmc.errors import StoreError
from exmc.trace import files
from exmc.trace.files import Location
from exmc.trace.objects import ObjectPath
from tests.object_stores import KINDS, close_sessions, folder_of, s3, s3_server

__all__ = ["s3", "s3_server"]


@pytest.fixture(params=KINDS)
def folder(request: pytest.FixtureRequest) -> Location:
    return folder_of(request.param, request)


def made(folder: Location, *names: str) -> Location:
    """A store with files of these names, each holding its name."""
    for name in names:
        files.write_whole(folder / name, name.encode())
    return folder


def names(folder: Location) -> list[str]:
    return sorted(files.relative(p, folder) for p in folder.rglob("*") if p.is_file())


def test_a_file_is_written_whole_and_again(folder: Location) -> None:
    path = folder / "new" / "file"
    with pytest.raises(FileNotFoundError):
        path.read_bytes()
    for content in (b"first", b"", b"a longer one\n"):
        files.write_whole(path, content)
        assert path.read_bytes() == content
        assert files.tail(path, 4) == (len(content), content[-4:])
    assert names(folder) == ["new/file"]


def test_a_file_is_created_once(folder: Location) -> None:
    path = folder / "new" / "record"
    assert files.create_new(path, b"first")
    assert not files.create_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert names(folder) == ["new/record"]


def test_of_many_threads_one_creates(folder: Location) -> None:
    files.write_whole(folder / "there", b"")
    with ThreadPoolExecutor(8) as pool:
        for attempt in range(10):
            path = folder / str(attempt)
            won = list(pool.map(lambda i, p=path: files.create_new(p, bytes([i])), range(8)))
            assert sum(won) == 1
            assert path.read_bytes() == bytes([won.index(True)])


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_of_many_processes_one_creates(kind: str, request: pytest.FixtureRequest) -> None:
    folder = folder_of(kind, request)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for attempt in range(20):
            path = folder / str(attempt)
            won = pool.starmap(files.create_new, [(path, bytes([i])) for i in range(8)], chunksize=1)
            assert sum(won) == 1
            assert path.read_bytes() == bytes([won.index(True)])


def test_a_folder_is_claimed_once(folder: Location) -> None:
    assert not folder.exists()
    files.create_folder(folder / "state")
    assert folder.exists()
    assert folder.is_dir()
    with pytest.raises(FileExistsError):
        files.create_folder(folder / "state")


def test_files_are_found(folder: Location) -> None:
    made(folder, "zarr.json", "a/c.0.0", "a/c.1.0", "a/zarr.json", "a/b/zarr.json", "a/.hidden")
    assert [p.name for p in sorted(folder.iterdir(), key=str)] == ["a", "zarr.json"]
    assert sorted(p.name for p in (folder / "a").glob("c.*")) == ["c.0.0", "c.1.0"]
    assert [files.relative(p, folder) for p in folder.glob("*/b/z*")] == ["a/b/zarr.json"]
    assert [files.relative(p, folder) for p in sorted(folder.rglob("c.*"))] == ["a/c.0.0", "a/c.1.0"]
    found = {name: [p.name for p in paths] for name, paths in files.folders(folder).items()}
    assert found == {"a": ["c.0.0", "c.1.0", "zarr.json"], "a/b": ["zarr.json"]}
    assert (folder / "a").is_dir()
    assert not (folder / "a").is_file()
    assert (folder / "a" / "c.0.0").is_file()
    assert not (folder / "a" / "c.0").exists()


def test_files_are_renamed_shared_and_deleted(folder: Location) -> None:
    made(folder, "one")
    files.rename(folder / "one", folder / "two")
    files.share(folder / "two", folder / "three")
    assert names(folder) == ["three", "two"]
    assert (folder / "three").read_bytes() == b"one"
    (folder / "two").unlink()
    (folder / "two").unlink(missing_ok=True)
    assert names(folder) == ["three"]
    with pytest.raises(FileNotFoundError):
        files.share(folder / "two", folder / "four")


def test_a_store_is_moved_and_removed_whole(folder: Location) -> None:
    made(folder / "one", "zarr.json", "a/c.0", "a/zarr.json")
    assert files.is_store(folder / "one")
    files.move_store(folder / "one", folder / "two")
    assert not files.is_store(folder / "one")
    assert names(folder) == ["two/a/c.0", "two/a/zarr.json", "two/zarr.json"]
    files.remove(folder / "two")
    files.remove(folder / "two")
    assert names(folder) == []


@pytest.mark.parametrize("kind", ["memory", "s3"])
def test_a_store_of_objects_is_there_with_its_root(kind: str, request: pytest.FixtureRequest) -> None:
    """A move that was killed can be made again, and neither half is taken for the whole."""
    folder = folder_of(kind, request)
    made(folder / "one", "zarr.json", "a/c.0", "a/c.1")
    made(folder / "two", "a/c.0", "a/stale")
    assert not files.is_store(folder / "two")
    files.move_store(folder / "one", folder / "two")
    assert names(folder) == ["two/a/c.0", "two/a/c.1", "two/zarr.json"]


def test_a_log_goes_on(folder: Location) -> None:
    files.create_folder(folder)
    for text in (b"one\n", b"two\n"):
        log = files.open_log(folder / "events")
        log.write(text)
        log.close()
        log.close()
    path = folder / "events"
    parts = [path] if path.is_file() else sorted(path.iterdir())
    assert b"".join(p.read_bytes() for p in parts) == b"one\ntwo\n"


def test_places_are_told_from_urls(tmp_path: Path) -> None:
    assert files.location("runs/x") == Path("runs/x")
    assert files.location(f"file://{tmp_path}/x") == tmp_path / "x"
    found = files.location("s3://bucket/runs/x/")
    assert isinstance(found, ObjectPath)
    assert (str(found), found.name, str(found.parent)) == ("s3://bucket/runs/x", "x", "s3://bucket/runs")
    assert found.with_name("y.z").with_suffix(".w") == ObjectPath("s3://bucket/runs/y.w")


def test_sweep_takes_what_killed_writers_left(tmp_path: Path) -> None:
    (tmp_path / "c" / "0").mkdir(parents=True)
    (tmp_path / "c" / "0" / ".1.99-abcd.partial").write_bytes(b"half")
    (tmp_path / "c" / "0" / "1").write_bytes(b"whole")
    assert files.sweep(tmp_path) == 1
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["1"]
    assert files.sweep(ObjectPath("memory://nowhere")) == 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memry://x", r"no file system for memry://.*Did you mean .memory"),
        ("s4://bucket/x", r"no file system for s4://.*There are s3://"),
        ("adl://store/x", r"adl:// needs a package.*pip install adlfs"),
    ],
)
def test_a_url_without_a_file_system_says_what_to_do(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        files.location(url).exists()


def test_refused_access_says_what_to_do(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ObjectPath(f"{s3}/x")
    with pytest.raises(FileNotFoundError, match="bucket"):
        files.write_whole(ObjectPath("s3://no-such-bucket/x"), b"")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    close_sessions()
    with pytest.raises(StoreError, match=r"refuses access.*Give credentials"):
        files.write_whole(path, b"")
    close_sessions()
