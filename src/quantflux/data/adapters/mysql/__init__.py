"""v1's MySQL or MariaDB database as a truth store. See `docs/stores.md`."""

from __future__ import annotations

from quantflux.core.clock import Clock
from quantflux.core.errors import MissingDependency
from quantflux.data.contract import MarketStore


def open_store(
    clock: Clock,
    *,
    host: str = "127.0.0.1",
    port: int = 3306,
    user: str,
    password: str = "",
    database: str,
    rounding: str = "refuse",
    minute_table: str = "stock_minute_data",
    scale: int = 2,
    pool_size: int = 4,
    connect_timeout: float = 2.0,
    read_timeout: float = 60.0,
    write_timeout: float = 60.0,
    lock_timeout: int = 5,
    pool_timeout: float = 1.0,
    tls_ca: str | None = None,
) -> MarketStore:
    """Open v1's database. Nothing is asked of the server until the first read or write.

    Parameters
    ----------
    clock : Clock
    host, port, user, password, database
        Where v1's database is and how to log in.
    rounding : {"refuse", "v1"}
        What to do with a value that v1's column would change: refuse the write, or store what v1 would have.
    minute_table : {"stock_minute_data", "stock_1min_history"}
        Where one-minute bars are.
    scale : {2, 4}
        Decimals of prices in a daily table that has to be made.
    pool_size : int
        Connections kept and shared by threads.
    connect_timeout, read_timeout, write_timeout, lock_timeout, pool_timeout : float
        Seconds; see `connection.Timeouts`.
    tls_ca : str or None
        File of the authority to trust; the connection is then encrypted and the server's name checked.

    Raises
    ------
    MissingDependency
        Without the extra `mysql`.
    """
    try:
        from quantflux.data.adapters.mysql.connection import Server, Timeouts  # noqa: PLC0415 (an extra)
        from quantflux.data.adapters.mysql.store import MySQLAdapter  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "pymysql":
            raise
        raise MissingDependency("PyMySQL", "mysql") from error
    waits = Timeouts(connect_timeout, read_timeout, write_timeout, lock_timeout, pool_timeout)
    server = Server(host, port, user, password, database, waits, pool_size, tls_ca)
    return MySQLAdapter(server, clock, rounding, minute_table, scale)  # type: ignore[arg-type]
