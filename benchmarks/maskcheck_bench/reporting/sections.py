"""The sections of a report, whatever format it is written in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskcheck_bench.measuring.outcome import LoadResult
from maskcheck_bench.measuring.timing import Timing
from maskcheck_bench.reporting.run_report import Report
from maskcheck_bench.scenarios.catalogue import LIMITS, PEERS, WHOLE_TASKS
from maskcheck_bench.scenarios.limits.roofline import MachineLimits
from maskcheck_bench.scenarios.pipeline_times import CLASSIFIER

BASELINE = "maskcheck"
"""If a group has a timing with this name, the group's other timings are compared with it."""

_LONG = 24  # values of a list that are shown


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        title: Its heading.
        head: Names of the table's columns.
        rows: The table.
        notes: Lines below it.
        timings: What its chart shows; none for no chart.
        roofline: Whether it shows the picture of the roofline.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    timings: tuple[Timing, ...] = ()
    roofline: bool = False


def describe_sections(report: Report) -> Iterator[Section]:
    """The sections of a report, in reading order."""
    limits = limits_of(report)
    for group in report.groups:
        yield _describe_group(group, report.group(group), limits if group == CLASSIFIER else None)
    if report.loads:
        yield _describe_loads(report.loads)
    for title, peers in (("Peers of the classifier", PEERS), ("Peers of the whole task", WHOLE_TASKS)):
        facts = {name: report.facts[name] for name in peers if name in report.facts}
        if facts:
            yield _describe_peers(f"{title}: what ran", facts)
    for scenario, results in report.facts.items():
        if scenario not in PEERS and scenario not in WHOLE_TASKS:
            rows = tuple((key, _text(value)) for key, value in _flatten(results))
            title = f"{_title(scenario)}: other results"
            yield Section(title, ("what", "value"), rows, roofline=scenario == LIMITS)
    yield _describe_conditions(report)
    if report.skipped:
        yield Section("Skipped", ("scenario", "why"), tuple(report.skipped.items()))
    if report.failed:
        yield Section("Failed", ("what",), tuple((failure,) for failure in report.failed))


def limits_of(report: Report) -> MachineLimits | None:
    """The machine's limits, if they were measured."""
    return MachineLimits.from_facts(report.facts[LIMITS]) if LIMITS in report.facts else None


def _describe_group(group: str, timings: Sequence[Timing], limits: MachineLimits | None) -> Section:
    head = [
        "what",
        "items",
        "processes x rounds",
        "median ms",
        "p90 ms (95 % interval)",
        "items/s",
        "slowest / fastest process",
    ]
    all_figures = {timing.key: timing.to_dict() for timing in timings}
    baseline = next((all_figures[timing.key] for timing in timings if timing.name == BASELINE), None)
    if baseline is not None:
        head.append(f"time / time of {BASELINE}")
    if limits is not None:
        head.append("of the machine's limit")
    rows, notes = [], []
    for timing in timings:
        figures = all_figures[timing.key]
        p90 = figures["p90_ms"]
        row = [
            timing.name if timing.x is None else f"{timing.name} {timing.x:g}".strip(),
            str(timing.items),
            f"{len(timing.processes)} x {len(timing.processes[0])}",
            f"{figures['median_ms']:.2f}",
            "too few rounds" if p90 is None else f"{p90['value']:.2f} ({p90['low']:.2f} to {p90['high']:.2f})",
            f"{figures['items_per_second']:.1f}",
            "-" if len(timing.processes) == 1 else f"{figures['spread_of_processes']:.2f}x",
        ]
        if baseline is not None:
            own, others = (row_figures["median_ms"] / row_figures["items"] for row_figures in (figures, baseline))
            row.append(f"{own / others:.2f}")
        if limits is not None:
            row.append(f"{limits.share(timing):.0%}")
        rows.append(tuple(row))
        notes += [f"{timing.name}: {note}" for note in figures["notes"]]
    return Section(_title(group), tuple(head), tuple(rows), tuple(notes), tuple(timings))


def _describe_peers(title: str, facts: Mapping[str, Mapping[str, Any]]) -> Section:
    flat = {name: dict(_flatten(results)) for name, results in facts.items()}
    keys = list(dict.fromkeys(key for results in flat.values() for key in results))
    rows = tuple(
        (name, *(_text(results[key]) if key in results else "-" for key in keys)) for name, results in flat.items()
    )
    return Section(title, ("peer", *keys), rows)


def _describe_loads(loads: Sequence[LoadResult]) -> Section:
    head = ("what", "scenario", "judged by", "value", "queries", "median latency ms", "by MLPerf's rules")
    rows = tuple(
        (
            load.subject,
            load.scenario,
            load.metric,
            load.value_text,
            str(load.queries),
            f"{load.latencies_ms['50.00']:g}" if "50.00" in load.latencies_ms else "-",
            "yes" if load.by_the_rules else "no: shorter",
        )
        for load in loads
    )
    return Section("Under load (MLPerf's scenarios, by its load generator)", head, rows)


def _describe_conditions(report: Report) -> Section:
    receipt = {key: value for key, value in report.receipt.items() if key not in ("schema", "versions", "stages")}
    versions = {f"version of {name}": number for name, number in report.receipt["versions"].items()}
    features = " ".join(report.machine.get("cpu_features") or ())
    machine = {**report.machine, "cpu_features": features}
    facts = {"started": report.made, **machine, **receipt, **versions}
    effort = {f"effort: {name}": value for name, value in vars(report.effort).items()}
    rows = tuple((key.replace("_", " "), _text(value)) for key, value in {**facts, **effort}.items())
    return Section("Measured on", ("what", "value"), rows)


def _title(group: str) -> str:
    return group[:1].upper() + group[1:] if group else "Times"


def _flatten(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in facts.items():
        name = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{name}: ")
        else:
            yield name, value


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value[:_LONG])) + (" ..." if len(value) > _LONG else "")
    return json.dumps(value)
