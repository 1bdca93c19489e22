from __future__ import annotations

import asyncio

from steadfit.app.tls.ca_publisher import CAPublisher
from steadfit.kube.client import Forbidden
from steadfit.kube.key import Key
from steadfit.kube.resources import CONFIG_MAPS

from tests.support.memory_api import MemoryAPI
from tests.support.virtual_time import run


def where(namespace: str) -> Key:
    return Key(CONFIG_MAPS, namespace, "steadfit-ca")


def test_the_ca_is_where_senders_mount_it_within_a_minute_after_any_change() -> None:
    async def story() -> None:
        api = MemoryAPI()
        api.fail = lambda verb, key: Forbidden(403, "Forbidden", "no right") if key.namespace == "closed" else None
        bundle = "old"
        publisher = CAPublisher(api, lambda: bundle, ("monitoring", "closed", "shop"))
        running = asyncio.create_task(publisher.run())

        async def published() -> list[str]:
            await asyncio.sleep(60)
            assert publisher.statistics().unpublished == 1
            return [api.objects[where(namespace)]["data"]["ca.crt"] for namespace in ("monitoring", "shop")]

        assert await published() == ["old", "old"]
        bundle = "new and old"
        assert await published() == ["new and old", "new and old"]
        api.remove(where("monitoring"))
        api.edit(where("shop"), data={"ca.crt": "broken"})
        assert await published() == ["new and old", "new and old"]
        assert publisher.statistics().writes == 6
        await asyncio.sleep(3600)
        assert publisher.statistics().writes == 6
        running.cancel()

    run(story())
