"""The pipeline: what every call passes through, whatever its transport and its operation.

One signature (`Stage`), folded right to left; the order stands in `router.app`. A stage that needs nothing
but a look at the call checks it and returns the next stage's events; one that settles afterwards is a
generator around them. Cache and ledger will take their place in the same list.
"""

from router.pipeline.account import Account
from router.pipeline.admit import Admit
from router.pipeline.authenticate import Authenticate
from router.pipeline.fold import fold

__all__ = ["Account", "Admit", "Authenticate", "fold"]
