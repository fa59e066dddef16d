"""That a push to a client was taken, so that the same one is not taken again."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from application.command import Aggregates, Change, Command, Handler, change
from domain.connectors import push
from domain.connectors.push import PUSH


class ReceivePush(Command):
    """What it says was recorded before, so that nothing is lost when it is sent again because we failed meanwhile."""

    push_id: UUID
    client_id: UUID


def receive_push(command: ReceivePush, aggregates: Aggregates) -> Sequence[Change]:
    known = aggregates.find(PUSH, command.push_id)
    return [change(PUSH, command.push_id, push.receive(known, command.client_id))]


HANDLERS: Mapping[type[Command], Handler] = {ReceivePush: receive_push}
