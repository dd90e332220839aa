"""What one fault did to one call of one client: counted by the service, told by the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve, frozen


@frozen(kw_only=True)
class Row:
    client: str
    """Which client was called: "modelslab-pony, sync", "fal-client 1.0.3"."""
    phase: str
    """What was under way: submit, fetch, download, webhook."""
    fault: str
    """What went wrong, in a few words."""
    saw: str
    """What the caller got: a result, or the error's class and what it names."""
    posts: int
    """Requests for an image that the service got."""
    accepted: int
    """Of these, how many it accepted, and bills."""
    lost: int
    """Accepted, and neither a result, nor an id, nor a word that it may have been accepted, reached the caller."""
    twice: int
    """Accepted beyond the one that the caller asked for."""

    @property
    def library(self) -> str:
        """The client, whichever of its two colours."""
        return self.client.removesuffix(f", {self.colour}")

    @property
    def colour(self) -> str:
        """Return sync or async; "" for a client that has one alone."""
        last = self.client.rpartition(", ")[2]
        return last if last in {"sync", "async"} else ""


# --- the document ---------------------------------------------------------------------------------

PHASES = {
    "submit": "while an image is asked for",
    "fetch": "while the job is asked about",
    "download": "while the picture is fetched",
    "webhook": "while the service tells the application, and the application asks whether it is true",
}
INTRODUCTION = """\
# What faults cost

`make reliability` writes this page; nobody edits it. Each line is a run over real sockets on this machine: a stand-in
for the service ([the simulator](guides/testing.md)) on a port of its own, one client, one picture
to be made and saved, and one thing that goes wrong. `make test` makes all runs again and fails if this page tells
anything else.

- **what was done**: the fault, and when. It befalls one request, or with "each time" every one of that phase. A
  picture has two addresses; there it befalls each of them once. With a webhook, it befalls the question that confirms
  it.
- **the caller saw**: what the one call gave that makes the picture. Where it is an error with the job's id, the fault
  was then taken away and `client.job(error.job_id).wait()` called: the picture counts only if it was really saved.
- **POSTs**: requests for an image that came to the service's door, by its own count. **accepted**: those that it took
  and bills.
- **lost**: accepted, and the caller got neither the picture, nor the id, nor a `SubmissionUnknown`, which says that it
  may have been accepted.
- **paid twice**: accepted beyond the one that the caller asked for.

The clients try three times; where it is the time that goes wrong, they wait 2 s for an answer. After each run the
folder held the whole picture or nothing; after all of them no socket, thread or task was left; and another host that a
redirect named was sent no key.
"""


OTHERS = """\
The other clients were installed from PyPI and called as their READMEs show: fal-client with `subscribe`, replicate
with `run`. Each met a stand-in of its own service, over TLS on this machine. Nothing in them was changed but address,
key and time limits: 2.5 s to read (fal-client's `default_timeout`, replicate's `timeout`), 3 s to wait where a job
takes longer (fal-client's `client_timeout`; replicate has none), and `wait=2`, not 60, for replicate's first answer.
A late answer took 5 s, a trickle never ended. fal-client gives a question about a job 120 s, whatever it is told, so
its late answers there were within its limit.

They are judged as ours is, and in doubt in their favour: an id counts wherever it stands on what the caller got, were
it in the address of a request that an exception holds. A result from a second POST makes the first "paid twice" and
not also "lost". What a client cancels by itself is lost. So is what never ended, if the caller who ends it has no id.
"""


def document(
    ours: Sequence[Row],
    theirs: Sequence[Row] = (),
    *,
    same: Mapping[tuple[str, str], str] | None = None,
    meaningless: Iterable[tuple[str, str, str]] = (),
) -> str:
    """Return the page: a summary, the same faults side by side, and all of ours.

    `same` has our words for a phase and a fault of theirs; `meaningless` are faults, phases, reasons.
    """
    words = same or {}
    theirs = [evolve(row, fault=words.get((row.phase, row.fault), row.fault)) for row in theirs]
    parts = [INTRODUCTION, _summary([*ours, *theirs])]
    if theirs:
        parts.append(_beside(ours, theirs))
    parts += [_phase(ours, phase) for phase in PHASES]
    without = [f"| {fault} | {phases} | {why} |" for fault, phases, why in meaningless]
    if without:
        parts.append("\n".join(["## Without a meaning", "", *_head("fault", "while", "why"), *without, ""]))
    return "\n".join(parts)


def _summary(rows: Sequence[Row]) -> str:
    lines = ["## Summary", "", *_head("client", "phase", "runs", *_COUNTS)]
    for client in dict.fromkeys(row.client for row in rows):
        own = [row for row in rows if row.client == client]
        lines += [
            f"| {client} | {phase} | {len(found)} | {_sums(found)} |"
            for phase in PHASES
            if (found := [row for row in own if row.phase == phase])
        ]
        lines.append(f"| **{client}** | **all** | **{len(own)}** | {_sums(own, '**')} |")
    return "\n".join([*lines, ""])


def _beside(ours: Sequence[Row], theirs: Sequence[Row]) -> str:
    """Return a table for each phase, with a column for each library."""
    libraries = list(dict.fromkeys(row.library for row in [*ours, *theirs]))
    lines = ["## The same faults, side by side", "", OTHERS]
    for phase in PHASES:
        faults = list(dict.fromkeys(row.fault for row in [*ours, *theirs] if row.phase == phase))
        faults = [fault for fault in faults if any((row.phase, row.fault) == (phase, fault) for row in theirs)]
        if not faults:
            continue
        lines += [f"### {phase}", "", *_head("what was done", *libraries)]
        for fault in faults:
            found = [row for row in [*ours, *theirs] if (row.phase, row.fault) == (phase, fault)]
            cells = [_cell([row for row in found if row.library == library]) for library in libraries]
            lines.append(f"| {_text(fault)} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _cell(rows: Sequence[Row]) -> str:
    """Return what one library's caller saw, and what it cost."""
    said = []
    for colour, row in _merged(rows):
        costs = [f"POSTs {row.posts}", f"accepted {row.accepted}"]
        costs += [f"**lost {row.lost}**"] if row.lost else []
        costs += [f"**paid twice {row.twice}**"] if row.twice else []
        before = "" if colour in {"both", ""} else f"{colour}: "
        said.append(f"{before}{_text(row.saw)}<br>{', '.join(costs)}")
    return "<br>".join(said) or "not run"


def _phase(rows: Sequence[Row], phase: str) -> str:
    found = [row for row in rows if row.phase == phase]
    lines = [f"## {phase}: {PHASES[phase]}", "", *_head("what was done", "client", "the caller saw", *_COUNTS)]
    for fault in dict.fromkeys(row.fault for row in found):
        lines += [
            f"| {_text(fault)} | {colour} | {_text(row.saw)} | {_sums([row])} |"
            for colour, row in _merged([row for row in found if row.fault == fault])
        ]
    return "\n".join([*lines, ""])


def _merged(rows: Sequence[Row]) -> list[tuple[str, Row]]:
    """Return the rows of one fault with their colours; "both" where both saw and cost the same."""
    if len(rows) == 2 and evolve(rows[0], client="") == evolve(rows[1], client=""):
        return [("both", rows[0])]
    return [(row.colour, row) for row in rows]


_COUNTS = ("POSTs", "accepted", "lost", "paid twice")


def _sums(rows: Sequence[Row], mark: str = "") -> str:
    columns = ((row.posts, row.accepted, row.lost, row.twice) for row in rows)
    return " | ".join(f"{mark}{sum(column)}{mark}" for column in zip(*columns, strict=True))


def _head(*names: str) -> list[str]:
    rules = ["---:" if name in {*_COUNTS, "runs"} else "---" for name in names]
    return [f"| {' | '.join(names)} |", f"| {' | '.join(rules)} |"]


def _text(words: str) -> str:
    return words.replace("|", "\\|").replace("<", "&lt;")
