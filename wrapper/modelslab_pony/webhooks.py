"""Webhooks: `parse` reads one, `Receiver` takes them and hands on what the service confirms.

The service signs nothing, so a post proves nothing, whoever sent it. It is a hint to ask about a
job. `Receiver` needs the extra `modelslab-pony[webhooks]`; `parse` and `new_token` do not.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import frozen

from modelslab_pony._addresses import is_this_machine
from modelslab_pony._rules import is_url, shown
from modelslab_pony._settings import is_number
from modelslab_pony._shapes import job_id
from modelslab_pony._webhook import MAX_BODY, WebhookEvent, one_type, parse
from modelslab_pony.async_client import AsyncPonyClient
from modelslab_pony.errors import (
    ConfigurationError,
    GenerationFailed,
    InvalidWebhookError,
    JobId,
    MissingExtraError,
    NotFoundError,
    PonyError,
)
from modelslab_pony.results import AsyncJobStatus

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

__all__ = ["MAX_BODY", "Receiver", "WebhookEvent", "new_token", "parse"]

BODY_LIMIT = 10.0
"""Seconds that a body may take to arrive."""
AT_ONCE = 8
"""Jobs that are asked about at the same time; others wait their turn."""
MOST_INSIDE = 64
"""Posts with the right token that are under way; more are told to come again."""
RETRY_AFTER = 30
"""Seconds after which a post is welcome again."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,256}", re.ASCII)
_WORDS = {
    200: "ok",
    400: "no webhook",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "too slow",
    413: "too large",
    500: "not handled",
    503: "not now",
}
_log = logging.getLogger("modelslab_pony.webhooks")

OnDone = Callable[[AsyncJobStatus], object]


def new_token() -> str:
    """Return a token that nobody can guess (256 bits). Keep it: it is part of the address."""
    return secrets.token_urlsafe(32)


class Receiver:
    """An ASGI application that takes webhooks, to be mounted or served by itself.

    `on_done(status)` is told of the end of a job, as the service states it when it is asked: with
    `status.generation`, or failed. A coroutine function is awaited, another one called in a thread.
    Nothing that was posted reaches it. It should be quick, since the vendor waits 30 s for an
    answer: put the status into a queue.

    - The address holds the `token`; any other is a 404, before the body is read.
    - A post that claims an end has the job looked up, within `timeout` seconds (above 0), through `pony`: the
      key goes to the service, as ever. What cannot be told yet is answered 503 and is not
      remembered, so a repeat is welcome; 404 is a job that the account does not have.
    - The same end of a job is handled once. Repeats are answered 200, one that comes meanwhile waits
      for the first. If `on_done` raises, the answer is 500 and a repeat is handled. `remember` is how
      many jobs this object remembers; another process, or a later one, knows nothing of them, so let
      `on_done` do no harm when it is called twice. `max_body` is in bytes, at most 1 MiB.

    Who does not know the token can do nothing but get a 404. Who knows it (it stands in the access
    logs of servers and proxies) can have this account's jobs asked about, at most 8 at a time; can have
    `on_done` told the truth about a job that this process has not handled, an old one too, so look
    the id up among your own (one that is new to you may be what became of a `SubmissionUnknown`:
    keep it); and can keep real posts out for as long as he floods. He cannot make
    anything up. Webhooks are best effort: whatever is not told here, `pony.job(id).wait()` finds.
    """

    def __init__(
        self,
        pony: AsyncPonyClient,
        on_done: OnDone,
        *,
        token: str,
        timeout: float = 20.0,
        max_body: int = MAX_BODY,
        remember: int = 10_000,
    ) -> None:
        """Raises `ConfigurationError` for a token that could be guessed, another bad argument; `MissingExtraError`."""
        if not isinstance(pony, AsyncPonyClient):
            raise ConfigurationError(f"pony must be an AsyncPonyClient, not {type(pony).__name__}")
        if not callable(on_done):
            raise ConfigurationError(f"on_done must be a function of one AsyncJobStatus, not {shown(on_done)}")
        if not is_number(timeout) or timeout <= 0:
            raise ConfigurationError(f"timeout must be a number of seconds above 0, not {shown(timeout)}")
        self._pony = pony
        self._on_done = on_done
        self._token = _checked_token(token)
        self._timeout = timeout
        self._max_body = _count("max_body", max_body, MAX_BODY)
        self._remember = _count("remember", remember, 10**9)
        self._handled: OrderedDict[str, str] = OrderedDict()
        """How each job ended that was handled, the latest last."""
        self._running: dict[str, asyncio.Future[int | None]] = {}
        """The jobs that are looked into, and what will be answered; None if nobody got that far."""
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._inside = 0
        self._app = _application(self._answer)

    def __repr__(self) -> str:
        return f"<Receiver for {self._pony!r}>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request (ASGI)."""
        await self._app(scope, receive, send)

    def url(self, base: str) -> str:
        """Return the address for a request's `webhook`, from the one that the receiver is mounted at.

        Raises `ConfigurationError` for one without https; http is for this machine.
        """
        try:
            parts = urlsplit(base if is_url(base) and not set(base) & set("?#@") else "")
            scheme, host, _ = parts.scheme, parts.hostname or "", parts.port
        except ValueError:
            scheme = host = ""
        if not host:
            raise ConfigurationError("the address of a receiver has to look like https://your.host/hooks")
        if scheme != "https" and not is_this_machine(host):
            raise ConfigurationError("webhooks go to https addresses (http is for this machine only)")
        return f"{base.rstrip('/')}/{self._token}"

    # --- one request ---------------------------------------------------------------------

    async def _answer(self, request: Request) -> int:
        """Return the HTTP status that answers a request."""
        given = request.path_params["path"].encode("utf-8", "replace")
        if not secrets.compare_digest(given, self._token.encode()):
            return 404
        if request.method != "POST":
            return 405
        if self._inside >= MOST_INSIDE:
            _log.warning("too many webhooks at once: one was told to come again")
            return 503
        self._inside += 1
        try:
            body = await self._read(request)
            return body if isinstance(body, int) else await self._take(body)
        finally:
            self._inside -= 1

    async def _read(self, request: Request) -> bytes | int:
        """Return the body, or the HTTP status that refuses it. It is not unpacked, if it is packed."""
        from starlette.requests import ClientDisconnect  # noqa: PLC0415 - an extra

        stated = request.headers.get("content-length", "")
        if stated.isascii() and stated.isdigit() and (len(stated) > 15 or int(stated) > self._max_body):
            return 413
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_LIMIT), contextlib.aclosing(request.stream()) as stream:
                async for chunk in stream:
                    body += chunk
                    if len(body) > self._max_body:
                        return 413
        except TimeoutError:
            return 408
        except ClientDisconnect:
            return 400  # to nobody
        return bytes(body)

    async def _take(self, body: bytes) -> int:
        try:
            event = parse(body)
        except InvalidWebhookError:  # its words hold parts of the body
            _log.warning("a post with the right token was no webhook")
            return 400
        if event.claimed_end is None:
            return 200
        return await self._once(str(event.job_id), event.claimed_end)

    async def _once(self, job: str, claimed: str) -> int:
        """Look into a job, unless that was done; who comes while it is done gets the same answer."""
        while not self._was_handled(job, claimed):
            other = self._running.get(job)
            if other is None:
                return await self._alone(job)
            code = await asyncio.shield(other)
            if code is not None:
                return code
            # Whoever was at it was cut off: it is for us to do.
        return 200

    async def _alone(self, job: str) -> int:
        mine = self._running[job] = asyncio.get_running_loop().create_future()
        code = None
        try:
            code = await self._look(job)
        finally:
            del self._running[job]
            mine.set_result(code)
        return code

    # --- one job -------------------------------------------------------------------------

    async def _look(self, job: str) -> int:
        try:
            status = await self._ask(one_type(job))
        except NotFoundError:
            _log.warning("a webhook named job %s, which the service does not know", job)
            return 404
        except (PonyError, TimeoutError) as error:
            _log.warning("job %s of a webhook could not be confirmed: %s", job, type(error).__name__)
            return 503
        if self._was_handled(job, status.status):
            return 200
        return await self._tell(job, status)

    async def _ask(self, job: JobId) -> AsyncJobStatus:
        """Return how a job ended, in the service's own words."""
        async with asyncio.timeout(self._timeout), self._slots:
            asked = self._pony.job(job)
            status = await asked.refresh()
            if not status.done:
                told: list[AsyncJobStatus] = []
                with contextlib.suppress(GenerationFailed):  # which is told before it is raised
                    await asked.wait(self._timeout, on_update=told.append)
                status = told[-1]
        # A service that took "007" or "7x" for 7 would have one end handled under many names.
        said = job_id(status.raw.get("id"))
        if said is not None and str(said) != str(job):
            raise NotFoundError("the service answered for another job")
        return status

    async def _tell(self, job: str, status: AsyncJobStatus) -> int:
        """Call `on_done`; remember the job if it was not in vain."""
        cut_off = None
        try:
            if _is_awaited(self._on_done):
                told = self._on_done(status)
            else:
                told, cut_off = await _in_thread(self._on_done, status)
            if isinstance(told, _Raised):
                raise told.fault  # noqa: TRY301 - it was caught in a thread
            if inspect.isawaitable(told):
                await told
        except Exception:  # noqa: BLE001 - whatever an application does, the next webhook is taken
            _log.exception("on_done raised for job %s: it is told again if the webhook is repeated", job)
            code = 500
        else:
            self._handled[job] = status.status
            self._handled.move_to_end(job)
            if len(self._handled) > self._remember:
                self._handled.popitem(last=False)
            code = 200
        if cut_off is not None:
            raise cut_off
        return code

    def _was_handled(self, job: str, ending: str) -> bool:
        if self._handled.get(job) != ending:
            return False
        self._handled.move_to_end(job)
        return True


@frozen
class _Raised:
    fault: Exception


async def _in_thread(on_done: OnDone, status: AsyncJobStatus) -> tuple[object, asyncio.CancelledError | None]:
    """Call a function in a thread, which nothing can stop; return what it did, and what cut us off meanwhile."""

    def call() -> object:
        try:
            return on_done(status)
        except Exception as fault:  # noqa: BLE001 - it is raised above; a future would take no StopIteration
            return _Raised(fault)

    cut_off = None
    running = asyncio.ensure_future(asyncio.to_thread(call))
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as cancelled:
            cut_off = cancelled
    return running.result(), cut_off


def _is_awaited(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _checked_token(value: Any) -> str:
    if isinstance(value, str) and _TOKEN.fullmatch(value):
        return value
    # It is not repeated here: it may be nearly right.
    raise ConfigurationError("token must be 22 to 256 letters, digits, - and _: new_token() makes one")


def _count(name: str, value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not (1 <= value <= most):
        raise ConfigurationError(f"{name} must be an integer from 1 to {most}, not {shown(value)}")
    return value


def _application(answer: Callable[[Request], Awaitable[int]]) -> Starlette:
    """Return the application of which every path, by every method, is answered here."""
    try:
        from starlette.applications import Starlette  # noqa: PLC0415 - an extra
        from starlette.requests import Request  # noqa: PLC0415 - an extra of its own
        from starlette.routing import Route  # noqa: PLC0415 - an extra of its own
    except ModuleNotFoundError:
        raise MissingExtraError("Starlette is missing: pip install 'modelslab-pony[webhooks]'") from None

    class Door:
        """An object and no function, which Starlette would give GET alone."""

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            response = _response(await answer(Request(scope, receive)), scope.get("http_version", ""))
            await response(scope, receive, send)

    application = Starlette(routes=[Route("/{path:path}", Door())])
    application.router.redirect_slashes = False
    return application


def _response(code: int, http_version: str) -> Response:
    from starlette.responses import PlainTextResponse  # noqa: PLC0415 - an extra

    headers = {405: {"allow": "POST"}, 503: {"retry-after": str(RETRY_AFTER)}}.get(code, {})
    if code in {404, 408, 413} and http_version.startswith("1"):
        headers["connection"] = "close"  # what comes of a body that nobody wants is not read
    return PlainTextResponse(_WORDS[code], code, headers)
