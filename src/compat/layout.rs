//! The columns of the catalogue's tables, as MySQL 8.0 has them.

/// The columns of a table, in the notation of `Relation::empty`.
pub(super) fn columns(database: &str, name: &str) -> Option<&'static str> {
    LAYOUTS.iter().find(|(d, n, _)| *d == database && n.eq_ignore_ascii_case(name)).map(|(.., columns)| *columns)
}

/// Tables of `information_schema` that describe the server's own tables: empty as long as those are.
pub(super) const OF_TABLES: [&str; 14] = [
    "COLUMNS",
    "STATISTICS",
    "KEY_COLUMN_USAGE",
    "TABLE_CONSTRAINTS",
    "REFERENTIAL_CONSTRAINTS",
    "CHECK_CONSTRAINTS",
    "PARTITIONS",
    "VIEWS",
    "TRIGGERS",
    "FILES",
    "INNODB_TABLES",
    "COLUMN_STATISTICS",
    "TABLE_PRIVILEGES",
    "COLUMN_PRIVILEGES",
];

/// Tables that `information_schema` has, too, and that no client reads of its own accord: left to the server.
pub(super) const OTHERS: [&str; 46] = [
    "ADMINISTRABLE_ROLE_AUTHORIZATIONS",
    "COLUMNS_EXTENSIONS",
    "INNODB_BUFFER_PAGE",
    "INNODB_BUFFER_PAGE_LRU",
    "INNODB_BUFFER_POOL_STATS",
    "INNODB_CACHED_INDEXES",
    "INNODB_CMP",
    "INNODB_CMPMEM",
    "INNODB_CMPMEM_RESET",
    "INNODB_CMP_PER_INDEX",
    "INNODB_CMP_PER_INDEX_RESET",
    "INNODB_CMP_RESET",
    "INNODB_COLUMNS",
    "INNODB_DATAFILES",
    "INNODB_FIELDS",
    "INNODB_FOREIGN",
    "INNODB_FOREIGN_COLS",
    "INNODB_FT_BEING_DELETED",
    "INNODB_FT_CONFIG",
    "INNODB_FT_DEFAULT_STOPWORD",
    "INNODB_FT_DELETED",
    "INNODB_FT_INDEX_CACHE",
    "INNODB_FT_INDEX_TABLE",
    "INNODB_INDEXES",
    "INNODB_LOCKS",
    "INNODB_LOCK_WAITS",
    "INNODB_METRICS",
    "INNODB_SESSION_TEMP_TABLESPACES",
    "INNODB_TABLESPACES",
    "INNODB_TABLESPACES_BRIEF",
    "INNODB_TABLESTATS",
    "INNODB_TEMP_TABLE_INFO",
    "INNODB_VIRTUAL",
    "RESOURCE_GROUPS",
    "ROLE_COLUMN_GRANTS",
    "ROLE_ROUTINE_GRANTS",
    "ROLE_TABLE_GRANTS",
    "SCHEMATA_EXTENSIONS",
    "ST_GEOMETRY_COLUMNS",
    "ST_SPATIAL_REFERENCE_SYSTEMS",
    "ST_UNITS_OF_MEASURE",
    "TABLESPACES_EXTENSIONS",
    "TABLES_EXTENSIONS",
    "TABLE_CONSTRAINTS_EXTENSIONS",
    "VIEW_ROUTINE_USAGE",
    "VIEW_TABLE_USAGE",
];

const IS: &str = "information_schema";
const PS: &str = "performance_schema";
const MY: &str = "mysql";

/// Database, table, columns.
#[rustfmt::skip] // one table each
pub(super) const LAYOUTS: &[(&str, &str, &str)] = &[
    (IS, "APPLICABLE_ROLES", "USER HOST GRANTEE GRANTEE_HOST ROLE_NAME ROLE_HOST IS_GRANTABLE IS_DEFAULT IS_MANDATORY"),
    (IS, "CHARACTER_SETS", "CHARACTER_SET_NAME DEFAULT_COLLATE_NAME DESCRIPTION MAXLEN#"),
    (IS, "CHECK_CONSTRAINTS", "CONSTRAINT_CATALOG CONSTRAINT_SCHEMA CONSTRAINT_NAME CHECK_CLAUSE"),
    (IS, "COLLATIONS", "COLLATION_NAME CHARACTER_SET_NAME ID# IS_DEFAULT IS_COMPILED SORTLEN# PAD_ATTRIBUTE"),
    (IS, "COLLATION_CHARACTER_SET_APPLICABILITY", "COLLATION_NAME CHARACTER_SET_NAME"),
    (IS, "COLUMNS", "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME COLUMN_NAME ORDINAL_POSITION# COLUMN_DEFAULT IS_NULLABLE \
        DATA_TYPE CHARACTER_MAXIMUM_LENGTH# CHARACTER_OCTET_LENGTH# NUMERIC_PRECISION# NUMERIC_SCALE# \
        DATETIME_PRECISION# CHARACTER_SET_NAME COLLATION_NAME COLUMN_TYPE COLUMN_KEY EXTRA PRIVILEGES COLUMN_COMMENT \
        GENERATION_EXPRESSION SRS_ID#"),
    (IS, "COLUMN_PRIVILEGES", "GRANTEE TABLE_CATALOG TABLE_SCHEMA TABLE_NAME COLUMN_NAME PRIVILEGE_TYPE IS_GRANTABLE"),
    (IS, "COLUMN_STATISTICS", "SCHEMA_NAME TABLE_NAME COLUMN_NAME HISTOGRAM"),
    (IS, "ENABLED_ROLES", "ROLE_NAME ROLE_HOST IS_DEFAULT IS_MANDATORY"),
    (IS, "ENGINES", "ENGINE SUPPORT COMMENT TRANSACTIONS XA SAVEPOINTS"),
    (IS, "EVENTS", "EVENT_CATALOG EVENT_SCHEMA EVENT_NAME DEFINER TIME_ZONE EVENT_BODY EVENT_DEFINITION EVENT_TYPE \
        EXECUTE_AT! INTERVAL_VALUE INTERVAL_FIELD SQL_MODE STARTS! ENDS! STATUS ON_COMPLETION CREATED! LAST_ALTERED! \
        LAST_EXECUTED! EVENT_COMMENT ORIGINATOR# CHARACTER_SET_CLIENT COLLATION_CONNECTION DATABASE_COLLATION"),
    (IS, "FILES", "FILE_ID# FILE_NAME FILE_TYPE TABLESPACE_NAME TABLE_CATALOG TABLE_SCHEMA TABLE_NAME \
        LOGFILE_GROUP_NAME LOGFILE_GROUP_NUMBER# ENGINE FULLTEXT_KEYS DELETED_ROWS# UPDATE_COUNT# FREE_EXTENTS# \
        TOTAL_EXTENTS# EXTENT_SIZE# INITIAL_SIZE# MAXIMUM_SIZE# AUTOEXTEND_SIZE# CREATION_TIME! LAST_UPDATE_TIME! \
        LAST_ACCESS_TIME! RECOVER_TIME# TRANSACTION_COUNTER# VERSION# ROW_FORMAT TABLE_ROWS# AVG_ROW_LENGTH# \
        DATA_LENGTH# MAX_DATA_LENGTH# INDEX_LENGTH# DATA_FREE# CREATE_TIME! UPDATE_TIME! CHECK_TIME! CHECKSUM# STATUS \
        EXTRA"),
    (IS, "INNODB_TABLES", "TABLE_ID# NAME FLAG# N_COLS# SPACE# ROW_FORMAT ZIP_PAGE_SIZE# SPACE_TYPE INSTANT_COLS# \
        TOTAL_ROW_VERSIONS#"),
    (IS, "INNODB_TRX", "trx_id# trx_state trx_started! trx_requested_lock_id trx_wait_started! trx_weight# \
        trx_mysql_thread_id# trx_query trx_operation_state trx_tables_in_use# trx_tables_locked# trx_lock_structs# \
        trx_lock_memory_bytes# trx_rows_locked# trx_rows_modified# trx_concurrency_tickets# trx_isolation_level \
        trx_unique_checks# trx_foreign_key_checks# trx_last_foreign_key_error trx_adaptive_hash_latched# \
        trx_adaptive_hash_timeout# trx_is_read_only# trx_autocommit_non_locking# trx_schedule_weight#"),
    (IS, "KEYWORDS", "WORD RESERVED#"),
    (IS, "KEY_COLUMN_USAGE", "CONSTRAINT_CATALOG CONSTRAINT_SCHEMA CONSTRAINT_NAME TABLE_CATALOG TABLE_SCHEMA \
        TABLE_NAME COLUMN_NAME ORDINAL_POSITION# POSITION_IN_UNIQUE_CONSTRAINT# REFERENCED_TABLE_SCHEMA \
        REFERENCED_TABLE_NAME REFERENCED_COLUMN_NAME"),
    (IS, "OPTIMIZER_TRACE", "QUERY TRACE MISSING_BYTES_BEYOND_MAX_MEM_SIZE# INSUFFICIENT_PRIVILEGES#"),
    (IS, "PARAMETERS", "SPECIFIC_CATALOG SPECIFIC_SCHEMA SPECIFIC_NAME ORDINAL_POSITION# PARAMETER_MODE \
        PARAMETER_NAME DATA_TYPE CHARACTER_MAXIMUM_LENGTH# CHARACTER_OCTET_LENGTH# NUMERIC_PRECISION# NUMERIC_SCALE# \
        DATETIME_PRECISION# CHARACTER_SET_NAME COLLATION_NAME DTD_IDENTIFIER ROUTINE_TYPE"),
    (IS, "PARTITIONS", "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME PARTITION_NAME SUBPARTITION_NAME \
        PARTITION_ORDINAL_POSITION# SUBPARTITION_ORDINAL_POSITION# PARTITION_METHOD SUBPARTITION_METHOD \
        PARTITION_EXPRESSION SUBPARTITION_EXPRESSION PARTITION_DESCRIPTION TABLE_ROWS# AVG_ROW_LENGTH# DATA_LENGTH# \
        MAX_DATA_LENGTH# INDEX_LENGTH# DATA_FREE# CREATE_TIME! UPDATE_TIME! CHECK_TIME! CHECKSUM# PARTITION_COMMENT \
        NODEGROUP TABLESPACE_NAME"),
    (IS, "PLUGINS", "PLUGIN_NAME PLUGIN_VERSION PLUGIN_STATUS PLUGIN_TYPE PLUGIN_TYPE_VERSION PLUGIN_LIBRARY \
        PLUGIN_LIBRARY_VERSION PLUGIN_AUTHOR PLUGIN_DESCRIPTION PLUGIN_LICENSE LOAD_OPTION"),
    (IS, "PROFILING", "QUERY_ID# SEQ# STATE DURATION CPU_USER CPU_SYSTEM CONTEXT_VOLUNTARY# CONTEXT_INVOLUNTARY# \
        BLOCK_OPS_IN# BLOCK_OPS_OUT# MESSAGES_SENT# MESSAGES_RECEIVED# PAGE_FAULTS_MAJOR# PAGE_FAULTS_MINOR# SWAPS# \
        SOURCE_FUNCTION SOURCE_FILE SOURCE_LINE#"),
    (IS, "REFERENTIAL_CONSTRAINTS", "CONSTRAINT_CATALOG CONSTRAINT_SCHEMA CONSTRAINT_NAME UNIQUE_CONSTRAINT_CATALOG \
        UNIQUE_CONSTRAINT_SCHEMA UNIQUE_CONSTRAINT_NAME MATCH_OPTION UPDATE_RULE DELETE_RULE TABLE_NAME \
        REFERENCED_TABLE_NAME"),
    (IS, "ROUTINES", "SPECIFIC_NAME ROUTINE_CATALOG ROUTINE_SCHEMA ROUTINE_NAME ROUTINE_TYPE DATA_TYPE \
        CHARACTER_MAXIMUM_LENGTH# CHARACTER_OCTET_LENGTH# NUMERIC_PRECISION# NUMERIC_SCALE# DATETIME_PRECISION# \
        CHARACTER_SET_NAME COLLATION_NAME DTD_IDENTIFIER ROUTINE_BODY ROUTINE_DEFINITION EXTERNAL_NAME \
        EXTERNAL_LANGUAGE PARAMETER_STYLE IS_DETERMINISTIC SQL_DATA_ACCESS SQL_PATH SECURITY_TYPE CREATED! \
        LAST_ALTERED! SQL_MODE ROUTINE_COMMENT DEFINER CHARACTER_SET_CLIENT COLLATION_CONNECTION DATABASE_COLLATION"),
    (IS, "SCHEMATA", "CATALOG_NAME SCHEMA_NAME DEFAULT_CHARACTER_SET_NAME DEFAULT_COLLATION_NAME SQL_PATH \
        DEFAULT_ENCRYPTION"),
    (IS, "SCHEMA_PRIVILEGES", "GRANTEE TABLE_CATALOG TABLE_SCHEMA PRIVILEGE_TYPE IS_GRANTABLE"),
    (IS, "STATISTICS", "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME NON_UNIQUE# INDEX_SCHEMA INDEX_NAME SEQ_IN_INDEX# \
        COLUMN_NAME COLLATION CARDINALITY# SUB_PART# PACKED NULLABLE INDEX_TYPE COMMENT INDEX_COMMENT IS_VISIBLE \
        EXPRESSION"),
    (IS, "TABLES", "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME TABLE_TYPE ENGINE VERSION# ROW_FORMAT TABLE_ROWS# \
        AVG_ROW_LENGTH# DATA_LENGTH# MAX_DATA_LENGTH# INDEX_LENGTH# DATA_FREE# AUTO_INCREMENT# CREATE_TIME! \
        UPDATE_TIME! CHECK_TIME! TABLE_COLLATION CHECKSUM# CREATE_OPTIONS TABLE_COMMENT"),
    (IS, "TABLESPACES", "TABLESPACE_NAME ENGINE TABLESPACE_TYPE LOGFILE_GROUP_NAME EXTENT_SIZE# AUTOEXTEND_SIZE# \
        MAXIMUM_SIZE# NODEGROUP_ID# TABLESPACE_COMMENT"),
    (IS, "TABLE_CONSTRAINTS", "CONSTRAINT_CATALOG CONSTRAINT_SCHEMA CONSTRAINT_NAME TABLE_SCHEMA TABLE_NAME \
        CONSTRAINT_TYPE ENFORCED"),
    (IS, "TABLE_PRIVILEGES", "GRANTEE TABLE_CATALOG TABLE_SCHEMA TABLE_NAME PRIVILEGE_TYPE IS_GRANTABLE"),
    (IS, "TRIGGERS", "TRIGGER_CATALOG TRIGGER_SCHEMA TRIGGER_NAME EVENT_MANIPULATION EVENT_OBJECT_CATALOG \
        EVENT_OBJECT_SCHEMA EVENT_OBJECT_TABLE ACTION_ORDER# ACTION_CONDITION ACTION_STATEMENT ACTION_ORIENTATION \
        ACTION_TIMING ACTION_REFERENCE_OLD_TABLE ACTION_REFERENCE_NEW_TABLE ACTION_REFERENCE_OLD_ROW \
        ACTION_REFERENCE_NEW_ROW CREATED! SQL_MODE DEFINER CHARACTER_SET_CLIENT COLLATION_CONNECTION \
        DATABASE_COLLATION"),
    (IS, "USER_ATTRIBUTES", "USER HOST ATTRIBUTE"),
    (IS, "USER_PRIVILEGES", "GRANTEE TABLE_CATALOG PRIVILEGE_TYPE IS_GRANTABLE"),
    (IS, "VIEWS", "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME VIEW_DEFINITION CHECK_OPTION IS_UPDATABLE DEFINER \
        SECURITY_TYPE CHARACTER_SET_CLIENT COLLATION_CONNECTION"),
    (MY, "columns_priv", "Host Db User Table_name Column_name Timestamp! Column_priv"),
    (MY, "db", "Host Db User Select_priv Insert_priv Update_priv Delete_priv Create_priv Drop_priv Grant_priv \
        References_priv Index_priv Alter_priv Create_tmp_table_priv Lock_tables_priv Create_view_priv Show_view_priv \
        Create_routine_priv Alter_routine_priv Execute_priv Event_priv Trigger_priv"),
    (MY, "default_roles", "HOST USER DEFAULT_ROLE_HOST DEFAULT_ROLE_USER"),
    (MY, "func", "name ret# dl type"),
    (MY, "help_category", "help_category_id# name parent_category_id# url"),
    (MY, "help_keyword", "help_keyword_id# name"),
    (MY, "help_relation", "help_topic_id# help_keyword_id#"),
    (MY, "help_topic", "help_topic_id# name help_category_id# description example url"),
    (MY, "plugin", "name dl"),
    (MY, "proc", "db name type specific_name language sql_data_access is_deterministic security_type param_list \
        returns body definer created! modified! sql_mode comment character_set_client collation_connection \
        db_collation body_utf8"),
    (MY, "procs_priv", "Host Db User Routine_name Routine_type Grantor Proc_priv Timestamp!"),
    (MY, "proxies_priv", "Host User Proxied_host Proxied_user With_grant# Grantor Timestamp!"),
    (MY, "role_edges", "FROM_HOST FROM_USER TO_HOST TO_USER WITH_ADMIN_OPTION"),
    (MY, "tables_priv", "Host Db User Table_name Grantor Timestamp! Table_priv Column_priv"),
    (MY, "time_zone_name", "Name Time_zone_id#"),
    (MY, "user", "Host User Select_priv Insert_priv Update_priv Delete_priv Create_priv Drop_priv Reload_priv \
        Shutdown_priv Process_priv File_priv Grant_priv References_priv Index_priv Alter_priv Show_db_priv Super_priv \
        Create_tmp_table_priv Lock_tables_priv Execute_priv Repl_slave_priv Repl_client_priv Create_view_priv \
        Show_view_priv Create_routine_priv Alter_routine_priv Create_user_priv Event_priv Trigger_priv \
        Create_tablespace_priv ssl_type ssl_cipher x509_issuer x509_subject max_questions# max_updates# \
        max_connections# max_user_connections# plugin authentication_string password_expired password_last_changed! \
        password_lifetime# account_locked Create_role_priv Drop_role_priv Password_reuse_history# \
        Password_reuse_time# Password_require_current User_attributes"),
    (PS, "metadata_locks", "OBJECT_TYPE OBJECT_SCHEMA OBJECT_NAME COLUMN_NAME OBJECT_INSTANCE_BEGIN# LOCK_TYPE \
        LOCK_DURATION LOCK_STATUS SOURCE OWNER_THREAD_ID# OWNER_EVENT_ID#"),
    (PS, "replication_group_members", "CHANNEL_NAME MEMBER_ID MEMBER_HOST MEMBER_PORT# MEMBER_STATE MEMBER_ROLE \
        MEMBER_VERSION MEMBER_COMMUNICATION_STACK"),
    (PS, "session_account_connect_attrs", "PROCESSLIST_ID# ATTR_NAME ATTR_VALUE ORDINAL_POSITION#"),
    (PS, "session_connect_attrs", "PROCESSLIST_ID# ATTR_NAME ATTR_VALUE ORDINAL_POSITION#"),
    (PS, "setup_actors", "HOST USER ROLE ENABLED HISTORY"),
    (PS, "setup_consumers", "NAME ENABLED"),
    (PS, "setup_instruments", "NAME ENABLED TIMED PROPERTIES FLAGS VOLATILITY# DOCUMENTATION"),
    (PS, "user_defined_functions", "UDF_NAME UDF_RETURN_TYPE UDF_TYPE UDF_LIBRARY UDF_USAGE_COUNT#"),
    (PS, "user_variables_by_thread", "THREAD_ID# VARIABLE_NAME VARIABLE_VALUE"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_those_of_tables_are_known() {
        assert!(LAYOUTS.windows(2).all(|w| (w[0].0, w[0].1) < (w[1].0, w[1].1)));
        for name in OF_TABLES {
            assert!(columns(IS, name).is_some(), "{name}");
        }
        assert!(OTHERS.iter().all(|name| columns(IS, name).is_none()));
        assert_eq!(columns(IS, "tables").map(|c| c.split_ascii_whitespace().count()), Some(21));
        assert_eq!(columns(MY, "USER").map(|c| c.split_ascii_whitespace().count()), Some(51));
    }
}
