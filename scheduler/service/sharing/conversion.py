"""Requests as the store keeps them, and as the dispatcher handles them."""

from __future__ import annotations

from scheduler.service.dispatch.messages import Cancel, Preempt, Request, Update
from scheduler.store.sharing import ChangeRequest


def stored(request: Request) -> ChangeRequest:
    """The request for the store."""
    match request:
        case Cancel():
            return ChangeRequest("cancel", request.job, request.actor, {"reason": request.reason})
        case Preempt():
            return ChangeRequest("preempt", request.job, request.actor, {"reason": request.reason})
        case Update():
            changes = {"changes": dict(request.changes)}
            return ChangeRequest("update", request.job, request.actor, changes)


def message(request: ChangeRequest) -> Request:
    """The message for the dispatcher."""
    match request.name:
        case "cancel":
            return Cancel(request.job, request.actor, request.data["reason"])
        case "preempt":
            return Preempt(request.job, request.actor, request.data["reason"])
        case "update":
            return Update(request.job, request.data["changes"], request.actor)
