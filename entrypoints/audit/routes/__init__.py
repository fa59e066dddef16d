"""The routes of the audit."""

from entrypoints.audit.route import Route, reading
from entrypoints.audit.routes import events, history, proof, state, trace
from entrypoints.contract_application import Routes

ROUTES: Routes[Route] = {
    "/events": reading(events.list_events, events.PARAMETERS),
    "/events/{position}": reading(events.show_event),
    "/{context}/{id}/history": reading(history.show_history, history.PARAMETERS),
    "/{context}/{id}/state": reading(state.show_state, state.PARAMETERS),
    "/proof/{position}": reading(proof.show_proof),
    "/trace/{correlation}": reading(trace.show_trace),
}
