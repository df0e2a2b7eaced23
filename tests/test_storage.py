"""A home whose tables are on an object store: a real server of S3, and what it may not tell."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyarrow import csv, fs

from kwartier import FileRefused, Home, HomeError, allocate, result, runs, tables, take_register
from kwartier.adapters.store.storage import Objects
from kwartier.engines.spark import connected
from kwartier.runs import ledger_of, send, take_parties
from tests import areas
from tests.closing import clock_of, closing, due, hour
from tests.engines import sessions, worlds
from tests.exchanges import TSO, parties
from tests.market import AREA, BRP, DAY, ONE_DAY, SUPPLIER, ean
from tests.test_settling import net, prices_of

SECRET = "not-to-be-shown"
BUCKET = "operator"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Start a server of S3 as a process of its own, and say in the environment how to reach it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "operator")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_ENDPOINT_URL", address)
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        request = urllib.request.Request(f"{address}/{BUCKET}", method="PUT")
        urllib.request.urlopen(request).close()
        yield address
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def world() -> areas.World:
    return worlds.world(worlds.AUTUMN)


def stored(folder: Path, made: areas.World, at: str) -> Home:
    """Take areas in by a home whose tables are at a place of the bucket."""
    Home(folder / "home", create=True, storage=f"s3://{BUCKET}/{at}")
    return worlds.home_of(made, folder, worlds.AUTUMN)


def bytes_of(home: Home, made: areas.World, **engine: object) -> list[tuple[str, dict[str, bytes]]]:
    """Allocate and give the tables as they are on the store."""
    runs = allocate(home, made.days, known_at=made.known_at, **engine)
    given = []
    for run in runs:
        place = home.run_place(run.market_day, run.grid_area, run.run)
        found = {p.rpartition("/")[2]: home.storage.content(p) for p in home.storage.places(place)}
        given.append((run.state, found))
    return given


@pytest.mark.parametrize("threads", [1, 2])
def test_the_tables_on_a_store_are_those_of_a_folder(
    tmp_path: Path, server: str, world: areas.World, threads: int
) -> None:
    plain = worlds.home_of(world, tmp_path / "plain", worlds.AUTUMN)
    home = stored(tmp_path / "home", world, f"same-{threads}")
    assert bytes_of(home, world, threads=threads) == worlds.allocated(plain, world, threads=1)
    again = Home(home.root)
    assert isinstance(again.storage, Objects)
    assert result(again, "allocation", world.days).equals(result(plain, "allocation", world.days))
    assert not list(home.root.rglob("*.parquet"))


def test_a_cluster_reads_from_the_store(tmp_path: Path, server: str, world: areas.World) -> None:
    plain = worlds.home_of(world, tmp_path / "plain", worlds.AUTUMN)
    home = stored(tmp_path / "home", world, "cluster")
    with sessions.sail() as address, connected(remote=address) as cluster:
        assert bytes_of(home, world, cluster=cluster) == worlds.allocated(plain, world, threads=1)


def test_the_command_makes_a_home_on_a_store(tmp_path: Path, server: str) -> None:
    kwartier = Path(sys.executable).with_name("kwartier")
    points = tmp_path / "points.csv"
    points.write_text(
        "accounting_point,grid_area,brp,supplier,valid_from\n"
        f"{ean(1)},{AREA},{BRP},{SUPPLIER},2026-01-01\n"
    )
    command: list[object] = [kwartier, "register", points, "--home", tmp_path / "home"]

    def said(*more: str) -> tuple[int, str]:
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    code, text = said("--storage", f"s3://{BUCKET}/command")
    assert code == 0, text
    store, key = fs.FileSystem.from_uri(f"s3://{BUCKET}/command/register")
    assert store.get_file_info(key).type is fs.FileType.Directory
    command[2] = f"s3://{BUCKET}/points/none.csv"
    code, text = said()
    assert (code, "none.csv: expected a file, found nothing" in text) == (3, True)
    command[2] = points
    code, text = said("--storage", f"s3://{BUCKET}/elsewhere")
    assert (code, "and stay there" in text) == (1, True)
    assert SECRET not in text


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_files_are_taken_in_from_a_store(tmp_path: Path, server: str, form: str) -> None:
    points = pa.table(
        {
            "accounting_point": [ean(1)],
            "grid_area": [AREA],
            "brp": [BRP],
            "supplier": [SUPPLIER],
            "valid_from": ["2026-01-01"],
        }
    )
    place = Objects(f"s3://{BUCKET}/delivered")
    with place.writing(f"points.{form}") as file:
        (csv.write_csv if form == "csv" else pq.write_table)(points, file)
    uri = place.name(f"points.{form}")
    home = Home(tmp_path / "home", create=True)
    assert take_register(home, [uri]).rows_kept == 1
    assert take_register(home, [uri]).skipped == (f"points.{form}",)
    assert not (home.root / "tmp").exists()
    with pytest.raises(FileRefused, match=r"points-too\.csv: expected a file, found nothing"):
        take_register(home, [place.name("points-too.csv")])
    with pytest.raises(HomeError, match="without user, key or options") as told:
        take_register(home, [f"s3://key:{SECRET}@bucket/points.csv"])
    assert SECRET not in str(told.value)


def test_what_no_manifest_names_is_swept(tmp_path: Path, server: str, world: areas.World) -> None:
    home = stored(tmp_path / "home", world, "swept")
    with home.storage.writing("register/left-behind.parquet") as file:
        file.write(b"of a process that was killed")
    before = set(home.storage.places("")) - {"register/left-behind.parquet"}
    with home.writing():
        pass
    assert set(home.storage.places("")) == before


def test_what_a_killed_worker_wrote_of_a_run_is_not_left_beside_it(
    tmp_path: Path, server: str, world: areas.World
) -> None:
    """Taken over and refused, a run has findings only."""
    home = stored(tmp_path / "home", world, "half")
    run = (world.days[0], world.areas[0], "1")
    with home.storage.writing(f"{home.run_place(*run)}/allocation.parquet") as file:
        file.write(b"of a process that was killed")
    home.write_run(*run, "worker", {"findings": tables.FINDINGS.empty()})
    assert home.storage.places(home.run_place(*run)) == [f"{home.run_place(*run)}/findings.parquet"]


def test_one_row_group_is_fetched_and_not_the_file(
    tmp_path: Path, server: str, world: areas.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = stored(tmp_path / "home", world, "ranges")
    (block, *_) = home.blocks(world.days[0], world.areas[0])
    whole = len(home.storage.content(block.layer.place) or b"")
    fetched = []

    class Counted:
        """A file that counts what is read of it."""

        closed = False

        def __init__(self, file: pa.NativeFile) -> None:
            self._file = file
            self.seek, self.tell, self.close = file.seek, file.tell, file.close

        def read(self, *size: int) -> bytes:
            content: bytes = self._file.read(*size)
            fetched.append(len(content))
            return content

        def readable(self) -> bool:
            return True

    block.layer.metadata  # noqa: B018  read before
    source = Objects.source
    monkeypatch.setattr(Objects, "source", lambda self, place: Counted(source(self, place)))
    expected = block.read().number.tolist()
    assert expected
    assert 0 < sum(fetched) < whole / 2


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("s3://key:secret@bucket/path", "without user, key or options"),
        ("s3://bucket/path?access_key=key", "without user, key or options"),
        ("http://bucket/path", "is named as s3://"),
        ("s3:///path", "is named as s3://"),
        ("file://host/path", "is named as s3://"),
        ("bucket/path", "is named as s3://"),
    ],
)
def test_what_is_no_storage_is_refused(tmp_path: Path, uri: str, told: str) -> None:
    with pytest.raises(HomeError, match=told) as refused:
        Home(tmp_path / "home", create=True, storage=uri)
    assert "secret" not in str(refused.value).replace("AWS_SECRET_ACCESS_KEY", "")
    assert not (tmp_path / "home/storage.json").exists()


def test_the_storage_of_another_home_is_refused(
    tmp_path: Path, server: str, world: areas.World
) -> None:
    stored(tmp_path / "home", world, "mine")
    with pytest.raises(HomeError, match="the storage of another home"):
        Home(tmp_path / "other", create=True, storage=f"s3://{BUCKET}/mine")


def test_a_home_with_tables_in_it_keeps_them(tmp_path: Path, world: areas.World) -> None:
    home = worlds.home_of(world, tmp_path, worlds.AUTUMN)
    with pytest.raises(HomeError, match="are in it, and stay there"):
        Home(home.root, create=True, storage=f"s3://{BUCKET}/late")


def test_an_object_that_is_lost_fails_the_run(
    tmp_path: Path, server: str, world: areas.World
) -> None:
    home = stored(tmp_path / "home", world, "lost")
    (place, *_) = [p for p in home.storage.places("readings") if "complete" in p]
    content = home.storage.content(place)
    home.storage.delete(place)
    with pytest.raises(HomeError, match=r"s3://operator/lost/readings/.*is missing") as told:
        allocate(home, world.days, known_at=world.known_at)
    assert SECRET not in str(told.value)
    with home.storage.writing(place) as file:
        file.write(content)
    allocate(Home(home.root), world.days, known_at=world.known_at)
    assert "running" not in {run.state for run in ledger_of(home).runs()}


def test_a_store_that_may_not_be_reached_is_told(tmp_path: Path, server: str) -> None:
    with pytest.raises(HomeError, match=r"s3://nobody/there/home cannot be") as told:
        Home(tmp_path / "home", create=True, storage="s3://nobody/there").writing().__enter__()
    assert SECRET not in str(told.value)


def test_a_folder_of_a_network_is_named_as_a_file(tmp_path: Path, world: areas.World) -> None:
    shared = tmp_path / "shared"
    Home(tmp_path / "home", create=True, storage=f"file://{shared}")
    home = worlds.home_of(world, tmp_path, worlds.AUTUMN)
    allocate(home, world.days, known_at=world.known_at)
    assert sorted((shared / "register").iterdir())
    assert not (home.root / "register").exists()


def test_messages_and_settlements_are_on_the_store(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_of(monkeypatch)
    Home(tmp_path / "home", create=True, storage=f"s3://{BUCKET}/sends")
    operator = closing(tmp_path)
    take_parties(operator.home, parties(tmp_path, BRP, TSO), recorded_at=hour(DAY, 0))
    (run,) = due(operator, hour(DAY + ONE_DAY, 12))
    assert run.state == "complete", run.reason
    at = hour(DAY + ONE_DAY, 14)
    sent = send(operator.home, at=at)
    assert {one.state for one in sent.messages} == {"sent"}

    tso = Home(tmp_path / "tso", create=True, storage=f"s3://{BUCKET}/receives")
    us, known = runs.Us(TSO, "EZ"), at + timedelta(0, 60)
    came = list(runs.receive_folder(tso, tmp_path / "received" / TSO, us, at=known))
    assert came
    assert all(one.accepted for one in came)
    runs.take_prices(tso, [prices_of(DAY)], recorded_at=at)
    (outcome,) = runs.settle(tso, [DAY], at=at + timedelta(hours=1))
    assert outcome.state == "settled", outcome.reason
    mine = runs.settled(tso, "imbalance", [DAY]).filter(pc.field("brp") == BRP)
    assert mine["allocated_wh"].to_pylist() == net(operator.home)[BRP]
    for home in (operator.home, tso):
        assert not list(home.root.rglob("*.parquet"))
        assert not list(home.root.rglob("messages"))
