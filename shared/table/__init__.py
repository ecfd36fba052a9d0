"""The table: a Delta table of a scan's activities, which follows its feed.

It is an optional job beside the scan, for querying with SQL. It reads what every other reader reads
(`docs/formats.md`, the feed) and knows nothing of the ledger, so it also proves that the feed says
enough. The table is derived: delete it, and the job writes it again.

- `columns`: an activity as a row (pure).
- `feed`: manifests and their records, each checked before it is used.
- `following`: which manifests make a commit, and what happens if another writer was faster.
- `upkeep`: when small files are merged, and old ones removed (pure).
- `keeping`: the upkeep that is due, step by step.

`adapters/delta_table` is the Delta table itself, and the only module that knows its library.
"""
