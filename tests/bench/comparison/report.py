"""The outcomes as text of at most 80 columns."""

import textwrap

WIDTH = 80


def seconds(value):
    if value < 0.0995:
        return f"{value * 1000:.1f} ms"
    return f"{value * 1000:.0f} ms" if value < 0.9995 else f"{value:.2f} s"


def memory(kilobytes):
    return f"{kilobytes / 1024:.1f} MB" if kilobytes else "-"


def _row(row):
    if row.problem:
        line = f"  {row.label:<36}  {row.problem}"
        return line if len(line) <= WIDTH else line[:WIDTH - 1] + "…"
    cpu, helper = (seconds(value) if value else "-" for value in (row.cpu, row.helper))
    return f"  {row.label:<36}{seconds(row.wall):>10}{cpu:>10}{helper:>10}{memory(row.memory):>10}"


def _number(value):
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _verdict(verdict):
    measured = "-" if verdict.measured is None else _number(verdict.measured) + verdict.unit
    limit = f"{verdict.relation} {verdict.limit:.3g}{verdict.unit}"
    holds = {True: "yes", False: "no", None: "?"}[verdict.holds]
    return f"  {verdict.what:<46}{measured:>12}{limit:>12}{holds:>7}"


def text_of(outcome):
    lines = [f"{outcome.name}: {outcome.title}"]
    if outcome.rows:
        lines.append(f"  {'':<36}{'wall':>10}{'cpu':>10}{'helper':>10}{'memory':>10}")
        lines += map(_row, outcome.rows)
    if outcome.verdicts:
        lines.append(f"  {'':<46}{'measured':>12}{'limit':>12}{'holds':>7}")
        lines += map(_verdict, outcome.verdicts)
    for note in outcome.notes:
        lines += textwrap.wrap(note, WIDTH - 2, initial_indent="  ", subsequent_indent="  ")
    return "\n".join(lines) + "\n"
