"""What a report tells, section by section, for whatever it is written in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskcheck_bench.measuring.outcome import Load
from maskcheck_bench.measuring.timing import Timing
from maskcheck_bench.reporting.run_report import Report
from maskcheck_bench.scenarios.catalogue import CLASSIFIER
from maskcheck_bench.scenarios.limits.roofline import Limits
from maskcheck_bench.scenarios.peers import PEERS, RECIPES

LIMITS = "limits"
"""Name of the scenario that measures them."""

BASELINE = "maskcheck"
"""Name of the timing that the others of its group are compared with, where there is one."""


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        title: Its heading.
        head: Names of the table's columns.
        rows: The table.
        words: Lines below it.
        timings: What its chart shows; none for no chart.
        roofline: It is shown by the picture of the roofline.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ()
    timings: tuple[Timing, ...] = ()
    roofline: bool = False


def describe_sections(report: Report) -> Iterator[Section]:
    """The sections of a report, in the order in which they are read."""
    limits = limits_of(report)
    for group in report.groups:
        yield _describe_group(group, report.group(group), limits if group == CLASSIFIER else None)
    if report.loads:
        yield _describe_loads(report.loads)
    for title, peers in (("Peers of the classifier", PEERS), ("Peers of the whole task", RECIPES)):
        ran = {name: report.facts[name] for name in peers if name in report.facts}
        if ran:
            yield _describe_peers(f"{title}: what ran", ran)
    for scenario, facts in report.facts.items():
        if scenario in PEERS or scenario in RECIPES:
            continue
        rows = tuple((key, _text(value)) for key, value in _flatten(facts))
        title = f"{_title(scenario)}: what else was found"
        yield Section(title, ("what", "value"), rows, roofline=scenario == LIMITS)
    yield _describe_conditions(report)
    if report.skipped:
        yield Section("Skipped", ("scenario", "why"), tuple(report.skipped.items()))
    if report.failed:
        yield Section("Failed", ("what",), tuple((one,) for one in report.failed))


def limits_of(report: Report) -> Limits | None:
    """The machine's limits, if they were measured."""
    return Limits.from_facts(report.facts[LIMITS]) if LIMITS in report.facts else None


def _describe_group(group: str, timings: Sequence[Timing], limits: Limits | None) -> Section:
    head = [
        "what",
        "items",
        "processes x rounds",
        "median ms",
        "p90 ms (95 % interval)",
        "items/s",
        "processes differ by",
    ]
    baseline = next((one for one in timings if one.name == BASELINE), None)
    if baseline is not None:
        head.append(f"speed of {BASELINE} / its own")
    if limits is not None:
        head.append("of the machine's limit")
    rows = []
    for one in timings:
        figures = one.to_dict()
        p90 = figures["p90_ms"]
        row = [
            one.name if one.x is None else f"{one.name} {one.x:g}".strip(),
            str(one.items),
            f"{len(one.processes)} x {len(one.processes[0])}",
            f"{figures['median_ms']:.2f}",
            "too few rounds" if p90 is None else f"{p90['value']:.2f} ({p90['low']:.2f} to {p90['high']:.2f})",
            f"{figures['items_per_second']:.1f}",
            "-" if len(one.processes) == 1 else f"{figures['spread_of_processes']:.2f}x",
        ]
        if baseline is not None:
            own = figures["median_ms"] / one.items
            theirs = baseline.to_dict()["median_ms"] / baseline.items
            row.append(f"{own / theirs:.2f}")
        if limits is not None:
            row.append(f"{limits.share(one):.0%}")
        rows.append(tuple(row))
    notes = tuple(f"{one.name}: {note}" for one in timings for note in one.to_dict()["notes"])
    return Section(_title(group), tuple(head), tuple(rows), notes, tuple(timings))


def _describe_peers(title: str, ran: Mapping[str, Mapping[str, Any]]) -> Section:
    flat = {name: dict(_flatten(facts)) for name, facts in ran.items()}
    keys = list(dict.fromkeys(key for facts in flat.values() for key in facts))
    rows = tuple((name, *(_text(facts[key]) if key in facts else "-" for key in keys)) for name, facts in flat.items())
    return Section(title, ("peer", *keys), rows)


def _describe_loads(loads: Sequence[Load]) -> Section:
    head = ("what", "scenario", "judged by", "value", "queries", "median latency ms", "by MLPerf's rules")
    rows = tuple(
        (
            one.subject,
            one.scenario,
            one.metric,
            "no rate met it" if one.value is None else f"{one.value:g} {one.unit}",
            str(one.queries),
            f"{one.latencies_ms['50.00']:g}" if "50.00" in one.latencies_ms else "-",
            "yes" if one.by_the_rules else "no: shorter",
        )
        for one in loads
    )
    return Section("Under load (MLPerf's scenarios, by its load generator)", head, rows)


def _describe_conditions(report: Report) -> Section:
    receipt = {key: value for key, value in report.receipt.items() if key != "versions"}
    versions = {f"version of {name}": number for name, number in report.receipt["versions"].items()}
    features = " ".join(report.machine.get("cpu_features") or ())
    machine = {**report.machine, "cpu_features": features}
    facts = {"begun": report.made, **machine, **receipt, **versions}
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
        return "not told"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(one) for one in value[:_LONG]) + (" ..." if len(value) > _LONG else "")
    return json.dumps(value)


_LONG = 24  # values of a list that are shown
