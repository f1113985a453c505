"""What came out of a gate, as JUnit XML: a test case for each series.

A series that is slower is a failure, one that is inconclusive is skipped, and a gate that measured nothing is one test
case with an error.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from flowerexp.gate.decision import Gain
from flowerexp.gate.outcome import Outcome, answer, explained, interval

# XML 1.0 has no other characters, not even escaped.
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(outcome: Outcome) -> str:
    """An XML document, with a `testsuites` element of one suite."""
    gains = outcome.gains
    found = [gain.verdict(outcome.rules) for gain in gains if outcome.rules]
    counts = {
        "tests": max(1, len(found)),
        "failures": found.count("slower") if outcome.verdict == "slower" else 0,
        "errors": int(outcome.verdict == "nothing measured"),
    }
    counts["skipped"] = max(1, len(found)) - counts["failures"] - counts["errors"] - found.count("not slower")
    numbers = {name: str(count) for name, count in counts.items()}
    about = {**numbers, "time": f"{outcome.seconds:.3f}"}
    whole = ElementTree.Element("testsuites", {"name": "flowerexp gate", **about})
    suite = ElementTree.SubElement(whole, "testsuite", {"name": _valid(outcome.experiment), **about})
    for gain in gains:
        _case(suite, outcome, gain)
    if not gains:
        case = _element(suite, outcome, "gate")
        _say(case, "error" if counts["errors"] else "skipped", answer(outcome), outcome)
    ElementTree.indent(whole)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(whole, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, outcome: Outcome, gain: Gain) -> None:
    case = _element(suite, outcome, gain.series)
    verdict = gain.verdict(outcome.rules) if outcome.rules else "inconclusive"
    if verdict == "not slower":
        return
    # Slower in a gate that is not: another look would have to confirm it.
    kind = "failure" if verdict == outcome.verdict == "slower" else "skipped"
    _say(case, kind, f"{verdict}: {gain.gain:.3f} x the baseline ({interval(gain)})", outcome)


def _element(suite: ElementTree.Element, outcome: Outcome, name: str) -> ElementTree.Element:
    place = _valid(f"flowerexp.gate.{outcome.experiment}")
    each = outcome.seconds / max(1, len(outcome.gains))
    return ElementTree.SubElement(suite, "testcase", classname=place, name=_valid(name), time=f"{each:.3f}")


def _say(case: ElementTree.Element, kind: str, message: str, outcome: Outcome) -> None:
    told = ElementTree.SubElement(case, kind, message=_valid(message))
    if kind != "skipped":
        told.set("type", outcome.verdict)
    told.text = _valid("\n".join([answer(outcome), *explained(outcome)]))


def _valid(text: str) -> str:
    return _FORBIDDEN.sub("?", text)
