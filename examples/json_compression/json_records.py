"""JSON lines that look like the log of a shop: the same for the same arguments."""

import json
import random


def lines_of(count: int, nesting: int) -> bytes:
    """Some lines of JSON.

    Args:
        count: how many.
        nesting: how many objects each record has within each other, beside its own values.
    """
    chance = random.Random(17)
    return b"".join(json.dumps(_record(number, nesting, chance)).encode() + b"\n" for number in range(count))


def _record(number, nesting, chance):
    record = {
        "order": number,
        "customer": chance.randrange(5000),
        "item": chance.choice(("tulip", "rose", "daisy", "sunflower", "dandelion")),
        "price": round(chance.lognormvariate(2, 0.5), 2),
        "paid": chance.random() < 0.9,
    }
    for depth in range(nesting):
        record = {"depth": depth, "inner": record}
    return record
