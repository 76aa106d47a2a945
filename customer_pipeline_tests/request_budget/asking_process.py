"""What a second process runs: it asks the provider within the budget, or takes a slot and is killed.

python -m customer_pipeline_tests.request_budget.asking_process ask URL PROVIDER LIMITS BACKGROUND
python -m customer_pipeline_tests.request_budget.asking_process hold URL KEY SECONDS
"""

import json
import sys
import threading
from datetime import timedelta

from customer_pipeline.cache.connection import connect
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.request_budget.budget import open_budget
from customer_pipeline.request_budget.slots import Slots
from customer_pipeline.windows import Window
from customer_pipeline_tests.provider import wire

WALKS = 15


def ask(url: str, provider: str, limits: str, background: str) -> None:
    described = wire.profile(provider, limits=json.loads(limits), retry={"attempts": 1, "budget": "60s"})
    with (
        open_budget(described, url=url, prefix="customer", background=json.loads(background)) as permits,
        ProviderClient(described, {}, permits=permits) as client,
    ):
        for _ in range(WALKS):
            list(client.walk(Window.from_key("2025-11-23T0750Z")))


def hold(url: str, key: str, seconds: str) -> None:
    with connect(url) as connection:
        slot = Slots(connection, [key], hold=timedelta(seconds=float(seconds))).take()
        sys.stdout.write("held\n" if slot else "taken\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    (ask if name == "ask" else hold)(*arguments)
