"""Drives a call to providers and back: the only part of the router with effects on the way of a call.

::

    Dispatcher   one call: asks `routing.attempts` what to do next, and does it
    Attempt      one request to one deployment: sent, read, committed, passed on
    Hold         the commit rule: what is held back before the first content
    Journal      what operators are told of attempts, breakers and what is set aside

Before its first content an attempt is a coroutine that fails or succeeds, and a failure may be made good
elsewhere. With the first content the answer is committed: from there on it is a generator, and whatever
happens ends it. Decisions are not made here: they are rows of `routing.conduct`, taken by `routing.attempts`.
"""

from router.dispatch.dispatcher import Dispatcher
from router.dispatch.gauges import DeploymentGauges
from router.dispatch.hold import MAX_HELD_BYTES, MAX_HELD_FRAMES
from router.dispatch.journal import Journal
from router.dispatch.world import Gates, Limits, World

__all__ = [
    "MAX_HELD_BYTES",
    "MAX_HELD_FRAMES",
    "DeploymentGauges",
    "Dispatcher",
    "Gates",
    "Journal",
    "Limits",
    "World",
]
