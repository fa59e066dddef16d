"""One client at work: its connection is opened, run, and opened again after it failed."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from application.connectors.connector_type import ClientSettings, Connection, ConnectorType, OutageError, RefusedError
from application.connectors.pace import Pace, jittered
from application.connectors.recorded_line import RecordedLine
from application.connectors.recorder import Recorder
from application.connectors.records import ClientRecord, SealBrokenError
from application.connectors.types import ConnectorTypes
from application.ports import LogUnavailableError
from domain.connectors.client import ClientNotFoundError

log = logging.getLogger("tidemark.connectors")


class _Failure(NamedTuple):
    reason: str
    is_final: bool = False


class RunningClient:
    """`await running.run()` in a task, cancelled to stop; it ends by itself when the client is gone."""

    def __init__(self, record: ClientRecord, types: ConnectorTypes, recorder: Recorder, pace: Pace) -> None:
        self._record = record
        self._types = types
        self._recorder = recorder
        self._pace = pace
        self.connection: Connection | None = None
        """The one that runs now."""

    async def run(self) -> None:
        while True:
            try:
                await self._run()
                return
            except ClientNotFoundError:
                return
            except Exception as defect:  # noqa: BLE001  # a fault concerns the one client, and may pass
                log.error("client %s failed: %s", self._record.id, described(defect))
                await asyncio.sleep(self._pace.retry_most)

    async def _run(self) -> None:
        opened = await self._opened()
        if opened is None:
            return
        connector, settings = opened
        line = self._line(settings.things)
        await line.resumed("it is run by another process than before")
        pace = self._pace_of(settings)
        failures, delays = 0, pace.retries()
        while True:
            before = line.successes
            failure = await self._connect(connector, settings, line, pace)
            if line.successes > before:
                failures, delays = 0, pace.retries()
            failures += 1
            delay = next(delays)
            await line.lost()
            if failure.is_final or failures >= pace.max_failures:
                await line.failed(failure.reason)
                delay = jittered(pace.retry_most)
            await asyncio.sleep(delay)

    async def _opened(self) -> tuple[ConnectorType, ClientSettings] | None:
        """Its type and settings, waited for if need be. None when its instance is gone, and so is it."""
        line = None
        while True:
            reason = "there is no connector of its type any more"
            try:
                connector = await self._types.find(self._record.type_id)
                settings = await self._types.client_settings(self._record)
                if settings is None:
                    return None
                if connector is not None:
                    return connector, settings
            except LogUnavailableError:
                await asyncio.sleep(self._pace.retry_first)
                continue
            except SealBrokenError as broken:
                reason = str(broken)
            line = line or self._line(())
            await line.failed(reason)
            await asyncio.sleep(self._pace.retry_most)

    async def _connect(
        self, connector: ConnectorType, settings: ClientSettings, line: RecordedLine, pace: Pace
    ) -> _Failure:
        """Runs one connection to its end."""
        limit = asyncio.timeout(pace.start_within)
        try:
            async with limit:
                line.on_word = lambda: _lift(limit)
                self.connection = connector.open(settings, line)
                await self.connection.run()
            return _Failure("the connection ended")
        except ClientNotFoundError:
            raise
        except RefusedError as refused:
            return _Failure(str(refused) or "the other side refused", is_final=True)
        except OutageError as outage:
            return _Failure(str(outage) or "the other side cannot be reached")
        except Exception as defect:  # noqa: BLE001  # a fault in a type concerns the one client; it is tried again
            if limit.expired():
                return _Failure(f"the other side was not reached within {pace.start_within:g} s")
            # Not the message, which may hold what the other side said or where it is.
            log.warning("the connection of client %s failed: %s", self._record.id, described(defect))
            return _Failure(f"the connector failed ({type(defect).__name__})")
        finally:
            line.on_word = lambda: None
            self.connection = None

    def _line(self, things: Collection[str]) -> RecordedLine:
        return RecordedLine(self._record.id, things, self._recorder, self._record.status)

    def _pace_of(self, settings: ClientSettings) -> Pace:
        """A type may declare `start_timeout_s` and `max_failures` as settings."""
        told: Mapping[str, Any] = {**settings.instance.settings, **settings.settings}
        return self._pace._replace(
            start_within=told.get("start_timeout_s", self._pace.start_within),
            max_failures=max(1, int(told.get("max_failures", self._pace.max_failures))),
        )


def described(defect: BaseException) -> str:
    """The kind of an exception and where it was raised."""
    trace = defect.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" in {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{type(defect).__name__}{place}"


def _lift(limit: asyncio.Timeout) -> None:
    with suppress(RuntimeError):  # it has struck already
        limit.reschedule(None)
