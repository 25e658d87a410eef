"""The model list: fetched, checked row by row, kept on disk, served as numbered immutable snapshots.

Primitives::

    Source      where the list comes from: http(s) or a file; gives bytes, or says "unchanged"
    Reading     one list, read: models to serve, rows set aside with reasons
    Extent      how much a list offers; the guard compares extents, never lists
    GoodList    a list that passed: its snapshot and what its successor must know of it
    Store       the last good list on disk, one file per source

Direction of flow::

    Source ── bytes ──▶ rows.read ── Reading ──▶ guard.judge ── accepted ──▶ Store.save ──▶ Registry.snapshot
                                                     └── refused: the good list stays, degraded() says why

`scan`, `rows`, `fields`, `guard`, `good`, `location`, `status` and `report` are pure. `source`, `files`
and `store` do the input and output, `registry` keeps a list fresh for a running router, `sharing` one list
for several workers, `once` loads it a single time for the command line. Which deployment answers a request is
not decided here: see `routing`. What goes through a whole list does so by a `Pace` (`pace`).
"""

from router.registry.once import LoadReport, Outcome, accept, load_once
from router.registry.registry import Registry, Surroundings
from router.registry.report import render
from router.registry.sharing import Part, registry_of
from router.registry.store import StoreError

__all__ = [
    "LoadReport",
    "Outcome",
    "Part",
    "Registry",
    "StoreError",
    "Surroundings",
    "accept",
    "load_once",
    "registry_of",
    "render",
]
