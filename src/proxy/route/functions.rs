//! The words behind which a parenthesis says nothing of what a query does: functions of MySQL's and MariaDB's own that only
//! compute, and the words of their grammar. Any other word there may be a function that somebody has stored, and a stored
//! function may write.
//!
//! Left out on purpose: functions of one server's own state (`LAST_INSERT_ID`, `IS_FREE_LOCK`, `MASTER_POS_WAIT`, `NEXTVAL`,
//! `LOAD_FILE`, `UUID_SHORT`).

/// All of them, in lower case, each list in the order of its letters.
#[rustfmt::skip]
const FUNCTIONS: &[&str] = &[
    "abs", "acos", "adddate", "addtime", "aes_decrypt", "aes_encrypt", "any_value", "area", "asbinary", "ascii",
    "asin", "astext", "aswkb", "aswkt", "atan", "atan2", "avg", "benchmark", "bin", "bin_to_uuid", "bit_and",
    "bit_count", "bit_length", "bit_or", "bit_xor", "cast", "ceil", "ceiling", "centroid", "char_length",
    "character_length", "charset", "chr", "coalesce", "coercibility", "collation", "column_check", "column_exists",
    "column_get", "column_json", "column_list", "compress", "concat", "concat_ws", "conv", "convert", "convert_tz",
    "cos", "cot", "count", "crc32", "crc32c", "cume_dist", "curdate", "current_date", "current_time",
    "current_timestamp", "current_user", "curtime", "database", "date", "date_add", "date_format", "date_sub",
    "datediff", "day", "dayname", "dayofmonth", "dayofweek", "dayofyear", "decode", "degrees", "dense_rank",
    "des_decrypt", "elt", "encode", "exp", "export_set", "extract", "extractvalue", "field", "find_in_set",
    "first_value", "floor", "format", "format_bytes", "format_pico_time", "found_rows", "from_base64", "from_days",
    "from_unixtime", "geometrycollection", "get_format", "greatest", "group_concat", "grouping", "hex", "hour", "if",
    "ifnull", "inet6_aton", "inet6_ntoa", "inet_aton", "inet_ntoa", "insert", "instr", "is_ipv4", "is_ipv4_compat",
    "is_ipv4_mapped", "is_ipv6", "is_uuid", "isnull", "json_array", "json_array_append", "json_array_insert",
    "json_array_intersect", "json_arrayagg", "json_compact", "json_contains", "json_contains_path", "json_depth",
    "json_detailed", "json_equals", "json_exists", "json_extract", "json_insert", "json_key_value", "json_keys",
    "json_length", "json_loose", "json_merge", "json_merge_patch", "json_merge_preserve", "json_normalize",
    "json_object", "json_object_filter_keys", "json_object_to_array", "json_objectagg", "json_overlaps",
    "json_pretty", "json_query", "json_quote", "json_remove", "json_replace", "json_schema_valid", "json_search",
    "json_set", "json_storage_free", "json_storage_size", "json_table", "json_type", "json_unquote", "json_valid",
    "json_value", "kdf", "lag", "last_day", "last_value", "lcase", "lead", "least", "left", "length", "lengthb",
    "linestring", "ln", "localtime", "localtimestamp", "locate", "log", "log10", "log2", "lower", "lpad", "ltrim",
    "make_set", "makedate", "maketime", "max", "mbrcontains", "mbrintersects", "mbrwithin", "md5", "median",
    "microsecond", "mid", "min", "minute", "mod", "month", "monthname", "multipoint", "multipolygon", "name_const",
    "natural_sort_key", "now", "nth_value", "ntile", "nullif", "nvl", "nvl2", "oct", "octet_length", "ord",
    "percent_rank", "percentile_cont", "percentile_disc", "period_add", "period_diff", "pi", "point", "polygon",
    "position", "pow", "power", "quarter", "quote", "radians", "rand", "random_bytes", "rank", "regexp_instr",
    "regexp_like", "regexp_replace", "regexp_substr", "repeat", "replace", "reverse", "right", "round", "row",
    "row_count", "row_number", "rpad", "rtrim", "schema", "sec_to_time", "second", "session_user", "sformat", "sha",
    "sha1", "sha2", "sign", "sin", "sleep", "soundex", "space", "sqrt", "st_area", "st_asbinary", "st_asgeojson",
    "st_astext", "st_aswkb", "st_aswkt", "st_buffer", "st_centroid", "st_contains", "st_convexhull", "st_crosses",
    "st_difference", "st_dimension", "st_disjoint", "st_distance", "st_distance_sphere", "st_endpoint", "st_envelope",
    "st_equals", "st_exteriorring", "st_geohash", "st_geomfromgeojson", "st_geomfromtext", "st_geomfromwkb",
    "st_intersection", "st_intersects", "st_isclosed", "st_isempty", "st_issimple", "st_isvalid", "st_latitude",
    "st_length", "st_longitude", "st_numpoints", "st_overlaps", "st_pointfromtext", "st_pointn", "st_simplify",
    "st_srid", "st_startpoint", "st_symdifference", "st_touches", "st_union", "st_within", "st_x", "st_y", "std",
    "stddev", "stddev_pop", "stddev_samp", "str_to_date", "strcmp", "subdate", "substr", "substring",
    "substring_index", "subtime", "sum", "sysdate", "system_user", "tan", "time", "time_format", "time_to_sec",
    "timediff", "timestamp", "timestampadd", "timestampdiff", "to_base64", "to_char", "to_date", "to_days",
    "to_number", "to_seconds", "trim", "trim_oracle", "truncate", "ucase", "uncompress", "uncompressed_length",
    "unhex", "unix_timestamp", "updatexml", "upper", "user", "utc_date", "utc_time", "utc_timestamp", "uuid",
    "uuid_to_bin", "validate_password_strength", "values", "var_pop", "var_samp", "variance", "version", "week",
    "weekday", "weekofyear", "weight_string", "xor", "year", "yearweek",
];

/// The words of the grammar that a parenthesis may follow in a query, types among them.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "against", "all", "and", "any", "as", "asc", "between", "binary", "bit", "by", "case", "char", "character", "columns",
    "cross", "datetime", "decimal", "desc", "distinct", "distinctrow", "div", "double", "else", "end", "escape",
    "except", "exists", "float", "from", "group", "having", "in", "index", "inner", "intersect", "interval", "is",
    "join", "key", "lateral", "like", "limit", "match", "member", "minus", "natural", "nchar", "not", "numeric",
    "nvarchar", "of", "offset", "on", "or", "over", "partition", "path", "recursive", "regexp", "rlike", "rollup",
    "select", "signed", "some", "sounds", "straight_join", "then", "union", "unsigned", "using", "varbinary",
    "varchar", "when", "where", "with",
];

/// The longest word that is known here, in bytes.
const LONGEST: usize = 26;

/// Whether `word` may stand before a parenthesis in a query that only reads.
pub(super) fn is_harmless(word: &[u8]) -> bool {
    let mut lower = [0; LONGEST];
    let Some(lower) = lower.get_mut(..word.len()) else { return false };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    let known = |list: &[&str]| list.binary_search_by(|known| known.as_bytes().cmp(lower)).is_ok();
    known(WORDS) || known(FUNCTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_order_and_every_word_is_found() {
        for list in [FUNCTIONS, WORDS] {
            assert!(list.is_sorted(), "{:?}", list.windows(2).find(|two| two[0] >= two[1]));
            for word in list {
                assert!(word.len() <= LONGEST && is_harmless(word.to_ascii_uppercase().as_bytes()), "{word}");
            }
        }
        for word in ["", "my_function", "nextval", "last_insert_id", "get_lock", "a_word_longer_than_any_that_is_known"]
        {
            assert!(!is_harmless(word.as_bytes()), "{word}");
        }
    }
}
