"""The columns of our kinds where a server has none: a gateway may answer with the objects, and not with a table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from integration_hub.cli.jsonpath import Template
from integration_hub.cli.output import Raw
from integration_hub.cli.words import age_of
from integration_hub.model.crds import KINDS, Column, column_entry
from integration_hub.reconcile.times import parse_timestamp


def as_table(page: Raw, kind: str, now: datetime) -> Raw:
    """Return an object, or a page of a list, as the API server makes a table of it with the CRD's columns."""
    objects: Iterable[Raw] = page["items"] or () if "items" in page else [page]
    columns = next(known.columns for known in KINDS if known.model.__name__ == kind)
    return {
        "kind": "Table",
        "metadata": page.get("metadata") or {},
        "columnDefinitions": [{"name": "Name", "priority": 0}, *(column_entry(column) for column in columns)],
        "rows": [
            {
                "cells": [obj["metadata"]["name"], *(_cell(column, obj, now) for column in columns)],
                "object": {"metadata": obj["metadata"]},
            }
            for obj in objects
        ],
    }


def _cell(column: Column, obj: Any, now: datetime) -> str:
    text = Template(f"{{{column.path}}}").render(obj)
    moment = parse_timestamp(text) if column.type == "date" else None
    return text if moment is None else age_of(now - moment)
