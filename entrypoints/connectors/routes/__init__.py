"""The routes of this contract, by path and method (contract connectors 2.4 and 2.6)."""

from entrypoints.connectors.door import ACT_ON_THINGS, MANAGE, READ_SUBJECTS, READ_THINGS
from entrypoints.connectors.exchange import API
from entrypoints.connectors.hub.routes import HUB_ROUTES
from entrypoints.connectors.route import Route
from entrypoints.connectors.routes import (
    actions,
    callbacks,
    clients,
    consent,
    descriptions,
    hooks,
    instances,
    properties,
    publications,
    things,
)
from entrypoints.contract_application import Routes

_MANAGE = (MANAGE,)
# Whoever manages things may see them.
_READ = (READ_THINGS, MANAGE)
_ACT = (ACT_ON_THINGS,)

_CONNECTORS = f"{API}/connectors"
_THINGS = f"{API}/things"
_THING = f"{_THINGS}/{{thing}}"
_COMPONENT = f"{_THING}/components/{{component}}"

ROUTES: Routes[Route] = {
    f"{_CONNECTORS}/descriptions": {"GET": Route(descriptions.list_descriptions)},
    f"{_CONNECTORS}/descriptions/{{description}}": {"GET": Route(descriptions.show_description)},
    f"{_CONNECTORS}/instances": {
        "GET": Route(instances.list_instances, _MANAGE),
        "POST": Route(instances.create_instance, _MANAGE, body=True),
    },
    f"{_CONNECTORS}/instances/{{instance}}": {
        "GET": Route(instances.show_instance, _MANAGE),
        "DELETE": Route(instances.remove_instance, _MANAGE),
    },
    f"{_CONNECTORS}/clients": {
        "GET": Route(clients.list_clients, _MANAGE, subject=True),
        "POST": Route(clients.create_client, _MANAGE, body=True, subject=True),
    },
    f"{_CONNECTORS}/clients/{{client}}": {
        "GET": Route(clients.show_client, _MANAGE, subject=True),
        "DELETE": Route(clients.remove_client, _MANAGE, subject=True),
    },
    f"{API}{hooks.HOOKS}": {"POST": Route(hooks.receive)},
    f"{API}{consent.CONSENT}": {"GET": Route(consent.show_consent), "POST": Route(consent.decide_consent)},
    f"{_CONNECTORS}/callbackurl": {"GET": Route(callbacks.show_callback_url, _MANAGE)},
    f"{API}/actions/callback/register": {"POST": Route(callbacks.register_callback, _MANAGE, body=True)},
    f"{API}/actions/requests/{{request}}": {"GET": Route(actions.show_action, (*_READ, *_ACT), subject=True)},
    f"{API}/subjects": {"GET": Route(clients.list_subjects, (READ_SUBJECTS, MANAGE))},
    f"{API}{publications.PUBLICATIONS}": {
        "GET": Route(publications.list_publications, _MANAGE),
        "POST": Route(publications.publish, _MANAGE, body=True),
    },
    f"{API}{publications.PUBLICATIONS}/{{publication}}": {
        "GET": Route(publications.show_publication, _MANAGE),
        "DELETE": Route(publications.withdraw, _MANAGE),
    },
    **HUB_ROUTES,
    _THINGS: {
        "GET": Route(things.list_things, _READ, subject=True),
        "POST": Route(things.enter_thing, _MANAGE, body=True, subject=True),
    },
    _THING: {
        "GET": Route(things.show_thing, _READ, subject=True),
        "PATCH": Route(things.change_status, _MANAGE, body=True, subject=True),
        "DELETE": Route(things.remove_thing, _MANAGE, subject=True),
    },
    _COMPONENT: {"GET": Route(things.show_component, _READ, subject=True)},
    f"{_COMPONENT}/properties/{{property}}": {
        "GET": Route(properties.show_property, _READ, subject=True),
        "PUT": Route(properties.update_property, _MANAGE, body=True, subject=True),
    },
    f"{_COMPONENT}/actions/{{action}}": {"POST": Route(actions.ask_action, _ACT, body=True, subject=True)},
}
