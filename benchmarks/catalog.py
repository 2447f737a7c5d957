"""How long a search takes in a catalog of a thousand definitions, beside the start of Python.

    .venv/bin/python benchmarks/catalog.py

The definitions are those of the catalog over and over, each with another name and vendor.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from time import perf_counter, process_time

from integration_hub.adapters import shipped
from integration_hub.catalog.index import Entry, line_of, read_index, search

WORDS = ("salesforce", "salesfroce", "payments", "consumer key", "acconting api", "vendor 77")


def a_catalog_of(count: int) -> str:
    """Return the text of an index of so many definitions."""
    known = read_index(shipped.index_text())
    made = (_renamed(known[number % len(known)], number) for number in range(count))
    return "".join(f"{line_of(entry)}\n" for entry in made)


def _renamed(entry: Entry, number: int) -> Entry:
    return replace(
        entry,
        name=f"{entry.name}-{number}",
        display_name=f"{entry.display_name} {number}",
        vendor=f"Vendor {number}",
        fields=(*entry.fields, f"field{number}"),
    )


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=1000, help="definitions")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    text = a_catalog_of(options.n)
    print(
        f"{options.n} definitions, {len(text) // 1024} KiB of index; best of {options.rounds}, milliseconds"
    )
    for words in WORDS:
        clock, processor, found = [], [], 0
        for _ in range(options.rounds):
            started, used = perf_counter(), process_time()
            found = len(search(read_index(text), words))
            clock.append(perf_counter() - started)
            processor.append(process_time() - used)
        print(
            f"{words!r:16} {found:5} found   {1000 * min(clock):5.1f}   of CPU {1000 * min(processor):5.1f}"
        )


if __name__ == "__main__":
    main()
