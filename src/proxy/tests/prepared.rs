//! Prepared statements.

use mysql_async::prelude::Queryable;

use super::stage::{ask, code, stage, until};
use crate::{OwnedValue, Params, Statement};

#[test]
fn a_statement_is_prepared_once_and_runs_with_its_parameters() {
    stage(1, false, async |stage| {
        let (opts, end) = stage.serve();
        let mut client = mysql_async::Conn::new(opts).await.unwrap();
        let statement = client.prep("SELECT ?, ?").await.unwrap();
        assert_eq!((statement.num_params(), statement.num_columns()), (2, 2));
        for number in 0..3 {
            let row: Option<(String, String)> = client.exec_first(&statement, (number, "x")).await.unwrap();
            assert_eq!(row, Some((number.to_string(), "x".to_owned())));
        }
        let prepared = stage.servers[0].behind.said().into_iter().filter(|sql| sql.starts_with("PREPARE"));
        assert_eq!(prepared.count(), 1);
        let error = client.prep("FAIL").await;
        assert!(error.is_ok(), "this server finds out later");
        client.close(statement).await.unwrap();
        client.disconnect().await.unwrap();
        end().await;
    });
}

#[test]
fn a_new_server_session_has_it_prepared_anew() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        let execute = |value: &str| Statement {
            sql: "SELECT ?".into(),
            params: Some(Params(vec![OwnedValue::Text(value.to_owned())])),
            ..Statement::default()
        };
        let prepared = alice.prepare("SELECT ?").await.unwrap();
        assert_eq!((prepared.params.len(), prepared.columns.len()), (1, 1));
        assert_eq!(ask(&alice, execute("a")).await.unwrap(), ["a"]);
        stage.servers[0].kill(stage.server_session(&alice).server_sessid).await;
        until(|| stage.server_sessions(&alice).is_empty()).await;
        assert_eq!(ask(&alice, execute("b")).await.unwrap(), ["b"]);
        assert_eq!(ask(&alice, execute("c")).await.unwrap(), ["c"]);
        let said = stage.servers[0].behind.said();
        assert_eq!(said.iter().filter(|sql| *sql == "PREPARE SELECT ?").count(), 2, "{said:?}");
    });
}

#[test]
fn statements_with_names_run_as_prepared_ones_and_answer_in_texts() {
    stage(1, false, async |stage| {
        let (opts, end) = stage.serve();
        let mut client = mysql_async::Conn::new(opts).await.unwrap();
        client.query_drop("SET @x = 'value'").await.unwrap();
        client.query_drop("PREPARE named FROM 'SELECT ?'").await.unwrap();
        let row: Option<String> = client.query_first("EXECUTE named USING @x").await.unwrap();
        assert_eq!(row.as_deref(), Some("value"));
        client.disconnect().await.unwrap();
        end().await;
    });
}

#[test]
fn what_a_client_closes_is_closed_at_the_server() {
    stage(1, false, async |stage| {
        let (opts, end) = stage.serve();
        let mut client = mysql_async::Conn::new(opts).await.unwrap();
        let prepared = |stage: &super::stage::Stage| stage.servers[0].prepared();
        for round in 0..3 {
            let statement = client.prep("SELECT ?").await.unwrap();
            let value: Option<u64> = client.exec_first(&statement, (round,)).await.unwrap();
            assert_eq!((value, prepared(stage)), (Some(round), 1));
            client.close(statement).await.unwrap();
            until(|| prepared(stage) == 0).await;
        }
        client.query_drop("PREPARE named FROM 'SELECT 1'").await.unwrap();
        assert_eq!(prepared(stage), 1);
        client.query_drop("PREPARE named FROM 'SELECT 2'").await.unwrap();
        until(|| prepared(stage) == 1).await;
        client.query_drop("DEALLOCATE PREPARE named").await.unwrap();
        until(|| prepared(stage) == 0).await;
        client.disconnect().await.unwrap();
        end().await;
    });
}

#[test]
fn more_statements_than_are_kept_are_closed_at_the_server() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        for round in 0..2 {
            for number in 0..100 {
                let sql = format!("SELECT ? {number}");
                let params = Some(Params(vec![OwnedValue::Int(number)]));
                let row = ask(&alice, Statement { sql: sql.into(), params, ..Statement::default() }).await.unwrap();
                assert_eq!(row, [number.to_string()], "round {round}");
            }
        }
        assert_eq!(code(&alice, "SELECT a").await, 0);
        assert_eq!(stage.server_session(&alice).statements, 201);
        assert_eq!(stage.servers[0].prepared(), 64, "of 200");
    });
}

#[test]
fn a_statement_runs_in_the_database_that_it_was_prepared_in() {
    stage(1, false, async |stage| {
        let (opts, end) = stage.serve();
        let opts = mysql_async::OptsBuilder::from_opts(opts).stmt_cache_size(Some(0));
        let mut client = mysql_async::Conn::new(opts).await.unwrap();
        client.query_drop("USE a").await.unwrap();
        let in_a = client.prep("INSERT ?").await.unwrap();
        client.query_drop("USE b").await.unwrap();
        let in_b = client.prep("INSERT ?").await.unwrap();
        client.query_drop("USE a").await.unwrap();
        client.exec_drop(&in_a, ("1",)).await.unwrap();
        client.exec_drop(&in_b, ("2",)).await.unwrap();
        client.query_drop("USE b").await.unwrap();
        client.exec_drop(&in_a, ("3",)).await.unwrap();
        // A new server session has to prepare both, and is in `b` afterwards.
        stage.servers[0].kill_all().await;
        let id = crate::SessionId::new(client.id().into());
        let shown = || stage.proxy.shared.registry.get(id).and_then(|slot| slot.servers()).expect("its sessions");
        until(|| shown().count() == 0).await;
        client.exec_drop(&in_a, ("4",)).await.unwrap();
        client.query_drop("INSERT text").await.unwrap();
        client.exec_drop(&in_b, ("5",)).await.unwrap();
        assert_eq!(stage.servers[0].behind.committed(), ["a.1", "b.2", "a.3", "a.4", "b.text", "b.5"]);
        // So does a statement with a name.
        client.query_drop("PREPARE named FROM 'INSERT ?'").await.unwrap();
        client.query_drop("USE a").await.unwrap();
        client.query_drop("SET @x = '6'").await.unwrap();
        client.query_drop("EXECUTE named USING @x").await.unwrap();
        assert_eq!(stage.servers[0].behind.committed()[6..], ["b.6"]);
        client.disconnect().await.unwrap();
        end().await;
    });
}

#[test]
fn a_database_that_is_gone_is_told_and_the_clients_own_stays() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        alice.use_database("shop").await.unwrap();
        let in_a = |value: &str| Statement {
            sql: "INSERT ?".into(),
            params: Some(Params(vec![OwnedValue::Text(value.to_owned())])),
            database: Some("nowhere".into()),
        };
        assert_eq!(ask(&alice, in_a("1")).await.unwrap_err().code(), 1049);
        assert_eq!(code(&alice, "INSERT x").await, 0);
        assert_eq!(stage.servers[0].behind.committed(), ["shop.x"]);
        // One that cannot go back to the client's does not run what follows in the other one.
        let in_a = Statement { database: Some("a".into()), ..in_a("1") };
        let before = stage.server_session(&alice).ss_id;
        stage.servers[0].behind.lacks(Some(("shop", 1049)));
        assert_eq!(ask(&alice, in_a).await.unwrap_err().code(), 1049);
        assert_eq!(code(&alice, "INSERT y").await, 0, "as if its database was dropped: in none");
        assert_eq!(stage.servers[0].behind.committed(), ["shop.x", "y"]);
        assert_ne!(stage.server_session(&alice).ss_id, before);
    });
}
