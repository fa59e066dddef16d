"""Devices connect themselves: a real server, real clients, a real log."""

import asyncio
import json
from time import monotonic
from uuid import UUID, uuid4

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from adapters.embedded.postgres import EmbeddedPostgres
from application.devices.device import RegisterDevice
from domain.devices.device import OK
from domain.devices.link import LinkClosed, LinkOpened
from tests.adapters.websocket.server import PATIENCE, Door, opened, until
from tests.facts import ORIGIN


async def refusal(door: Door, **headers: str) -> tuple[int, dict]:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(door.url, additional_headers={k.replace("_", "-"): v for k, v in headers.items()}):
            pass
    response = refused.value.response
    return response.status_code, json.loads(response.body)


async def connects(door: Door, id: str) -> bool:
    try:
        async with door.device(id):
            return True
    except InvalidStatus:
        return False


async def test_cs14_a_device_is_on_the_record_and_can_be_found_before_it_knows_that_it_is_connected(
    database_url: str,
) -> None:
    async with opened(database_url) as door, door.device("dev1"):
        (event,) = await door.recorded()
        assert isinstance(event, LinkOpened)
        link = door.link("dev1")
        assert (event.device, event.holder, event.connection_id) == ("dev1", door.links.holder, link.connection_id)
        assert len(door.links) == 1
        assert event.through == "websocket"
        assert event.remote_address.startswith("127.0.0.1:")
        assert (link.received, link.sent, link.last_received, link.last_sent) == (0, 0, 0, 0)


async def test_cs19_the_newest_connection_counts_and_closing_the_old_one_does_not_remove_it(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as old:
        first = door.link("dev1")
        async with door.device("dev1") as new:
            with pytest.raises(ConnectionClosed) as closed:
                await old.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4409, "replaced by a newer connection")
            await until(lambda: first.connection_id not in door.links)
            assert door.link("dev1") is not first
            assert len(door.links) == 1
            await new.send("still here")
            await until(lambda: door.link("dev1").received == 1)
        assert await door.reasons(2) == ["replaced by a newer connection", "closed by the device"]
        assert door.links.find("dev1") is None


async def test_of_many_connections_at_once_one_is_left(database_url: str) -> None:
    async with opened(database_url) as door:
        devices = await asyncio.gather(*(door.device("dev1") for _ in range(20)))
        await until(lambda: len(door.links) == 1)
        (left,) = door.links
        assert door.link("dev1") is left
        last = [event for event in await door.recorded() if isinstance(event, LinkOpened)][-1]
        assert last.connection_id == left.connection_id
        for device in devices:
            await device.close()


NO_IDS = [None, "", "-x", "a b", "ä", "a/b", "x" * 129, "<b>", "command", "query", "show"]


async def test_cs20_without_a_proper_id_the_upgrade_is_refused(database_url: str) -> None:
    async with opened(database_url) as door:
        for id in NO_IDS:
            status, body = await refusal(door, **({} if id is None else {"Device_Id": id}))
            assert (status, list(body)) == (400, ["error"]), id
        assert not await door.recorded()


async def test_the_id_may_be_spelled_with_a_hyphen_or_an_underscore(database_url: str) -> None:
    async with opened(database_url) as door:
        for spelling in ("device_id", "Device-Id", "DEVICE-ID"):
            async with connect(door.url, additional_headers={spelling: f"a.b:c@{spelling}"}):
                assert door.links.find(f"a.b:c@{spelling}") is not None


async def test_cs22_name_type_and_agent_are_taken(database_url: str) -> None:
    headers = {"Device-Name": "Boiler Ä", "Device-Type": "heater", "Device-Payload-Mode": "field"}
    async with opened(database_url) as door, door.device("dev1", headers=headers, user_agent_header="firmware/2"):
        link = door.link("dev1")
        assert (link.name, link.type, link.user_agent, link.payload_mode) == (
            "Boiler Ä",
            "heater",
            "firmware/2",
            "field",
        )
        (event,) = await door.recorded()
        assert isinstance(event, LinkOpened)
        assert (event.name, event.type, event.payload_mode) == ("Boiler Ä", "heater", "field")


async def test_cs23_a_name_is_cleaned(database_url: str) -> None:
    headers = {"Device-Name": "<img src=x onerror=\"alert('1')\">&" + "x" * 500, "Device-Type": "a\tb"}
    async with opened(database_url) as door, door.device("dev1", headers=headers):
        link = door.link("dev1")
        assert link.name.startswith("img src=x onerror=alert(1)x")
        assert len(link.name) == 128
        assert link.type == "ab"


async def test_an_unknown_payload_mode_is_refused(database_url: str) -> None:
    async with opened(database_url) as door:
        status, _ = await refusal(door, Device_Id="dev1", Device_Payload_Mode="half")
        assert status == 400


async def test_who_is_not_admitted_is_refused(database_url: str) -> None:
    async with opened(database_url) as door:
        door.refused.add("dev1")
        assert await refusal(door, Device_Id="dev1") == (401, {"error": "Not authorized."})
        assert not await door.recorded()
        assert not len(door.links)


async def test_pages_of_other_origins_are_refused(database_url: str) -> None:
    async with opened(database_url) as door:
        status, _ = await refusal(door, Device_Id="dev1", Origin="http://evil.example")
        assert status == 403
        door.origins.add("http://ui.example")
        async with door.device("dev1", origin="http://ui.example"):
            pass
        async with door.device("dev1", origin=f"http://127.0.0.1:{door.port}"):
            pass


async def test_too_many_connections_are_refused(database_url: str) -> None:
    async with opened(database_url, most=2) as door, door.device("a"):
        async with door.device("b"):
            status, _ = await refusal(door, Device_Id="c")
            assert status == 503
        await until(lambda: len(door.links) == 1)
        async with door.device("c"):
            pass


async def test_a_registered_device_is_found_by_its_id_whatever_it_calls_itself(database_url: str) -> None:
    id = uuid4()
    async with opened(database_url) as door:
        await door.executor.execute(registering(id), ORIGIN)
        async with door.device("boiler-7"):
            assert door.links.find(str(id)) is door.link("boiler-7")
            async with door.device(str(id)):  # the same device by its other name: the newest counts
                await until(lambda: len(door.links) == 1)
                assert door.links.find(str(id)) is not None
                assert door.links.find("boiler-7") is None
        await door.reasons(2)


async def test_a_device_that_is_registered_while_it_is_connected_replaces_what_it_was(database_url: str) -> None:
    id = uuid4()
    async with opened(database_url) as door, door.device("boiler-7") as stranger:
        await door.executor.execute(registering(id), ORIGIN)
        async with door.device("boiler-7"):
            with pytest.raises(ConnectionClosed) as closed:
                await stranger.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4409
            await until(lambda: len(door.links) == 1)
            assert door.links.find(str(id)) is door.link("boiler-7")


def registering(id: UUID) -> RegisterDevice:
    return RegisterDevice(device_id=id, name="boiler", description="", location="", status=OK, external_id="boiler-7")


async def test_what_is_too_large_ends_the_connection(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as device:
        await device.send("x" * 256 * 1024)
        await until(lambda: door.link("dev1").received == 1)
        await device.send("x" * (256 * 1024 + 1))
        with pytest.raises(ConnectionClosed) as closed:
            await device.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert await door.reasons(1) == ["message too large"]


async def test_a_device_that_answers_no_ping_is_dropped(database_url: str) -> None:
    async with (
        opened(database_url, ws_ping_interval=0.5, ws_ping_timeout=3.0) as door,
        door.device("living"),
        door.device("dead", ping_interval=None) as dead,
    ):
        dead.transport.pause_reading()
        assert await door.reasons(1) == ["silent"]
        await until(lambda: door.links.find("dead") is None)
        assert door.links.find("living") is not None


async def test_a_connection_that_breaks_is_closed_on_the_record(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as device:
        device.transport.abort()
        assert await door.reasons(1) == ["connection lost"]


async def test_at_shutdown_devices_are_told_that_the_server_goes_away(database_url: str) -> None:
    async with opened(database_url) as door:
        devices = await asyncio.gather(*(door.device(f"dev{n}") for n in range(50)))
        assert door.server is not None
        door.server.should_exit = True
        for device in devices:
            with pytest.raises(ConnectionClosed) as closed:
                await device.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "server stopping")
        assert await door.reasons(50) == ["server stopping"] * 50


async def test_all_links_can_be_closed_and_no_new_one_is_taken(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as device:
        closing = asyncio.create_task(door.links.close_all())
        with pytest.raises(ConnectionClosed) as closed:
            await device.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        await closing
        assert await door.reasons(1) == ["server stopping"]
        status, _ = await refusal(door, Device_Id="dev2")
        assert status == 503


async def test_a_link_leaves_a_pair_of_events(database_url: str) -> None:
    async with opened(database_url) as door:
        async with door.device("dev1"):
            pass
        await door.reasons(1)
        there, gone = await door.recorded()
    assert isinstance(there, LinkOpened)
    assert isinstance(gone, LinkClosed)
    assert there.connection_id == gone.connection_id


async def test_what_ends_while_the_log_is_away_is_recorded_when_it_is_back(own_postgres: EmbeddedPostgres) -> None:
    async with opened(own_postgres.url) as door:
        async with door.device("dev1"), door.device("dev2"):
            own_postgres.kill()
        await until(lambda: len(door.links) == 0)
        async with asyncio.timeout(PATIENCE):
            while await connects(door, "dev3"):  # what is left of a killed server may still take it
                await asyncio.sleep(0.02)
        status, _ = await refusal(door, Device_Id="dev3")
        assert status == 503
        own_postgres.start()
        reasons = await door.reasons(2)
        assert reasons == ["closed by the device"] * len(reasons)
        async with asyncio.timeout(PATIENCE):
            while not await connects(door, "dev1"):
                await asyncio.sleep(0.02)


async def test_a_database_that_stays_away_does_not_keep_the_process(own_postgres: EmbeddedPostgres) -> None:
    async with opened(own_postgres.url) as door, door.device("dev1"):
        own_postgres.kill()
        began = monotonic()
    assert monotonic() - began < 20
