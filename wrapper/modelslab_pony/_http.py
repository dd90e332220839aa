"""What both shells need of httpx, and httpx's words turned into ours."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import threading
import traceback
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
from attrs import frozen

from modelslab_pony._addresses import MOST_HOPS, Guard
from modelslab_pony._aiohttp_faults import was_connected
from modelslab_pony._classify import is_whole_object
from modelslab_pony._connections import OWN_HEADERS, USER_AGENT, OwnAsyncClient, OwnClient
from modelslab_pony._disk import DiskError, Sink
from modelslab_pony._encodings import ACCEPTED, PLAIN, Decoder
from modelslab_pony._files import Arrival, NotAnImageError, check_status
from modelslab_pony._rules import shown
from modelslab_pony._settings import Settings, closed, is_number
from modelslab_pony._steps import Lost, Reply, Save, Send, Unsaved
from modelslab_pony._watch import Watch
from modelslab_pony.errors import ConfigurationError, InvalidRequestError

C = TypeVar("C", httpx.Client, httpx.AsyncClient)
FaultT = TypeVar("FaultT", bound=BaseException)

LONGEST_CONNECT = 10.0
"""Seconds, unless somebody wants it otherwise: a name may have several addresses, each tried as long."""
DEFAULT_TIMEOUT = httpx.Timeout(120.0, connect=LONGEST_CONNECT)
"""Seconds. Generous for reading: a generation POST that times out is one nobody can account for."""
DEFAULT_DOWNLOAD = 300.0
"""Seconds for one download, if no other limit is set."""
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""An answer is a few kilobytes of JSON; what lies beyond this is not read."""

# With these the request never reached the other side: no connection, or none was to be had. Faults of a URL are
# not among them: httpx also raises those for a redirect in the answer, which it is not even to follow.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
# httpx lets some faults of others through: ValueError of idna for a redirect's host, RuntimeError
# of a client that was closed meanwhile, OSError of a caller's own transport.
SEND_FAULTS = (httpx.HTTPError, httpx.InvalidURL, RuntimeError, ValueError, OSError)
SAVE_FAULTS = (*SEND_FAULTS, NotAnImageError, DiskError)


# --- clients and their limits ----------------------------------------------------------------


@frozen(kw_only=True)
class Limits:
    """How long one HTTP call may take, in seconds."""

    phases: httpx.Timeout
    """To connect, to send, each read, and for a connection of the pool."""
    answer: float
    """All of a call of the API."""
    download: float
    """All of a download."""

    def of(self, step: Send | Save) -> float:
        """Return the seconds that a step may take."""
        return min(self.answer if isinstance(step, Send) else self.download, step.within)


def check_open(client: httpx.Client | httpx.AsyncClient) -> None:
    """Refuse a call on a client that was closed."""
    if client.is_closed:
        raise closed()


def limits(timeout: float | httpx.Timeout | None, given: httpx.Client | httpx.AsyncClient | None) -> Limits:
    """Return the limits of each call; a caller's own client keeps its own where no others are set.

    Raises `ConfigurationError`: a bad one would only be found while the paid call is under way.
    """
    is_default = timeout is None
    if timeout is None:
        timeout = DEFAULT_TIMEOUT if given is None else given.timeout
    numbers = timeout.as_dict().values() if isinstance(timeout, httpx.Timeout) else [timeout]
    if not all(phase is None or (is_number(phase) and 0 < phase < threading.TIMEOUT_MAX) for phase in numbers):
        message = f"timeout must be a number of seconds above 0 or an httpx.Timeout of such, not {shown(timeout)}"
        raise ConfigurationError(message)
    if isinstance(timeout, httpx.Timeout):
        whole = _whole(timeout)
        return Limits(phases=timeout, answer=whole, download=max(whole, DEFAULT_DOWNLOAD) if is_default else whole)
    phases = httpx.Timeout(timeout, connect=min(timeout, LONGEST_CONNECT))
    return Limits(phases=phases, answer=timeout, download=timeout)


def _whole(phases: httpx.Timeout) -> float:
    """Return the limit of a whole call that has limits for its phases only: to connect, and to read once."""
    return math.inf if phases.connect is None or phases.read is None else phases.connect + phases.read


def within(seconds: float) -> float | None:
    """Return how long to wait for a lock: at least a moment, so that a free one is taken; None for no limit."""
    return None if seconds > threading.TIMEOUT_MAX else max(seconds, 0.001)


def checked_client(given: object, kind: type[C], name: str) -> C | None:
    """Return the caller's own client. Raises `ConfigurationError` for one of the other colour."""
    if given is None or isinstance(given, kind):
        return given
    raise ConfigurationError(f"http_client must be an httpx.{kind.__name__} for {name}, not {type(given).__name__}")


# --- a call of the API -----------------------------------------------------------------------


def request(
    client: httpx.Client | httpx.AsyncClient, step: Send, settings: Settings, extensions: dict[str, Any]
) -> httpx.Request:
    """Return a call as httpx sends it."""
    call = written(step, settings)
    if isinstance(client, OwnClient | OwnAsyncClient):
        return _as_ours(call, extensions)
    return _as_theirs(client, {**call, "extensions": extensions})


def written(step: Send, settings: Settings) -> dict[str, Any]:
    """Return method, URL, content and headers of a call. Only here is the key put into it."""
    call = _written(step, settings)
    if call is None:
        raise InvalidRequestError("the request cannot be written as JSON. Nothing was sent.")
    return call


def _written(step: Send, settings: Settings) -> dict[str, Any] | None:
    """Return what goes over the wire; None and no error, whose traceback would show it."""
    # The generated client is imported by the first call: it takes as long as a third of httpx.
    from modelslab_pony import _raw  # noqa: PLC0415 - the first call pays for it

    try:
        call = _raw.encode(step.operation, step.fields, settings.key)
        content = _encode(call["json"]).encode()
    except (TypeError, ValueError, RecursionError):
        return None
    url = settings.url(call["server"], call["url"])
    return {"method": call["method"].upper(), "url": url, "content": content, "headers": call["headers"]}


_encode = json.JSONEncoder(allow_nan=False).encode
"""Made once: `json.dumps` makes one for each call that is not quite as usual."""
_url = functools.lru_cache(maxsize=64)(httpx.URL)
"""Taking one apart costs as much as writing the body."""


def _as_ours(call: dict[str, Any], extensions: dict[str, Any]) -> httpx.Request:
    """Return a call's request; httpx takes three times as long to find out the same headers."""
    url, content = _url(call["url"]), call["content"]
    headers = {"Host": url.netloc, **OWN_HEADERS, **call["headers"], "Content-Length": str(len(content))}
    body = httpx.ByteStream(content)
    request = httpx.Request(call["method"], url, headers=headers, stream=body, extensions=extensions)
    request.read()
    return request


def _as_theirs(client: httpx.Client | httpx.AsyncClient, call: dict[str, Any]) -> httpx.Request:
    """Return a call's request as a caller's own client builds it."""
    call["headers"] = {**call["headers"], "Accept-Encoding": ACCEPTED}
    try:
        return client.build_request(**call)
    except UnicodeError:
        # An answer may set a cookie that no header can hold, which would fail each call from then on.
        client.cookies.clear()
        return client.build_request(**call)


class Incoming:
    """An answer of the API as it arrives."""

    def __init__(self) -> None:
        self._is_sent = False
        self._status_code = 0
        self._headers: Mapping[str, str] = {}
        self._decoder = PLAIN
        self._body = bytearray()
        self.watch: Watch | None = None

    def sending(self) -> None:
        """Note that from here on the request may reach the other side."""
        self._is_sent = True

    def begin(self, status_code: int, headers: Mapping[str, str], encoding: str) -> None:
        """Take the head of an answer. Raises `EncodingError`."""
        self._status_code, self._headers = status_code, headers
        self._decoder = Decoder(encoding) if encoding else PLAIN

    def take(self, piece: bytes) -> bool:
        """Take the next bytes as they came; tell whether that is more than an answer has."""
        for content in self._decoder.feed(piece):
            self._body += content
            if len(self._body) > MAX_ANSWER_BYTES:
                return True
        return False

    def end(self) -> None:
        """Raise `EncodingError` if the answer is not whole."""
        if len(self._body) <= MAX_ANSWER_BYTES:
            self._decoder.end()

    def reply(self, at: float, waited: float, settings: Settings) -> Reply:
        """Return the answer, without the key should the service have repeated it."""
        clean = settings.redactor.body(bytes(self._body))
        return Reply(at=at, status_code=self._status_code, headers=self._headers, body=clean, waited=waited)

    def broken(self, at: float, waited: float, fault: Exception, settings: Settings) -> Reply | Lost:
        """Return what a fault of the transport means.

        A JSON object says itself where it ends: one that came whole is an answer, whatever became of the
        connection after it. Otherwise the fault's words are kept; the fault itself holds the request.
        """
        if is_whole_object(bytes(self._body)):
            return self.reply(at, waited, settings)
        is_opening = self.watch is not None and self.watch.is_opening
        is_sent = self._is_sent and not is_opening and not _was_not_sent(fault)
        return Lost(at=at, reason=settings.redactor.text(_reason(fault)), sent=is_sent, waited=waited)


def _was_not_sent(fault: Exception) -> bool:
    return isinstance(fault, _NOT_SENT) and not (fault.__cause__ is not None and was_connected(fault.__cause__))


def encoding(response: httpx.Response) -> str:
    """Return what an answer is encoded as; one that httpx has read already is plain."""
    return "" if response.is_stream_consumed else response.headers.get("content-encoding", "")


def crowded(at: float, waited: float) -> Lost:
    """Return what it means that no call could begin in time."""
    return Lost(at=at, reason="too many calls were under way; see max_in_flight", sent=False, waited=waited)


def too_slow(seconds: float) -> httpx.ReadTimeout:
    """Return the fault of a call that came in pieces and took too long as a whole."""
    return httpx.ReadTimeout(f"the whole call took more than {seconds:g} s")


def without_frames(fault: FaultT) -> FaultT:
    """Return what ended a call, without the frames below: their variables hold the request, and with it the key.

    What Ctrl-C or a caller's own hook broke off is shown in tracebacks, with locals in many tools.
    Where it happened stays as a note.
    """
    if isinstance(fault, Exception):
        places = traceback.extract_tb(fault.__traceback__)
        lines = "".join(f"\n  {place.filename}:{place.lineno} in {place.name}" for place in places)
        with contextlib.suppress(Exception):  # an exception of the caller's may take no notes
            fault.add_note(f"raised while a request was under way, at:{lines}")
    seen: set[int] = set()
    waiting: list[BaseException | None] = [fault]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            BaseException.with_traceback(one, None)  # set past what a frozen exception refuses
            waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return fault


# --- a download ------------------------------------------------------------------------------


def picture_request(
    client: httpx.Client | httpx.AsyncClient, url: str, guard: Guard, phases: httpx.Timeout
) -> tuple[httpx.Request, dict[str, Any]]:
    """Return a download's request and the options that it is sent with.

    Another host gets nothing that a caller's own client adds for the service: headers, cookies, a login.
    """
    # Pictures are compressed already; asked for plainly, they come with a length.
    headers = {"Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}
    if guard.is_base(url):
        return client.build_request("GET", url, headers=headers, timeout=phases), {}
    headers["User-Agent"] = client.headers.get("user-agent", USER_AGENT)
    return httpx.Request("GET", url, headers=headers, extensions={"timeout": phases.as_dict()}), {"auth": None}


def lost_way() -> NotAnImageError:
    """Return the fault of a download that is sent on and on."""
    reason = f"more than {MOST_HOPS} redirects"
    return NotAnImageError(reason, again=False)


def next_place(response: httpx.Response) -> str | None:
    """Return where a download is said to be instead. Raises what httpx raises for what is no URL."""
    if not response.has_redirect_location:
        return None
    return str(response.url.join(response.headers["location"]))


def unsaved(at: float, fault: Exception, settings: Settings) -> Unsaved:
    """Return what a fault of a download means."""
    if isinstance(fault, NotAnImageError):
        return Unsaved(at=at, reason=settings.redactor.text(str(fault)), again=fault.again)
    if isinstance(fault, DiskError):
        return Unsaved(at=at, reason=str(fault), again=False, local=True)
    reason = settings.redactor.text(_reason(fault))
    return Unsaved(at=at, reason=reason, again=isinstance(fault, httpx.TransportError | OSError))


class Landing:
    """A picture as it arrives, on its way to where it goes."""

    def __init__(self, response: httpx.Response, max_bytes: int, sink: Sink) -> None:
        check_status(response.status_code)
        self._decoder = Decoder(encoding(response))
        # A compressed one announces no useful length.
        is_encoded = response.headers.get("content-encoding", "identity") != "identity"
        announced = None if is_encoded else response.headers.get("content-length")
        self._arrival = Arrival(max_bytes, announced)
        self._sink = sink

    def take(self, piece: bytes) -> None:
        """Take the next bytes as they came. Raises as soon as they cannot be kept."""
        for content in self._decoder.feed(piece):
            self._arrival.add(content)
            self._sink.write(content)

    def end(self) -> str:
        """Return the file suffix of what arrived. Raises if it is not whole."""
        self._decoder.end()
        return self._arrival.end()


def _reason(fault: Exception) -> str:
    said = " ".join(str(fault).split())
    return f"{type(fault).__name__}: {said}" if said else type(fault).__name__
