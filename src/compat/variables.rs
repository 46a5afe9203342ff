//! The system variables: names, MySQL 8.0's defaults, types, and where each can be set. What a value must look like to
//! be accepted is in `variable.rs`.

use super::variable::{
    Kind::{self, Charset, Choice, Collation, Double, Flag, Int, Modes, NullableCharset, Text, TimeZone, Unset},
    Reach::{self, Both, Global, Session},
    Variable,
};

/// The variable called `name`, in any case.
pub(super) fn find(name: &str) -> Option<&'static Variable> {
    let name = name.to_ascii_lowercase();
    let at = VARIABLES.binary_search_by(|v| v.name.cmp(name.as_str())).ok()?;
    let found = &VARIABLES[at];
    // One redirection: an old name stands for a new one.
    match found.kind {
        Kind::SameAs(other) => find(other),
        _ => Some(found),
    }
}

const fn var(name: &'static str, reach: Reach, kind: Kind) -> Variable {
    Variable { name, reach, kind, fixed: false }
}

/// A variable that nobody can set.
const fn fixed(name: &'static str, reach: Reach, kind: Kind) -> Variable {
    Variable { name, reach, kind, fixed: true }
}

const ISOLATION: Kind = Choice("REPEATABLE-READ", &ISOLATION_LEVELS);
const ISOLATION_LEVELS: [&str; 4] = ["READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"];
const DEFAULT_MODES: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
                             ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";
const DEFAULT_SWITCHES: &str = "index_merge=on,index_merge_union=on,index_merge_sort_union=on,\
                                index_merge_intersection=on,engine_condition_pushdown=on,\
                                index_condition_pushdown=on,mrr=on,mrr_cost_based=on,block_nested_loop=on,\
                                batched_key_access=off,materialization=on,semijoin=on,loosescan=on,firstmatch=on,\
                                duplicateweedout=on,subquery_materialization_cost_based=on,\
                                use_index_extensions=on,condition_fanout_filter=on,derived_merge=on,\
                                use_invisible_indexes=off,skip_scan=on,hash_join=on,\
                                subquery_to_derived=off,prefer_ordering_index=on,\
                                hypergraph_optimizer=off,derived_condition_pushdown=on";
const TRACKED: &str = "time_zone,autocommit,character_set_client,character_set_results,character_set_connection";
const U32: u64 = 0xffff_ffff;
const YEAR: u64 = 31_536_000;

/// All variables, by name (the lookup is a binary search; a test holds the order).
#[rustfmt::skip] // one line each
pub(super) static VARIABLES: &[Variable] = &[
    var("activate_all_roles_on_login", Global, Flag(false)),
    var("auto_increment_increment", Both, Int(1, 1, 65_535)),
    var("auto_increment_offset", Both, Int(1, 1, 65_535)),
    var("autocommit", Both, Flag(true)),
    fixed("back_log", Global, Int(151, 1, 65_535)),
    fixed("basedir", Global, Text("/usr/")),
    var("big_tables", Both, Flag(false)),
    fixed("bind_address", Global, Text("*")),
    var("binlog_format", Both, Choice("ROW", &["MIXED", "STATEMENT", "ROW"])),
    var("binlog_row_image", Both, Choice("FULL", &["MINIMAL", "NOBLOB", "FULL"])),
    var("bulk_insert_buffer_size", Both, Int(8_388_608, 0, u64::MAX)),
    var("character_set_client", Both, Charset("utf8mb4")),
    var("character_set_connection", Both, Charset("utf8mb4")),
    var("character_set_database", Both, Charset("utf8mb4")),
    var("character_set_filesystem", Both, Charset("binary")),
    var("character_set_results", Both, NullableCharset("utf8mb4")),
    var("character_set_server", Both, Charset("utf8mb4")),
    fixed("character_set_system", Global, Text("utf8mb3")),
    fixed("character_sets_dir", Global, Text("/usr/share/mysql-8.0/charsets/")),
    var("collation_connection", Both, Collation("utf8mb4_0900_ai_ci")),
    var("collation_database", Both, Collation("utf8mb4_0900_ai_ci")),
    var("collation_server", Both, Collation("utf8mb4_0900_ai_ci")),
    var("completion_type", Both, Choice("NO_CHAIN", &["NO_CHAIN", "CHAIN", "RELEASE"])),
    var("concurrent_insert", Global, Choice("AUTO", &["NEVER", "AUTO", "ALWAYS"])),
    var("connect_timeout", Global, Int(10, 2, YEAR)),
    var("cte_max_recursion_depth", Both, Int(1_000, 0, U32)),
    fixed("datadir", Global, Text("/var/lib/mysql/")),
    fixed("default_authentication_plugin", Global, Text("caching_sha2_password")),
    var("default_collation_for_utf8mb4", Both, Collation("utf8mb4_0900_ai_ci")),
    var("default_storage_engine", Both, Text("InnoDB")),
    var("default_tmp_storage_engine", Both, Text("InnoDB")),
    var("default_week_format", Both, Int(0, 0, 7)),
    var("div_precision_increment", Both, Int(4, 0, 30)),
    var("end_markers_in_json", Both, Flag(false)),
    var("eq_range_index_dive_limit", Both, Int(200, 0, U32)),
    fixed("error_count", Session, Int(0, 0, U32)),
    var("event_scheduler", Global, Choice("ON", &["OFF", "ON", "DISABLED"])),
    var("explicit_defaults_for_timestamp", Both, Flag(true)),
    fixed("external_user", Session, Unset),
    var("foreign_key_checks", Both, Flag(true)),
    fixed("ft_min_word_len", Global, Int(4, 1, 84)),
    var("general_log", Global, Flag(false)),
    var("group_concat_max_len", Both, Int(1_024, 4, u64::MAX)),
    var("gtid_mode", Global, Choice("OFF", &["OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"])),
    var("gtid_next", Session, Text("AUTOMATIC")),
    fixed("have_compress", Global, Text("YES")),
    fixed("have_dynamic_loading", Global, Text("YES")),
    fixed("have_geometry", Global, Text("YES")),
    fixed("have_openssl", Global, Text("DISABLED")),
    fixed("have_profiling", Global, Text("YES")),
    fixed("have_query_cache", Global, Text("NO")),
    fixed("have_ssl", Global, Text("DISABLED")),
    fixed("have_symlink", Global, Text("DISABLED")),
    fixed("hostname", Global, Text("localhost")),
    var("identity", Session, Kind::SameAs("last_insert_id")),
    fixed("in_transaction", Session, Flag(false)),
    var("information_schema_stats_expiry", Both, Int(86_400, 0, YEAR)),
    var("init_connect", Global, Text("")),
    fixed("innodb_autoinc_lock_mode", Global, Int(2, 0, 2)),
    var("innodb_buffer_pool_size", Global, Int(134_217_728, 5_242_880, u64::MAX)),
    var("innodb_default_row_format", Global, Choice("dynamic", &["redundant", "compact", "dynamic"])),
    var("innodb_file_per_table", Global, Flag(true)),
    var("innodb_flush_log_at_trx_commit", Global, Int(1, 0, 2)),
    var("innodb_lock_wait_timeout", Both, Int(50, 1, 1 << 30)),
    fixed("innodb_page_size", Global, Int(16_384, 4_096, 65_536)),
    fixed("innodb_read_only", Global, Flag(false)),
    fixed("innodb_rollback_on_timeout", Global, Flag(false)),
    var("innodb_stats_on_metadata", Global, Flag(false)),
    var("innodb_strict_mode", Both, Flag(true)),
    var("insert_id", Session, Int(0, 0, u64::MAX)),
    var("interactive_timeout", Both, Int(28_800, 1, YEAR)),
    var("join_buffer_size", Both, Int(262_144, 128, u64::MAX)),
    var("key_buffer_size", Global, Int(8_388_608, 0, u64::MAX)),
    fixed("large_files_support", Global, Flag(true)),
    var("last_insert_id", Session, Int(0, 0, u64::MAX)),
    var("lc_messages", Both, Text("en_US")),
    var("lc_time_names", Both, Text("en_US")),
    fixed("license", Global, Text("GPL")),
    var("local_infile", Global, Flag(false)),
    var("lock_wait_timeout", Both, Int(YEAR, 1, YEAR)),
    fixed("log_bin", Global, Flag(false)),
    var("log_bin_trust_function_creators", Global, Flag(false)),
    var("long_query_time", Both, Double(10.0, YEAR as f64)),
    var("low_priority_updates", Both, Flag(false)),
    fixed("lower_case_file_system", Global, Flag(false)),
    fixed("lower_case_table_names", Global, Int(0, 0, 2)),
    var("max_allowed_packet", Reach::SessionReads, Int(67_108_864, 1_024, 1 << 30)),
    var("max_connect_errors", Global, Int(100, 1, u64::MAX)),
    var("max_connections", Global, Int(151, 1, 100_000)),
    var("max_error_count", Both, Int(1_024, 0, 65_535)),
    var("max_execution_time", Both, Int(0, 0, U32)),
    var("max_heap_table_size", Both, Int(16_777_216, 16_384, u64::MAX)),
    var("max_join_size", Both, Int(u64::MAX, 1, u64::MAX)),
    var("max_prepared_stmt_count", Global, Int(16_382, 0, 4_194_304)),
    var("max_sort_length", Both, Int(1_024, 4, 8_388_608)),
    var("max_sp_recursion_depth", Both, Int(0, 0, 255)),
    var("max_user_connections", Reach::SessionReads, Int(0, 0, U32)),
    var("net_buffer_length", Reach::SessionReads, Int(16_384, 1_024, 1_048_576)),
    var("net_read_timeout", Both, Int(30, 1, YEAR)),
    var("net_retry_count", Both, Int(10, 1, u64::MAX)),
    var("net_write_timeout", Both, Int(60, 1, YEAR)),
    var("old_alter_table", Both, Flag(false)),
    var("optimizer_prune_level", Both, Int(1, 0, 1)),
    var("optimizer_search_depth", Both, Int(62, 0, 62)),
    var("optimizer_switch", Both, Text(DEFAULT_SWITCHES)),
    fixed("performance_schema", Global, Flag(false)),
    fixed("pid_file", Global, Text("")),
    fixed("plugin_dir", Global, Text("/usr/lib/mysql/plugin/")),
    fixed("port", Global, Int(3_306, 0, 65_535)),
    var("profiling", Both, Flag(false)),
    var("profiling_history_size", Both, Int(15, 0, 100)),
    fixed("protocol_version", Global, Int(10, 0, U32)),
    fixed("proxy_user", Session, Unset),
    fixed("pseudo_thread_id", Session, Int(0, 0, u64::MAX)),
    var("query_alloc_block_size", Both, Int(8_192, 1_024, U32)),
    fixed("query_cache_size", Global, Int(0, 0, u64::MAX)),
    fixed("query_cache_type", Both, Text("OFF")),
    var("query_prealloc_size", Both, Int(8_192, 8_192, u64::MAX)),
    var("rand_seed1", Session, Int(0, 0, u64::MAX)),
    var("rand_seed2", Session, Int(0, 0, u64::MAX)),
    var("read_buffer_size", Both, Int(131_072, 8_192, 1 << 31)),
    var("read_only", Global, Flag(false)),
    var("read_rnd_buffer_size", Both, Int(262_144, 1, 1 << 31)),
    var("require_secure_transport", Global, Flag(false)),
    var("resultset_metadata", Session, Choice("FULL", &["NONE", "FULL"])),
    fixed("secure_file_priv", Global, Unset),
    var("server_id", Global, Int(1, 0, U32)),
    fixed("server_uuid", Global, Text("00000000-0000-0000-0000-000000000000")),
    var("session_track_gtids", Both, Choice("OFF", &["OFF", "OWN_GTID", "ALL_GTIDS"])),
    var("session_track_schema", Both, Flag(true)),
    var("session_track_state_change", Both, Flag(false)),
    var("session_track_system_variables", Both, Text(TRACKED)),
    var("session_track_transaction_info", Both, Choice("OFF", &["OFF", "STATE", "CHARACTERISTICS"])),
    fixed("skip_external_locking", Global, Flag(true)),
    fixed("skip_name_resolve", Global, Flag(true)),
    fixed("skip_networking", Global, Flag(false)),
    fixed("skip_show_database", Global, Flag(false)),
    var("slow_query_log", Global, Flag(false)),
    fixed("socket", Global, Unset),
    var("sort_buffer_size", Both, Int(262_144, 32_768, u64::MAX)),
    var("sql_auto_is_null", Both, Flag(false)),
    var("sql_big_selects", Both, Flag(true)),
    var("sql_buffer_result", Both, Flag(false)),
    var("sql_generate_invisible_primary_key", Both, Flag(false)),
    var("sql_log_bin", Session, Flag(true)),
    var("sql_log_off", Both, Flag(false)),
    var("sql_mode", Both, Modes(DEFAULT_MODES)),
    var("sql_notes", Both, Flag(true)),
    var("sql_quote_show_create", Both, Flag(true)),
    var("sql_require_primary_key", Both, Flag(false)),
    var("sql_safe_updates", Both, Flag(false)),
    var("sql_select_limit", Both, Int(u64::MAX, 0, u64::MAX)),
    var("sql_warnings", Both, Flag(false)),
    fixed("ssl_ca", Global, Text("")),
    fixed("ssl_cert", Global, Text("")),
    fixed("ssl_key", Global, Text("")),
    var("storage_engine", Both, Kind::SameAs("default_storage_engine")),
    var("super_read_only", Global, Flag(false)),
    fixed("system_time_zone", Global, Text("UTC")),
    var("table_open_cache", Global, Int(4_000, 1, 524_288)),
    var("thread_cache_size", Global, Int(9, 0, 16_384)),
    fixed("thread_handling", Global, Text("one-thread-per-connection")),
    fixed("thread_stack", Global, Int(1_048_576, 131_072, u64::MAX)),
    var("time_zone", Both, TimeZone("SYSTEM")),
    var("timestamp", Session, Double(0.0, U32 as f64)),
    fixed("tls_version", Global, Text("TLSv1.2,TLSv1.3")),
    var("tmp_table_size", Both, Int(16_777_216, 1_024, u64::MAX)),
    fixed("tmpdir", Global, Text("/tmp")),
    var("transaction_alloc_block_size", Both, Int(8_192, 1_024, 131_072)),
    var("transaction_isolation", Both, ISOLATION),
    var("transaction_prealloc_size", Both, Int(4_096, 1_024, 131_072)),
    var("transaction_read_only", Both, Flag(false)),
    var("tx_isolation", Both, Kind::SameAs("transaction_isolation")),
    var("tx_read_only", Both, Kind::SameAs("transaction_read_only")),
    var("unique_checks", Both, Flag(true)),
    var("updatable_views_with_limit", Both, Choice("YES", &["NO", "YES"])),
    fixed("version", Global, Text("")),
    fixed("version_comment", Global, Text("")),
    fixed("version_compile_machine", Global, Text("x86_64")),
    fixed("version_compile_os", Global, Text("Linux")),
    var("wait_timeout", Both, Int(28_800, 1, YEAR)),
    fixed("warning_count", Session, Int(0, 0, U32)),
    var("windowing_use_high_precision", Both, Flag(true)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_old_names_lead_to_new_ones() {
        assert!(VARIABLES.windows(2).all(|w| w[0].name < w[1].name));
        for variable in VARIABLES {
            assert!(find(variable.name).is_some(), "{}", variable.name);
        }
        assert_eq!(find("TX_Isolation").map(|v| v.name), Some("transaction_isolation"));
        assert!(find("nonsense").is_none());
    }

    #[test]
    fn defaults_are_values_that_could_be_set() {
        for variable in VARIABLES {
            let default = variable.default();
            if default != crate::model::OwnedValue::Null && !matches!(variable.kind, Kind::SameAs(_)) {
                let accepted = variable.accept(default.clone()).unwrap_or_else(|e| panic!("{}: {e:?}", variable.name));
                assert_eq!(accepted.value, default, "{}", variable.name);
            }
        }
    }
}
