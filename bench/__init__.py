"""Measurements of the scan and of other collectors. Most fill in a table of a document.

- `loss` counts what four `collectors` lose and store twice (`make bench-loss`).
- `speed` measures time, memory and requests (`make bench`). `measure` runs each of the
  `contestants` (and `dlt_contestant`, `singer_contestant`) in a process of its own, against the
  `api` that serves a synthetic `history`; `inside` measures the ledger, the planner and the import,
  and `limited` is the smallest instance.
- `cost` counts what a month costs (`make bench-cost`).
- `parts` counts the parts that a scan writes, and their sizes (`make bench-parts`).
- `overload` simulates a tenant that needs more requests than it has (`make bench-overload`).
- `checking` measures `verify` and `ledger rebuild` over slow storage (`make bench-verify`).
- `lifetime` prints how large the ledger gets over the years.

`loss` and `parts` run on a simulated `machine` with `stores` in memory, so that days pass in
seconds; `overload` and `lifetime` need no storage at all. `speed` and `cost` run against Azurite.
`tables` writes the results into the documents.
"""
