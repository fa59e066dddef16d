"""Refused requests that matter are on record before they are answered: what is forbidden, and what is too much."""

import logging
from contextvars import ContextVar

from application.executor import CommandConflictError, CommandExecutor, OutcomeUnknownError, Overloaded
from application.identity import RefuseAccess
from application.ports import LogUnavailableError
from domain.event import Origin
from domain.identity.access import NOBODY
from entrypoints.correlation import correlation_id
from entrypoints.logins import network_of
from entrypoints.operations.pages import Scope

RECORDED = frozenset({403, 429})
LONGEST_ROUTE = 200

_ASKER: ContextVar[str] = ContextVar("asker", default=NOBODY)

logger = logging.getLogger("tidemark.http")


def asked_by(actor: str) -> None:
    """Who this request speaks for, once a token has said so."""
    _ASKER.set(actor)


class RefusalRecord:
    def __init__(self, executor: CommandExecutor) -> None:
        self._executor = executor

    async def keep(self, scope: Scope, status: int) -> None:
        """A request is refused also where it cannot be recorded; the log of the process has it then."""
        asker, host = _ASKER.get(), (scope.get("client") or ("",))[0]
        command = RefuseAccess(
            asker=asker,
            source=network_of(host),
            method=scope["method"],
            route=(scope.get("path_template") or scope["path"])[:LONGEST_ROUTE],
            status=status,
        )
        origin = Origin(actor=asker, source="http", correlation_id=correlation_id())
        try:
            await self._executor.execute(command, origin)
        except (LogUnavailableError, CommandConflictError, OutcomeUnknownError, Overloaded) as away:
            logger.warning("%s from %s was refused with %d and not recorded: %s", asker, host, status, away)
