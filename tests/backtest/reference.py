"""A slow simulator in plain Python, written from the documentation: the judge of the compiled one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from quantflux.backtest.decisions import Decisions, Kind
from quantflux.backtest.execution import Execution, Fill, Rule
from quantflux.backtest.orders import Reason
from quantflux.backtest.venue import Venue
from quantflux.rules.dividend_tax import tax_rate

NAN = float("nan")


@dataclass
class Lot:
    day: int
    shares: float
    dividends: list[tuple[date, float]] = field(default_factory=list)  # record date, yuan


@dataclass
class Order:
    column: int
    shares: float
    exact: float
    limit: float = NAN
    everything: bool = False
    carries: bool = False
    last_reason: Reason | None = None
    amount_today: float = 0.0
    commission_today: float = 0.0


@dataclass
class Outcome:
    cash: list[float] = field(default_factory=list)
    positions: list[float] = field(default_factory=list)
    dividends: list[float] = field(default_factory=list)
    tax: list[float] = field(default_factory=list)
    held: list[dict[int, float]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)


class Reference:
    def __init__(self, venue: Venue, decisions: Decisions, execution: Execution, capital: float) -> None:
        self.v, self.d, self.e = venue, decisions, execution
        self.cash = capital
        self.lots: dict[int, list[Lot]] = {}
        self.price: dict[int, float] = {}
        self.orders: list[Order] = []
        self.in_order = False
        self.out = Outcome()

    def run(self) -> Outcome:
        due = {int(row): k for k, row in enumerate(self.d.rows)}
        for row in range(len(self.v.times)):
            self.row, self.day = row, int(self.v.day[row])
            self.volume_used: dict[int, float] = {}
            self.credited = self.charged = 0.0
            if row == 0 or self.day != self.v.day[row - 1]:
                self.morning()
            if row - 1 in due:
                self.decide(due[row - 1])
            self.trade()
            self.evening()
        return self.out

    def held(self, column: int) -> float:
        return sum(lot.shares for lot in self.lots.get(column, []))

    def has(self, rule: Rule) -> bool:
        return rule in self.e.rules

    # -- before trading

    def events(self, day: int) -> list[tuple[int, float, float]]:
        events = self.v.events
        part = range(events.offsets[day], events.offsets[day + 1])
        return [(int(events.column[i]), float(events.cash[i]), float(events.growth[i])) for i in part]

    def morning(self) -> None:
        self.orders = [order for order in self.orders if order.carries]
        for order in self.orders:
            order.amount_today = order.commission_today = 0.0
        for column, cash, growth in self.events(self.day):
            if not self.lots.get(column):
                continue
            record = (self.v.days[self.day] - np.timedelta64(1, "D")).item()
            for lot in self.lots[column]:
                self.credited += lot.shares * cash
                self.cash += lot.shares * cash
                if cash:
                    lot.dividends.append((record, lot.shares * cash))
                lot.shares *= growth
            self.price[column] = max(self.price[column] - cash, 0.0) / growth
            for order in self.orders:
                if order.column == column:
                    order.shares *= growth
                    order.exact *= growth

    # -- deciding

    def last_price(self, column: int) -> float:
        if self.lots.get(column):
            return self.price[column]
        for past in range(self.row - 1, -1, -1):
            price = float(self.v.close[past, column])
            if not math.isnan(price):
                for day in range(int(self.v.day[past]) + 1, self.day + 1):
                    for who, cash, growth in self.events(day):
                        if who == column:
                            price = max(price - cash, 0.0) / growth
                return price
        return NAN

    def open_price(self, column: int) -> float:
        price = float(self.v.open[self.row, column])
        return self.last_price(column) if math.isnan(price) else price

    def decide(self, k: int) -> None:
        part = slice(self.d.offsets[k], self.d.offsets[k + 1])
        kind = Kind(int(self.d.kinds[k]))
        columns = [int(c) for c in self.d.columns[part]]
        values = [float(v) for v in self.d.values[part]]
        limits = [float(x) for x in self.d.limits[part]]
        self.in_order = kind is Kind.ORDERS
        if kind is Kind.ORDERS:
            self.orders = [Order(*each) for each in zip(columns, values, values, limits, strict=True)]
            return
        spared = {c for c, v in zip(columns, values, strict=True) if math.isnan(v)}
        named = set(columns) - spared
        if kind is Kind.REPLACE:
            self.orders = [order for order in self.orders if order.column in spared]
        else:
            self.orders = [order for order in self.orders if order.column not in named]
        owned = [c for c, lots in self.lots.items() if lots]
        worth = self.cash + sum(self.held(c) * self.open_price(c) for c in owned)
        if kind is Kind.REPLACE:
            for c in owned:
                if c not in named and c not in spared:
                    self.sell_out(c)
        positions = len(owned) - sum(v == 0 and c in owned for c, v in zip(columns, values, strict=True))
        for column, value in zip(columns, values, strict=True):
            if math.isnan(value):
                continue
            if kind is Kind.SIGNALS and value > 0:
                if column in owned:
                    continue
                if positions >= round(1 / value):
                    self.write(column, NAN, Reason.CASH)
                    continue
                positions += 1
            self.bring(column, value * worth)

    def sell_out(self, column: int) -> None:
        held = self.held(column)
        self.orders.append(Order(column, -held, -held, everything=True, carries=True))

    def bring(self, column: int, yuan: float) -> None:
        held = self.held(column)
        if yuan <= 0:
            if held > 0:
                self.sell_out(column)
            return
        price = self.open_price(column)
        if math.isnan(price) or price <= 0:
            self.write(column, NAN, Reason.NOT_LISTED)
            return
        change = yuan / price - held
        if change > held * 1e-9:
            lots = self.buy_lots(column, change)
            if lots > 0:
                self.orders.append(Order(column, lots, change))
            elif held == 0:
                self.write(column, change, Reason.LOT)
        elif -change > held * 1e-9:
            lots = self.sell_lots(column, -change, held)
            if lots > 0:
                self.orders.append(Order(column, -lots, change, carries=True))

    def buy_lots(self, column: int, shares: float) -> float:
        if not self.has(Rule.LOTS):
            return shares
        step, smallest = float(self.v.lots.step[column]), float(self.v.lots.smallest[column])
        whole = math.floor(shares / step + 1e-9) * step
        return whole if whole >= smallest else 0.0

    def sell_lots(self, column: int, shares: float, held: float) -> float:
        return shares if shares >= held * (1 - 1e-9) else self.buy_lots(column, shares)

    # -- prices

    def quote(self, order: Order) -> tuple[float, Reason | None, bool]:
        v, c, t, buying = self.v, order.column, self.row, order.shares > 0
        if t > v.last_row[c] or t < v.first_row[c]:
            return NAN, Reason.NOT_LISTED, False
        o, h, low, close = (float(a[t, c]) for a in (v.open, v.high, v.low, v.close))
        ok = lambda p: (  # noqa: E731
            math.isnan(order.limit)
            or (p <= order.limit * (1 + 1e-6) if buying else p >= order.limit * (1 - 1e-6))
        )
        if math.isnan(close) or (self.e.fill is Fill.OPEN and math.isnan(o)):
            price = NAN if self.has(Rule.SUSPENSION) else self.last_price(c)
            if math.isnan(price):
                return NAN, Reason.SUSPENDED, False
            return price, None if ok(price) else Reason.PRICE, False
        if self.e.fill is Fill.OPEN:
            price, extremes = o, (o, o)
        elif self.e.fill is Fill.CLOSE:
            price, extremes = close, (close, close)
        else:
            assert v.amount is not None
            volume = float(v.volume[t, c])
            price = float(v.amount[t, c]) / volume if volume > 0 else NAN
            price = (h + low + close) / 3 if math.isnan(price) else min(max(price, low), h)
            extremes = (low, h)
        locked = False
        if self.has(Rule.LIMITS):
            up, down = float(v.limit_up[self.day, c]), float(v.limit_down[self.day, c])
            if buying and not math.isnan(up):
                locked = price >= up * (1 - 1e-6) or extremes[0] >= up * (1 - 1e-6)
            if not buying and not math.isnan(down):
                locked = price <= down * (1 + 1e-6) or extremes[1] <= down * (1 + 1e-6)
        if not locked and ok(price):
            return price, None, False
        if self.e.fill is Fill.OPEN and not math.isnan(order.limit):
            limit = order.limit
            if self.has(Rule.LIMITS):  # nobody can ask for more than the day allows
                up, down = float(v.limit_up[self.day, c]), float(v.limit_down[self.day, c])
                limit = min(limit, math.inf if math.isnan(up) else up) if buying else limit
                limit = limit if buying else max(limit, -math.inf if math.isnan(down) else down)
            beyond = low < limit * (1 - 1e-6) if buying else h > limit * (1 + 1e-6)
            if beyond:
                return limit, None, True
        if locked:
            return NAN, Reason.LIMIT_UP if buying else Reason.LIMIT_DOWN, False
        return NAN, Reason.PRICE, False

    def paid(self, order: Order, price: float, waited: bool, shares: float) -> float:
        if waited:
            return price
        v, c, t = self.v, order.column, self.row
        moved = self.e.slippage if self.has(Rule.SLIPPAGE) else 0.0
        if self.has(Rule.SLIPPAGE) and self.e.impact > 0 and float(v.volume[t, c]) > 0:
            window = 20 if len(v.days) == len(v.times) else 240
            ranges = [
                math.log(v.high[s, c] / v.low[s, c]) ** 2
                for s in range(max(t - window, 0), t)
                if not math.isnan(v.high[s, c])
            ]
            sigma = math.sqrt(sum(ranges) / len(ranges) / (4 * math.log(2))) if ranges else 0.0
            moved += self.e.impact * sigma * math.sqrt(shares / float(v.volume[t, c]))
        limits = self.has(Rule.LIMITS)
        if order.shares > 0:
            found = price * (1 + moved)
            up = float(v.limit_up[self.day, c])
            if limits and found > up:
                found = max(up, price)
            return order.limit if found > order.limit else found
        found = price * max(1 - moved, 0.0)
        down = float(v.limit_down[self.day, c])
        if limits and found < down:
            found = min(down, price)
        return order.limit if found < order.limit else found

    def fees(self, order: Order, amount: float) -> tuple[float, float, float]:
        if not self.has(Rule.FEES):
            return 0.0, 0.0, 0.0
        c, f, d = self.e.commission, self.v.fees, self.day
        whole = max((order.amount_today + amount) * c.rate, c.minimum)
        if order.shares > 0:
            duty, transfer = f.stamp_buy[d], f.transfer_buy[d]
        else:
            duty, transfer = f.stamp_sell[d], f.transfer_sell[d]
        return whole - order.commission_today, amount * float(duty), amount * float(transfer)

    def volume_left(self, column: int) -> float:
        if not self.has(Rule.VOLUME) or math.isnan(self.v.close[self.row, column]):
            return math.inf
        volume = float(self.v.volume[self.row, column])
        if math.isnan(volume):
            return 0.0
        return max(self.e.participation * volume - self.volume_used.get(column, 0.0), 0.0)

    # -- trading

    def trade(self) -> None:
        quotes = [self.quote(order) for order in self.orders]
        pairs = list(zip(self.orders, quotes, strict=True))
        for order, quoted in pairs:
            if order.shares < 0:
                self.sell(order, *quoted)
        purchases = [(order, quoted) for order, quoted in pairs if order.shares > 0]
        scale = 1.0 if self.in_order else self.scale(purchases)
        plans = [self.planned(order, quoted, scale) for order, quoted in purchases]
        for (order, quoted), plan in zip(purchases, plans, strict=True):
            self.buy(order, *quoted, plan)
        self.orders = [order for order in self.orders if order.shares != 0]

    def sell(self, order: Order, price: float, stopped: Reason | None, waited: bool) -> None:
        c = order.column
        held = self.held(c)
        wanted = held if order.everything else -order.shares
        reason, shares = Reason.FILLED, wanted
        if held <= 0:
            return self.refuse(order, -wanted, Reason.NOT_HELD)
        if stopped is not None:
            return self.refuse(order, -wanted, stopped)
        if shares > held * (1 + 1e-9):
            shares, reason = held, Reason.NOT_HELD
        if self.has(Rule.SETTLEMENT):
            since = self.day - int(self.v.settlement[c])
            free = sum(lot.shares for lot in self.lots[c] if lot.day <= since)
            if shares > free + held * 1e-9:
                shares, reason = free, Reason.SETTLEMENT
        if shares > self.volume_left(c):
            shares, reason = self.volume_left(c), Reason.VOLUME
        lots = self.sell_lots(c, shares, held)
        if lots < shares * (1 - 1e-9) and reason is Reason.FILLED:
            reason = Reason.LOT
        shares = lots
        if shares <= wanted * 1e-9:
            return self.refuse(order, -wanted, reason)
        whole = shares > held * (1 - 1e-9)
        shares = held if whole else shares
        paid = self.paid(order, price, waited, shares)
        fees = self.fees(order, shares * paid)
        tax = self.tax(c, shares) if self.has(Rule.DIVIDEND_TAX) else 0.0
        received = shares * paid - sum(fees) - tax
        if self.cash + received < 0:
            return self.refuse(order, -wanted, Reason.CASH)
        self.cash += received
        self.charged += tax
        self.take(c, math.inf if whole else shares)
        self.write(c, -wanted, reason, -shares, paid, fees, shares * (price - paid))
        return self.settle(order, -wanted, -shares, shares * paid, fees[0], reason)

    def tax(self, column: int, shares: float) -> float:
        total, today = 0.0, self.v.days[self.day]
        for lot in self.lots[column]:
            part = min(shares / lot.shares, 1.0)
            days = int((today - self.v.days[lot.day]) / np.timedelta64(1, "D"))
            for record, yuan in lot.dividends:
                total += part * yuan * float(tax_rate(np.array([days]), record)[0])
            shares -= lot.shares
            if shares <= 0:
                break
        return total

    def take(self, column: int, shares: float) -> None:
        lots = self.lots[column]
        while lots and shares > 0:
            if shares < lots[0].shares * (1 - 1e-9):
                kept = 1 - shares / lots[0].shares
                lots[0].dividends = [(record, yuan * kept) for record, yuan in lots[0].dividends]
                lots[0].shares -= shares
                return
            shares -= lots[0].shares
            del lots[0]

    def planned(self, order: Order, quoted: tuple[float, Reason | None, bool], scale: float) -> float:
        if quoted[1] is not None:
            return 0.0
        shares = min(order.exact * scale, order.shares, self.volume_left(order.column))
        return self.buy_lots(order.column, shares)

    def cost(self, order: Order, price: float, waited: bool, shares: float) -> float:
        if shares <= 0:
            return 0.0
        amount = shares * self.paid(order, price, waited, shares)
        return amount + sum(self.fees(order, amount))

    def scale(self, purchases: list[tuple[Order, tuple[float, Reason | None, bool]]]) -> float:
        scale = 1.0
        while True:
            due = sum(self.cost(o, q[0], q[2], self.planned(o, q, scale)) for o, q in purchases)
            if due <= self.cash:
                return scale
            scale *= min(self.cash / due, 1 - (1e-4 if self.has(Rule.LOTS) else 1e-12))
            if scale < 1e-9:
                scale = 0.0

    def affordable(self, order: Order, price: float, waited: bool, shares: float) -> float:
        if self.cost(order, price, waited, shares) <= self.cash * (1 + 1e-12):
            return shares
        if self.has(Rule.LOTS):
            step = float(self.v.lots.step[order.column])
            while shares > 0 and self.cost(order, price, waited, shares) > self.cash * (1 + 1e-12):
                shares = self.buy_lots(order.column, shares - step)
            return shares
        low, high = 0.0, shares
        for _ in range(100):
            middle = (low + high) / 2
            if self.cost(order, price, waited, middle) <= self.cash:
                low = middle
            else:
                high = middle
        return low

    def buy(self, order: Order, price: float, stopped: Reason | None, waited: bool, plan: float) -> None:
        c, wanted = order.column, order.shares
        if stopped is not None:
            return self.refuse(order, wanted, stopped)
        shares, reason = wanted, Reason.FILLED
        if shares > self.volume_left(c):
            shares, reason = self.volume_left(c), Reason.VOLUME
        lots = self.buy_lots(c, shares)
        if lots < shares * (1 - 1e-9) and reason is Reason.FILLED:
            reason = Reason.LOT
        shares = self.affordable(order, price, waited, min(lots, plan))
        if shares < lots * (1 - 1e-9):
            reason = Reason.CASH
        if shares <= wanted * 1e-9:
            return self.refuse(order, wanted, reason)
        paid = self.paid(order, price, waited, shares)
        fees = self.fees(order, shares * paid)
        self.cash = max(self.cash - shares * paid - sum(fees), 0.0)
        lots_held = self.lots.setdefault(c, [])
        if not lots_held:
            self.price[c] = price
        if lots_held and lots_held[-1].day == self.day:
            lots_held[-1].shares += shares
        else:
            lots_held.append(Lot(self.day, shares))
        self.write(c, wanted, reason, shares, paid, fees, shares * (paid - price))
        return self.settle(order, wanted, shares, shares * paid, fees[0], reason)

    def settle(
        self, order: Order, wanted: float, filled: float, amount: float, commission: float, reason: Reason
    ) -> None:
        self.volume_used[order.column] = self.volume_used.get(order.column, 0.0) + abs(filled)
        order.amount_today += amount
        order.commission_today += commission
        order.last_reason = reason
        order.exact -= filled
        order.shares = wanted - filled
        if abs(wanted - filled) <= abs(wanted) * 1e-9 or reason in (Reason.LOT, Reason.NOT_HELD):
            order.shares = 0.0

    def refuse(self, order: Order, wanted: float, reason: Reason) -> None:
        if order.last_reason is not reason:
            self.write(order.column, wanted, reason)
            order.last_reason = reason
        if reason in (Reason.LOT, Reason.NOT_HELD, Reason.NOT_LISTED):
            order.shares = 0.0

    def write(
        self,
        column: int,
        wanted: float,
        reason: Reason,
        filled: float = 0.0,
        price: float = NAN,
        fees: tuple[float, float, float] = (0.0, 0.0, 0.0),
        slippage: float = 0.0,
    ) -> None:
        self.out.log.append(
            {
                "row": self.row,
                "column": column,
                "wanted": wanted,
                "filled": filled,
                "price": price,
                "reason": int(reason),
                "commission": fees[0],
                "stamp_duty": fees[1],
                "transfer_fee": fees[2],
                "slippage": slippage,
            }
        )

    # -- after trading

    def evening(self) -> None:
        for c, lots in self.lots.items():
            close = float(self.v.close[self.row, c])
            if lots and not math.isnan(close):
                self.price[c] = close
        for c, lots in self.lots.items():
            if lots and self.v.last_row[c] == self.row < len(self.v.times) - 1:
                shares, price = self.held(c), self.price[c] * self.e.recovery
                self.cash += shares * price
                if self.has(Rule.DIVIDEND_TAX):
                    tax = min(self.tax(c, shares), self.cash)
                    self.cash -= tax
                    self.charged += tax
                lots.clear()
                self.write(c, -shares, Reason.DELISTED, -shares, price)
        self.lots = {c: lots for c, lots in self.lots.items() if lots}
        held = {c: self.held(c) for c in self.lots}
        self.out.held.append(held)
        self.out.cash.append(self.cash)
        self.out.positions.append(sum(shares * self.price[c] for c, shares in held.items()))
        self.out.dividends.append(self.credited)
        self.out.tax.append(self.charged)
