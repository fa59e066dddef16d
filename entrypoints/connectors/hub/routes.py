"""The routes of the services, by path and method. Some are written in two ways (contract connectors C12)."""

from functools import partial

from entrypoints.connectors.exchange import API
from entrypoints.connectors.hub import states, things
from entrypoints.connectors.hub.errors import answered
from entrypoints.connectors.route import Route
from entrypoints.contract_application import Routes

_CALLBACK = f"{API}/connectorhub/callback"
_THING = f"{_CALLBACK}/instances/things/{{thing}}"

_Of = partial(Route, answered=answered)

HUB_ROUTES: Routes[Route] = {
    f"{_CALLBACK}/instances/things": {"POST": _Of(things.make_thing)},
    _THING: {"DELETE": _Of(things.remove_thing)},
    f"{_THING}/status": {"PUT": _Of(things.change_status)},
    f"{_THING}/components/{{component}}/properties/{{property}}": {
        "PUT": _Of(things.update_property),
        "POST": _Of(things.update_property),
    },
    f"{_CALLBACK}/instances/actions/requests/{{request}}": {"PUT": _Of(states.settle_action)},
    f"{_CALLBACK}/instances/state": {"POST": _Of(states.tell_instance_state)},
    f"{_CALLBACK}/installations/state": {"POST": _Of(states.tell_installation_state)},
}
