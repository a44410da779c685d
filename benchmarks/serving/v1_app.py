"""v1's route for a company's history, as v1 served it: Flask, SQLAlchemy's objects, MariaDB, and Redis before them.

`python -m benchmarks.serving.v1_app` runs it in the way that v1 was started, with Werkzeug's threaded server.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from typing import Any

import redis
from flask import Flask, Response, jsonify, request
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from benchmarks.v1 import StockDailyHistory

_CACHED_SECONDS = 300


def create_app(database: str, cache: str | None) -> Flask:
    """Return v1's application with the one route."""
    app = Flask("v1")
    engine = create_engine(database, pool_size=10, pool_recycle=3600, pool_pre_ping=True)
    store = redis.Redis.from_url(cache, decode_responses=True) if cache else None

    @app.get("/api/stocks/<ts_code>/history")
    def history(ts_code: str) -> Response:
        start, end = request.args.get("start_date"), request.args.get("end_date")
        limit = int(request.args.get("limit", 60))
        key = f"history:{ts_code}:{start}:{end}:{limit}"
        kept = store.get(key) if store else None
        if isinstance(kept, str):
            rows = json.loads(kept)
        else:
            rows = _rows(ts_code, start, end, limit)
            if store:
                store.setex(key, _CACHED_SECONDS, json.dumps(rows))
        return jsonify({"code": 200, "message": "success", "data": rows})

    def _rows(ts_code: str, start: str | None, end: str | None, limit: int) -> list[dict[str, Any]]:
        wanted = select(StockDailyHistory).where(StockDailyHistory.ts_code == ts_code)
        if start:
            wanted = wanted.where(StockDailyHistory.trade_date >= date.fromisoformat(start))
        if end:
            wanted = wanted.where(StockDailyHistory.trade_date <= date.fromisoformat(end))
        newest = wanted.order_by(StockDailyHistory.trade_date.desc()).limit(limit)
        with Session(engine) as session:
            return [row.to_dict() for row in session.scalars(newest)]

    return app


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--cache")
    chosen = parser.parse_args()
    create_app(chosen.database, chosen.cache).run(port=chosen.port, threaded=True)


if __name__ == "__main__":
    main()
