"""What a report says about whether its numbers can be trusted."""

from types import SimpleNamespace
from typing import Any

from flowerexp.analysis.report import trust


def test_measurements_that_were_made_again_are_counted():
    def material(*counts: int | None) -> Any:
        return SimpleNamespace(measured=[SimpleNamespace(facts={"measurements_discarded": each}) for each in counts])

    (said,) = trust._discarded(material(2, None, 1))
    assert said.startswith("3 measurements of 2 runs were discarded and made again")
    assert trust._discarded(material(None)) == []
