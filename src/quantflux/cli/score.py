"""`quantflux score`: ranks names by factors or predictions, screens them, and says why they stand where they do."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.examples import ForceOption, TargetArgument, write_example
from quantflux.cli.output import counted, notes
from quantflux.cli.score_tables import (
    chosen_rows,
    name_rows,
    print_chosen,
    print_name,
    print_screen,
    print_sectors,
    sector_rows,
    write_csv,
)
from quantflux.core.errors import InvalidRequest

if TYPE_CHECKING:
    from quantflux.scoring.request import ScoreRequest

app = typer.Typer(no_args_is_help=True, help="Rank and screen names, and say why they stand where they do.")

_DEFAULT_METHOD = "equal"

FileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        help="A score file, .toml or .yaml; see: quantflux score init. Options go before it.",
    ),
]
FactorsOption = Annotated[
    str | None,
    typer.Option(
        "--factors", "-f", metavar="A,B", help="Factors, libraries or expressions, separated by commas."
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option("--weights", metavar="A=2,B=1", help="A weight for each factor, for the method weighted."),
]
MethodOption = Annotated[
    str | None, typer.Option("--method", help="equal, weighted, ic, icir or model. [default: equal]")
]
ModelsOption = Annotated[
    str | None,
    typer.Option("--models", metavar="A,B", help="Ids of models whose stored predictions make the score."),
]
BlendOption = Annotated[
    str | None, typer.Option("--blend", help="How several models are put together: mean or rank.")
]
DateOption = Annotated[
    str | None,
    typer.Option("--date", metavar="DATE", help="At the close of this day. [default: the last one there is]"),
]
HorizonOption = Annotated[
    int | None, typer.Option("--horizon", help="Days ahead, for the methods ic and icir. [default: 5]")
]
WindowOption = Annotated[
    int | None, typer.Option("--window", help="Days of known RankICs, for ic and icir. [default: 120]")
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write it as .csv or .json too, by the ending."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print everything as JSON instead of tables.")]


@app.command()
def init(file: TargetArgument = Path("score.toml"), force: ForceOption = False) -> None:
    """Write a score file with comments, to begin with."""
    from quantflux.scoring.files import example

    write_example(file, example(), "run it with: quantflux score run", force=force)


@app.command()
def run(
    context: typer.Context,
    file: FileArgument = None,
    factors: FactorsOption = None,
    method: MethodOption = None,
    weights: WeightsOption = None,
    models: ModelsOption = None,
    blend: BlendOption = None,
    day: DateOption = None,
    top: Annotated[int | None, typer.Option("--top", help="How many to choose. [default: 50]")] = None,
    per_industry: Annotated[
        int | None, typer.Option("--per-industry", help="At most so many of one industry.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="EXPRESSION", help="Choose only names for which it is true."),
    ] = None,
    horizon: HorizonOption = None,
    window: WindowOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score the names of a day and choose the best: from a file, from options, or from both."""
    _check_output(output)
    told = _request(file, factors, method, weights, models, blend, day, horizon, window)
    told = _with(told, "selection", top=top, per_industry=per_industry)
    told = _with(told, "filters", where=where)
    request = _checked(told, file)
    with opened(settings_of(context)) as platform:
        chosen = platform.scoring.select(request)
    columns = ("symbol", "name", "industry", "score", "rank", "percentile_rank", "known")
    parts = [f"contribution {each.label}" for each in chosen.scores.weights]
    _deliver(chosen.to_dict(), lambda: (chosen_rows(chosen), (*columns, *parts)), output)
    _show(chosen.to_dict(), lambda: print_chosen(chosen), as_json=as_json)


@app.command()
def screen(
    context: typer.Context,
    where: Annotated[
        str,
        typer.Argument(
            metavar="[EXPRESSION]",
            help="Over fields and factors, true where a name is to be found, such as "
            "'pe_ttm < 20 and rank(reversal_20) > 0.8'.",
        ),
    ] = "",
    day: DateOption = None,
    show: Annotated[
        str | None, typer.Option("--show", metavar="A,B", help="Factors, fields or expressions to show too.")
    ] = None,
    sort: Annotated[
        str, typer.Option("--sort", metavar="A", help="The highest values of it first. [default: by symbol]")
    ] = "",
    top: Annotated[int | None, typer.Option("--top", help="How many to show. [default: all]")] = None,
    boards: Annotated[
        str | None, typer.Option("--boards", metavar="A,B", help="main, chinext, star, bse, b_share.")
    ] = None,
    industries: Annotated[
        str | None, typer.Option("--industries", metavar="A,B", help="Only these industries.")
    ] = None,
    exclude: Annotated[
        str | None, typer.Option("--exclude", metavar="A,B", help="Not these symbols.")
    ] = None,
    listed_days: Annotated[
        int | None, typer.Option("--listed-days", help="Sessions since the listing, at least.")
    ] = None,
    least_amount: Annotated[
        float | None, typer.Option("--amount", help="Yuan traded a day over 20 days, at least.")
    ] = None,
    special: Annotated[bool, typer.Option("--st", help="Take names under special treatment too.")] = False,
    new: Annotated[
        bool, typer.Option("--new", help="Take names that have not traded on 60 days too.")
    ] = False,
    limits: Annotated[
        bool, typer.Option("--at-limits", help="Take names that closed at a price limit too.")
    ] = False,
    output: OutputOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the names that meet conditions at the close of a day."""
    from quantflux.scoring.files import screen_request

    _check_output(output)
    filters = {
        "boards": _maybe(boards),
        "industries": _maybe(industries),
        "exclude": _maybe(exclude),
        "listed_days": listed_days,
        "least_amount": least_amount,
        "limit_up": limits,
        "limit_down": limits,
    }
    told = _given(
        date=day,
        where=where,
        show=_maybe(show),
        sort=sort,
        top=top,
        universe={"special_treatment": special, "seasoned": not new},
        filters=_given(**filters),
    )
    request = screen_request(told, "the command line")
    with opened(settings_of(context)) as platform:
        found = platform.scoring.screen(request)
    columns = ("symbol", "name", "industry", *found.columns)
    _deliver(found.to_dict(), lambda: (found.rows, columns), output)
    _show(found.to_dict(), lambda: print_screen(found), as_json=as_json)


@app.command()
def explain(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Such as 600519.SH.")],
    file: FileArgument = None,
    factors: FactorsOption = None,
    method: MethodOption = None,
    weights: WeightsOption = None,
    models: ModelsOption = None,
    blend: BlendOption = None,
    day: DateOption = None,
    horizon: HorizonOption = None,
    window: WindowOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set the factors of one name beside the market's, and say what each contributes to its score."""
    _check_output(output)
    request = _checked(_request(file, factors, method, weights, models, blend, day, horizon, window), file)
    with opened(settings_of(context)) as platform:
        found = platform.scoring.contributions(symbol, request)
    rows = name_rows(found)
    _deliver(found.to_dict(), lambda: (rows, tuple(rows[0])), output)
    _show(found.to_dict(), lambda: print_name(found), as_json=as_json)


@app.command()
def sectors(
    context: typer.Context,
    file: FileArgument = None,
    factors: FactorsOption = None,
    method: MethodOption = None,
    weights: WeightsOption = None,
    models: ModelsOption = None,
    blend: BlendOption = None,
    day: DateOption = None,
    top: Annotated[int, typer.Option("--top", min=1, help="How many industries to show.")] = 30,
    horizon: HorizonOption = None,
    window: WindowOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the scores of industries, with the best names of each."""
    _check_output(output)
    request = _checked(_request(file, factors, method, weights, models, blend, day, horizon, window), file)
    with opened(settings_of(context)) as platform:
        found = platform.scoring.sectors(request)
    rows = sector_rows(found)
    _deliver(found.to_dict(), lambda: (rows, tuple(rows[0])), output)
    _show(found.to_dict(), lambda: print_sectors(found, top), as_json=as_json)


def _request(
    file: Path | None,
    factors: str | None,
    method: str | None,
    weights: str | None,
    models: str | None,
    blend: str | None,
    day: str | None,
    horizon: int | None,
    window: int | None,
) -> dict[str, Any]:
    """Return what a file says, with what the command line says instead; not yet checked."""
    from quantflux.core.documents import read_document
    from quantflux.scoring.request import weighed

    filed: dict[str, Any] = {}
    if file is not None:
        filed = {"name": file.stem, **read_document(file).values}
    told = _of_method(filed, _method(filed, factors, weights, models, method))
    chosen = _maybe(factors)
    if weights is not None:
        shares = _weights(weights)
        told["factors"] = weighed(list(shares) if chosen is None else chosen, shares)
    elif chosen is not None:
        told["factors"] = chosen
    if models is not None:
        told["models"] = {"ids": _maybe(models)}
    told |= _given(date=day)
    told = _with(told, "models", blend=blend)
    return _with(told, "trailing", horizon=horizon, window=window)


def _method(
    filed: Mapping[str, Any],
    factors: str | None,
    weights: str | None,
    models: str | None,
    method: str | None,
) -> Any:
    """Return the method that options ask for, by name or by what they give, or else the file's, as it stands there."""
    if method is not None:
        return method
    if models is not None:
        return "model"
    if weights is not None:
        return "weighted"
    there = filed.get("method", _DEFAULT_METHOD)
    return _DEFAULT_METHOD if factors is not None and there == "model" else there


def _of_method(filed: Mapping[str, Any], method: Any) -> dict[str, Any]:
    """Return what a file says under another method: without what that one would refuse, as it has no use for it.

    A file that contradicts itself under its own method is left as it is, to be refused.
    """
    from quantflux.scoring.request import Method

    told = {**filed, "method": method}
    if method == filed.get("method", _DEFAULT_METHOD) or method not in get_args(Method):
        return told
    told.pop("factors" if method == "model" else "models", None)
    if method not in ("ic", "icir"):
        told.pop("trailing", None)
    if method != "weighted" and isinstance(told.get("factors"), list):
        told["factors"] = [_without_weight(each) for each in told["factors"]]
    return told


def _without_weight(factor: Any) -> Any:
    if not isinstance(factor, Mapping):
        return factor
    return {key: value for key, value in factor.items() if key != "weight"}


def _checked(told: Mapping[str, Any], file: Path | None) -> ScoreRequest:
    from quantflux.scoring.files import score_request

    if not told.get("factors") and not told.get("models"):
        raise InvalidRequest(
            "nothing to score by: give a FILE (quantflux score init writes one), --factors such as "
            "reversal_20,volatility_20, or --models; quantflux factor list shows the factors"
        )
    return score_request(told, "the command line" if file is None else str(file))


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _with(told: dict[str, Any], key: str, **values: Any) -> dict[str, Any]:
    """Return a request with some values of one of its tables replaced."""
    given, there = _given(**values), told.get(key, {})
    if not given or not isinstance(there, Mapping):
        return told
    return told | {key: {**there, **given}}


def _maybe(text: str | None) -> list[str] | None:
    return None if text is None else parts_of(text)


def parts_of(text: str) -> list[str]:
    """Return the parts of a text separated by commas, but for commas in brackets, which belong to expressions.

    Examples
    --------
    >>> parts_of("size, ts_mean(close, 5) / close")
    ['size', 'ts_mean(close, 5) / close']
    """
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    found = [part.strip() for part in parts if part.strip()]
    if not found:
        raise InvalidRequest(f"name at least one, separated by commas, was given {text!r}")
    return found


def _weights(text: str) -> dict[str, float]:
    """Return the weights of factors, written as A=2,B=1."""
    found: dict[str, float] = {}
    for part in parts_of(text):
        name, _, number = part.rpartition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            name = ""
        if not name.strip():
            raise InvalidRequest(f"--weights: found {part!r}; valid is FACTOR=NUMBER, such as size=2")
    return found


def _check_output(output: Path | None) -> None:
    if output is not None and output.suffix.lower() not in {".csv", ".json"}:
        raise InvalidRequest(f"--output is written by its ending; valid are .csv, .json, was {output}")


def _deliver(
    plain: dict[str, Any],
    flat: Callable[[], tuple[Sequence[Mapping[str, Any]], Sequence[str]]],
    output: Path | None,
) -> None:
    """Write an answer to a file, if one is given, in the form that its ending names."""
    if output is None:
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.suffix.lower() == ".json":
        output.write_text(_json(plain), encoding="utf-8")
        notes.print(f"written {output}", markup=False, soft_wrap=True)
        return
    rows, columns = flat()
    write_csv(rows, columns, output)
    notes.print(f"{counted(len(rows), 'row')} written to {output}", markup=False, soft_wrap=True)


def _show(plain: dict[str, Any], tables: Callable[[], None], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(_json(plain))
    else:
        tables()


def _json(plain: dict[str, Any]) -> str:
    return json.dumps(plain, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
