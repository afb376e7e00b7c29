//! Changing own tables.

use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, ColumnDef, ColumnOption,
    ColumnOptionDef, ObjectName, RenameTableNameKind, TableConstraint,
};

use super::expression::columns_in;
use super::{Checked, Checker, Effect, Mode, Reason, parse, without};

impl Checker<'_> {
    pub(super) fn alter_table(&mut self, alter: &AlterTable) -> Checked {
        let AlterTable {
            name,
            if_exists: _,
            only: _,
            operations,
            location,
            on_cluster,
            table_type,
            end_token: _,
        } = alter;
        let parts = [
            ("LOCATION", location.is_some()),
            ("ON CLUSTER", on_cluster.is_some()),
            ("a kind of table", table_type.is_some()),
        ];
        without("ALTER TABLE", &parts)?;
        let table = self.own_table(name)?;
        for operation in operations {
            self.alter_operation(&table, operation)?;
        }
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not on the list is refused")]
    fn alter_operation(&mut self, table: &str, operation: &AlterTableOperation) -> Checked {
        match operation {
            AlterTableOperation::AddColumn {
                column_keyword: _,
                if_not_exists: _,
                column_def,
                column_position,
            } => {
                without("ADD COLUMN", &[("a position", column_position.is_some())])?;
                self.add_column(table, column_def)
            }
            AlterTableOperation::AddConstraint { constraint, not_valid: _ } => {
                self.leaves_resources(table, || "it would add a constraint".to_owned())?;
                self.add_constraint(table, constraint)
            }
            AlterTableOperation::DropColumn { drop_behavior, column_names, .. } => {
                without("DROP COLUMN", &[("CASCADE", is_cascade(drop_behavior.as_ref()))])?;
                column_names.iter().try_for_each(|name| self.leaves_host_column(table, name))?;
                let names = column_names.iter().map(ToString::to_string).collect::<Vec<_>>();
                self.suits_old_code(table, || {
                    format!("it would drop column `{}` of `{table}`", names.join("`, `"))
                })
            }
            AlterTableOperation::DropConstraint { drop_behavior, name, .. } => {
                without("DROP CONSTRAINT", &[("CASCADE", is_cascade(drop_behavior.as_ref()))])?;
                self.leaves_resources(table, || "it would drop a constraint".to_owned())?;
                self.suits_old_code(table, || {
                    format!("it would drop constraint `{name}` of `{table}`")
                })
            }
            AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
                self.leaves_host_column(table, old_column_name)?;
                self.leaves_host_column(table, new_column_name)?;
                self.suits_old_code(table, || {
                    format!("it would rename column `{old_column_name}` of `{table}`")
                })
            }
            AlterTableOperation::RenameConstraint { old_name, new_name: _ } => {
                self.leaves_resources(table, || "it would rename a constraint".to_owned())?;
                self.suits_old_code(table, || {
                    format!("it would rename constraint `{old_name}` of `{table}`")
                })
            }
            AlterTableOperation::ValidateConstraint { name } => self.suits_old_code(table, || {
                format!("it would check constraint `{name}` of `{table}`")
            }),
            AlterTableOperation::RenameTable { table_name } => {
                let (RenameTableNameKind::As(name) | RenameTableNameKind::To(name)) = table_name;
                self.leaves_resources(table, || "it would rename the table".to_owned())?;
                self.rename_table(table, name)
            }
            AlterTableOperation::AlterColumn { column_name, op } => {
                self.leaves_host_column(table, column_name)?;
                if matches!(op, AlterColumnOperation::SetNotNull) {
                    self.leaves_resources(table, || {
                        format!("column {column_name} would refuse what the host writes")
                    })?;
                }
                self.alter_column(op)?;
                self.suits_old_code(table, || {
                    format!("it would change column `{column_name}` of `{table}`")
                })
            }
            other => Err(Reason::Part {
                statement: "ALTER TABLE",
                part: parse::first_words(&other.to_string()),
            }),
        }
    }

    fn rename_table(&mut self, table: &str, name: &ObjectName) -> Checked {
        let to = self.new_table(name)?;
        self.suits_old_code(table, || format!("it would rename table `{table}`"))?;
        self.world.rename(table, &to);
        if self.fresh.remove(table) {
            self.fresh.insert(to.clone());
        }
        self.effects.push(Effect::Renamed { from: table.to_owned(), to });
        Ok(())
    }

    fn alter_column(&mut self, operation: &AlterColumnOperation) -> Checked {
        match operation {
            AlterColumnOperation::SetNotNull
            | AlterColumnOperation::DropNotNull
            | AlterColumnOperation::DropDefault => Ok(()),
            AlterColumnOperation::SetDefault { value } => self.expression(value),
            AlterColumnOperation::SetDataType { data_type, using, had_set: _ } => {
                self.data_type(data_type)?;
                using.as_ref().map_or(Ok(()), |using| self.expression(using))
            }
            other => Err(Reason::Part { statement: "ALTER COLUMN", part: other.to_string() }),
        }
    }

    fn add_constraint(&mut self, table: &str, constraint: &TableConstraint) -> Checked {
        self.table_constraint(table, constraint)?;
        self.suits_old_code(table, || {
            let what = parse::first_words(&constraint.to_string());
            format!("`{what}` would refuse rows that `{table}` takes now")
        })
    }

    fn add_column(&mut self, table: &str, column: &ColumnDef) -> Checked {
        self.column(table, column)?;
        self.resource_column(table, column)?;
        let name = self.world.fold(&column.name);
        let kind = Added::of(column);
        if kind == Added::Empty {
            self.empty.insert((table.to_owned(), name.clone()));
        }
        if self.mode == Mode::Free || self.fresh.contains(table) {
            return Ok(());
        }
        if kind == Added::Required {
            return self.suits_old_code(table, || {
                format!(
                    "column `{name}` is `NOT NULL` without a default, so no row that does not \
                     name it could be added to `{table}`"
                )
            });
        }
        for ColumnOptionDef { name: _, option } in &column.options {
            self.added_option(table, &name, kind, option)?;
        }
        Ok(())
    }

    /// What an added column asks of rows must be true of those that do not know it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is on the list and asks nothing")]
    fn added_option(
        &self,
        table: &str,
        column: &str,
        kind: Added,
        option: &ColumnOption,
    ) -> Checked {
        let refuses = match option {
            ColumnOption::PrimaryKey(_) => true,
            ColumnOption::Unique(_) => kind != Added::Empty,
            ColumnOption::Check(check) => {
                columns_in(self.world, &check.expr).iter().any(|other| other != column)
            }
            // A literal may have no parent, and then no old row could be added.
            ColumnOption::ForeignKey(_) => kind != Added::Empty,
            _asks_nothing => false,
        };
        if !refuses {
            return Ok(());
        }
        self.suits_old_code(table, || {
            format!("`{option}` on column `{column}` would refuse rows that `{table}` takes now")
        })
    }
}

/// What rows that do not name an added column get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Added {
    /// NULL.
    Empty,
    /// A value.
    Filled,
    /// A refusal.
    Required,
}

impl Added {
    fn of(column: &ColumnDef) -> Self {
        let has = |is: fn(&ColumnOption) -> bool| column.options.iter().any(|def| is(&def.option));
        let is_serial = column.data_type.to_string().to_ascii_lowercase().contains("serial");
        let has_value = is_serial
            || has(|option| {
                matches!(option, ColumnOption::Default(value) if !is_null(value))
                    || matches!(option, ColumnOption::Generated { .. })
            });
        let not_null = has(|option| matches!(option, ColumnOption::NotNull));
        match (has_value, not_null) {
            (true, _any) => Self::Filled,
            (false, true) => Self::Required,
            (false, false) => Self::Empty,
        }
    }
}

fn is_null(value: &sqlparser::ast::Expr) -> bool {
    value.to_string().eq_ignore_ascii_case("null")
}

fn is_cascade(behavior: Option<&sqlparser::ast::DropBehavior>) -> bool {
    matches!(behavior, Some(sqlparser::ast::DropBehavior::Cascade))
}
