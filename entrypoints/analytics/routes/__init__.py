"""The routes of analytics."""

from entrypoints.analytics.route import Route
from entrypoints.analytics.routes import query, ready_made, replay
from entrypoints.contract_application import Routes

ROUTES: Routes[Route] = {
    "/": {"GET": ready_made.list_analyses},
    "/query": {"POST": query.query},
    "/replay": {"POST": replay.replay},
    "/{analysis}": {"GET": ready_made.show_analysis},
}
