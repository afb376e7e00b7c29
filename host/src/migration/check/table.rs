//! Making and dropping tables: columns, constraints, and what they refer to.

use sqlparser::ast::helpers::stmt_create_table::CreateTableBuilder;
use sqlparser::ast::{
    CheckConstraint, ColumnDef, ColumnOption, ColumnOptionDef, CreateTable, ForeignKeyConstraint,
    Ident, IndexColumn, ObjectName, ObjectType, PrimaryKeyConstraint, Statement, TableConstraint,
    UniqueConstraint,
};
use sqlparser::tokenizer::Token;

use super::{Author, Checked, Checker, Effect, Reason, parse, without};

impl Checker<'_> {
    pub(super) fn create_table(&mut self, create: &CreateTable) -> Checked {
        // Whatever else a `CREATE TABLE` can hold in one dialect or another would differ from this one.
        let allowed = CreateTableBuilder::new(create.name.clone())
            .if_not_exists(create.if_not_exists)
            .columns(create.columns.clone())
            .constraints(create.constraints.clone())
            .query(create.query.clone())
            .without_rowid(create.without_rowid)
            .strict(create.strict)
            .build();
        if allowed != *create {
            let part = part_beyond(&allowed.to_string(), &create.to_string());
            return Err(Reason::Part { statement: "CREATE TABLE", part });
        }
        let table = self.new_table(&create.name)?;
        if let Some(query) = &create.query {
            self.query(query)?;
        }
        // A table may refer to itself.
        self.world.create(&table);
        if self.author == Author::Host {
            self.world.add_resource(&table);
        }
        self.fresh.insert(table.clone());
        for column in &create.columns {
            self.column(&table, column)?;
        }
        for constraint in &create.constraints {
            self.table_constraint(&table, constraint)?;
        }
        self.effects.push(Effect::Created(table));
        Ok(())
    }

    pub(super) fn column(&mut self, table: &str, column: &ColumnDef) -> Checked {
        let ColumnDef { name: _, data_type, options } = column;
        self.data_type(data_type)?;
        for ColumnOptionDef { name: _, option } in options {
            self.column_option(table, option)?;
        }
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not on the list is refused")]
    fn column_option(&mut self, table: &str, option: &ColumnOption) -> Checked {
        match option {
            ColumnOption::Null | ColumnOption::NotNull | ColumnOption::OnConflict(_) => Ok(()),
            ColumnOption::Default(expression) => self.expression(expression),
            ColumnOption::PrimaryKey(key) => self.primary_key(key),
            ColumnOption::Unique(unique) => self.unique(unique),
            ColumnOption::ForeignKey(key) => self.foreign_key(table, key),
            ColumnOption::Check(check) => self.check(check),
            ColumnOption::Collation(collation) => self.collation(collation),
            ColumnOption::Generated {
                generated_as: _,
                sequence_options,
                generation_expr,
                generation_expr_mode: _,
                generated_keyword: _,
            } => {
                without("GENERATED", &[("sequence options", has_some(sequence_options.as_ref()))])?;
                generation_expr.as_ref().map_or(Ok(()), |value| self.expression(value))
            }
            ColumnOption::DialectSpecific(tokens) => match &**tokens {
                [Token::Word(word)] if word.value.eq_ignore_ascii_case("autoincrement") => Ok(()),
                other => {
                    let part = other.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                    Err(Reason::Part { statement: "a column", part })
                }
            },
            other => Err(Reason::Part { statement: "a column", part: other.to_string() }),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not on the list is refused")]
    pub(super) fn table_constraint(
        &mut self,
        table: &str,
        constraint: &TableConstraint,
    ) -> Checked {
        match constraint {
            TableConstraint::Unique(unique) => self.unique(unique),
            TableConstraint::PrimaryKey(key) => self.primary_key(key),
            TableConstraint::ForeignKey(key) => self.foreign_key(table, key),
            TableConstraint::Check(check) => self.check(check),
            other => Err(Reason::Part {
                statement: "a table",
                part: parse::first_words(&other.to_string()),
            }),
        }
    }

    fn primary_key(&mut self, key: &PrimaryKeyConstraint) -> Checked {
        let PrimaryKeyConstraint {
            name: _,
            index_name,
            index_type,
            columns,
            include: _,
            index_options,
            characteristics: _,
        } = key;
        self.key(
            "PRIMARY KEY",
            index_name.as_ref(),
            index_type.is_some() || !index_options.is_empty(),
        )?;
        self.index_columns(columns)
    }

    fn unique(&mut self, unique: &UniqueConstraint) -> Checked {
        let UniqueConstraint {
            name: _,
            index_name,
            index_type_display: _,
            index_type,
            columns,
            include: _,
            index_options,
            characteristics: _,
            nulls_distinct: _,
        } = unique;
        self.key("UNIQUE", index_name.as_ref(), index_type.is_some() || !index_options.is_empty())?;
        self.index_columns(columns)
    }

    #[expect(clippy::unused_self, reason = "reads as the other checks do")]
    fn key(&self, statement: &'static str, index: Option<&Ident>, has_options: bool) -> Checked {
        without(statement, &[("an index name", index.is_some()), ("index options", has_options)])
    }

    pub(super) fn index_columns(&mut self, columns: &[IndexColumn]) -> Checked {
        for IndexColumn { column, operator_class } in columns {
            if let Some(class) = operator_class {
                check_operator_class(class)?;
            }
            self.ordering(column)?;
        }
        Ok(())
    }

    pub(super) fn foreign_key(&mut self, table: &str, key: &ForeignKeyConstraint) -> Checked {
        let ForeignKeyConstraint {
            name: _,
            index_name,
            columns: _,
            foreign_table,
            referred_columns: _,
            on_delete,
            on_update: _,
            match_kind: _,
            characteristics: _,
        } = key;
        without("FOREIGN KEY", &[("an index name", index_name.is_some())])?;
        let referred = self.own_table(foreign_table)?;
        let lets_go = on_delete.as_ref().is_some_and(is_yielding);
        if referred == table || lets_go {
            return Ok(());
        }
        self.leaves_resources(&referred, || {
            format!("the rows of `{table}` would keep its own from being deleted (`ON DELETE CASCADE` or `SET NULL` would not)")
        })?;
        self.suits_old_code(&referred, || {
            format!(
                "the rows of `{table}` would keep those of `{referred}` from being deleted \
                 (`ON DELETE CASCADE` or `SET NULL` would not)"
            )
        })
    }

    pub(super) fn check(&mut self, check: &CheckConstraint) -> Checked {
        let CheckConstraint { name: _, expr, no_inherit: _, enforced: _ } = check;
        self.expression(expr)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not on the list is refused")]
    pub(super) fn drop(&mut self, statement: &Statement) -> Checked {
        let Statement::Drop {
            object_type,
            if_exists: _,
            names,
            cascade,
            restrict: _,
            purge,
            temporary,
            table,
        } = statement
        else {
            return Err(Reason::Kind { what: parse::first_words(&statement.to_string()) });
        };
        let parts = [
            ("CASCADE", *cascade),
            ("PURGE", *purge),
            ("TEMPORARY", *temporary),
            ("ON", table.is_some()),
        ];
        without("DROP", &parts)?;
        for name in names {
            match object_type {
                ObjectType::Table => self.drop_table(name)?,
                ObjectType::Index => self.drop_index(name)?,
                _other => return Err(Reason::Kind { what: format!("DROP {object_type}") }),
            }
        }
        Ok(())
    }

    fn drop_table(&mut self, name: &ObjectName) -> Checked {
        let table = self.own_table(name)?;
        self.leaves_resources(&table, || "it would drop the table".to_owned())?;
        self.suits_old_code(&table, || format!("it would drop table `{table}`"))?;
        self.world.drop(&table);
        self.fresh.remove(&table);
        self.effects.push(Effect::Dropped(table));
        Ok(())
    }

    fn drop_index(&mut self, name: &ObjectName) -> Checked {
        let (index, table) = self.own_index(name)?;
        self.leaves_host_index(&table, &index)?;
        self.suits_old_code(&table, || format!("it would drop index `{index}`"))?;
        self.world.drop_index(&index);
        Ok(())
    }
}

/// Whether rows that refer to another let it be deleted.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not known to yield does not")]
fn is_yielding(action: &sqlparser::ast::ReferentialAction) -> bool {
    use sqlparser::ast::ReferentialAction::{Cascade, SetDefault, SetNull};
    match action {
        Cascade | SetNull | SetDefault => true,
        _holds => false,
    }
}

fn check_operator_class(class: &ObjectName) -> Checked {
    let name = class.to_string();
    let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain && name.ends_with("_ops") {
        return Ok(());
    }
    Err(Reason::Part { statement: "an index", part: name })
}

fn has_some<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

/// Where what was written goes beyond what is allowed, to be shown.
fn part_beyond(allowed: &str, written: &str) -> String {
    let is_word_end = |position: usize| written[..position].ends_with([' ', '(']);
    let differs = allowed.bytes().zip(written.bytes()).position(|(a, b)| a != b);
    let mut position = differs.unwrap_or(allowed.len()).min(written.len());
    while !written.is_char_boundary(position) || (position > 0 && !is_word_end(position)) {
        if position == 0 {
            break;
        }
        position -= 1;
    }
    parse::first_words(written[position..].trim_start_matches([' ', '(', ')', ',']))
}
