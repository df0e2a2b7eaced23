"""Send again and again, killed at a later step each time.

Run as `python -m tests.killed_exchange FOLDER`: before the k-th step the process ends at once, as
if the power went; then another sends. One line of JSON on standard output tells of each kill.
"""

from __future__ import annotations

import os
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from kwartier import Home, runs
from kwartier.adapters.ledger import letters
from kwartier.adapters.transport import Address, Envelope
from kwartier.runs import send
from tests.exchanges import AT, Post, events, home_of, identify, release, states
from tests.killed import KILLED, Steps, forked, tell
from tests.market import BRP, OTHER_BRP

LATER = AT + timedelta(minutes=1)


class Logging(Post):
    """Writes every message that comes over in the file `log` of the folder, in order."""

    def __init__(self, folder: Path, steps: Steps | None = None) -> None:
        super().__init__()
        self._folder, self._steps = folder, steps

    async def send(
        self, address: Address, envelope: Envelope, content: bytes, limit_s: float, *, at: int
    ) -> bytes | None:
        """Bring a message."""
        if self._steps:
            self._steps._step("a message is brought")
        answer = await super().send(address, envelope, content, limit_s, at=at)
        with (self._folder / "log").open("a") as log:
            log.write(f"{address.party} {envelope.technical_message_id}\n")
        if self._steps:
            self._steps._step("a message is answered")
        return answer


def main(folder: Path) -> None:
    """Kill at every step of sending."""
    os.fsync = lambda handle: None
    base = folder / "base"
    base.mkdir()
    home = home_of(base)
    expected = [*release(home, BRP, OTHER_BRP, BRP), *release(home, BRP, kind="D+5")]
    place = {party: base / "received" / party for party in (BRP, OTHER_BRP)}
    code, fatal = KILLED, 0
    while code == KILLED:
        fatal += 1
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(base / "home", work)
        (base / "log").unlink(missing_ok=True)
        for path in place.values():
            shutil.rmtree(path)
            path.mkdir()

        def killed(work: Path = work, fatal: int = fatal) -> None:
            send(Home(work), at=AT, transport=Logging(base, Steps(fatal)))

        def look(work: Path = work) -> None:
            home = Home(work)
            known = sorted(states(home)) == sorted(expected)
            send(home, at=LATER, transport=Logging(base))
            log = [line.split() for line in (base / "log").read_text().splitlines()]
            to_brp = list(dict.fromkeys(m for party, m in log if party == BRP))
            contents: dict[str, Any] = {
                path.name: path.read_bytes() for of in place.values() for path in of.iterdir()
            }
            right = {one: f"<message>{one}</message>".encode() for one in expected}
            with home.present("looks"):
                left = sorted(path.name for path in (work / "workers").iterdir())
            acknowledged = dict.fromkeys(expected, letters.ACKNOWLEDGED)
            once = all(events(home, one).count("acknowledged") == 1 for one in expected)
            runs.ledger_of(home).close()
            tell(
                {
                    "known": known,
                    "acknowledged": states(home) == acknowledged and once,
                    "received": contents == right,
                    "in_order": to_brp == [expected[0], expected[2], expected[3]],
                    "twice": len(log) - len(expected),
                    "left": [name for name in left if name != "looks"],
                }
            )

        code = forked(killed)
        if code == KILLED and forked(look):
            code = 1
    tell({"end": code, "tries": fatal})


if __name__ == "__main__":
    assert identify("a") == identify("a")
    main(Path(sys.argv[1]))
