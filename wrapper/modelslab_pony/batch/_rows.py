"""What a batch is to make: rows of JSONL, CSV or plain lines, each read as a request and checked."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from attrs import NOTHING, Factory, fields, frozen

from modelslab_pony import _pictures
from modelslab_pony._redact import Redactor
from modelslab_pony._rules import HUGE, shown
from modelslab_pony._wire import LocalImage, prepare
from modelslab_pony.batch._inputs import Inputs
from modelslab_pony.errors import FieldErrors, InvalidRequestError
from modelslab_pony.requests import KINDS, Request, is_request, refused, spec_fields

Format = Literal["jsonl", "csv", "lines"]
_SUFFIXES: Mapping[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
MOST_TOLD = 50
"""Rows with mistakes that are named; the others are counted."""
LONGEST_NAME = 200
"""Characters."""
_OWN = ("op", "name")
"""What a row has beside the fields of its request."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@frozen(kw_only=True)
class Row:
    """A row as it was given."""

    place: str
    """How an error names it: "row 3", "row 3 (line 7)"."""
    name: str | None
    request: Request


@frozen(kw_only=True)
class Problem:
    """A row that is no request."""

    place: str
    errors: FieldErrors


@frozen(kw_only=True)
class Checked:
    """A row that may be sent, as the ledger keeps it."""

    digest: str
    """The same for two rows that ask for the same thing: files count by what is in them."""
    name: str | None
    document: str
    """JSON: the operation, the fields as they were given, and the SHA-256 of local images."""


def format_of(path: Path) -> Format:
    """Return the format that a file's name says: .jsonl, .ndjson, .csv; anything else has a prompt on each line."""
    return _SUFFIXES.get(path.suffix.lower(), "lines")


def read(
    file: Iterable[str], kind: Format, *, defaults: Mapping[str, Any] | None = None, folder: Path = Path()
) -> Iterator[Row | Problem]:
    """Yield each row of an open text file, or what is wrong with it; blank rows are skipped.

    `defaults` are fields (and `op`) of every row that does not give its own. Paths of images are
    relative to `folder`. Raises `InvalidRequestError` for a format that there is not, or a CSV header
    that names no field.
    """
    readers = {"jsonl": _json_rows, "csv": _csv_rows, "lines": _plain_rows}
    if kind not in readers:
        raise refused({"format": [f"must be one of {', '.join(get_args(Format))}, not {shown(kind)}"]})
    count = 0
    for line, given in readers[kind](_utf8(file)):
        count += 1
        place = f"row {count}" if line == count else f"row {count} (line {line})"
        if isinstance(given, str):
            yield Problem(place=place, errors={"row": [given]})
            continue
        try:
            yield _row(place, given, defaults or {}, folder, as_text=kind == "csv")
        except InvalidRequestError as error:
            yield Problem(place=place, errors=error.errors)


def of_requests(
    given: Iterable[Request | Mapping[str, Any]], *, defaults: Mapping[str, Any] | None = None
) -> Iterator[Row | Problem]:
    """Yield a row for each request, or mapping with the fields of one, that a program gives; see `read`."""
    for count, one in enumerate(given, 1):
        place = f"row {count}"
        try:
            if is_request(one):
                yield Row(place=place, name=None, request=one)  # type: ignore[arg-type]  # is_request told
            elif isinstance(one, Mapping):
                yield _row(place, dict(one), defaults or {}, Path(), as_text=False)
            else:
                raise refused({"row": [f"must be a request or a mapping with the fields of one, not {shown(one)}"]})
        except InvalidRequestError as error:
            yield Problem(place=place, errors=error.errors)


def check(rows: Iterable[Row | Problem], inputs: Inputs, *, strict: bool, redactor: Redactor) -> Iterator[Checked]:
    """Yield every row as it will be sent. Raises `InvalidRequestError` after the last one if any cannot be.

    Whoever takes them keeps all or none.
    It names rows and fields: `errors` has "row 3: width" for a key.
    """
    errors: dict[str, list[str]] = {}
    wrong = count = 0
    for row in rows:
        count += 1
        found = _checked(row, inputs, strict=strict, redactor=redactor)
        if isinstance(found, Checked):
            yield found
            continue
        wrong += 1
        if wrong <= MOST_TOLD:
            errors |= {f"{row.place}: {name}": list(texts) for name, texts in found.items()}
    if wrong:
        rest = f"; and {wrong - MOST_TOLD} more rows" if wrong > MOST_TOLD else ""
        said = "; ".join(f"{place} {text}" for place, texts in errors.items() for text in texts)
        raise InvalidRequestError(
            f"{wrong} of {count} rows cannot be sent: {said}{rest}. Nothing was sent.", errors=errors
        )
    if not count:
        raise refused({"rows": ["are missing: there is nothing to make"]})


def request_of(document: Mapping[str, Any]) -> Request:
    """Return the request that the ledger keeps. Raises `InvalidRequestError`."""
    return KINDS[document["op"]](**document["fields"])


def checked_request(document: Mapping[str, Any]) -> Request:
    """Return the request, unless an image is not the one that was checked with the row."""
    request, digests = request_of(document), document["digests"]
    local = _pictures.local(request)
    for name, image in _pictures.load(local).items():
        if isinstance(image, str):
            raise refused({name: [image]})
        if digests.get(name) != image.digest:
            raise refused({name: [f"{str(local[name])!r} has changed since the rows were checked; run again"]})
    return request


def default_fields(texts: Iterable[str]) -> dict[str, Any]:
    """Return NAME=VALUE pairs as fields of every row, each as CSV has it. Raises `InvalidRequestError`."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals):
            raise refused({"set": [f"must be NAME=VALUE, not {text!r}"]})
        found[name.strip()] = value
    unknown = [name for name in found if name not in _known() and not name.startswith("extra.")]
    if unknown:
        raise refused({"set": [f"names no field of a request: {', '.join(unknown)}"]})
    return found


def _utf8(file: Iterable[str]) -> Iterator[str]:
    number = 0
    try:
        for line in file:
            number += 1
            yield line
    except UnicodeDecodeError as fault:
        raise refused({"input": [f"is not UTF-8 after line {number} ({fault.reason}): save it as UTF-8"]}) from None


# --- the three formats -------------------------------------------------------------------------


def _json_rows(file: Iterable[str]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line, parse_constant=_no_number, object_pairs_hook=_once)
        except (ValueError, RecursionError) as fault:
            said = "it is nested too deeply" if isinstance(fault, RecursionError) else str(fault)
            yield number, f"is no JSON that can be read: {said}"
            continue
        yield number, given if isinstance(given, dict) else f"must be a JSON object, not {shown(given)}"


def _plain_rows(file: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            yield number, {"prompt": line.strip()}


def _csv_rows(file: Iterable[str]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    reader = csv.reader(file, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as fault:
        raise refused({"header": [f"cannot be read as CSV: {fault}"]}) from None
    _check_header(header)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            yield reader.line_num, f"cannot be read as CSV: {fault}"
            return
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            yield reader.line_num, f"has {len(cells)} cells, and the header has {len(header)}"
            continue
        yield reader.line_num, {name: cell for name, cell in zip(header, cells, strict=False) if cell != ""}


def _known() -> set[str]:
    return {*_OWN, *(item.name for kind in KINDS.values() for item in fields(kind))}


def _check_header(header: list[str]) -> None:
    unknown = [name for name in header if name not in _known() and not name.startswith("extra.")]
    if not header or unknown:
        said = f"names no field: {', '.join(map(repr, unknown))}" if unknown else "is missing"
        raise refused(
            {"header": [f"{said}; it has op, name and the fields of a request, such as prompt, seed, sampler"]}
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise refused({"header": [f"names a field twice: {', '.join(twice)}"]})


# --- one row -----------------------------------------------------------------------------------


def _row(place: str, given: dict[Any, Any], defaults: Mapping[str, Any], folder: Path, *, as_text: bool) -> Row:
    odd = next((name for name in given if not isinstance(name, str)), None)
    if odd is not None:
        raise refused({"row": [f"must have texts for names, not {shown(odd)}"]})
    op, name = given.pop("op", defaults.get("op", "text2img")), given.pop("name", defaults.get("name"))
    if not isinstance(op, str) or op not in KINDS:
        raise refused({"op": [f"must be one of {', '.join(KINDS)}, not {shown(op)}"]})
    _check_name(name)
    kind = KINDS[op]
    given = {**_values(kind, _fitting(kind, defaults)), **(_values(kind, given) if as_text else given)}
    for field, (_, rule) in spec_fields(kind).items():
        value = given.get(field)
        if rule.kind == "image" and isinstance(value, str) and not value.lower().startswith(("http://", "https://")):
            given[field] = str(folder / value)
    return Row(place=place, name=None if name is None else str(name), request=kind(**given))


def _check_name(name: Any) -> None:
    is_number = isinstance(name, int) and not isinstance(name, bool) and abs(name) < HUGE
    is_text = isinstance(name, str) and len(name) <= LONGEST_NAME and "\0" not in name and not _SURROGATE.search(name)
    if not (name is None or is_number or is_text):
        raise refused({"name": [f"must be a text of at most {LONGEST_NAME} characters, not {shown(name)}"]})


def _fitting(kind: type[Request], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults without those that are fields of other operations alone."""
    own = {item.name for item in fields(kind)}
    others = {item.name for other in KINDS.values() for item in fields(other)} - own
    return {name: value for name, value in defaults.items() if name not in others and name not in _OWN}


def _values(kind: type[Request], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the texts of a CSV row as values of their fields; what fits no field is left for the check to name."""
    known = spec_fields(kind)
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name.startswith("extra.") or name == "extra":
            values.setdefault("extra", {}).update(_extra(name, text))
        elif not isinstance(text, str) or name not in known:
            values[name] = text
        else:
            values[name] = _value(known[name][1].kind, text.strip() if known[name][1].kind != "text" else text)
    return values


def _value(kind: str, text: str) -> Any:
    try:
        if kind == "integer":
            return int(text)
        if kind == "number":
            return float(text)
    except ValueError:
        return text
    return _FLAGS.get(text.lower(), text) if kind == "flag" else text


def _extra(name: str, text: Any) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        value = text
    if name != "extra":
        return {name.removeprefix("extra."): value}
    if not isinstance(value, dict):
        raise refused({"extra": [f"must be a JSON object, not {shown(value)}; or give each as extra.NAME"]})
    return value


def _checked(row: Row | Problem, inputs: Inputs, *, strict: bool, redactor: Redactor) -> Checked | FieldErrors:
    if isinstance(row, Problem):
        return row.errors
    try:
        local = _pictures.local(row.request)
        images: dict[str, LocalImage | str] = {name: inputs.load(image) for name, image in local.items()}
        prepared = prepare(row.request, images, strict=strict)
        given = _given(row.request) | {name: inputs.keep(local[name], image) for name, image in prepared.local.items()}
        same = {name: value for name, value in _alike(row.request, given).items() if name not in prepared.digests}
        document = {"op": row.request.operation, "fields": given, "digests": dict(prepared.digests)}
        text = json.dumps(document, sort_keys=True)
    except InvalidRequestError as error:
        return error.errors
    except (TypeError, ValueError, RecursionError) as fault:
        return {"row": [f"cannot be kept as JSON: {fault}"]}
    if redactor.text(text) != text or redactor.text(row.name or "") != (row.name or ""):
        return {"row": ["holds the API key, which belongs to the environment and into no file"]}
    told = json.dumps([row.request.operation, same, dict(prepared.digests)], sort_keys=True)
    return Checked(digest=inputs.digest(told.encode()), name=row.name, document=text)


def _given(request: Request) -> dict[str, Any]:
    """Return the fields that are not at their defaults: a new default of a later version makes no row another."""
    found = {}
    for item in fields(type(request)):
        value = getattr(request, item.name)
        default = item.default.factory() if isinstance(item.default, Factory) else item.default  # type: ignore[arg-type]  # attrs' own test
        if default is NOTHING or type(value) is not type(default) or value != default:
            found[item.name] = dict(value) if isinstance(value, Mapping) else value
    return found


def _alike(request: Request, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields so that the same numbers are the same texts: 7 and 7.0 ask for the same image."""
    known = spec_fields(type(request))
    numbers = {name for name, (_, rule) in known.items() if rule.kind == "number"}
    return {name: float(value) if name in numbers and type(value) is int else value for name, value in given.items()}


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} is given twice")
    return dict(pairs)


def opened(path: Path) -> io.TextIOWrapper:
    """Open a file of rows as text. Raises `InvalidRequestError` for one that cannot be read."""
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except (OSError, ValueError) as fault:
        raise refused({"input": [f"{str(path)!r} cannot be read ({fault})"]}) from None
