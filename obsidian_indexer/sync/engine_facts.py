"""What computes the vectors of an index, as told long after: the engine, the check of an int8 build, the last tuning.

The engine and the tuning are remembered in the catalogue, since nothing is loaded when somebody asks; the check lies
beside the build.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from obsidian_indexer.embed.build import BuildKind, Builds
from obsidian_indexer.records import EngineStatus, Int8Check, TunedStatus
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.vectors import StoredModel
from obsidian_indexer.tuning import TuneReport

_ENGINE, _TUNED = "engine", "tuned"


def remember_engine(catalog: Catalog, model: StoredModel, name: str, device: str) -> None:
    """Keep what embeds for this model now."""
    value = json.dumps({"fingerprint": model.fingerprint, "name": name, "device": device})
    if catalog.meta(_ENGINE) != value:
        with catalog.transaction():
            catalog.set_meta(_ENGINE, value)


def remember_tuning(catalog: Catalog, report: TuneReport) -> None:
    """Keep the best of a tuning run, if there was one."""
    best = report.best
    if best is None:
        return
    at = datetime.now(UTC).isoformat(timespec="seconds")
    found = TunedStatus(at, best.engine, best.dtype, best.token_budget, best.chunks_per_second)
    with catalog.transaction():
        catalog.set_meta(_TUNED, json.dumps(asdict(found)))


def engine_of(catalog: Catalog, model: StoredModel | None) -> EngineStatus | None:
    """The engine that embedded last for the model; its name is None where a run before this one did not say."""
    if model is None:
        return None
    told = _object(catalog.meta(_ENGINE))
    if told.get("fingerprint") != model.fingerprint:
        return EngineStatus(None, None, model.dtype)
    return EngineStatus(told.get("name"), told.get("device"), model.dtype)


def tuned_status(catalog: Catalog) -> TunedStatus | None:
    """What the last tuning run found."""
    told = _object(catalog.meta(_TUNED))
    try:
        return TunedStatus(**told) if told else None
    except TypeError:
        return None


def int8_check(builds: Builds, model: StoredModel | None) -> Int8Check | None:
    """How the int8 build of the model's encoder did in its check, whether or not it is used."""
    record = builds.record(model.identity, BuildKind.INT8) if model is not None else {}
    if not record:
        return None
    check = record.get("check") or {}
    return Int8Check(
        refused=record.get("refused"),
        mean_cosine=check.get("mean_cosine"),
        worst_cosine=check.get("worst_cosine"),
        top10_overlap=check.get("neighbours"),
        passages=check.get("compared"),
        build_seconds=record.get("seconds"),
        made=record.get("made"),
    )


def _object(text: str | None) -> dict[str, Any]:
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}
