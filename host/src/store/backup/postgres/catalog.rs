//! The questions to PostgreSQL's catalog whose answers are the statements that make a store's tables again.
//!
//! What is not understood (partitions, triggers, types of plugins, …) is told for each table rather than left
//! out. Tested against whatever server the tests have; the catalog's columns are those of PostgreSQL 12 and later.

use sqlx::AssertSqlSafe;

/// The query, with what it may refer to before it.
pub(super) fn about_ours(query: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("WITH {OURS}, {COUNTERS}, {COLUMNS} {query}"))
}

/// The tables of the host, and those of plugins.
const OURS: &str = r"
    ours AS (
        SELECT c.oid, c.relname, c.relkind, c.reloptions, c.relrowsecurity
        FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace
          AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
          AND (c.relname LIKE 'metapaas\_%' OR c.relname = 'plugin_migrations'
               OR c.relname IN (SELECT name FROM metapaas_plugin_tables))
    )";

/// The sequences that belong to their columns: deptype `i` is made with an identity column, `a` by itself.
const COUNTERS: &str = "
    counters AS (
        SELECT o.oid AS relid, o.relname AS table_name, a.attname, a.attnum, d.deptype,
               s.oid, s.relname AS name, format_type(q.seqtypid, NULL) AS type,
               format('INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s',
                      q.seqincrement, q.seqmin, q.seqmax, q.seqstart, q.seqcache,
                      CASE WHEN q.seqcycle THEN ' CYCLE' ELSE '' END) AS options
        FROM ours o
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = o.oid
                        AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
        JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        JOIN pg_sequence q ON q.seqrelid = s.oid
        JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum = d.refobjsubid
    )";

/// The columns with the definitions that make them again.
const COLUMNS: &str = "
    columns AS (
        SELECT a.attrelid, a.attnum, a.attgenerated, quote_ident(a.attname) AS name,
               t.typnamespace = 'pg_catalog'::regnamespace AS is_builtin,
               EXISTS (SELECT FROM pg_depend p JOIN pg_class s ON s.oid = p.refobjid AND s.relkind = 'S'
                       WHERE p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
                         AND p.refclassid = 'pg_class'::regclass
                         AND s.oid NOT IN (SELECT oid FROM counters)) AS has_foreign_counter,
               format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
               || COALESCE((SELECT format(' COLLATE %I.%I', n.nspname, l.collname)
                            FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
                            WHERE l.oid = a.attcollation AND l.oid <> t.typcollation), '')
               || CASE
                    WHEN a.attgenerated <> '' THEN
                        format(' GENERATED ALWAYS AS (%s) %s', pg_get_expr(d.adbin, d.adrelid),
                               CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END)
                    WHEN a.attidentity <> '' THEN
                        format(' GENERATED %s AS IDENTITY (SEQUENCE NAME %I %s)',
                               CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,
                               i.name, i.options)
                    WHEN d.adbin IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)
                    ELSE ''
                  END
               || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END AS definition
        FROM ours o
        JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN counters i ON i.relid = a.attrelid AND i.attnum = a.attnum AND i.deptype = 'i'
    )";

/// Name, file, statement, columns and what is not understood of each table.
pub(super) const TABLES: &str = r#"
    SELECT quote_ident(o.relname) AS name,
           format('t%s.rows', row_number() OVER (ORDER BY o.relname)) AS file,
           format('CREATE TABLE %I (%s)%s', o.relname,
                  (SELECT string_agg(c.definition, ', ' ORDER BY c.attnum)
                   FROM columns c WHERE c.attrelid = o.oid),
                  ' WITH (' || array_to_string(o.reloptions, ', ') || ')') AS "create",
           COALESCE((SELECT string_agg(c.name, ', ' ORDER BY c.attnum)
                     FROM columns c WHERE c.attrelid = o.oid AND c.attgenerated = ''), '') AS columns,
           CASE
             WHEN o.relkind = 'p' THEN 'partitions'
             WHEN o.relkind <> 'r' THEN 'no rows of its own'
             WHEN EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = o.oid) THEN 'a rule'
             WHEN o.relrowsecurity THEN 'row security'
             WHEN EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = o.oid AND NOT t.tgisinternal)
             THEN 'a trigger'
             WHEN EXISTS (SELECT FROM pg_inherits i WHERE o.oid IN (i.inhrelid, i.inhparent))
             THEN 'a parent or child table'
             WHEN NOT EXISTS (SELECT FROM columns c WHERE c.attrelid = o.oid AND c.attgenerated = '')
             THEN 'no column'
             WHEN EXISTS (SELECT FROM columns c WHERE c.attrelid = o.oid AND NOT c.is_builtin)
             THEN 'a column of a type of its own'
             WHEN EXISTS (SELECT FROM columns c WHERE c.attrelid = o.oid AND c.has_foreign_counter)
             THEN 'a default from a sequence that belongs to no column'
           END AS unsupported
    FROM ours o ORDER BY o.relname"#;

/// The sequences that are not made with their columns.
pub(super) const SEQUENCES: &str = "
    SELECT format('CREATE SEQUENCE %I AS %s %s', name, type, options)
    FROM counters WHERE deptype = 'a' ORDER BY name";

/// Whose those are.
pub(super) const OWNERS: &str = "
    SELECT format('ALTER SEQUENCE %I OWNED BY %I.%I', name, table_name, attname)
    FROM counters WHERE deptype = 'a' ORDER BY name";

/// A sequence that nobody asked yet has no position.
pub(super) const POSITIONS: &str = "
    SELECT format('SELECT setval(%L, %s)', quote_ident(name), pg_sequence_last_value(oid))
    FROM counters WHERE pg_sequence_last_value(oid) IS NOT NULL ORDER BY name";

/// All but foreign keys.
pub(super) const CONSTRAINTS: &str = "
    SELECT format('ALTER TABLE %I ADD CONSTRAINT %I %s', o.relname, k.conname, pg_get_constraintdef(k.oid))
    FROM ours o JOIN pg_constraint k ON k.conrelid = o.oid AND k.contype IN ('p', 'u', 'x', 'c')
    ORDER BY o.relname, k.conname";

/// Those that no constraint brings.
pub(super) const INDEXES: &str = "
    SELECT pg_get_indexdef(i.indexrelid, 0, true)
    FROM ours o JOIN pg_index i ON i.indrelid = o.oid AND i.indisvalid
    WHERE NOT EXISTS (SELECT FROM pg_constraint k
                      WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    ORDER BY o.relname, i.indexrelid::regclass::text";

/// They need the keys of the other tables.
pub(super) const FOREIGN_KEYS: &str = "
    SELECT format('ALTER TABLE %I ADD CONSTRAINT %I %s', o.relname, k.conname, pg_get_constraintdef(k.oid))
    FROM ours o JOIN pg_constraint k ON k.conrelid = o.oid AND k.contype = 'f'
    ORDER BY o.relname, k.conname";

/// One statement: the tables may refer to each other.
pub(super) const DROP: &str = "
    SELECT 'DROP TABLE ' || string_agg(quote_ident(relname), ', ') FROM ours HAVING count(*) > 0";
