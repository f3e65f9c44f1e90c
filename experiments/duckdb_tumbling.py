"""The tumbling query over the CSV of events in DuckDB, with the answer of the other programs.

    python duckdb_tumbling.py events.csv --threads 2 --size 10000 --repeat 5

Prints one line per run: seconds, million rows a second, and the answer (rows, count, sum and the
checksum of src/answer.rs). Reading the file is part of the time. The answer is folded inside the
query, so no row has to leave the database.
"""

import argparse
import time

import duckdb

PRIME = 2_147_483_647

QUERY = """
    SELECT count(*), sum(n), sum(total),
           sum((((key::BIGINT + 1) * 1000003 + start) % {prime})
               * ((n * 1000003 + total) % {prime}))
    FROM (
        SELECT key, "at" - "at" % {size} AS start, count(*) AS n, sum(value)::BIGINT AS total
        FROM read_csv('{path}', header = true, auto_detect = false, delim = ',',
                      columns = {{'key': 'INTEGER', 'at': 'BIGINT', 'value': 'BIGINT'}})
        GROUP BY ALL
    )
"""


def main():
    parser = argparse.ArgumentParser(description="tumbling count and sum per key in DuckDB")
    parser.add_argument("path", help="events as written by write_events")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=10_000, help="length of a window in ms")
    parser.add_argument("--repeat", type=int, default=1)
    arguments = parser.parse_args()

    database = duckdb.connect(config={"threads": arguments.threads})
    path = arguments.path.replace("'", "''")
    query = QUERY.format(prime=PRIME, size=arguments.size, path=path)
    for _ in range(arguments.repeat):
        start = time.perf_counter()
        rows, count, total, checksum = database.execute(query).fetchone()
        took = time.perf_counter() - start
        print(
            f"duckdb: {took:.3f} s, {count / took / 1e6:.2f} million events/s, "
            f"rows {rows} count {count} sum {total} checksum {int(checksum) % 2**64:016x}",
            flush=True,
        )


if __name__ == "__main__":
    main()
