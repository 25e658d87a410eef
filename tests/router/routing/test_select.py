"""Deployments are tried by key, priority and weight; chance is a parameter."""

import random
from collections import Counter
from dataclasses import replace

from router.routing.select import in_order, missing_key
from tests.support.calls import DEPLOYMENT


def test_a_missing_key_is_named_only_where_one_is_needed() -> None:
    keyless = replace(DEPLOYMENT, provider=replace(DEPLOYMENT.provider, api_key=None))
    local = replace(keyless, provider=replace(keyless.provider, key_variable=None))

    assert [missing_key(d) for d in (DEPLOYMENT, keyless, local)] == [None, "P_API_KEY", None]


def test_lower_priority_goes_first_whatever_the_weight() -> None:
    late = replace(DEPLOYMENT, priority=1, weight=100.0)
    early = replace(DEPLOYMENT, priority=0, weight=0.1)

    assert in_order([late, early], lambda: 0.9) == (early, late)


def test_equals_share_by_weight() -> None:
    heavy = replace(DEPLOYMENT, upstream_model="heavy", weight=3.0)
    light = replace(DEPLOYMENT, upstream_model="light", weight=1.0)
    never = replace(DEPLOYMENT, upstream_model="never", weight=0.0)
    chance = random.Random(1)

    first = Counter(
        in_order([light, never, heavy], chance.random)[0].upstream_model for _ in range(10_000)
    )

    assert 0.72 < first["heavy"] / 10_000 < 0.78
    assert "never" not in first
