"""`python -m tests.simulation` runs every scenario with every strategy and writes the page."""

from tests.simulation.cells import running
from tests.simulation.page import PAGE, page
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.simulation import STRATEGIES


def main() -> None:
    cells = [(scenario.name, str(strategy)) for scenario in SCENARIOS for strategy in STRATEGIES]
    with running(cells) as summaries:
        PAGE.write_text(page(summaries), encoding="utf-8")


if __name__ == "__main__":
    main()
