"""Fills a stopped portal's SQLite file with devices, in one transaction.

Device number n is 00000000-0000-4000-8000-<n in 12 hex digits>. Odd ones run the newest version;
even ones run an old one and were told of the newest before, but have not begun to fetch it.
Devices that are there already stay. Usage: fill.py DATABASE PROJECT DEVICES OLD_VERSION NEW_VERSION
"""

import sqlite3
import sys
import time

DEVICE = """
    INSERT OR IGNORE INTO devices (project_id, device_id, name, group_name, attributes_json, current_version,
        last_seen_at_ms, created_at_ms, wants_attributes, action_release_id)
    VALUES (?, ?, ?, 'hall', '{}', ?, ?, ?, 0, ?)"""
ACTION = """
    INSERT OR IGNORE INTO actions (project_id, device_id, release_id, attempt, state, from_version, detail,
        created_at_ms, updated_at_ms)
    VALUES (?, ?, ?, 1, 'pending', ?, '', ?, ?)"""


def device_id(number):
    return bytes.fromhex("0000000000004000" + "8000" + f"{number:012x}")


def main(file, project, count, old, new):
    now_ms = time.time_ns() // 1_000_000
    numbers = range(int(count))
    with sqlite3.connect(file) as database:
        (project_id,) = database.execute("SELECT id FROM projects WHERE name = ?", (project,)).fetchone()
        (release_id,) = database.execute(
            "SELECT id FROM releases WHERE project_id = ? AND version = ?", (project_id, new)
        ).fetchone()
        database.executemany(
            DEVICE,
            (
                (project_id, device_id(n), f"Lamp {n}", new, now_ms, now_ms, None)
                if n % 2
                else (project_id, device_id(n), f"Lamp {n}", old, now_ms, now_ms, release_id)
                for n in numbers
            ),
        )
        database.executemany(
            ACTION, ((project_id, device_id(n), release_id, old, now_ms, now_ms) for n in numbers if n % 2 == 0)
        )
    database.close()


main(*sys.argv[1:])
