"""The door of a server: open, or closed for a while because a refusal is next in line."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import socket
from typing import TYPE_CHECKING
from weakref import WeakSet

from modelslab_pony.testing._script import Faults
from modelslab_pony.testing._wire import Protocol

if TYPE_CHECKING:
    import uvicorn

HOST = "127.0.0.1"
"""Where the simulator listens: this machine alone."""
ROUNDS = 100
"""Of the event loop, within which connections that were closed are gone."""
LIMIT = 10.0
"""Seconds that a change of the faults, made in another thread, waits for the door."""


def reserve(port: int = 0) -> socket.socket:
    """Return a socket that holds a port of this machine, and does not listen yet: who knocks is refused."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # asyncio sets this only for sockets that name their protocol; without it each answer waits
        # 40 ms for the client to acknowledge the headers. Accepted sockets inherit it.
        held.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held.bind((HOST, port))
    except OSError:
        held.close()
        raise
    return held


_SERVING: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
"""The loops that serve a simulator: were each to wait for the other's door, neither would move."""


class Door:
    """Keeps a server listening, or not, as its faults want it."""

    def __init__(self, server: uvicorn.Server, faults: Faults, port: int) -> None:
        self._server = server
        self._faults = faults
        self._port = port
        self._held: socket.socket | None = None
        """The port, while nobody listens."""
        self._opens_at: asyncio.TimerHandle | None = None
        self._moving = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[bool]] = set()

    async def attend(self) -> None:
        """Follow the faults from now on."""
        self._loop = asyncio.get_running_loop()
        _SERVING.add(self._loop)
        self._faults.doors.append(self._faults_changed)
        await self.settle()

    async def leave(self) -> None:
        """Follow them no more."""
        async with self._moving:
            self._loop = None
            self._faults.doors.remove(self._faults_changed)
            if self._opens_at is not None:
                self._opens_at.cancel()
            if self._held is not None:
                self._held.close()
            await self._stop_accepting()

    async def settle(self) -> bool:
        """Open or close as the faults want it; return whether it is closed."""
        async with self._moving:
            refusal = self._faults.refusal()
            if self._loop is not None and refusal is not None and self._held is None:
                self._opens_at = self._loop.call_later(refusal.seconds, self._time_is_up)
                await self._close()
            elif self._loop is not None and refusal is None and self._held is not None:
                await self._open(self._held)
            return self._held is not None

    def _faults_changed(self) -> None:
        """Return when the door is as it has to be; a loop that serves cannot wait, and has it so soon after."""
        loop = self._loop
        if loop is None:
            return
        with contextlib.suppress(concurrent.futures.CancelledError):  # the server has just ended
            if asyncio._get_running_loop() in _SERVING:  # noqa: SLF001 - the one way to ask without an exception
                loop.call_soon_threadsafe(self._settle_soon)
            else:
                asyncio.run_coroutine_threadsafe(self.settle(), loop).result(LIMIT)

    def _settle_soon(self) -> None:
        task = asyncio.get_running_loop().create_task(self.settle())
        self._tasks.add(task)  # the loop itself keeps no hold of it
        task.add_done_callback(self._tasks.discard)

    def _time_is_up(self) -> None:
        self._faults.take_refusal()
        refusal = self._faults.refusal()
        if self._loop is not None and refusal is not None:
            self._opens_at = self._loop.call_later(refusal.seconds, self._time_is_up)

    async def _stop_accepting(self) -> None:
        """Take no connection any more; those that were just taken get their transport first.

        asyncio loses a connection whose server is closed between the two (CPython issue 109564).
        """
        loop = asyncio.get_running_loop()
        for listener in self._server.servers:
            for listening in listener.sockets:
                loop.remove_reader(listening.fileno())
        for _ in range(3):
            await asyncio.sleep(0)

    async def _close(self) -> None:
        await self._stop_accepting()
        for listener in self._server.servers:
            listener.close()
        self._server.servers.clear()
        self._held = reserve(self._port)
        # Nobody else may take it. A listening socket shares its address with the remains of old connections.
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        connections = list(self._server.server_state.connections)
        for connection in connections:
            connection.shutdown()
        for _ in range(ROUNDS):  # an idle connection has to be gone before the next request takes it
            if not any(connection.transport.is_closing() for connection in self._server.server_state.connections):
                break
            await asyncio.sleep(0)

    async def _open(self, held: socket.socket) -> None:
        if self._opens_at is not None:
            self._opens_at.cancel()
            self._opens_at = None

        def speak() -> Protocol:
            return Protocol(config=self._server.config, server_state=self._server.server_state, app_state={})

        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._server.servers.append(await asyncio.get_running_loop().create_server(speak, sock=held))
        self._held = None
