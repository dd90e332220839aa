"""One HTTP call at a time, blocking: sends what a flow asks for, and saves what it names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import httpx
from attrs import evolve

from modelslab_pony import _disk, _http
from modelslab_pony._addresses import MOST_HOPS, Guard
from modelslab_pony._connections import OwnClient
from modelslab_pony._settings import Settings
from modelslab_pony._steps import Lost, Reply, Save, Saved, Send, Unsaved
from modelslab_pony._watch import Watch, limited
from modelslab_pony.errors import PonyError


class Calls:
    """Carries out steps with an `httpx.Client`, `most` at once."""

    def __init__(
        self, client: httpx.Client, settings: Settings, limits: _http.Limits, most: int, now: Callable[[], float]
    ) -> None:
        self._client, self._settings, self._limits, self._now = client, settings, limits, now
        self._own = client if isinstance(client, OwnClient) else None
        self._phases = limits.phases.as_dict()
        self._guard = Guard(settings.base_url)
        self.gate = threading.BoundedSemaphore(most)

    def send(self, step: Send) -> Reply | Lost:
        """Call an operation of the spec."""
        answer, asked, waited = _http.Incoming(), self._now(), 0.0
        if not self.gate.acquire(timeout=_http.within(step.until - asked)):
            return _http.crowded(self._now(), self._now() - asked)
        try:
            waited = self._now() - asked
            _http.check_open(self._client)
            with limited(self._limits.of(step)):
                self._receive(step, answer)
        except PonyError:
            raise
        except _http.SEND_FAULTS as fault:
            return answer.broken(self._now(), waited, fault, self._settings)
        except BaseException as fault:  # noqa: BLE001 - it is raised again
            raise _http.without_frames(fault)  # noqa: B904 - it is the same one
        finally:
            self.gate.release()
        return answer.reply(self._now(), waited, self._settings)

    def save(self, step: Save) -> Saved | Unsaved:
        """Download a file."""
        sink, asked = None, self._now()
        with self.gate:
            waited = self._now() - asked
            _http.check_open(self._client)
            try:
                sink = _disk.open_sink(step)
                with limited(self._limits.of(step)):
                    suffix = self._fetch(step, sink)
                path, content = sink.commit(suffix)
            except _http.SAVE_FAULTS as fault:
                return evolve(_http.unsaved(self._now(), fault, self._settings), waited=waited)
            finally:
                if sink is not None:
                    sink.discard()
        return Saved(at=self._now(), path=path, content=content)

    def _receive(self, step: Send, answer: _http.Incoming) -> None:
        limit = self._limits.of(step)
        until = self._now() + limit
        met: list[tuple[str, str]] = []
        watch = answer.watch = Watch(lambda *place: met.append(place))
        extensions = {"timeout": self._phases, "trace": watch.blocking}
        request = _http.request(self._client, step, self._settings, extensions)
        answer.sending()
        response = self._sent(request, watch, direct=True)
        try:
            for place in met:  # only one that answered, behind the checks of TLS, is the service
                self._guard.met(*place)
            answer.begin(response.status_code, response.headers, _http.encoding(response))
            for piece in _pieces(response, is_own=self._own is not None):
                if answer.take(piece):
                    break
                if self._now() > until:
                    raise _http.too_slow(limit)
            answer.end()
        finally:
            response.close()

    def _fetch(self, step: Save, sink: _disk.Sink) -> str:
        """Follow a URL to a picture, and give that to the sink; return its suffix."""
        limit = self._limits.of(step)
        until = self._now() + limit
        url = step.url
        for _ in range(MOST_HOPS + 1):
            self._guard.check(url)
            request, options = _http.picture_request(self._client, url, self._guard, self._limits.phases)
            watch = Watch(partial(self._guard.check_peer, url))
            request.extensions["trace"] = watch.blocking
            response = self._sent(request, watch, **options)
            try:
                elsewhere = _http.next_place(response)
                if elsewhere is None:
                    landing = _http.Landing(response, step.max_bytes, sink)
                    for piece in _pieces(response):
                        landing.take(piece)
                        if self._now() > until:
                            raise _http.too_slow(limit)
                    return landing.end()
                url = elsewhere
            finally:
                response.close()
        raise _http.lost_way()

    def _sent(self, request: httpx.Request, watch: Watch, *, direct: bool = False, **options: Any) -> httpx.Response:
        try:
            transport = self._own.shortcut() if direct and self._own is not None else None
            if transport is not None:
                return transport.handle_request(request)
            return self._client.send(request, stream=True, follow_redirects=False, **options)
        except BaseException:
            if watch.is_opening and watch.opened is not None:
                watch.opened.close()
            raise


def _pieces(response: httpx.Response, *, is_own: bool = False) -> Iterable[bytes]:
    """Return the content as it came; what a caller's own transport gave whole has been read already."""
    if is_own and not response.is_stream_consumed and isinstance(response.stream, httpx.SyncByteStream):
        return response.stream  # past what httpx counts on the way
    return [response.content] if response.is_stream_consumed else response.iter_raw()
