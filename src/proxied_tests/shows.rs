//! What is shown of a proxy's sessions.

use super::*;

#[test]
fn the_list_of_a_proxys_sessions_has_odps_columns_and_what_its_asker_may_see() {
    on_stage(async |stage| {
        let (alice, _) = stage.client("alice").await;
        let root = stage.connect("root", "sys").await;
        let bob = stage.connect("bob", "shop").await;
        let header = columns(&root, "SHOW PROXYSESSION").await.join(" ");
        let expected = "proxy_sessid Id Cluster Tenant User Host db trans_count svr_session_count state tid pid";
        assert_eq!(header, expected);
        let rows = ask(&root, "SHOW PROXYSESSION").await.unwrap();
        let pid = std::process::id().to_string();
        let tid = rows[0][10].clone();
        let row = |of: &SessionHandle, user: &str, tenant: &str, [transactions, servers]: [&str; 2], state: &str| {
            let id = of.id().get();
            [
                &*proxy_sessid(id),
                &id.to_string(),
                "east",
                tenant,
                user,
                "127.0.0.1:23706",
                "NULL",
                transactions,
                servers,
                state,
                &tid,
                &pid,
            ]
            .map(str::to_owned)
            .to_vec()
        };
        let alices = row(&alice, "alice", "shop", ["11", "3"], "MCS_KEEP_ALIVE");
        let bobs = row(&bob, "bob", "shop", ["0", "0"], "MCS_KEEP_ALIVE");
        let roots = row(&root, "root", "sys", ["0", "0"], "MCS_ACTIVE_READER");
        assert_eq!(rows, [alices, roots, bobs]);
        assert!(cfg!(not(target_os = "linux")) || tid.parse::<u32>().unwrap() > 0);
        // Others see their own, and the process list has the same rows in fewer columns.
        let own = ask(&bob, "SHOW PROXYSESSION").await.unwrap();
        assert_eq!(own, [row(&bob, "bob", "shop", ["0", "0"], "MCS_ACTIVE_READER")]);
        for sql in ["SHOW PROCESSLIST", "SHOW FULL PROCESSLIST"] {
            let expected = "Id Tenant User Host db trans_count svr_session_count state tid pid";
            assert_eq!(columns(&root, sql).await.join(" "), expected);
            let shorter = rows.iter().map(|row| [&row[1..2], &row[3..]].concat()).collect::<Vec<_>>();
            assert_eq!(ask(&root, sql).await.unwrap(), shorter, "{sql}");
        }
    });
}

#[test]
fn the_attributes_are_odps_in_its_order() {
    on_stage(async |stage| {
        let (alice, _) = stage.client("alice").await;
        alice.use_database("shop").await.unwrap();
        assert_eq!(columns(&alice, "SHOW PROXYSESSION ATTRIBUTE").await, ["attribute_name", "value", "info"]);
        let rows = ask(&alice, "SHOW PROXYSESSION ATTRIBUTE").await.unwrap();
        let (pid, tid) = (std::process::id().to_string(), rows[12][1].clone());
        let sessid = proxy_sessid(7);
        let mut expected: Vec<(&str, &str, &str)> = vec![
            ("proxy_sessid", &sessid, "cs common"),
            ("cs_id", "7", "cs common"),
            ("cluster", "east", "cs common"),
            ("tenant", "shop", "cs common"),
            ("user", "alice", "cs common"),
            ("host_ip", "127.0.0.1", "cs common"),
            ("host_port", "23706", "cs common"),
            ("db", "shop", "cs common"),
            ("total_trans_cnt", "11", "cs common"),
            ("svr_session_cnt", "3", "cs common"),
            ("active", "true", "cs common"),
            ("read_state", "MCS_ACTIVE_READER", "cs common"),
            ("tid", &tid, "cs common"),
            ("pid", &pid, "cs common"),
            ("idc_name", "", "cs common"),
            ("modified_time", "0", "cs stat"),
            ("reported_time", "0", "cs stat"),
            ("hot_sys_var_version", "1", "cs var version"),
            ("sys_var_version", "4", "cs var version"),
            ("user_var_version", "2", "cs var version"),
            ("last_insert_id_version", "3", "cs var version"),
            ("db_name_version", "5", "cs var version"),
        ];
        for (info, sessid, ss_id, state) in [
            ("last used ss", "901", "1", "MSS_KA_SHARED"),
            ("curr used ss", "902", "2", "MSS_ACTIVE"),
            ("ss pool [0]", "903", "3", "MSS_KA_CLIENT_SLAVE"),
        ] {
            let of_it = [
                ("server_ip", "10.1.0.9"),
                ("server_port", "3400"),
                ("server_sessid", sessid),
                ("ss_id", ss_id),
                ("state", state),
                ("transact_count", "7"),
                ("server_trans_stat", "0"),
                ("hot_sys_var_version", "0"),
                ("sys_var_version", "4"),
                ("user_var_version", "0"),
                ("last_insert_id_version", "0"),
                ("db_name_version", "0"),
                ("is_checksum_supported", "0"),
                ("is_safe_read_weak_supported", "0"),
                ("is_checksum_switch_supported", "0"),
                ("checksum_switch", "0"),
                ("enable_extra_ok_packet_for_stats", "0"),
            ];
            expected.extend(of_it.map(|(name, value)| (name, value, info)));
        }
        assert_eq!(expected.len(), 22 + 3 * 17);
        let expected: Vec<_> = expected.iter().map(|(a, b, c)| [*a, *b, *c].map(str::to_owned).to_vec()).collect();
        assert_eq!(rows, expected);

        // Both ids of a session say the same, however they are written.
        let root = stage.connect("root", "sys").await;
        let of = async |id: &str| ask(&root, &format!("SHOW PROXYSESSION ATTRIBUTE {id}")).await.unwrap();
        let by_cs_id = of("7").await;
        assert_eq!(by_cs_id.len(), 22 + 3 * 17);
        assert_eq!(by_cs_id[10][1], "false", "it rests");
        for id in ["2147483655", "'7'", "3 + 4", "0x80000007", "@`7`", "@`2147483655`"] {
            assert_eq!(of(id).await, by_cs_id, "{id}");
        }
        let params = Some(Params(vec![OwnedValue::UInt(0x8000_0007)]));
        let statement = Statement { sql: "SHOW PROXYSESSION ATTRIBUTE ?".into(), params, ..Statement::default() };
        assert_eq!(root.query(statement).await.unwrap().collect_rows().await.unwrap().0.len(), by_cs_id.len());
    });
}

#[test]
fn counters_and_variables_are_shown_and_patterns_choose_among_them() {
    on_stage(async |stage| {
        let (alice, _) = stage.client("alice").await;
        assert_eq!(columns(&alice, "SHOW PROXYSESSION STAT").await, ["stat_name", "value"]);
        let stats = ask(&alice, "SHOW PROXYSESSION STAT LIKE '%count'").await.unwrap();
        assert_eq!(
            stats.iter().map(|row| &*row[0]).collect::<Vec<_>>(),
            ["total_query_count", "total_trans_count", "svr_session_count"]
        );
        assert_eq!((&*stats[1][1], &*stats[2][1]), ("11", "3"));
        assert!(stats[0][1].parse::<u64>().unwrap() >= 2);
        let header = ["variable_name", "value", "info", "modified_type", "sys_variable_flag"];
        assert_eq!(columns(&alice, "SHOW PROXYSESSION VARIABLES").await, header);
        let changed = ask(&alice, "SHOW PROXYSESSION VARIABLES").await.unwrap();
        let row = |values: [&str; 5]| values.map(str::to_owned).to_vec();
        let cold = "cold modified vars";
        let servers = [
            row(["autocommit", "1", "changed sys var", "hot modified vars", " && session_scope"]),
            row(["sql_mode", "ANSI", "changed sys var", cold, " && session_scope"]),
            row(["mine", "'a\\x0Ab'", "user var", cold, ""]),
            row(["password", "<secret>", "user var", cold, ""]),
            row(["statement", "<secret>", "user var", cold, ""]),
        ];
        assert_eq!(changed, servers);
        ask(&alice, "SET wait_timeout = 5").await.unwrap();
        let changed = ask(&alice, "SHOW PROXYSESSION VARIABLES").await.unwrap();
        let own = row(["wait_timeout", "5", "changed sys var", cold, " && global_scope && session_scope"]);
        assert_eq!(changed, [&[own][..], &servers].concat(), "the runtime's own, once");
        let all = ask(&alice, "SHOW PROXYSESSION VARIABLES ALL").await.unwrap();
        assert!(all.len() > changed.len() && all.iter().all(|row| row[2] == "sys var" || row[2] == "user var"));
        for (pattern, names) in [
            ("%_mode", &["sql_mode"][..]),
            ("SQL%", &["sql_mode"]),
            ("sql\\_mode", &["sql_mode"]),
            ("_ine", &["mine"]),
            ("ine", &[]),
            ("", &[]),
        ] {
            let found = ask(&alice, &format!("SHOW PROXYSESSION VARIABLES 7 LIKE '{pattern}'")).await.unwrap();
            assert_eq!(found.iter().map(|row| &*row[0]).collect::<Vec<_>>(), names, "{pattern}");
        }
        let found = ask(&alice, "SHOW PROXYSESSION ATTRIBUTE LIKE 'server\\_sess__'").await.unwrap();
        assert_eq!(found.iter().map(|row| &*row[1]).collect::<Vec<_>>(), ["901", "902", "903"]);
    });
}

#[test]
fn what_may_not_be_seen_is_not_shown_by_any_of_them() {
    on_stage(async |stage| {
        let (_alice, _) = stage.client("alice").await;
        let bob = stage.connect("bob", "shop").await;
        let admin = stage.connect("root", "proxysys").await;
        for what in ["ATTRIBUTE", "STAT", "VARIABLES", "VARIABLES ALL"] {
            for id in ["7", "2147483655", "999", "2147484647", "1152921504606846983"] {
                let (code, text) = told(&bob, &format!("SHOW PROXYSESSION {what} {id}")).await;
                assert_eq!((code, text), (1094, format!("Unknown thread id: {id}")), "{what}");
            }
            assert!(
                !ask(&admin, &format!("SHOW PROXYSESSION {what} 7")).await.unwrap().is_empty() || what == "VARIABLES"
            );
            assert_eq!(told(&admin, &format!("SHOW PROXYSESSION {what} 999")).await.0, 1094);
        }
    });
}
