//! What is asked at every click, every second or with every page must not grow with the history, and
//! nothing but SQLite's plan tells.

use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use super::{COUNT_LIVE, DUE, LIST_OLDER_THAN, LIVE, LIVE_OF_GUEST, WITHOUT_RIGHT};
use crate::sqlite::MIGRATIONS;

/// Indexes of living rows only.
const LIVING: [&str; 7] = [
    "access_sessions_due",
    "access_sessions_live",
    "access_sessions_live_address",
    "access_sessions_live_guest",
    "access_sessions_living_service",
    "access_sessions_living_user",
    "access_sessions_unfinished",
];

/// How SQLite looks rows of sessions up for a query, step by step.
async fn lookups(sql: &str) -> Vec<String> {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    MIGRATIONS.run(&mut connection).await.unwrap();
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let steps = sqlx::query(explain)
        .fetch_all(&mut connection)
        .await
        .unwrap();
    steps
        .iter()
        .map(|step| step.get::<String, _>("detail"))
        .filter(|step| step.contains("access_sessions"))
        .collect()
}

#[tokio::test]
async fn no_look_at_living_sessions_reads_the_history() {
    let of_whom = ["user_id", "service_id", "router_id"]
        .map(|whose| format!("{LIST_OLDER_THAN} $1 AND {whose} = $2 AND finished_at_ms IS NULL ORDER BY id DESC LIMIT $3"));
    let from_there = format!(
        "{LIST_OLDER_THAN} $1 AND router_id = $2 AND client_ip = $3 AND finished_at_ms IS NULL ORDER BY id DESC LIMIT $4"
    );
    let fixed = [COUNT_LIVE, LIVE, LIVE_OF_GUEST, DUE, WITHOUT_RIGHT];
    let all = fixed.map(ToOwned::to_owned).into_iter().chain(of_whom);
    for sql in all.chain([from_there]) {
        let lookups = lookups(&sql).await;
        assert!(!lookups.is_empty(), "{sql}");
        for lookup in lookups {
            let index = lookup
                .split_once("INDEX ")
                .and_then(|(_, rest)| rest.split_whitespace().next());
            let is_living = index.is_some_and(|index| LIVING.contains(&index));
            assert!(is_living, "{lookup} in {sql}");
        }
    }
}
