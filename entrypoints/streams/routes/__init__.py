"""The routes of streams: what the document has on each of its three ports, and what users of such a system ask for."""

from entrypoints.contract_application import Routes
from entrypoints.streams.route import Route
from entrypoints.streams.routes import consumers, groups, produce, tail, topics
from entrypoints.streams.routes.discovery import show_brokers, status

STATUS = "/status"
MESSAGES = "/v1/topic/{topic}/messages"

_BROKERS: Routes[Route] = {"/v1/brokers": {"GET": Route(show_brokers)}}
_TOPICS: Routes[Route] = {
    "/v1/topics": {"GET": Route(topics.list_topics)},
    "/v1/topics/{topic}": {"GET": Route(topics.show_topic)},
    "/v1/topics/{topic}/retention": {"PUT": Route(topics.set_retention)},
}
_PRODUCING: Routes[Route] = {MESSAGES: {"POST": Route(produce.produce), "GET": Route(produce.refuse_reading)}}
_CONSUMING: Routes[Route] = {
    "/v1/consumer/register": {"PUT": Route(consumers.register), "POST": Route(consumers.register)},
    "/v1/consumer/poll": {"POST": Route(consumers.poll)},
    "/v1/consumer/commit": {"POST": Route(consumers.commit)},
    "/v1/consumer/goodbye": {"POST": Route(consumers.goodbye)},
    "/v1/groups": {"GET": Route(groups.list_groups)},
    "/v1/groups/{group}": {"GET": Route(groups.show_group)},
    "/v1/groups/{group}/seek": {"POST": Route(groups.seek)},
    "/v1/topic/{topic}/tail": {"GET": Route(tail.tail)},
}

DISCOVERY: Routes[Route] = {
    STATUS: {"GET": Route(status("Client discovery server", lambda door: door.ports.discovery), open=True)},
    **_BROKERS,
    **_TOPICS,
}
PRODUCER: Routes[Route] = {
    STATUS: {"GET": Route(status("Producer server", lambda door: door.ports.producer), open=True)},
    **_PRODUCING,
}
CONSUMER: Routes[Route] = {
    STATUS: {"GET": Route(status("Consumer server", lambda door: door.ports.consumer), open=True)},
    **_CONSUMING,
    **_TOPICS,
}
ALL: Routes[Route] = {
    STATUS: {"GET": Route(status("Streams", lambda door: door.ports.main), open=True)},
    **_BROKERS,
    **_PRODUCING,
    **_CONSUMING,
    **_TOPICS,
}
