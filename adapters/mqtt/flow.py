"""Holds the broker back while more has been taken than the log takes on."""

from adapters.mqtt.intake import Intake
from adapters.mqtt.session import Session


class Flow:
    """Pauses reading beyond so many messages or bytes not acknowledged, and resumes at half of it.

    While it lasts, nothing that comes over the connection is read, confirmations of what we publish included. When
    it lasts beyond the keep-alive the connection is given up and made again; the broker keeps what is not read.
    """

    def __init__(self, at_most: int, at_most_bytes: int) -> None:
        self._at_most = at_most
        self._at_most_bytes = at_most_bytes
        self._paused: Session | None = None

    def taken(self, session: Session, intake: Intake) -> None:
        full = len(intake) >= self._at_most or intake.size >= self._at_most_bytes
        if full and self._paused is not session:
            self._paused = session
            session.pause()

    def settled(self, intake: Intake) -> None:
        if self._paused is not None and 2 * len(intake) < self._at_most and 2 * intake.size < self._at_most_bytes:
            self._paused.resume()
            self._paused = None
