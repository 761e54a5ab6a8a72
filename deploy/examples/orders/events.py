"""Prints eleven weeks of a made-up shop as CloudEvents, one JSON object a line: python3 events.py | signalbox emit -f -"""

import json
import math
import random
from datetime import datetime, timedelta, timezone

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
DAYS = 77


def event(kind, order, at, data):
    at = at.isoformat().replace("+00:00", "Z")
    return {
        "specversion": "1.0", "id": f"{kind}:{order}", "source": "/shop", "type": kind, "subject": data["customer"],
        "time": at, "recordedtime": at, "datacontenttype": "application/json", "data": data,
    }


def history():
    dice = random.Random(1)
    habit = {f"c{n}": dice.gauss(0, 1.2) for n in range(150)}
    for n in range(DAYS * 50):
        at = START + timedelta(days=DAYS * n / (DAYS * 50))
        customer, order = dice.choice(sorted(habit)), f"o{n}"
        country, items = dice.choice(["DE", "FR", "IT"]), dice.randint(1, 5)
        amount = round(items * dice.lognormvariate(3, 0.5), 2)
        odds = habit[customer] + 0.012 * amount - 0.5 * items + (0.7 if country == "DE" else 0) - 0.8
        returned = dice.random() < 1 / (1 + math.exp(-odds))
        yield event("order.placed", order, at, {
            "order_id": order, "customer": customer, "country": country, "amount": amount, "items": items})
        yield event("order.closed", order, at + timedelta(days=dice.uniform(3, 12)), {
            "order_id": order, "customer": customer, "returned": returned})


for line in sorted(history(), key=lambda e: e["time"]):
    print(json.dumps(line))
