"""Asks the services of connectors again for what the API did not finish: it was killed, or nobody answered."""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from application.command import Command
from application.connectors.client import AdmitClient, ClearClient, FailClient, RedirectClient
from application.connectors.connector_type import OutageError, RefusedError, Taken, asks
from application.connectors.instance import RecordInstallation
from application.connectors.pace import Pace
from application.connectors.recorder import Recorder
from application.connectors.records import ClientRecord, ConnectorRecords, InstanceRecord, SealBrokenError
from application.connectors.running_client import described
from application.connectors.types import ConnectorTypes
from application.ports import Clock, LogUnavailableError

# Services that are asked at once.
AT_ONCE: Final = 10

log = logging.getLogger("tidemark.connectors")


class Asking:
    """Is told of the clients that await somebody, and looks after them now and then. What a service was asked and how
    often it did not answer is forgotten with the process."""

    def __init__(
        self, types: ConnectorTypes, records: ConnectorRecords, recorder: Recorder, pace: Pace, clock: Clock
    ) -> None:
        self._types = types
        self._records = records
        self._recorder = recorder
        self._pace = pace
        self._clock = clock
        self._awaiting: dict[UUID, ClientRecord] = {}
        self._outages: dict[UUID, int] = {}
        self._not_before: dict[UUID, datetime] = {}

    def clear(self) -> None:
        for known in (self._awaiting, self._outages, self._not_before):
            known.clear()

    def look_at(self, record: ClientRecord) -> None:
        self._awaiting[record.id] = record

    def forget(self, client_id: UUID) -> None:
        for known in (self._awaiting, self._outages, self._not_before):
            known.pop(client_id, None)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(min(self._pace.service_within / 10, 1.0))
            now = self._clock()
            due = [record for record in self._awaiting.values() if self._is_due(record, now)]
            for start in range(0, len(due), AT_ONCE):
                await asyncio.gather(*(self._settle(record) for record in due[start : start + AT_ONCE]))

    async def run_installations(self) -> None:
        while True:
            await asyncio.sleep(self._pace.service_within)
            try:
                asked = await self._records.asked_instances()
            except LogUnavailableError:
                continue
            late = self._clock() - timedelta(seconds=self._pace.service_within)
            for record in asked:
                if record.created_at < late:
                    await self._install(record)

    def _is_due(self, record: ClientRecord, now: datetime) -> bool:
        if record.awaits == "user":
            # A service that wants something else of its user than to visit a page has its own idea of time.
            within = self._pace.user_within
            return bool(record.location) and record.status == "STARTING" and _age(record.updated_at, now) > within
        if record.status == "ERROR" and record.id not in self._outages:
            return False  # it was refused
        return _age(record.created_at, now) > self._pace.service_within and now >= self._not_before.get(record.id, now)

    async def _settle(self, record: ClientRecord) -> None:
        if record.awaits == "user":
            self.forget(record.id)
            await self._recorder.record(FailClient(client_id=record.id, reason="its user did not agree in time"))
            return
        try:
            command = await self._ask(record)
        except LogUnavailableError:
            return
        except Exception as outage:  # noqa: BLE001  # a fault in a type concerns the one client; it is asked again
            if not isinstance(outage, OutageError):
                log.warning("the service of client %s was not asked: %s", record.id, described(outage))
            await self._recorder.record(ClearClient(client_id=record.id))
            await self._put_off(record)
            return
        self.forget(record.id)
        if isinstance(command, FailClient):
            await self._recorder.record(ClearClient(client_id=record.id))
        await self._recorder.record(command)

    async def _ask(self, record: ClientRecord) -> Command:
        connector = await self._types.find(record.type_id)
        asking = asks(connector) if connector is not None else None
        try:
            settings = await self._types.client_settings(record)
            taken = await asking.take_client(settings) if asking is not None and settings is not None else Taken()
        except (RefusedError, SealBrokenError) as refused:
            return FailClient(client_id=record.id, reason=str(refused))
        if taken.complete:
            return AdmitClient(client_id=record.id)
        return RedirectClient(client_id=record.id, location=taken.content if taken.step == "redirect" else "")

    async def _put_off(self, record: ClientRecord) -> None:
        pace = self._pace
        outages = self._outages[record.id] = self._outages.get(record.id, 0) + 1
        seconds = min(pace.retry_first * 2 ** (outages - 1), pace.retry_most)
        if outages >= pace.max_failures:
            seconds = pace.retry_most
            await self._recorder.record(FailClient(client_id=record.id, reason="its service does not answer"))
        self._not_before[record.id] = self._clock() + timedelta(seconds=seconds)

    async def _install(self, record: InstanceRecord) -> None:
        try:
            connector = await self._types.find(record.type_id)
            asking = asks(connector) if connector is not None else None
            settings = self._types.instance_settings(record)
            taken = await asking.take_instance(settings) if asking is not None else Taken()
            told = RecordInstallation(instance_id=record.id, step=taken.step, content=taken.content)
        except (LogUnavailableError, OutageError):
            return
        except (RefusedError, SealBrokenError) as refused:
            told = RecordInstallation(instance_id=record.id, reason=str(refused))
        except Exception as defect:  # noqa: BLE001  # a fault in a type concerns the one instance; it is asked again
            log.warning("the service of instance %s was not asked: %s", record.id, described(defect))
            return
        await self._recorder.record(told)


def _age(since: datetime, now: datetime) -> float:
    return (now - since).total_seconds()
