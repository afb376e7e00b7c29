//! What a plugin's statement may do on SQLite.
//!
//! A pure function of what SQLite says the statement would do and of what the plugin owns. Everything that is not
//! allowed here by name is refused: tables, functions, kinds of statements.

use super::territory::{Names, Tables};
use crate::store::authorizer::{Action, Verdict};

/// The one schema that plugins have tables in; there are no temporary tables, because none can be made.
const MAIN: &str = "main";

/// What the plugin owns, and what there is at all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) own: &'a Tables,
    pub(super) all: &'a Names,
}

/// May a plugin that owns this do that?
pub(super) fn verdict(ground: Ground<'_>, action: Action<'_>) -> Verdict {
    let may = match action {
        Action::Select | Action::Recursive => true,
        Action::Read { table, column: "", database: None } => may_name(ground, table),
        Action::Read { table, column: _, database } => {
            is_main(database) && (ground.own.has(table) || is_table_function(table))
        }
        Action::Write { table, change, database } => {
            is_main(database) && ground.own.may_write(table, change)
        }
        Action::Function { name } => is_one_of(&FUNCTIONS, name),
        Action::Transaction | Action::Other { .. } => false,
    };
    if may { Verdict::Allow } else { Verdict::Deny }
}

/// A statement names something that it uses no column of, as `SELECT count(*) FROM x` does. SQLite does not say
/// whether `x` is a table or a name that the statement gave to a subquery (`WITH x AS …`), so it has to be the
/// plugin's own or a name that no table, view or module has.
fn may_name(ground: Ground<'_>, name: &str) -> bool {
    ground.own.has(name) || is_table_function(name) || !ground.all.may_exist(name)
}

fn is_main(database: Option<&str>) -> bool {
    database.is_some_and(|name| name.eq_ignore_ascii_case(MAIN))
}

/// The functions that stand where a table stands.
fn is_table_function(name: &str) -> bool {
    is_one_of(&["json_each", "json_tree", "jsonb_each", "jsonb_tree"], name)
}

fn is_one_of(list: &[&str], name: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The functions that compute from their arguments, and nothing else. Absent are those that load code, read or
/// write files, show how SQLite was built or what it holds in memory, or point at C objects.
const FUNCTIONS: [&str; 137] = [
    "->",
    "->>",
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "avg",
    "ceil",
    "ceiling",
    "changes",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "cos",
    "cosh",
    "count",
    "cume_dist",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "degrees",
    "dense_rank",
    "exp",
    "first_value",
    "floor",
    "format",
    "glob",
    "group_concat",
    "hex",
    "if",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_insert",
    "json_array_length",
    "json_error_position",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_insert",
    "json_object",
    "json_patch",
    "json_pretty",
    "json_quote",
    "json_remove",
    "json_replace",
    "json_set",
    "json_type",
    "json_valid",
    "jsonb",
    "jsonb_array",
    "jsonb_array_insert",
    "jsonb_extract",
    "jsonb_group_array",
    "jsonb_group_object",
    "jsonb_insert",
    "jsonb_object",
    "jsonb_patch",
    "jsonb_remove",
    "jsonb_replace",
    "jsonb_set",
    "julianday",
    "lag",
    "last_insert_rowid",
    "last_value",
    "lead",
    "length",
    "like",
    "likelihood",
    "likely",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "max",
    "median",
    "min",
    "mod",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "percent_rank",
    "percentile",
    "percentile_cont",
    "percentile_disc",
    "pi",
    "pow",
    "power",
    "printf",
    "quote",
    "radians",
    "random",
    "randomblob",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "sin",
    "sinh",
    "soundex",
    "sqrt",
    "strftime",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "tan",
    "tanh",
    "time",
    "timediff",
    "total",
    "total_changes",
    "trim",
    "trunc",
    "typeof",
    "unhex",
    "unicode",
    "unistr",
    "unistr_quote",
    "unixepoch",
    "unlikely",
    "upper",
    "zeroblob",
];
