"""The routes of analytics."""

from entrypoints.analytics.route import Routes
from entrypoints.analytics.routes import query, ready_made

ROUTES: Routes = {
    "/": {"GET": ready_made.list_analyses},
    "/query": {"POST": query.query},
    "/{analysis}": {"GET": ready_made.show_analysis},
}
