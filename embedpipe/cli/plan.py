"""``embedpipe plan``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from embedpipe.cli.layout import counted, duration_text, fact, size_text, some, views_table
from embedpipe.cli.options import StorePath, ext_var_option, include_package_option, overrides_option

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.engines.plan import Plan, PlannedView
    from embedpipe.engines.planned_time import PlannedTime
    from embedpipe.engines.survey import Survey

_LIMITS = {
    "reading": "reading, one range after the other",
    "committing": "committing the shards, one after the other",
    "disk": "the disk",
}
"""What can hold workers up, as :class:`~embedpipe.engines.planned_time.PlannedTime` names it."""

_UNITS = ("documents", "sentences", "words", "subwords")


@click.command("plan")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=StorePath(), help="Where the store shall go, a path or URL; default: store.path.")
@overrides_option
@ext_var_option
@include_package_option
@click.option(
    "--sentences", type=click.IntRange(min=1), metavar="N", help="Plan for a corpus of N sentences of the same kind instead."
)
@click.option(
    "--device-rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="R",
    help="Reckon with devices that encode R subwords a second (special ones, context counted) instead of timing this one.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, metavar="N", help="Reckon with N such devices that share the work."
)
@click.option(
    "--disk-rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MB",
    help="Reckon with a disk that takes so many megabytes (10^6 bytes) a second from all workers together.",
)
@click.option("--no-calibration", is_flag=True, help="Leave the encoder's weights unread, and the time unknown.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def plan_command(
    config: Path,
    output: Path | str | None,
    overrides: str | None,
    ext_vars: dict[str, str],
    include_packages: tuple[str, ...],
    sentences: int | None,
    device_rate: float | None,
    workers: int,
    disk_rate: float | None,
    no_calibration: bool,
    as_json: bool,
) -> None:
    """Say what an extraction would read and store, and how long it would take.

    The corpus is read once; nothing is written. A store that does not fit on its disk is refused (exit status 1), but not with
    --sentences, which asks about a corpus that need not be here.
    """
    from embedpipe.cli.progress import ProgressLine
    from embedpipe.config import load_config
    from embedpipe.engines.disk import require_space
    from embedpipe.engines.plan import make_plan

    loaded = load_config(config, overrides=overrides, ext_vars=ext_vars, include_packages=include_packages)
    with ProgressLine(quiet=False, done="read") as line:
        plan = make_plan(
            loaded,
            output,
            num_sentences=sentences,
            device_rate=device_rate,
            num_workers=workers,
            disk_bytes_per_second=None if disk_rate is None else disk_rate * 1e6,
            calibrates=not no_calibration,
            on_progress=line.update,
        )
    facts = describe(plan, loaded)
    click.echo(json.dumps(facts, indent=2, ensure_ascii=False) if as_json else "\n".join(as_text(facts)))
    if not plan.is_projected and plan.path is not None:
        require_space(plan.path, plan.total_bytes)


def describe(plan: Plan, config: LoadedConfig) -> dict[str, Any]:
    """Everything that ``plan`` prints, as JSON has it."""
    time = plan.time
    return {
        "config": plan.source,
        "path": None if plan.path is None else str(plan.path),
        "encoder": {**plan.encoder, "num_layers": plan.num_layers, "hidden_size": plan.hidden_size},
        "context": {"type": config.resolved["context"]["type"], "window": plan.window},
        "corpus": {
            "files": [str(file) for file in config.job.corpus.files],
            **_counts(plan.surveyed),
            "longest_sentence": plan.surveyed.longest and plan.surveyed.longest._asdict(),
            "labels": dict(plan.surveyed.labels),
            "warnings": [{"kind": kind, **dataclasses.asdict(entry)} for kind, entry in plan.surveyed.warnings.items()],
        },
        "projected": _counts(plan.survey) if plan.is_projected else None,
        "views": {name: _view(view) for name, view in plan.views.items()},
        "beside_bytes": plan.beside_bytes,
        "total_bytes": plan.total_bytes,
        "disk": {
            "folder": str(plan.space.folder),
            "free_bytes": plan.space.free_bytes,
            "needed_bytes": plan.space.needed_bytes,
            "is_enough": plan.space.is_enough,
        },
        "time": None if time is None else _time(time),
    }


def _time(time: PlannedTime) -> dict[str, Any]:
    return {
        **dataclasses.asdict(time),
        "seconds": time.seconds,
        "limits": dict(time.limits),
        "limited_by": time.limited_by,
        "enough_workers": time.enough_workers,
    }


def _counts(survey: Survey) -> dict[str, int]:
    from embedpipe.engines.survey import COUNTS

    return {name.removeprefix("num_"): getattr(survey, name) for name in COUNTS}


def _view(view: PlannedView) -> dict[str, Any]:
    info = view.info
    return {
        "unit": info.unit,
        "rows": view.num_rows,
        "row_shape": list(info.row_shape),
        "dtype": info.dtype,
        "size_bytes": view.size_bytes,
        "layers": list(info.layers),
        "combination": info.combination,
        "pooling": info.pooling,
    }


def as_text(facts: dict[str, Any]) -> Iterator[str]:
    """The lines for a person."""
    counts = facts["projected"] or facts["corpus"]
    store = facts["path"] or "a store that has no path yet"
    yield f"{facts['config']}: would make {store}, about {size_text(facts['total_bytes'])}"
    yield ""
    yield from _corpus(facts["corpus"])
    if facts["projected"]:
        yield fact("projected", f"to {_sizes(counts)}")
    yield from _encoder(facts, counts)
    yield from _disk_and_time(facts)
    yield ""
    yield from views_table(facts["views"], {"text, ids, labels (about)": facts["beside_bytes"], "total": facts["total_bytes"]})


def _sizes(counts: dict[str, int]) -> str:
    return ", ".join(counted(counts[unit], unit) for unit in _UNITS)


def _corpus(corpus: dict[str, Any]) -> Iterator[str]:
    names = some([Path(file).name for file in corpus["files"]], 2)
    yield fact("corpus", f"{names}: {_sizes(corpus)}")
    if longest := corpus["longest_sentence"]:
        sizes = f"{counted(longest['num_words'], 'words')}, {counted(longest['num_subwords'], 'subwords')}"
        yield fact("longest", f"sentence {longest['id']!r}: {sizes}")
    for what in ("empty_sentences", "windowed_sentences", "words_without_subwords", "cut_words"):
        if corpus[what]:
            yield fact("note", f"{what.replace('_', ' ')}: {corpus[what]:,}")
    for warning in corpus["warnings"]:
        yield fact("warning", f"{warning['message']}: {warning['count']:,} times, first at {warning['places'][0]}")


def _encoder(facts: dict[str, Any], counts: dict[str, int]) -> Iterator[str]:
    encoder, context = facts["encoder"], facts["context"]
    model = encoder["model"] + (f" at {encoder['revision']}" if encoder.get("revision") else "")
    yield fact("encoder", f"{model}: {encoder['architecture']}, {encoder['num_layers']} layers of {encoder['hidden_size']}")
    limit = f"windows of {context['window']} subwords" if context["window"] else "no limit"
    yield fact("context", f"{context['type']}, {limit}")
    windows = counted(counts["windows"], "windows")
    yield fact("to encode", f"{windows} of {counts['window_subwords']:,} subwords, special ones and context counted")


def _disk_and_time(facts: dict[str, Any]) -> Iterator[str]:
    disk, time = facts["disk"], facts["time"]
    verdict = "" if disk["is_enough"] else "; that is not enough"
    needed, free = size_text(disk["needed_bytes"]), size_text(disk["free_bytes"])
    yield fact("disk", f"{needed} needed (5 % to spare), {free} free in {disk['folder']}{verdict}")
    if time is None:
        yield fact("time", "unknown; leave out --no-calibration, or give --device-rate" if facts["corpus"]["windows"] else "-")
        return
    how = "as timed here" if time["source"] == "calibration" else "as given"
    reading, encoding = duration_text(time["reading_seconds"]), duration_text(time["encoding_seconds"])
    rate = f"{time['subwords_per_second']:,.0f} subwords/s {how}"
    if time["num_workers"] == 1 and time["limited_by"] == "workers":
        yield fact("time", f"about {duration_text(time['seconds'])}: reading {reading}, encoding {encoding} at {rate}")
        return
    shared = f"reading {reading} and encoding {encoding} at {rate}, shared by {counted(time['num_workers'], 'workers')}"
    yield fact("time", f"about {duration_text(time['seconds'])}: {shared}")
    if time["enough_workers"] is not None:
        others = {part: seconds for part, seconds in time["limits"].items() if part != "workers"}
        part = max(others, key=lambda part: others[part])
        what = f"{_LIMITS[part]}, {duration_text(others[part])} in all, holds them up"
        yield fact("limit", f"{what} from {counted(time['enough_workers'], 'workers')} on")
