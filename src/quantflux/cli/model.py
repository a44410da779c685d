"""`quantflux model`: trains models, says what they are worth, and predicts with them."""

from __future__ import annotations

import typer

from quantflux.cli import model_book, model_train, model_use

app = typer.Typer(no_args_is_help=True, help="Train models, say what they are worth, and predict with them.")

app.command("init")(model_train.init)
app.command("train")(model_train.train)
app.command("retrain")(model_train.retrain)
app.command("tune")(model_train.tune)
app.command("evaluate")(model_use.evaluate)
app.command("predict")(model_use.predict)
app.command("explain")(model_use.explain)
app.command("drift")(model_use.drift)
app.command("list")(model_book.list_models)
app.command("show")(model_book.show_version)
app.command("compare")(model_book.compare)
app.command("promote")(model_book.promote)
app.command("import")(model_book.import_model)
app.command("from-v1")(model_train.from_v1)
