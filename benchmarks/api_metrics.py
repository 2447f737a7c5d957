"""What the API server says was written to it: its own request counter, read before and after."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

READS = {"GET", "LIST", "WATCH", "CONNECT"}


@dataclass(frozen=True)
class Writes:
    """Successful and failed writes since the API server's start, or between two readings."""

    status_patches: int
    """PATCH of an instance's status."""
    other_instance_writes: int
    """Every other write to an instance, creates included."""
    event_writes: int
    secret_writes: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.status_patches + self.other_instance_writes + self.event_writes + self.secret_writes

    def __sub__(self, earlier: Writes) -> Writes:
        return Writes(
            self.status_patches - earlier.status_patches,
            self.other_instance_writes - earlier.other_instance_writes,
            self.event_writes - earlier.event_writes,
            self.secret_writes - earlier.secret_writes,
        )


async def read_writes(session: aiohttp.ClientSession, server: str) -> Writes:
    """Read `apiserver_request_total`."""
    async with session.get(f"{server}/metrics") as response:
        text = await response.text()
    patches = others = events = secrets = 0
    for family in text_string_to_metric_families(text):
        if family.name != "apiserver_request":
            continue
        for sample in family.samples:
            labels, count = sample.labels, int(sample.value)
            if not sample.name.endswith("_total") or labels["verb"] in READS:
                continue
            if labels["resource"] == "events":
                events += count
            elif labels["resource"] == "secrets":
                secrets += count
            elif labels["resource"] == "integrationinstances":
                is_patch = labels["subresource"] == "status" and labels["verb"] == "PATCH"
                patches += count * is_patch
                others += count * (not is_patch)
    return Writes(patches, others, events, secrets)
