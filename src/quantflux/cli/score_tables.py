"""The tables and files of `quantflux score`."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.markup import escape

from quantflux.cli.output import add_row, answers, counted, notes, table

if TYPE_CHECKING:
    from quantflux.scoring.analysis import NameAnalysis, SectorAnalysis
    from quantflux.scoring.scores import DayScores
    from quantflux.scoring.selection import Chosen
    from quantflux.scoring.service import ScreenResult

_MOST_PARTS = 6  # columns of contributions that fit beside the rest
_MOST_WEIGHTS = 20
_LONGEST = 24  # characters of a factor's name as a heading


def print_chosen(chosen: Chosen) -> None:
    """Show what a score is made of, and the names chosen."""
    scores = chosen.scores
    _print_head(scores)
    _print_weights(scores)
    if not len(chosen.places):
        answers.print("no name is left to choose")
    else:
        _print_names(scores, chosen.rows)
    _print_left_out("compared", scores.comparison.left_out)
    _print_left_out("chosen", chosen.left_out)
    print_notes(scores.notes)


def _print_head(scores: DayScores) -> None:
    told, on = scores.request, scores.comparison
    title = f"[bold cyan]{escape(told.name)}[/]  " if told.name else ""
    answers.print(
        f"{title}{scores.day}  {told.method}: {counted(int(scores.scored.sum()), 'name')} scored "
        f"of {int(on.chosen[-1].sum()):,} compared",
        soft_wrap=True,
    )


def _print_weights(scores: DayScores) -> None:
    trailing = any(each.days is not None for each in scores.weights)
    more = ("RankIC", "ICIR", "days") if trailing else ()
    order = sorted(scores.weights, key=lambda each: -abs(each.weight))
    shown = scores.weights if len(order) <= _MOST_WEIGHTS else order[:_MOST_WEIGHTS]
    if scores.request.models is not None:
        made = table("model", "weight", right=("weight",))
        for each in shown:
            add_row(made, each.label, f"{each.weight:.3f}")
    else:
        made = table("factor", "better is", "weight", *more, right=("weight", *more))
        for each in shown:
            cells = [each.label, "more" if each.orientation > 0 else "less", f"{each.weight:+.3f}"]
            if trailing:
                cells += [_number(each.rank_ic, "+.4f"), _number(each.icir, "+.2f"), str(each.days)]
            add_row(made, *cells)
    answers.print(made)
    if len(shown) < len(order):
        rest = sum(abs(each.weight) for each in order[_MOST_WEIGHTS:])
        answers.print(
            f"and {len(order) - len(shown)} more of {100 * rest:.0f} % of the weight; --json has all"
        )
    answers.print()


def _print_names(scores: DayScores, rows: Sequence[Mapping[str, Any]]) -> None:
    labels = [each.label for each in scores.weights]
    told = [
        {
            "rank": str(row["rank"]),
            "symbol": row["symbol"],
            "name": row["name"],
            "industry": row["industry"] or "",
            "score": f"{row['score']:+.4f}",
            "percentile": f"{row['percentile_rank']:.1f}",
        }
        for row in rows
    ]
    headings = _headings(labels, told[0])
    parts = [
        {headings[label]: f"{row['contributions'][label]:+.3f}" for label in labels[:_MOST_PARTS]}
        for row in rows
    ]
    together = [one | other for one, other in zip(told, parts, strict=True)]
    if len(labels) <= _MOST_PARTS and _width(together) <= answers.width:
        _print_rows(together, ("rank", "score", "percentile", *parts[0]))
        answers.print("the columns behind the percentile add up to the score")
        _print_numbered(headings)
        return
    for line, row in zip(told, rows, strict=True):
        largest = sorted(row["contributions"].items(), key=lambda item: -abs(item[1]))[:3]
        line["most by"] = ", ".join(f"{headings[label]} {part:+.3f}" for label, part in largest)
    _print_rows(told, ("rank", "score", "percentile"))
    _print_numbered(headings)


def print_screen(result: ScreenResult) -> None:
    """Show the names that a screen found."""
    on = result.comparison
    answers.print(
        f"{on.day}  {counted(result.found, 'name')} of {int(on.chosen[-1].sum()):,} compared meet the conditions",
        soft_wrap=True,
    )
    headings = _headings(list(result.columns), ("symbol", "name", "industry"))
    rows = [
        {"symbol": row["symbol"], "name": row["name"], "industry": row["industry"] or ""}
        | {heading: _plain(row[label]) for label, heading in headings.items()}
        for row in result.rows
    ]
    right = list(headings.values())
    _print_fitting(rows, right, dropped=right[::-1])  # what it was told to show stays longest
    _print_numbered(headings)
    if result.found > len(result.places):
        more = result.found - len(result.places)
        notes.print(f"and {counted(more, 'more name')}; --top {result.found} shows all")
    _print_left_out("compared", on.left_out)
    _print_left_out("found", result.left_out)


def print_name(found: NameAnalysis) -> None:
    """Show where one name stands in each factor."""
    place = (
        f"score {found.score:+.4f}, rank {found.rank}, percentile {found.percentile_rank:.1f}"
        if found.score is not None
        else "no score"
    )
    answers.print(
        f"[bold cyan]{found.symbol}[/] {escape(found.name)} {escape(found.industry or '')}  {found.day}  {place}",
        soft_wrap=True,
    )
    headings = _headings(list(found.factors))
    rows = [
        {
            "factor": headings[label],
            "value": _plain(each.factor_value),
            "mean": _plain(each.market_mean),
            "median": _plain(each.market_median),
            "deviation": _plain(each.market_std),
            "z-score": _number(each.z_score, "+.2f"),
            "percentile": _number(each.percentile_rank, ".1f"),
            "weight": f"{each.weight:+.3f}",
            "adds": _number(each.contribution, "+.4f"),
            "is": each.relative_strength or "unknown",
        }
        for label, each in found.factors.items()
    ]
    right = [name for name in rows[0] if name not in ("factor", "is")]
    _print_fitting(rows, right, dropped=("mean", "deviation", "median"))
    _print_numbered(headings)
    answers.print(
        "everything is among the names compared; strong and weak take into account whether more or less is better",
        soft_wrap=True,
    )
    print_notes(found.notes)


def print_sectors(found: SectorAnalysis, top: int) -> None:
    """Show the industries, the one with the highest mean score first."""
    _print_head(found.scores)
    columns = ("names", "mean", "median", "deviation", "percentile")
    made = table("industry", *columns, "best", right=columns)
    for each in found.sectors[:top]:
        best = ", ".join(f"{row['symbol']} {row['score']:+.2f}" for row in each.top[:3])
        add_row(
            made,
            each.industry,
            str(each.count),
            f"{each.mean:+.4f}",
            f"{each.median:+.4f}",
            _number(each.std, ".4f"),
            f"{each.percentile_mean:.1f}",
            best,
        )
    answers.print(made)
    if len(found.sectors) > top:
        more = len(found.sectors) - top
        notes.print(
            f"and {more} more {'industry' if more == 1 else 'industries'}; --top {len(found.sectors)} shows all"
        )
    print_notes(found.scores.notes)


def print_notes(told: Sequence[str]) -> None:
    """Show what a reader must know."""
    for note in told:
        notes.print(f"note: {note}", markup=False, soft_wrap=True)


def _print_left_out(what: str, left_out: Sequence[tuple[str, int]]) -> None:
    if left_out:
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in left_out)
        notes.print(f"not {what}: {reasons}", markup=False, soft_wrap=True)


def chosen_rows(chosen: Chosen) -> list[dict[str, Any]]:
    """Return the names chosen as flat rows, a column for each contribution."""
    return [
        {key: value for key, value in row.items() if key != "contributions"}
        | {f"contribution {label}": part for label, part in row["contributions"].items()}
        for row in chosen.rows
    ]


def sector_rows(found: SectorAnalysis) -> list[dict[str, Any]]:
    """Return one row for each industry."""
    rows: list[dict[str, Any]] = found.to_dict()["industry_summary"]
    return rows


def name_rows(found: NameAnalysis) -> list[dict[str, Any]]:
    """Return one row for each factor of a name."""
    return [{"factor": label, **values} for label, values in found.to_dict()["factor_contributions"].items()]


def write_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], path: Path) -> None:
    """Write rows as CSV in UTF-8 with a mark that spreadsheets go by; texts cannot act as formulas there."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([harmless(column) for column in columns])
        writer.writerows([harmless(row[column]) for column in columns] for row in rows)


def harmless(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula; numbers stay numbers.

    Examples
    --------
    >>> harmless("=1+1"), harmless("-pe_ttm"), harmless(-0.5), harmless("600519.SH")
    ("'=1+1", "'-pe_ttm", -0.5, '600519.SH')
    """
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{cell}"
    return cell


def _print_fitting(rows: list[dict[str, str]], right: Sequence[str], dropped: Sequence[str]) -> None:
    """Print rows without those of the columns in `dropped`, the last ones first, that do not fit, and name them."""
    gone: list[str] = []
    for name in reversed(dropped):
        if _width(rows) <= answers.width:
            break
        rows = [{key: cell for key, cell in row.items() if key != name} for row in rows]
        gone.insert(0, name)
    _print_rows(rows, right)
    if gone:
        notes.print(f"no room for {', '.join(gone)}: widen the terminal, or see --json", markup=False)


def _print_rows(rows: Sequence[Mapping[str, str]], right: Sequence[str]) -> None:
    if not rows:
        return
    made = table(*rows[0], right=right)
    for column in made.columns:
        if column.header == "symbol":
            column.no_wrap = True
    for row in rows:
        add_row(made, *row.values())
    answers.print(made)


def _width(rows: Sequence[Mapping[str, str]]) -> int:
    """Return how wide a table of these rows is; Chinese characters take two columns."""
    if not rows:
        return 0
    widest = (max(cell_len(name), *(cell_len(row[name]) for row in rows)) for name in rows[0])
    return sum(widest) + 2 * (len(rows[0]) - 1)


def _headings(labels: Sequence[str], others: Iterable[str] = ()) -> dict[str, str]:
    """Return a short heading for each label, numbered where it would be the same as another's or one of `others`.

    Examples
    --------
    >>> list(_headings(["size", "ts_mean(close / open, 10)", "ts_mean(close / open, 20)"]).values())
    ['size', 'ts_mean(close / open, 1…', 'ts_mean(close / open, 2…']
    >>> list(_headings(["ts_mean(close / delay(close, 1), 10)", "ts_mean(close / delay(close, 1), 20)"]).values())
    ['ts_mean(close / delay(c… 1', 'ts_mean(close / delay(c… 2']
    """
    often = Counter([*others, *map(_short, labels)])
    so_far: Counter[str] = Counter()
    headings = {}
    for label in labels:
        short = _short(label)
        so_far[short] += 1
        headings[label] = short if often[short] == 1 else f"{short} {so_far[short]}"
    return headings


def _print_numbered(headings: Mapping[str, str]) -> None:
    """Say what the headings stand for that had to be numbered."""
    for label, heading in headings.items():
        if heading != _short(label):
            notes.print(f"{heading} is {label}", markup=False, soft_wrap=True)


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _plain(value: float | None) -> str:
    """Write a value whose size is not known: six digits, large ones with separators."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:.6g}"
