"""The routes of the audit."""

from entrypoints.audit.route import Route, Routes
from entrypoints.audit.routes import events, history, proof, trace

ROUTES: Routes = {
    "/events": Route(events.list_events, events.PARAMETERS),
    "/events/{position}": Route(events.show_event),
    "/{context}/{id}/history": Route(history.show_history, history.PARAMETERS),
    "/proof/{position}": Route(proof.show_proof),
    "/trace/{correlation}": Route(trace.show_trace),
}
