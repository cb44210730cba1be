"""Whatever byte of a run directory rots, resuming finds it and gives the store of the undisturbed run, or refuses."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from exmc.errors import StoreError
from exmc.trace.store import RunStore
from pipelines import stages
from pipelines.checkpoint import check_agreement, read_checkpoint
from pipelines.run import resume, run_config
from tests.pipelines.running import QUICK, assert_same_store, stopped_run, write_config

# Many chunks, and a little of everything that a run directory may hold.
CONFIG = QUICK.replace("{segment_seconds: 1e-9}", "{segment_seconds: 1e-9, predictive: {prior_draws: 10}}")
# What nobody reads back: a log for people, a lock, notes of processors (by name the digest of what they say).
UNREAD = ("events.jsonl", "state/driver.lock", "state/processors/")
# A valid file with another meaning may be somebody's edit.
REFUSED = ("config.yaml", "ir.json")
# Their values are verified; how they are spaced is nobody's loss.
SEALED = [f"state/{name}.json" for name in ("plan", "store", "finished")]
SPACED = (*REFUSED, *SEALED, *(name.replace("/", "/.") + ".spare" for name in SEALED))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("whole")
    run_config(write_config(folder, CONFIG), out=folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, stopped when about half was drawn."""
    return stopped_run(tmp_path_factory.mktemp("begun"), CONFIG, after=9)


def files_of(run: Path) -> list[str]:
    return sorted(str(p.relative_to(run)) for p in run.rglob("*") if p.is_file())


def spoil(path: Path, luck: random.Random) -> str:
    """Flip a bit, tear, or lose the file; what was done, for the message of a failing test."""
    content = path.read_bytes()
    kind = luck.choice(["flip", "flip", "flip", "tear", "lose"]) if content else "lose"
    path.unlink()
    if kind == "flip":
        place, bit = luck.randrange(len(content)), luck.randrange(8)
        path.write_bytes(content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :])
        return f"{path.name}: bit {bit} of byte {place}"
    if kind == "tear":
        length = luck.randrange(len(content))
        path.write_bytes(content[:length])
        return f"{path.name}: torn after {length} bytes"
    return f"{path.name}: lost"


def test_every_file_of_a_finished_run_is_verified(whole: Path, tmp_path: Path) -> None:
    """Each once by each kind of harm at a random place: it is found, or what it says is as before."""
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    luck = random.Random(1)
    for name in files_of(run):
        if name.startswith(UNREAD):
            continue
        content = (run / name).read_bytes()
        done = spoil(run / name, luck)
        try:
            checkpoint, store = read_checkpoint(run), RunStore.open(run)
            found = bool(check_agreement(checkpoint, store)) or not store.sound
        except StoreError:
            found = True
        assert found or name in SPACED, (name, done)
        (run / name).write_bytes(content)
    checkpoint, store = read_checkpoint(run), RunStore.open(run)
    assert not check_agreement(checkpoint, store)
    assert store.sound


def test_the_summary_shows_what_was_drawn_or_refuses(whole: Path, begun: Path, tmp_path: Path) -> None:
    for source in (whole, begun):
        run = Path(shutil.copytree(source, tmp_path / source.parent.name))
        expected, luck = stages.judge(RunStore.open(run)).text, random.Random(2)
        kept = [
            name for name in files_of(run) if name.startswith(("run.zarr", "state/")) and not name.startswith(UNREAD)
        ]
        for name in luck.sample(kept, 60):
            content = (run / name).read_bytes()
            done = spoil(run / name, luck)
            try:
                text = stages.judge(RunStore.open(run)).text
            except StoreError:
                text = expected
            # Fewer draws are shown, as unfinished, where a record is damaged.
            assert text == expected or "UNFINISHED" in text, (name, done)
            (run / name).write_bytes(content)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["whole", "begun"])
def test_what_rots_is_drawn_again(kind: str, seed: int, whole: Path, begun: Path, tmp_path: Path) -> None:
    """A quarter of all files at once, sealed ones and their spares never both."""
    run = Path(shutil.copytree(whole if kind == "whole" else begun, tmp_path / "run"))
    luck = random.Random(seed)
    names = [name for name in files_of(run) if name not in REFUSED]
    victims = luck.sample(names, len(names) // 4)
    victims = [
        v for v in victims if not (v.endswith(".spare") and v.replace("/.", "/").removesuffix(".spare") in victims)
    ]
    done = [spoil(run / name, luck) for name in victims]
    assert resume(run, lambda event: None).failed == {}, done
    assert_same_store(whole, run)
    assert RunStore.open(run).sound, done


@pytest.mark.parametrize("name", REFUSED)
def test_a_config_or_model_with_another_meaning_is_refused(name: str, begun: Path, whole: Path, tmp_path: Path) -> None:
    luck, refused, resumed = random.Random(3), 0, 0
    for attempt in range(6):
        run = Path(shutil.copytree(begun, tmp_path / str(attempt)))
        spoil(run / name, luck)
        try:
            resume(run, lambda event: None)
        except StoreError as error:
            refused += name in str(error) and "--force-restart" in error.remedy
        else:
            resumed += 1
            assert_same_store(whole, run)
    assert resumed > 0
    assert refused + resumed == 6
