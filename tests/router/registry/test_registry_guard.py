import hashlib
import json

import pytest

from router.config import ProvidersConfig
from router.registry.guard import Agreement, Extent, digest_of_ids, extent_of, judge
from router.registry.rows import ListedModel, Reading, read
from router.routing.snapshot import SetAside
from router.values import Deployment, Dialect, Endpoint, Provider


def _deployment(model: str) -> Deployment:
    provider = Provider("p", "http://h")
    return Deployment(model, model, provider, Dialect.OPENAI, Endpoint.CHAT, "/v1/chat/completions")


def reading(models: int, *, deployments: int = 1, bad: int = 0, first: int = 0) -> Reading:
    listed = tuple(
        ListedModel(f"m{n}", "", None, (_deployment(f"m{n}"),) * deployments, ())
        for n in range(first, first + models)
    )
    aside = tuple(SetAside(n, "", "bad") for n in range(bad))
    return Reading(models * deployments + bad, listed, aside)


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (reading(0), "list refused: it is empty"),
        (reading(0, bad=3), "list refused: none of its 3 rows can be served (row 0: bad)"),
    ],
)
def test_a_list_that_serves_nothing_is_never_accepted(new: Reading, reason: str) -> None:
    for good in (None, extent_of(reading(1)), extent_of(reading(20))):
        verdict = judge(new, good, accepted_ids=extent_of(new).ids)
        assert not verdict.is_accepted
        assert verdict.reason == reason


@pytest.mark.parametrize(
    ("before", "after", "is_shrunk"),
    [
        (reading(10), reading(5), False),
        (reading(10), reading(4), True),
        (reading(11), reading(6), False),
        (reading(11), reading(5), True),
        (reading(9), reading(1), False),
        (reading(10), reading(10, first=50), False),
        (reading(10), reading(4, bad=20), True),
        (reading(9, bad=1), reading(4), True),
        (reading(5, deployments=2), reading(5), False),
        (reading(5, deployments=3), reading(5), True),
        (reading(12), reading(1, deployments=12), True),
        (reading(1, bad=50), reading(1), False),
    ],
)
def test_a_list_of_ten_rows_may_not_shrink_below_half(
    before: Reading, after: Reading, is_shrunk: bool
) -> None:
    verdict = judge(after, extent_of(before))

    assert verdict.is_shrunk is is_shrunk
    assert verdict.is_accepted is not is_shrunk


def test_without_a_good_list_any_that_serves_is_accepted() -> None:
    assert judge(reading(1), None).is_accepted


def test_the_third_fetch_that_agrees_is_accepted() -> None:
    good = extent_of(reading(20))
    first = judge(reading(3), good)
    second = judge(reading(3), good, first.agreement)
    third = judge(reading(3), good, second.agreement)

    assert [v.is_accepted for v in (first, second, third)] == [False, False, True]
    assert "from 20 served rows to 3" in first.reason
    assert "fetch 1 of 3" in first.reason
    assert "fetch 2 of 3" in second.reason


def test_a_fetch_that_differs_begins_anew() -> None:
    good = extent_of(reading(20))
    verdict = judge(reading(3), good)
    verdict = judge(reading(3), good, verdict.agreement)
    verdict = judge(reading(3, first=1), good, verdict.agreement)

    assert not verdict.is_accepted
    assert verdict.agreement == Agreement(extent_of(reading(3, first=1)).ids, 1)


def test_what_an_operator_accepted_is_accepted_at_once() -> None:
    good, new = extent_of(reading(20)), reading(3)

    assert judge(new, good, accepted_ids=extent_of(new).ids).is_accepted
    assert not judge(new, good, accepted_ids=extent_of(reading(2)).ids).is_accepted


def test_the_order_of_ids_does_not_matter() -> None:
    assert digest_of_ids(["a", "b"]) == digest_of_ids(["b", "a"])
    assert digest_of_ids(["a", "b"]) != digest_of_ids(["ab"])


def test_a_digest_of_many_ids_is_that_of_their_sorted_lines() -> None:
    ids = [f"m{number * 7919 % 1009}" for number in range(1009)]
    plain = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()

    assert digest_of_ids(ids) == plain


def test_an_extent_counts_rows_and_models() -> None:
    handle = "/openai/v1/chat/completions"
    listed = [{"model_version": name, "handle": handle} for name in ("a", "a", "b")]
    extent = extent_of(read(json.dumps([*listed, None]).encode(), ProvidersConfig()))

    assert extent == Extent(rows=4, served=3, models=2, ids=digest_of_ids(["a", "b"]))
