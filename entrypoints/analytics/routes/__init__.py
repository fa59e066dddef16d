"""The routes of analytics."""

from entrypoints.analytics.route import Routes
from entrypoints.analytics.routes import query, ready_made, replay

ROUTES: Routes = {
    "/": {"GET": ready_made.list_analyses},
    "/query": {"POST": query.query},
    "/replay": {"POST": replay.replay},
    "/{analysis}": {"GET": ready_made.show_analysis},
}
