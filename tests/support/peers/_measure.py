"""Each case against a stand-in of its own, and the row that comes of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from attrs import frozen

from support.evidence import Row
from support.peers import _certificate
from support.peers._door import OVERSIZE
from support.peers._faults import OVERDUE, Case, Colour, cases
from support.peers._services import KEY, MARK, PICTURE, Counts, Fal, Replicate, Service

ENDED_AFTER = 15
"""Seconds after which a call is ended that is not over."""
ENDS_BY_ITSELF = 110
"""The same where a call is known to end, but late: ten attempts with up to 80 s of pauses, late answers, many bytes."""
AT_ONCE = 16
_END = {*(("fetch", act) for act in ("hang up", "silence", "late", "502", "429")), ("download", "oversized")}
_DRIVER = Path(__file__).with_name("drive.py")


@frozen
class Seen:
    """A row, and what the stand-in counted besides."""

    row: Row
    counts: Counts


def measure(wanted: Iterable[Case] | None = None) -> list[Row]:
    """Return a row for each case, all of them by default, in about a minute."""
    if wanted is not None:
        return [seen.row for seen in observe(wanted)]
    rows = [*measure(cases()), _no_download("sync"), _no_download("async")]
    clients = list(dict.fromkeys(row.client for row in rows))
    return sorted(rows, key=lambda row: clients.index(row.client))


def observe(wanted: Iterable[Case]) -> list[Seen]:
    """Same, with the counts."""
    in_order = list(wanted)
    with _trust() as (tls, environment), ThreadPoolExecutor(AT_ONCE) as pool:
        # The longest begin first.
        begun = sorted(range(len(in_order)), key=lambda number: -_patience(in_order[number]))
        found = {number: pool.submit(_observe, in_order[number], tls, environment) for number in begun}
        return [found[number].result() for number in range(len(in_order))]


def _client(peer: str, colour: str) -> str:
    """Return the client's name in the table."""
    return f"{peer} {version(peer)}, {colour}"


def _no_download(colour: Colour) -> Row:
    saw = "no download of its own: the caller gets a link"
    counts = {"posts": 0, "accepted": 0, "lost": 0, "twice": 0}
    return Row(client=_client("fal-client", colour), phase="download", fault="any", saw=saw, **counts)


@contextlib.contextmanager
def _trust() -> Iterator[tuple[ssl.SSLContext, dict[str, str]]]:
    """Yield the server's side of TLS, and the environment of a client that trusts it."""
    with tempfile.TemporaryDirectory() as folder:
        authority, chain = Path(folder, "authority.pem"), Path(folder, "chain.pem")
        authority.write_text(_certificate.AUTHORITY, "ascii")
        chain.write_text(_certificate.CHAIN, "ascii")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(chain)
        own = ("_proxy", "fal_", "replicate_")
        environment = {name: value for name, value in os.environ.items() if not _has(name.lower(), own)}
        yield tls, environment | {"SSL_CERT_FILE": str(authority)}


def _has(name: str, parts: tuple[str, ...]) -> bool:
    return any(part in name for part in parts)


def _patience(case: Case) -> int:
    ends = case.lasting and (case.phase, case.fault.act) in _END
    return ENDS_BY_ITSELF if ends else ENDED_AFTER


def _observe(case: Case, tls: ssl.SSLContext, environment: dict[str, str]) -> Seen:
    service: Service = (Fal if case.peer == "fal-client" else Replicate)(case, tls)
    with service.open():
        told = {
            "call": f"{case.peer.partition('-')[0]}_{case.colour}",
            "address": service.address,
            "key": KEY,
            "mark": MARK,
            "waits": case.fault is OVERDUE,
        }
        environment = environment | {"FAL_QUEUE_RUN_HOST": service.address}
        got = _drive(told, environment, _patience(case))
    for mistake in service.mistakes:
        raise mistake
    return Seen(_row(case, service.counts, got), service.counts)


def _drive(told: dict[str, Any], environment: dict[str, str], patience: float) -> dict[str, Any]:
    """Return what the client's process says, or that it had to be ended."""
    command = [sys.executable, str(_DRIVER), json.dumps(told)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=patience)
    except subprocess.TimeoutExpired as ended:
        return {**_last(ended.stdout), "ended": patience}
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return _last(done.stdout)


def _last(said: bytes | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((said or b"{}").splitlines()[-1])
    return found


def _row(case: Case, counts: Counts, got: dict[str, Any]) -> Row:
    has_word = bool(got.get("result") or (got.get("error") or {}).get("told"))
    # A job that the client had stopped is paid for, and gives nothing.
    is_lost = counts.accepted > 0 and (not has_word or (counts.cancels > 0 and "result" not in got))
    return Row(
        client=_client(case.peer, case.colour),
        phase=case.phase,
        fault=case.label,
        saw="; ".join(_saw(counts, got)),
        posts=counts.posts,
        accepted=counts.accepted,
        lost=int(is_lost),
        twice=max(0, counts.accepted - 1),
    )


def _saw(counts: Counts, got: dict[str, Any]) -> Iterator[str]:
    if "ended" in got:
        at_hand = "; the link is at hand" if "result" in got else ""
        yield f"still waiting after {got['ended']} s (no limit of its own){at_hand}"
    elif "error" in got:
        yield _error(got["error"], has_result="result" in got)
    elif "picture" in got:
        yield _picture(got["picture"])
    else:
        yield "a result"
    if counts.cancels:
        yield "the client had the job cancelled"
    if counts.token_at_output:
        yield "the key went to the output's host"
    if counts.token_elsewhere:
        yield "the key went to the other host"


def _error(error: dict[str, Any], *, has_result: bool) -> str:
    name = error["class"] + (f" {error['status']}" if error["status"] else "")
    if has_result:
        return f"{name}; the link is at hand"
    match error["told"]:
        case None:
            return f"{name}, no id"
        case "text":
            return f"{name}, the id in its text"
        case "request":
            return f"{name}, the id only in the address of its request"
        case place:
            return f"{name}, the id only in its {place}"


def _picture(picture: dict[str, Any]) -> str:
    if picture["sha256"] == hashlib.sha256(PICTURE).hexdigest():
        return "the picture"
    if picture["bytes"] == OVERSIZE:
        return f"all of it, in memory: {OVERSIZE // 2**20} MiB"
    if picture["bytes"] == len(PICTURE) // 2:
        return "half a picture, as if it were whole"
    return "something else, as if it were the picture"
