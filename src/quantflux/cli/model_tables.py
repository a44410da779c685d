"""Models in the terminal: folds, figures, predictions, explanations."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

from rich.table import Table

from quantflux.cli.output import add_row, answers, counted, notes, table

if TYPE_CHECKING:
    import pyarrow as pa

    from quantflux.learning.drift import Drift
    from quantflux.learning.evaluation import Evaluation
    from quantflux.learning.explanation import Explained
    from quantflux.learning.monitoring import Contest, Health
    from quantflux.learning.registry import ModelVersion, StageChange
    from quantflux.learning.training import FoldResult
    from quantflux.learning.tuning import TuningResult

_FIGURES: tuple[tuple[str, str, str], ...] = (
    ("rank_ic", "RankIC, tradable", "+.4f"),
    ("icir", "ICIR", ".2f"),
    ("t_value", "t, corrected for overlap", ".1f"),
    ("t_needed", "t that chance alone reaches", ".1f"),
    ("paper_rank_ic", "RankIC on paper", "+.4f"),
    ("label_rank_ic", "RankIC with the label", "+.4f"),
    ("monotonicity", "monotonicity", "+.2f"),
    ("long_short", "long-short a year", "+.1%"),
    ("long_short_net", "the same after costs", "+.1%"),
    ("top_return", "the best names held, a year", "+.1%"),
    ("top_excess", "beyond all names, a year", "+.1%"),
    ("top_information_ratio", "information ratio", ".2f"),
    ("top_drawdown", "largest drawdown", ".1%"),
    ("top_turnover", "turnover a year", ".1f"),
    ("slope", "calibration slope", ".2f"),
    ("brier", "Brier score", ".4f"),
    ("brier_of_shares", "of a model that knows the shares alone", ".4f"),
)
_TRIALS = 5


def print_folds(folds: Sequence[FoldResult]) -> None:
    """Show what each fold learnt from and how it did."""
    right = ("cells", "rounds", "valid", "test")
    made = table("learnt", "until", "tested", "until", *right, title="Folds", right=right)
    for fold in folds:
        add_row(
            made,
            *(str(day) for day in (*fold.train, *fold.test)),
            _thousands(fold.cells),
            f"{fold.rounds:,}",
            _number(fold.valid_ic, "+.4f"),
            _number(fold.test_ic, "+.4f"),
        )
    answers.print(made)
    seconds = sum(fold.seconds for fold in folds)
    notes.print(f"valid, test: mean RankIC of a day with the label; the folds took {seconds:,.1f} seconds")


def print_evaluation(found: Evaluation, control: Evaluation | None = None) -> None:
    """Show what became of predictions out of sample, and beside them what luck looks like."""
    from quantflux.learning.evaluation import reason_of

    heads = ("found", "shuffled labels") if control is not None else ("found",)
    made = table(
        "",
        *heads,
        title=f"{found.name}: out of sample, {counted(int(found.figures['days']), 'day')}",
        right=heads,
    )
    for key, label, form in _FIGURES:
        if key in found.figures:
            cells = [found.figures[key]] + (
                [] if control is None else [control.figures.get(key, float("nan"))]
            )
            add_row(made, label, *(_number(value, form) for value in cells))
    add_row(made, "verdict", found.verdict.value, *([] if control is None else [control.verdict.value]))
    answers.print(made)
    answers.print(reason_of(found).en, markup=False, soft_wrap=True)


def print_strongest(version: ModelVersion, top: int) -> None:
    """Show what a model looks at."""
    right = ("strength", "direction")
    made = table("feature", *right, title=f"What {version.label} looks at", right=right)
    for each in version.figures.get("strongest", [])[:top]:
        add_row(
            made,
            each["feature"],
            f"{each['strength']:.3g}",
            _number(each["direction"], "+.2f"),
        )
    answers.print(made)
    notes.print("strength: mean absolute SHAP value; direction: 1 if more of it always raises the prediction")


def print_versions(versions: Sequence[ModelVersion], history: Sequence[StageChange]) -> None:
    """List versions, and what happened to them."""
    if not versions:
        answers.print("there are no models yet; begin with: quantflux model init")
        return
    right = ("version", "RankIC", "t")
    made = table("model", "version", "stage", "kind", "learnt until", "RankIC", "t", "verdict", right=right)
    for version in versions:
        told = version.figures
        add_row(
            made,
            version.id,
            str(version.version),
            version.stage,
            version.kind,
            str(version.last),
            _number(told.get("rank_ic"), "+.4f"),
            _number(told.get("t_value"), ".1f"),
            str(told.get("verdict", "")),
        )
    _whole(made, "stage", "learnt until")
    answers.print(made)
    if history:
        made = table("when (UTC)", "version", "stage", "who", "why", title="History")
        for change in history:
            add_row(
                made, f"{change.at:%F %T}", str(change.version), change.stage, change.actor, change.reason
            )
        _whole(made, "when (UTC)", "stage")
        answers.print(made)


def print_version(version: ModelVersion) -> None:
    """Show all that is known of a version."""
    made = table("", "", title=version.label)
    made.show_header = False
    for name, value in (
        ("name", version.name or version.id),
        ("kind", f"{version.kind}, {version.task}, seed {version.seed}"),
        ("stage", f"{version.stage} since {version.since:%F %T} UTC"),
        ("learnt from", f"{version.first} .. {version.last}, {version.cells:,} cells"),
        ("data", ", ".join(f"{name} {number}" for name, number in version.data_versions.items())),
        ("made with", ", ".join(f"{name} {number}" for name, number in version.libraries.items())),
        ("features", f"{_features(version)}, sha256 {version.feature_hash[:16]}"),
        ("files", f"{version.folder}, sha256 {version.digest[:16]}"),
        ("verdict", str(version.figures.get("verdict", ""))),
    ):
        add_row(made, name, value)
    answers.print(made)
    made = table("", "found", title="Out of sample", right=("found",))
    for key, label, form in _FIGURES:
        if key in version.figures:
            add_row(made, label, _number(version.figures[key], form))
    answers.print(made)
    print_strongest(version, 10)


def print_predictions(found: pa.Table, top: int) -> None:
    """Show the best predictions."""
    right = ("rank", "predicted", "probability")
    made = table("symbol", *right, right=right)
    rows = found.slice(0, top).to_pylist()
    for row in rows:
        add_row(
            made,
            row["symbol"],
            str(row["rank_score"]),
            f"{row['predicted_return']:+.4f}",
            f"{row['probability_score']:.3f}",
        )
    answers.print(made)
    if found.num_rows:
        first = found.slice(0, 1).to_pylist()[0]
        notes.print(
            f"{first['model_id']} at the close of {first['trade_date']}: {len(rows)} of "
            f"{counted(found.num_rows, 'name')}",
            markup=False,
        )


def print_explained(told: Sequence[Explained], top: int) -> None:
    """Show why predictions are what they are."""
    for each in told:
        right = ("value", "adds")
        made = table("feature", *right, title=f"{each.symbol}: {each.prediction:+.4f}", right=right)
        for part in each.parts[:top]:
            add_row(made, part.feature, _number(part.value, ".4g"), f"{part.contribution:+.4f}")
        rest = sum(part.contribution for part in each.parts[top:])
        if len(each.parts) > top:
            add_row(made, f"{len(each.parts) - top} more", "", f"{rest:+.4f}")
        add_row(made, "knowing nothing", "", f"{each.base:+.4f}")
        answers.print(made)


def print_drift(found: Sequence[Drift], top: int) -> None:
    """Show the features that moved most."""
    right = ("PSI", "chance")
    made = table("feature", *right, "", right=right)
    for each in sorted(found, key=lambda one: -one.index)[:top]:
        add_row(made, each.name, f"{each.index:.3f}", f"{each.chance:.3f}", str(each.change))
    answers.print(made)
    moved = sum(str(each.change) != "stable" for each in found)
    notes.print(
        f"{moved} of {counted(len(found), 'feature')} moved; PSI below 0.1 is small, above 0.25 large"
    )


def print_health(health: Health) -> None:
    """Show how a model does since it was trained."""
    answers.print(
        f"since then: {health.state}, {counted(health.days, 'day')}, RankIC {_number(health.mean, '+.4f')}. "
        f"{health.reason.en}",
        markup=False,
        soft_wrap=True,
    )


def print_contest(contest: Contest) -> None:
    """Show a challenger beside the champion."""
    answers.print(
        f"champion {_number(contest.champion, '+.4f')}, challenger {_number(contest.challenger, '+.4f')}: "
        f"{contest.recommendation}. {contest.reason.en}",
        markup=False,
        soft_wrap=True,
    )


def print_tuning(found: TuningResult) -> None:
    """Show the best trials, and what the best is worth."""
    right = ("RankIC", "seconds")
    made = table(*right, "parameters", title="The best trials", right=right)
    done = sorted((t for t in found.trials if t.state == "done"), key=lambda trial: -trial.score)
    for trial in done[:_TRIALS]:
        parameters = ", ".join(f"{name} {_value(value)}" for name, value in trial.parameters.items())
        add_row(made, f"{trial.score:+.4f}", f"{trial.seconds:.1f}", parameters)
    answers.print(made)
    given_up = len(found.trials) - len(done)
    answers.print(
        f"{counted(len(found.trials), 'trial')}, {given_up} given up early; the best has RankIC {found.score:+.4f}, of "
        f"which {found.luck:.4f} is what the best of so many gains by luck: {found.deflated:+.4f} are left",
        markup=False,
        soft_wrap=True,
    )
    answers.print(
        f"on folds that the search never saw: {found.held_out.mean:+.4f}, before the search "
        f"{found.held_out_before.mean:+.4f}",
        markup=False,
        soft_wrap=True,
    )


def _whole(made: Table, *names: str) -> None:
    """Let the texts of some columns stand on one line."""
    for column in made.columns:
        column.no_wrap = column.no_wrap or column.header in names


def _thousands(count: int) -> str:
    return f"{count:,}" if count < 10_000 else f"{count / 1000:,.0f}k"


def _features(version: ModelVersion) -> int:
    return len(version.figures.get("sees", {}).get("expressions", ()))


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None or isnan(value) else format(value, form)
