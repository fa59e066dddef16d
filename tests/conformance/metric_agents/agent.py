"""What reports of many devices at a time, with encoders of its own."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from struct import pack
from typing import Any
from uuid import uuid4

import cramjam
import httpx

from tests.conformance.lambda_iot.registry import DEVICE

Labels = Mapping[str, str] | Sequence[tuple[str, str]]


class Agent:
    def __init__(self, api: str, metrics: str, headers: Mapping[str, str]) -> None:
        self.metrics = httpx.Client(base_url=metrics, timeout=30, headers=headers)
        self.api = httpx.Client(base_url=api, timeout=30, headers=headers)

    def close(self) -> None:
        self.metrics.close()
        self.api.close()

    def device(self, name: str = "") -> str:
        """Registers one; what it is called, like no other."""
        name = f"{name}{uuid4().hex[:12]}"
        made = self.api.post("/devices", json={**DEVICE, "external_id": name})
        assert made.status_code == 201, made.text
        return name

    def id_of(self, made: Mapping[str, Any]) -> str:
        answer = self.api.post("/devices", json={**DEVICE, **made})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def current(self, device: str) -> dict[str, Any]:
        """The values of the device by metric; nothing when it never reported."""
        answer = self.metrics.get(f"/devices/{device}/metrics/current")
        if answer.status_code == 404:
            return {}
        assert answer.status_code == 200, answer.text
        return {one["name"]: one["value"] for one in answer.json()}

    def write(self, *series: bytes, **options: Any) -> httpx.Response:
        """Remote write of the series."""
        body = bytes(cramjam.snappy.compress_raw(b"".join([field(1, one) for one in series])))
        return self.write_body(body, **options)

    def write_body(self, body: bytes, **headers: str) -> httpx.Response:
        told = {
            "content-type": "application/x-protobuf",
            "content-encoding": "snappy",
            "x-prometheus-remote-write-version": "0.1.0",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.metrics.post("/api/v1/write", content=body, headers=told)

    def lines(self, *lines: str, **options: Any) -> httpx.Response:
        return self.metrics.post("/write", content="\n".join(lines).encode(), **options)


# Protobuf, written by hand, so that it is not read by what wrote it.


def series(labels: Labels, *samples: tuple[float, float]) -> bytes:
    """A TimeSeries; samples are (value, seconds since the epoch)."""
    pairs = labels.items() if isinstance(labels, Mapping) else labels
    encoded = [field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in pairs]
    encoded += [field(2, b"\x09" + pack("<d", value) + b"\x10" + _varint(int(at * 1000))) for value, at in samples]
    return b"".join(encoded)


def stale_mark(labels: Labels) -> bytes:
    sample = b"\x09" + (0x7FF0000000000002).to_bytes(8, "little") + b"\x10" + _varint(int(time.time() * 1000))
    return series(labels) + field(2, sample)


def field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    encoded = bytearray()
    while value >= 128:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def now() -> float:
    return datetime.now(UTC).timestamp()


def report(device: str, **changes: Any) -> dict[str, Any]:
    plain = {"name": "load", "value": 1.5, "units": "", "type": "double", "slope": "both", "ttl": 300}
    return {"device": device, **plain, **changes}
