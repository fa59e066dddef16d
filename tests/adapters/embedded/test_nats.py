import socket
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest

from adapters.embedded.errors import DirectoryInUseError, PortTakenError
from adapters.embedded.nats import EmbeddedNats
from tests.servers import start_nats


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNats]:
    """For tests that leave it as it was."""
    with start_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


async def publish(server: EmbeddedNats, text: bytes) -> None:
    async with await nats.connect(server.url) as client:
        stream = client.jetstream()
        await stream.add_stream(name="NOTES", subjects=["notes"])
        await stream.publish("notes", text)


async def last_published(server: EmbeddedNats) -> bytes | None:
    async with await nats.connect(server.url) as client:
        try:
            return (await client.jetstream().get_last_msg("NOTES", "notes")).data
        except nats.js.errors.NotFoundError:
            return None


async def test_a_second_start_on_the_directory_finds_what_was_published(tmp_path: Path) -> None:
    with start_nats(tmp_path) as server:
        await publish(server, b"kept")
    with start_nats(tmp_path) as server:
        assert await last_published(server) == b"kept"


async def test_a_killed_server_is_restarted_on_its_ports_with_its_data(tmp_path: Path) -> None:
    with start_nats(tmp_path) as server:
        await publish(server, b"kept")
        urls = server.url, server.mqtt_url
        server.kill()
        assert server.poll() == -9
        server.restart()
        assert (server.url, server.mqtt_url) == urls
        assert await last_published(server) == b"kept"


async def test_wiping_deletes_what_was_published_and_only_while_it_is_stopped(tmp_path: Path) -> None:
    with start_nats(tmp_path) as server:
        await publish(server, b"gone")
        with pytest.raises(RuntimeError, match="stop NATS"):
            server.wipe()
        server.kill()
        server.wipe()
        server.restart()
        assert await last_published(server) is None


async def test_a_batch_of_several_megabytes_is_one_message(shared: EmbeddedNats) -> None:
    async with await nats.connect(shared.url) as client:
        received = await client.subscribe("large")
        await client.publish("large", bytes(7_000_000))
        assert len((await received.next_msg(timeout=5)).data) == 7_000_000


def test_a_second_opener_is_told_that_the_directory_is_in_use(shared: EmbeddedNats) -> None:
    with pytest.raises(DirectoryInUseError, match="in use by process"):
        EmbeddedNats(shared.data_dir).start()
    with pytest.raises(DirectoryInUseError):
        EmbeddedNats(shared.data_dir).wipe()
    assert shared.is_alive


@pytest.mark.parametrize(
    ("argument", "purpose", "flag"), [("port", "NATS", "--nats-port"), ("mqtt_port", "MQTT", "--mqtt-port")]
)
def test_a_taken_port_is_one_sentence_with_port_purpose_and_flag(
    tmp_path: Path, argument: str, purpose: str, flag: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError) as refusal:
            EmbeddedNats(tmp_path, **{argument: port}).start()
    assert (refusal.value.port, refusal.value.purpose, refusal.value.flag) == (port, purpose, flag)


def test_the_monitoring_answers_when_it_is_asked_for(tmp_path: Path) -> None:
    with EmbeddedNats(tmp_path, http_port=0) as server:
        assert server.http_port is not None
        with socket.create_connection((server.host, server.http_port)) as connection:
            connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert b"200 OK" in connection.recv(100)


def test_a_directory_with_quotes_and_umlauts_in_its_name_works(tmp_path: Path) -> None:
    with start_nats(tmp_path / 'it\'s "Gerät" $1') as server:
        assert server.is_alive
