//! Making and renaming indexes of own tables.

use sqlparser::ast::{AlterIndexOperation, CreateIndex, IndexColumn, IndexType, ObjectName};

use super::expression::column_of;
use super::{Checked, Checker, Reason, without};

impl Checker<'_> {
    pub(super) fn create_index(&mut self, create: &CreateIndex) -> Checked {
        let CreateIndex {
            name,
            table_name,
            using,
            columns,
            unique,
            concurrently,
            r#async,
            if_not_exists: _,
            include: _,
            nulls_distinct,
            with,
            predicate,
            index_options,
            alter_options,
        } = create;
        if *concurrently {
            return Err(Reason::Concurrently);
        }
        let has_options = !with.is_empty() || !index_options.is_empty();
        let parts = [
            ("ASYNC", *r#async),
            ("WITH", has_options),
            ("further options", !alter_options.is_empty()),
            ("an index without a name", name.is_none()),
        ];
        without("CREATE INDEX", &parts)?;
        check_method(using.as_ref())?;
        let table = self.own_table(table_name)?;
        if let Some(name) = name {
            let index = self.new_index(name)?;
            self.world.add_index(&index, &table);
        }
        self.index_columns(columns)?;
        if *unique {
            self.resource_index(&table, columns)?;
        }
        if let Some(predicate) = predicate {
            self.expression(predicate)?;
        }
        let is_filled = *nulls_distinct == Some(false) || !self.has_empty_column(&table, columns);
        if *unique && is_filled {
            self.suits_old_code(&table, || {
                format!("a unique index would refuse rows that `{table}` takes now")
            })?;
        }
        Ok(())
    }

    /// Whether a column that the old code does not fill is among them: such rows are never alike.
    fn has_empty_column(&self, table: &str, columns: &[IndexColumn]) -> bool {
        columns
            .iter()
            .filter_map(|column| column_of(self.world, &column.column.expr))
            .any(|column| self.empty.contains(&(table.to_owned(), column)))
    }

    fn new_index(&self, name: &ObjectName) -> Result<String, Reason> {
        let index = self.world.resolve(name)?;
        let exists = |kind| Err(Reason::Exists { kind, name: index.clone() });
        if self.world.table_of(&index).is_some() {
            return exists("index");
        }
        if self.world.owner(&index).is_some() {
            return exists("table");
        }
        self.world.check_given("index", &index).map(|()| index.clone())
    }

    pub(super) fn alter_index(
        &mut self,
        name: &ObjectName,
        operation: &AlterIndexOperation,
    ) -> Checked {
        let AlterIndexOperation::RenameIndex { index_name } = operation;
        let (index, table) = self.own_index(name)?;
        self.leaves_host_index(&table, &index)?;
        let renamed = self.new_index(index_name)?;
        self.suits_old_code(&table, || format!("it would rename index `{index}`"))?;
        self.world.drop_index(&index);
        self.world.add_index(&renamed, &table);
        Ok(())
    }
}

fn check_method(method: Option<&IndexType>) -> Checked {
    match method {
        None
        | Some(
            IndexType::BTree
            | IndexType::Hash
            | IndexType::GIN
            | IndexType::GiST
            | IndexType::SPGiST
            | IndexType::BRIN,
        ) => Ok(()),
        Some(other) => {
            Err(Reason::Part { statement: "CREATE INDEX", part: format!("USING {other}") })
        }
    }
}
