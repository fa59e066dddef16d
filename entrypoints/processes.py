"""The two processes of production, `serve` and `worker`: from settings to the exit status."""

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

import uvicorn
import uvloop

from adapters.websocket import protocol
from adapters.websocket.protocol import DeviceProtocol
from entrypoints import composition
from entrypoints.garbage import collect_rarely
from entrypoints.http_protocol import HttpProtocol
from entrypoints.listeners import api_apps, worker_app
from entrypoints.operations.pages import App
from entrypoints.settings import Settings
from entrypoints.sockets import LISTENERS, WORKER, handed_down, listening_socket

logger = logging.getLogger("tidemark.process")

LOOPBACK = "127.0.0.1"
KEEP_ALIVE_SECONDS = 65


def serve(settings: Settings) -> int:
    """Runs the API until SIGTERM. Raises PortTakenError before anything is started."""
    sockets = {
        listener.name: handed_down(settings.sockets, listener.name)
        or listening_socket(settings.host, getattr(settings, listener.setting), listener.purpose, listener.flag)
        for listener in LISTENERS
    }
    return _run(lambda: _serve(settings, sockets))


def work(settings: Settings) -> int:
    """Runs the worker until SIGTERM. Raises PortTakenError before anything is started."""
    own = handed_down(settings.sockets, WORKER.name)
    if own is None and settings.worker_port:
        own = listening_socket(LOOPBACK, settings.worker_port, WORKER.purpose, WORKER.flag)
    return _run(lambda: _work(settings, own))


async def _serve(settings: Settings, sockets: Mapping[str, socket.socket]) -> int:
    signals = _Signals()
    async with composition.api(settings, signals.first) as api:
        async with asyncio.TaskGroup() as servers:
            for name, app in api_apps(api).items():
                server = _Server(app, settings.drain_timeout)
                signals.tell(server)
                servers.create_task(server.serve([sockets[name]]), name=name)
            collect_rarely()
            logger.info("serving")
        logger.info("no more requests, committing what was accepted")
    logger.info("stopped")
    return 0


async def _work(settings: Settings, own: socket.socket | None) -> int:
    signals = _Signals()
    async with composition.worker(settings) as worker:
        tasks = [asyncio.create_task(_for_ever(run), name=name) for name, run in worker.tasks.items()]
        server = _Server(worker_app(worker), 1.0)
        serving = asyncio.create_task(server.serve([own])) if own else None
        collect_rarely()
        logger.info("working: %s", ", ".join(worker.tasks))
        waiting = asyncio.create_task(signals.first.wait())
        ended, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in (waiting, *tasks):
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        server.should_exit = True
        if serving:
            await serving
    for task, outcome in zip(tasks, outcomes, strict=True):
        if task in ended:
            logger.error("%s ended", task.get_name(), exc_info=outcome if isinstance(outcome, Exception) else None)
    logger.info("stopped")
    return 0 if waiting in ended else 1


async def _for_ever(run: Callable[[], Awaitable[None]]) -> None:
    await run()


def _run(main: Callable[[], Awaitable[int]]) -> int:
    async def run() -> int:
        return await main()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


class _Signals:
    """SIGTERM and Ctrl-C: the first asks everybody to finish, the second not to wait for that."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self._servers: list[_Server] = []
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)

    def tell(self, server: "_Server") -> None:
        self._servers.append(server)

    def _stop(self) -> None:
        for server in self._servers:
            server.force_exit = server.should_exit
            server.should_exit = True
        self.first.set()


class _Server(uvicorn.Server):
    """One of several in this process, which has the signals to itself."""

    def __init__(self, app: App, drain_seconds: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=HttpProtocol,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(1, round(drain_seconds)),
                ws=DeviceProtocol,
                **protocol.SETTINGS,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
