from bench.views import Kept, KeptScenario, KeptSystem, View

RUN = Kept(
    machine={},
    versions={},
    repeats=3,
    scenarios={
        "unary-1": KeptScenario(
            "one",
            "request",
            300,
            0,
            {
                "direct": KeptSystem({"p50": 1.0}),
                "relay": KeptSystem({"p50": 1234.5}),
                "peer": KeptSystem({"p50": 9.0}, {"500": 1}),
            },
        ),
        "stream-10": KeptScenario("other", "chunk", 10, 0, {"relay": KeptSystem({})}),
    },
    starts={},
    lists=[],
)


def test_a_view_shows_its_scenarios_and_their_systems_without_the_direct_way() -> None:
    view = View("v", "p50", ("unary-",))

    assert [scenario.title for scenario in view.scenarios(RUN)] == ["one"]
    assert view.systems(RUN) == ["relay", "peer"]


def test_figures_of_a_system_that_failed_are_not_shown() -> None:
    view = View("v", "p50", ("unary-",), scale=1000, digits=2)
    systems = RUN.scenarios["unary-1"].systems

    assert [view.value(systems[name]) for name in ("relay", "peer")] == [1234.5, None]
    assert view.value(None) is None
    assert view.shown(1234.5) == "1.23"
