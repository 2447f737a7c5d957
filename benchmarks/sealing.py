"""`make bench-sealing`: what sealing one record and opening it again costs, against AES-256-GCM alone in the same run.

A record as it is in life: four fields, 8 KiB together (an access token of some KiB is a JWT). Each round makes both
ways in full: a fresh data key, five sealings, five openings. The floor, measured in turn with it, encrypts and decrypts
the same bytes once, with a key that is ready. Exit code 1 where the goal is missed.
"""

from __future__ import annotations

import argparse
import gc
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from arrivals import quantile
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from goals import Goal, missed, table
from rig import machine, record, say

from integration_hub.credentials.keyring import new_keyring, with_new_key
from integration_hub.credentials.sealed import Binding, open_fields, seal_fields

SIZES = {"tokens": 6144, "intent": 512, "consent": 1024, "device": 512}
GOAL_MS = 5.0
WARMUP = 200


def timed(work: Callable[[], object]) -> float:
    """Return the milliseconds that the work took."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def measure(rounds: int) -> dict[str, Any]:
    """Return the figures of so many rounds."""
    fields = {name: secrets.token_bytes(size) for name, size in SIZES.items()}
    whole = b"".join(fields.values())
    uid = "0b3c1c2e-5d0f-4c57-9d9b-6a5a7f0c1d11"
    binding = Binding("team-a", f"hub-credential-{uid}", uid)
    keyring = with_new_key(new_keyring(secrets.token_bytes), secrets.token_bytes)
    cipher = AESGCM(secrets.token_bytes(32))

    def ours() -> None:
        data = seal_fields(fields, binding, keyring, secrets.token_bytes)
        if open_fields(data, binding, keyring) != fields:
            raise RuntimeError("a record did not open as it was sealed")

    def bare() -> None:
        nonce = secrets.token_bytes(12)
        cipher.decrypt(nonce, cipher.encrypt(nonce, whole, b"place"), b"place")

    for _ in range(WARMUP):
        ours()
        bare()
    gc.collect()
    # In turn, so that a slow moment of the machine falls on both.
    both = [(timed(ours), timed(bare)) for _ in range(rounds)]
    sealing, floor = [one for one, _ in both], [other for _, other in both]
    return {
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "rounds": rounds,
        "bytes": len(whole),
        "fields": len(fields),
        "p50_ms": round(quantile(sealing, 0.5), 4),
        "p99_ms": round(quantile(sealing, 0.99), 4),
        "max_ms": round(max(sealing), 4),
        "bare_p50_ms": round(quantile(floor, 0.5), 4),
        "bare_p99_ms": round(quantile(floor, 0.99), 4),
        "ratio_to_bare": round(quantile(sealing, 0.5) / quantile(floor, 0.5), 2),
        "machine": machine(),
    }


def main() -> None:
    """Measure, print, and append one line to benchmarks/results/."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=10_000, help="rounds")
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    figures = measure(options.n)
    for name, value in figures.items():
        print(f"{name:16} {value}")
    goals = [Goal("sealing and opening one record, p99 in ms", figures["p99_ms"], GOAL_MS)]
    print(table(goals))
    if not options.no_record:
        record("sealing.jsonl", figures)
    if missed(goals):
        say("the goal is missed")
        sys.exit(1)


if __name__ == "__main__":
    main()
