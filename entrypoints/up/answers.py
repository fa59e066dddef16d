"""Whether our listeners answer, asked with as little as possible: this process stays light."""

import json
import socket
from typing import Any

_SECONDS = 3.0


def get(host: str, port: int, path: str) -> tuple[int, bytes]:
    """Status and body; status 0 when nobody answers."""
    try:
        with socket.create_connection((host, port), timeout=_SECONDS) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
    except OSError:
        return 0, b""
    head, _, body = received.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    return (int(words[1]), body) if len(words) > 1 and words[1].isdigit() else (0, b"")


def missing(host: str, port: int) -> str:
    """What `/health/ready` still misses, in words; empty when it is ready."""
    status, body = get(host, port, "/health/ready")
    if status == 200:
        return ""
    try:
        checks: dict[str, dict[str, Any]] = json.loads(body)["checks"]
    except (ValueError, KeyError):
        return "does not answer"
    return "; ".join(f"{name}: {check['detail']}" for name, check in checks.items() if not check["ok"])
