"""The register as it is kept: rows by grid area and delivery, so that an area is read by itself.

Of many million rows few say the same in other words. So what a row says of its party, and of its
connection, is one word each: a JSON object, of which a file holds every one once. To read two
columns takes an eighth of what sixteen do. Source: decisions §28, §45.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from kwartier import tables
from kwartier.adapters.store import writing
from kwartier.adapters.store.storage import Folder, HomeError
from kwartier.adapters.store.writing import Piece
from kwartier.arrays import Int32s
from kwartier.steps import register
from kwartier.steps.register import Connection, Part, Party
from kwartier.validity import known_by, numbers

if TYPE_CHECKING:
    from kwartier.adapters.store.home import Home

_T = TypeVar("_T")

_MANY = 16  # files of an area after which they are kept as one
_LAST = 2  # of what is kept so, that stay
_ORDER = ("accounting_point", "valid_from")
_PART, _OF_AREA = "register", "grid_area="
_WORD = pa.dictionary(pa.int32(), pa.string())
_APART = ("accounting_point", "valid_from", "valid_to", "recorded_at", *register.ANNUAL, "holder")
_FOLDED = {
    "party": Party._fields,
    "connection": [name for name in tables.REGISTER.names if name not in (*_APART, *Party._fields)],
}
SCHEMA = pa.schema(
    [tables.REGISTER.schema.field(name) for name in _APART]
    + [pa.field(name, _WORD) for name in _FOLDED]
)


def folded(rows: pa.Table) -> pa.Table:
    """Put rows of tables.REGISTER in the form in which they are kept."""
    columns = [rows[name] for name in _APART]
    for names in _FOLDED.values():
        index, made = register.combined(rows, names)
        words = [json.dumps(dict(zip(names, said, strict=True))) for said in made]
        columns.append(pa.DictionaryArray.from_arrays(index, pa.array(words, pa.string())))
    return pa.table(columns, schema=SCHEMA)


def unfolded(rows: pa.Table, columns: Sequence[str] = tuple(tables.REGISTER.names)) -> pa.Table:
    """Give rows that were kept as tables.REGISTER, or some of its columns."""
    said = {name: rows[name] for name in _APART}
    for folded_, names in _FOLDED.items():
        words = rows[folded_].combine_chunks()
        every = [json.loads(word) for word in words.dictionary.to_pylist()]
        for name in names:
            if name in columns:
                kind = tables.REGISTER.schema.field(name).type
                values = pa.array([word[name] for word in every], kind)
                said[name] = values.take(words.indices)
    schema = pa.schema([tables.REGISTER.schema.field(name) for name in columns])
    return pa.table([said[name] for name in columns], schema=schema)


def part_of(piece: Piece, known_at: int) -> Part:
    """Read some rows as numbers; those recorded after a moment [s UTC] do not exist yet."""
    rows = known_by(piece.read(), known_at)
    party, parties = _coded(rows["party"], _party)
    connection, connections = _coded(rows["connection"], _connection)
    return register.numbered(rows, party, connection, parties, connections)


def _coded(column: pa.ChunkedArray, of: Callable[[str], _T]) -> tuple[Int32s, list[_T]]:
    words = column.combine_chunks()
    return words.indices.to_numpy(), [of(word) for word in words.dictionary.to_pylist()]


@lru_cache(maxsize=1 << 16)
def _party(word: str) -> Party:
    return Party(**json.loads(word))


@lru_cache(maxsize=1 << 16)
def _connection(word: str) -> Connection:
    said = json.loads(word)
    return Connection(*(said[name] for name in Connection._fields))


def place(grid_area: str, name: str) -> str:
    """Give the place of the rows that a delivery, or a part of one, brings of an area."""
    return f"{_folder(grid_area)}/{name}.parquet"


def areas(home: Home, known_at: int | None = None) -> list[str]:
    """List the grid areas of the register as known at a moment [s UTC].

    Raises
    ------
    HomeError : the home is of an older form.
    """
    named = {place.split("/")[1] for place in home.places_of(_PART, known_at)}
    if not all(name.startswith(_OF_AREA) for name in named):
        raise _older(home)
    return sorted(name.removeprefix(_OF_AREA) for name in named)


def known_areas(home: Home, known_at: int) -> list[str]:
    """List them where there must be some.

    Raises
    ------
    HomeError : no register was known; or the home is of an older form.
    """
    known = areas(home, known_at)
    if known:
        return known
    if not areas(home):
        raise HomeError("no register of accounting points yet; 'kwartier register FILE' first")
    moment = datetime.fromtimestamp(known_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    raise HomeError(
        f"no register of accounting points was known at {moment}; say when it was: "
        "'kwartier register FILE --recorded-at MOMENT'"
    )


def pieces(home: Home, grid_area: str, known_at: int | None = None) -> list[Piece]:
    """List what the register of an area can be read by, as known at a moment [s UTC].

    Rows of points that moved are among them, also those of elsewhere; see `folded` and `gather`.

    Raises
    ------
    HomeError : the home is of an older form.
    """
    named, found = files(home, grid_area, known_at), list[Piece]()
    many = len(named) - len(named) % _MANY
    kept, gathered = _kept(home), _place_of(grid_area, named[:many])
    if many and (kept.root / gathered).exists():
        found, named = writing.pieces(kept, gathered), named[many:]
    found += [piece for file in named for piece in writing.pieces(home.storage, file["path"])]
    if any(piece.columns() != SCHEMA.names for piece in found):
        raise _older(home)
    return found


def gather(home: Home) -> None:
    """Keep as one what all files of an area hold, each time that they have become many.

    To open a file takes longer than to read the few rows that changed on a day. What is kept is
    read in place of the files; where it is lost, or some of them were not known yet, they are read.
    """
    kept = _kept(home)
    for area in areas(home):
        named = files(home, area)
        gathered = _place_of(area, named)
        if len(named) % _MANY or (kept.root / gathered).exists():
            continue
        rows = pa.concat_tables([piece.read() for piece in pieces(home, area)])
        rows = rows.unify_dictionaries().sort_by([(name, "ascending") for name in _ORDER])
        writing.write(kept, gathered, rows)
        for older in sorted((kept.root / _folder(area)).glob("*.parquet"))[:-_LAST]:
            older.unlink()  # somebody may still read the one before


def _kept(home: Home) -> Folder:
    return Folder(home.root / "kept")


def _place_of(grid_area: str, named: Sequence[Mapping[str, Any]]) -> str:
    """Give the place, among what is kept, of what some files hold together."""
    of_all = sha256(" ".join(file["sha256"] for file in named).encode()).hexdigest()[:16]
    return f"{_folder(grid_area)}/{len(named):06d}-{of_all}.parquet"


def files(home: Home, grid_area: str, known_at: int | None = None) -> list[dict[str, Any]]:
    """List what manifests say of the files of an area."""
    return [file for _, file in home.files_in(_folder(grid_area), known_at)]


def rows(home: Home, grid_area: str, known_at: int | None = None) -> int:
    """Count the rows of an area, also those of elsewhere."""
    return sum(int(file["rows"]) for file in files(home, grid_area, known_at))


def until(home: Home, known_at: int) -> int:
    """Give the moment at which the last row of the register became known, by a moment [s UTC]."""
    last = 0
    for area in areas(home, known_at):
        for piece in pieces(home, area, known_at):
            latest = int(piece.highest("recorded_at").timestamp())
            if latest > known_at:  # some of its rows are not known yet
                recorded = numbers(piece.read(["recorded_at"])["recorded_at"], 0)
                latest = int(recorded[recorded <= known_at].max(initial=0))
            last = max(last, latest)
    return last


def _folder(grid_area: str) -> str:
    return f"{_PART}/{_OF_AREA}{grid_area}"


def _older(home: Home) -> HomeError:
    return HomeError(
        f"{home.root} was made by an older kwartier; make a new home, and take the files in again"
    )
