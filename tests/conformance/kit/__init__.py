"""Conformance: what is checked of every recorded exchange, for the tests and the report alike.

Primitives::

    Exchange   one recording (tests/support/corpus.py)
    Reading    what a recorded answer says, read plainly and apart from the gateway's own code
    Suite      how a dialect is checked: functions of an exchange, and what does not apply and why
    Results    what the tests of a run said of each exchange under each check

Direction of flow::

    corpus ─▶ suites ─▶ test_corpus.py, test_<dialect>_corpus.py ─▶ results ─▶ report    `make conformance`
                 └────▶ fidelity (with the tables of capabilities and families)          docs/fidelity.md

The report reads the outcomes of the very tests, so the two cannot disagree; an exchange that no test takes
and no reason explains fails the run. The checks: *decode*, *round trip*, *split* and *typed parity*, as
docs/fidelity.md describes them.

A dialect is added by a test file whose tests take exchanges as parameters, with the exchange's file name in
their ids, and by its line in `suites.DIALECTS`. `refusals`, `split` and `suite` have what is the same for
all; reasons why something does not apply stand in `suites.py` alone.
"""
