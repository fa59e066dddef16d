"""The stream EVENTS is the log: the same events, in the same order, whatever happened to either."""

import asyncio
import json
from uuid import uuid4

import psycopg
import pytest
from nats.js.api import StreamConfig

from domain.devices.device import DeviceConnected
from domain.devices.link import LinkOpened
from domain.identity.user import UserRegistered
from tests.adapters.nats.installation import AT, PATIENCE, Installation
from tests.persons import PERSON

SECRET = "$argon2id$a-hash-that-nobody-may-see"


async def test_an_event_is_published_as_a_cloud_event_under_its_position(installation: Installation) -> None:
    device = uuid4()
    await installation.append([DeviceConnected(through="mqtt")], device, 7, "c-42", "message é %\r\nx: y")
    await installation.relay_all()

    (message,) = await installation.stream()
    assert message.subject == f"tidemark.events.devices.device.connected.{device}"
    assert json.loads(message.data) == {"through": "mqtt"}
    headers = dict(message.headers or {})
    assert headers.pop("ce-source").startswith("urn:uuid:")
    assert headers == {
        "Nats-Expected-Last-Sequence": "0",
        "Nats-Msg-Id": "1",
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": (await installation.expected_ids())[0],
        "ce-type": "devices.device.connected.v1",
        "ce-subject": str(device),
        "ce-time": AT.isoformat(),
        "ce-sequence": "1",
        "ce-aggregateversion": "7",
        "ce-actor": "user:%C3%A4%201",
        "ce-via": "http",
        "ce-correlationid": "c-42",
        "ce-causationid": "message%20%C3%A9%20%25%0D%0Ax:%20y",
    }


async def test_many_events_arrive_in_order_and_once(installation: Installation) -> None:
    async with installation.relaying() as (relay, progress):
        await progress.reached(await installation.append(7_000))
        await progress.reached(await installation.append(3))
        assert (relay.position, relay.lag, relay.connected, relay.working) == (7_003, 0, True, True)
        assert progress.published == 7_003
    await installation.assert_copied()


async def test_where_a_device_connects_from_and_with_what_never_leaves_the_log(installation: Installation) -> None:
    opened = LinkOpened(
        device="robot-1",
        connection_id=uuid4(),
        holder="a1",
        through="websocket",
        name="Robot",
        type="",
        user_agent=f"curl {SECRET}",
        remote_address=f"192.0.2.1 {SECRET}",
    )
    await installation.append([opened])
    await installation.relay_all()
    (message,) = await installation.stream()
    assert set(json.loads(message.data)) == {"device", "connection_id", "holder", "through", "name", "type"}
    assert SECRET not in f"{message.data!r} {message.headers}"


async def test_neither_a_password_hash_nor_who_somebody_is_leaves_the_log(installation: Installation) -> None:
    await installation.append(
        [UserRegistered(person=PERSON, username="ada", password_hash=SECRET, email="ada@example.org")]
    )
    await installation.relay_all()
    (message,) = await installation.stream()
    assert json.loads(message.data) == {"person": str(PERSON)}
    assert SECRET not in str(message.headers)
    files = [path for path in installation.nats.data_dir.rglob("*") if path.is_file()]
    assert any(str(PERSON).encode() in path.read_bytes() for path in files)
    for secret in (SECRET, "ada@example.org"):
        assert not any(secret.encode() in path.read_bytes() for path in files)


async def test_nats_wiped_while_down_gets_everything_again(installation: Installation) -> None:
    await installation.append(2_500)
    await installation.relay_all()
    installation.nats.stop()
    installation.nats.wipe()
    await installation.append(10)
    installation.nats.start()
    await installation.relay_all()
    await installation.assert_copied()
    assert len(await installation.positions()) == 2_510


async def test_nats_killed_under_load_leaves_no_gap_and_no_duplicate(installation: Installation) -> None:
    async with installation.relaying() as (_, progress):
        for _ in range(2):
            appending = asyncio.create_task(_append_slowly(installation, 20, 100))
            await progress.reached(progress.position + 500)
            await asyncio.to_thread(installation.nats.kill)
            await appending
            await asyncio.to_thread(installation.nats.restart)
            await progress.reached(await installation.head())
    await installation.assert_copied()
    assert len(await installation.positions()) == 4_000


async def _append_slowly(installation: Installation, batches: int, events: int) -> None:
    for _ in range(batches):
        await installation.append(events)


async def test_the_lag_is_known_while_nats_is_away(installation: Installation) -> None:
    async with installation.relaying() as (relay, progress):
        await progress.reached(await installation.append(1))
        await asyncio.to_thread(installation.nats.stop)
        await installation.append(25)
        await progress.lagged(25)
        assert not relay.connected
        await asyncio.to_thread(installation.nats.start)
        await progress.reached(26)


async def test_a_database_restart_only_interrupts(installation: Installation) -> None:
    async with installation.relaying() as (_, progress):
        await progress.reached(await installation.append(100))
        await asyncio.to_thread(installation.postgres.restart)
        await progress.reached(await installation.append(100))
    await installation.assert_copied()


@pytest.mark.parametrize("metadata", [None, {"tidemark-log": str(uuid4())}])
async def test_the_stream_of_another_log_is_replaced(
    installation: Installation, caplog: pytest.LogCaptureFixture, metadata: dict[str, str] | None
) -> None:
    async with installation.client() as client:
        stream = client.jetstream()
        await stream.add_stream(StreamConfig(name="EVENTS", subjects=["tidemark.events.>"], metadata=metadata))
        for n in range(20):
            await stream.publish("tidemark.events.other", str(n).encode())
    await installation.append(5)
    await installation.relay_all()
    await installation.assert_copied()
    assert caplog.text.count("no copy of this log") == 1


async def test_a_log_restored_from_a_backup_replaces_what_was_published_since(installation: Installation) -> None:
    await installation.append(10)
    await installation.relay_all()
    with psycopg.connect(installation.url) as connection:
        connection.execute("DELETE FROM events WHERE notification_id > 6")
    await installation.relay_all()
    await installation.assert_copied()

    with psycopg.connect(installation.url) as connection:
        connection.execute("DELETE FROM events WHERE notification_id > 4")
    await installation.append(8)
    await installation.relay_all()
    await installation.assert_copied()


async def test_a_stream_deleted_while_the_relay_works_is_filled_again(installation: Installation) -> None:
    async with installation.relaying() as (_, progress):
        await progress.reached(await installation.append(300))
        async with installation.client() as client:
            await client.jetstream().delete_stream("EVENTS")
        await installation.append(1)
        await progress.reached(301)
    await installation.assert_copied()


async def test_expired_messages_do_not_come_back(installation: Installation) -> None:
    await installation.append(50)
    await installation.relay_all()
    async with installation.client() as client:
        await client.jetstream().purge_stream("EVENTS")
    await installation.append(2)
    await installation.relay_all()
    assert await installation.positions() == [51, 52]


async def test_two_relays_work_one_after_the_other(installation: Installation) -> None:
    async with installation.relaying() as (second, second_progress):
        async with asyncio.timeout(PATIENCE):
            await second_progress.reached(await installation.append(10))
        async with installation.relaying() as (third, third_progress):
            await second_progress.reached(await installation.append(10))
            assert (second.working, third.working, third_progress.published) == (True, False, 0)
    async with installation.relaying() as (_, progress):
        await progress.reached(await installation.append(10))
    await installation.assert_copied()


async def test_two_relays_at_once_do_no_harm(installation: Installation) -> None:
    """Each believes that it has the lease."""
    await installation.append(5_000)
    async with installation.relaying("one") as (_, one), installation.relaying("two") as (_, two):
        for _ in range(20):
            head = await installation.append(100)
        await asyncio.gather(one.reached(head), two.reached(head))
    await installation.assert_copied()


async def test_an_event_too_large_for_a_message_is_announced_without_its_data(installation: Installation) -> None:
    await installation.append([DeviceConnected(through="LARGE"), DeviceConnected(through="mqtt")])
    with psycopg.connect(installation.url) as connection:
        connection.execute(
            "UPDATE events SET state = convert_to("
            "replace(convert_from(state, 'UTF8'), 'LARGE', repeat('x', 9000000)), 'UTF8') WHERE notification_id = 1"
        )
    await installation.relay_all()
    first, second = await installation.stream()
    assert (first.data, (first.headers or {})["ce-dataref"]) == (b"", "/events/1")
    assert json.loads(second.data) == {"through": "mqtt"}


async def test_an_event_of_a_newer_version_is_left_to_a_newer_relay(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    await installation.append(2)
    with psycopg.connect(installation.url) as connection:
        connection.execute("UPDATE events SET topic = 'devices.device.teleported.v1' WHERE notification_id = 2")
    async with installation.relaying() as (relay, progress):
        await progress.lagged(1)
        assert (relay.position, relay.head) == (1, 2)
        with psycopg.connect(installation.url) as connection:
            connection.execute("UPDATE events SET topic = 'devices.device.connected.v1' WHERE notification_id = 2")
        await progress.reached(2)
    assert caplog.text.count("position 2 cannot be read") == 1
