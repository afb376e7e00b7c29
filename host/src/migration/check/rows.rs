//! Changing rows of own tables.

use sqlparser::ast::{
    Assignment, ConflictTarget, Delete, DoUpdate, FromTable, Insert, OnConflict, OnConflictAction,
    OnInsert, TableFactor, TableObject, TableWithJoins, Update, UpdateTableFromKind,
};

use super::{Checked, Checker, Reason, without};

impl Checker<'_> {
    pub(super) fn insert(&mut self, insert: &Insert) -> Checked {
        let Insert {
            insert_token: _,
            optimizer_hints: _,
            or: _,
            ignore,
            into: _,
            table,
            table_alias: _,
            columns: _,
            overwrite,
            source,
            assignments,
            partitioned,
            after_columns,
            has_table_keyword,
            on,
            returning,
            output,
            replace_into: _,
            priority,
            insert_alias,
            settings,
            format_clause,
            multi_table_insert_type,
            multi_table_into_clauses,
            multi_table_when_clauses,
            multi_table_else_clause,
        } = insert;
        let is_multi_table = multi_table_insert_type.is_some()
            || !multi_table_into_clauses.is_empty()
            || !multi_table_when_clauses.is_empty()
            || multi_table_else_clause.is_some();
        let parts = [
            ("IGNORE", *ignore),
            ("OVERWRITE", *overwrite),
            ("SET", !assignments.is_empty()),
            ("PARTITION", partitioned.is_some() || !after_columns.is_empty()),
            ("TABLE", *has_table_keyword),
            ("OUTPUT", output.is_some()),
            ("a priority", priority.is_some()),
            ("an alias of the new row", insert_alias.is_some()),
            ("SETTINGS", settings.is_some() || format_clause.is_some()),
            ("several tables", is_multi_table),
        ];
        without("INSERT", &parts)?;
        let TableObject::TableName(name) = table else {
            return Err(Reason::Part { statement: "INSERT", part: table.to_string() });
        };
        let table = self.own_table(name)?;
        self.leaves_resources(&table, || "it would add rows".to_owned())?;
        if let Some(source) = source {
            self.query(source)?;
        }
        if let Some(on) = on {
            self.on_conflict(on)?;
        }
        self.returning(returning.as_deref())
    }

    fn on_conflict(&mut self, on: &OnInsert) -> Checked {
        let OnInsert::OnConflict(OnConflict { conflict_target, action }) = on else {
            return Err(Reason::Part { statement: "INSERT", part: "ON DUPLICATE KEY".to_owned() });
        };
        match conflict_target {
            None | Some(ConflictTarget::Columns(_) | ConflictTarget::OnConstraint(_)) => {}
        }
        match action {
            OnConflictAction::DoNothing => Ok(()),
            OnConflictAction::DoUpdate(DoUpdate { assignments, selection }) => {
                self.assignments(assignments)?;
                selection.as_ref().map_or(Ok(()), |selection| self.expression(selection))
            }
        }
    }

    pub(super) fn update(&mut self, update: &Update) -> Checked {
        let Update {
            update_token: _,
            optimizer_hints: _,
            table,
            assignments,
            from,
            selection,
            returning,
            output,
            or: _,
            order_by,
            limit,
        } = update;
        let is_limited = !order_by.is_empty() || limit.is_some();
        without("UPDATE", &[("OUTPUT", output.is_some()), ("LIMIT", is_limited)])?;
        let table = self.written_table("UPDATE", table)?;
        self.resource_assignments(&table, assignments)?;
        match from {
            None => {}
            Some(UpdateTableFromKind::AfterSet(tables)) => self.tables(tables)?,
            Some(UpdateTableFromKind::BeforeSet(_)) => {
                let part = "FROM before SET".to_owned();
                return Err(Reason::Part { statement: "UPDATE", part });
            }
        }
        self.assignments(assignments)?;
        if let Some(selection) = selection {
            self.expression(selection)?;
        }
        self.returning(returning.as_deref())
    }

    pub(super) fn delete(&mut self, delete: &Delete) -> Checked {
        let Delete {
            delete_token: _,
            optimizer_hints: _,
            tables,
            from,
            using,
            selection,
            returning,
            output,
            order_by,
            limit,
        } = delete;
        let is_limited = !order_by.is_empty() || limit.is_some();
        let parts = [
            ("several tables", !tables.is_empty()),
            ("OUTPUT", output.is_some()),
            ("LIMIT", is_limited),
        ];
        without("DELETE", &parts)?;
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = from;
        let [table] = &**from else {
            return Err(Reason::Part { statement: "DELETE", part: "several tables".to_owned() });
        };
        let table = self.written_table("DELETE", table)?;
        self.leaves_resources(&table, || "it would delete rows".to_owned())?;
        if let Some(using) = using {
            self.tables(using)?;
        }
        if let Some(selection) = selection {
            self.expression(selection)?;
        }
        self.returning(returning.as_deref())?;
        self.suits_old_code(&table, || format!("it would delete rows of `{table}`"))
    }

    /// The table whose rows are changed: one, plain, own.
    fn written_table(
        &mut self,
        statement: &'static str,
        table: &TableWithJoins,
    ) -> Result<String, Reason> {
        let TableWithJoins { relation, joins } = table;
        without(statement, &[("JOIN", !joins.is_empty())])?;
        self.table_factor(relation)?;
        let TableFactor::Table { name, .. } = relation else {
            return Err(Reason::Part { statement, part: relation.to_string() });
        };
        self.own_table(name)
    }

    fn assignments(&mut self, assignments: &[Assignment]) -> Checked {
        assignments.iter().try_for_each(|Assignment { target: _, value }| self.expression(value))
    }
}
