//! Reading rows: every table named in a query, wherever it stands, is own or a subquery of it.

use sqlparser::ast::{
    Cte, Distinct, GroupByExpr, Join, JoinConstraint, JoinOperator, LimitClause,
    NamedWindowDefinition, NamedWindowExpr, OrderBy, OrderByExpr, OrderByKind, Query, Select,
    SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor,
    TableWithJoins, Values, WildcardAdditionalOptions, With,
};

use super::{Checked, Checker, Reason, parse, without};

impl Checker<'_> {
    pub(super) fn query(&mut self, query: &Query) -> Checked {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        let parts = [
            ("FETCH", fetch.is_some()),
            ("FOR", for_clause.is_some() || !locks.is_empty()),
            ("SETTINGS", settings.is_some() || format_clause.is_some()),
            ("|>", !pipe_operators.is_empty()),
        ];
        without("SELECT", &parts)?;
        let n_before = self.subqueries.len();
        if let Some(with) = with {
            self.with(with)?;
        }
        self.set_expression(body)?;
        if let Some(order_by) = order_by {
            self.order_by(order_by)?;
        }
        if let Some(limit) = limit_clause {
            self.limit(limit)?;
        }
        self.subqueries.truncate(n_before);
        Ok(())
    }

    /// The names are in scope in all of its subqueries, which is more than either database allows; none of
    /// them is the name of a table, so the difference is no way to one.
    fn with(&mut self, with: &With) -> Checked {
        let With { with_token: _, recursive: _, cte_tables } = with;
        for Cte { alias, .. } in cte_tables {
            self.name_subquery(&alias.name)?;
        }
        for cte in cte_tables {
            let Cte { alias, query, from, materialized: _, closing_paren_token: _ } = cte;
            without("WITH", &[("FROM", from.is_some())])?;
            self.alias(Some(alias))?;
            self.query(query)?;
        }
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not on the list is refused")]
    fn set_expression(&mut self, body: &SetExpr) -> Checked {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, op: _, set_quantifier: _, right } => {
                self.set_expression(left)?;
                self.set_expression(right)
            }
            SetExpr::Values(Values { explicit_row, value_keyword, rows }) => {
                without("VALUES", &[("ROW", *explicit_row), ("VALUE", *value_keyword)])?;
                rows.iter().try_for_each(|row| self.expressions(&row.content))
            }
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement) => self.statement(statement),
            other => Err(Reason::Part {
                statement: "SELECT",
                part: parse::first_words(&other.to_string()),
            }),
        }
    }

    fn select(&mut self, select: &Select) -> Checked {
        let Select {
            select_token: _,
            optimizer_hints: _,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        let is_sorted = !cluster_by.is_empty() || !distribute_by.is_empty() || !sort_by.is_empty();
        let parts = [
            ("INTO", into.is_some()),
            ("TOP", top.is_some()),
            ("EXCLUDE", exclude.is_some()),
            ("modifiers", select_modifiers.is_some()),
            ("LATERAL VIEW", !lateral_views.is_empty()),
            ("PREWHERE", prewhere.is_some()),
            ("CONNECT BY", !connect_by.is_empty()),
            ("CLUSTER BY", is_sorted),
            ("QUALIFY", qualify.is_some()),
            ("AS STRUCT", value_table_mode.is_some()),
            ("FROM before SELECT", *flavor != SelectFlavor::Standard),
        ];
        without("SELECT", &parts)?;
        self.tables(from)?;
        match distinct {
            None | Some(Distinct::All | Distinct::Distinct) => {}
            Some(Distinct::On(expressions)) => self.expressions(expressions)?,
        }
        self.returning(Some(projection))?;
        for expression in [selection, having].into_iter().flatten() {
            self.expression(expression)?;
        }
        self.group_by(group_by)?;
        named_window.iter().try_for_each(|NamedWindowDefinition(_name, window)| match window {
            NamedWindowExpr::NamedWindow(_name) => Ok(()),
            NamedWindowExpr::WindowSpec(window) => self.window(window),
        })
    }

    fn group_by(&mut self, group_by: &GroupByExpr) -> Checked {
        let GroupByExpr::Expressions(expressions, modifiers) = group_by else {
            return Err(Reason::Part { statement: "SELECT", part: "GROUP BY ALL".to_owned() });
        };
        without("GROUP BY", &[("modifiers", !modifiers.is_empty())])?;
        self.expressions(expressions)
    }

    pub(super) fn order_by(&mut self, order_by: &OrderBy) -> Checked {
        let OrderBy { kind, interpolate } = order_by;
        without("ORDER BY", &[("INTERPOLATE", interpolate.is_some())])?;
        let OrderByKind::Expressions(all) = kind else {
            return Err(Reason::Part { statement: "SELECT", part: "ORDER BY ALL".to_owned() });
        };
        all.iter().try_for_each(|ordering| self.ordering(ordering))
    }

    pub(super) fn ordering(&mut self, ordering: &OrderByExpr) -> Checked {
        let OrderByExpr { expr, options: _, with_fill } = ordering;
        without("ORDER BY", &[("WITH FILL", with_fill.is_some())])?;
        self.expression(expr)
    }

    fn limit(&mut self, limit: &LimitClause) -> Checked {
        match limit {
            LimitClause::LimitOffset { limit, offset, limit_by } => {
                without("LIMIT", &[("BY", !limit_by.is_empty())])?;
                let offset = offset.as_ref().map(|offset| &offset.value);
                let mut all = limit.iter().chain(offset);
                all.try_for_each(|value| self.expression(value))
            }
            LimitClause::OffsetCommaLimit { offset, limit } => {
                self.expression(offset)?;
                self.expression(limit)
            }
        }
    }

    pub(super) fn returning(&mut self, items: Option<&[SelectItem]>) -> Checked {
        items.unwrap_or_default().iter().try_for_each(|item| self.item(item))
    }

    fn item(&mut self, item: &SelectItem) -> Checked {
        match item {
            SelectItem::UnnamedExpr(value)
            | SelectItem::ExprWithAlias { expr: value, alias: _ } => self.expression(value),
            SelectItem::Wildcard(options)
            | SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(_),
                options,
            ) if *options == WildcardAdditionalOptions::default() => Ok(()),
            SelectItem::Wildcard(_)
            | SelectItem::QualifiedWildcard(..)
            | SelectItem::ExprWithAliases { .. } => {
                Err(Reason::Part { statement: "SELECT", part: item.to_string() })
            }
        }
    }

    pub(super) fn tables(&mut self, tables: &[TableWithJoins]) -> Checked {
        tables.iter().try_for_each(|table| self.table_with_joins(table))
    }

    fn table_with_joins(&mut self, table: &TableWithJoins) -> Checked {
        let TableWithJoins { relation, joins } = table;
        self.table_factor(relation)?;
        for Join { relation, global, join_operator } in joins {
            without("JOIN", &[("GLOBAL", *global)])?;
            self.table_factor(relation)?;
            self.join(join_operator)?;
        }
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not on the list is refused")]
    fn join(&mut self, operator: &JoinOperator) -> Checked {
        match operator {
            JoinOperator::Join(on)
            | JoinOperator::Inner(on)
            | JoinOperator::Left(on)
            | JoinOperator::LeftOuter(on)
            | JoinOperator::Right(on)
            | JoinOperator::RightOuter(on)
            | JoinOperator::FullOuter(on)
            | JoinOperator::CrossJoin(on) => match on {
                JoinConstraint::On(condition) => self.expression(condition),
                JoinConstraint::Using(_) | JoinConstraint::Natural | JoinConstraint::None => Ok(()),
            },
            _other => {
                Err(Reason::Part { statement: "SELECT", part: "this kind of JOIN".to_owned() })
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not on the list is refused")]
    pub(super) fn table_factor(&mut self, factor: &TableFactor) -> Checked {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                if args.is_some() {
                    return Err(Reason::Function { name: name.to_string() });
                }
                let parts = [
                    ("hints", !with_hints.is_empty() || !index_hints.is_empty()),
                    ("a version", version.is_some()),
                    ("WITH ORDINALITY", *with_ordinality),
                    ("PARTITION", !partitions.is_empty()),
                    ("a path", json_path.is_some()),
                    ("TABLESAMPLE", sample.is_some()),
                ];
                without("FROM", &parts)?;
                self.alias(alias.as_ref())?;
                self.readable(name)
            }
            TableFactor::Derived { lateral: _, subquery, alias, sample } => {
                without("FROM", &[("TABLESAMPLE", sample.is_some())])?;
                self.alias(alias.as_ref())?;
                self.query(subquery)
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                self.alias(alias.as_ref())?;
                self.table_with_joins(table_with_joins)
            }
            TableFactor::Function { name, .. } => Err(Reason::Function { name: name.to_string() }),
            other => Err(Reason::Part {
                statement: "FROM",
                part: parse::first_words(&other.to_string()),
            }),
        }
    }

    #[expect(clippy::unused_self, reason = "reads as the other checks do")]
    fn alias(&self, alias: Option<&TableAlias>) -> Checked {
        let Some(TableAlias { explicit: _, name: _, columns, at }) = alias else { return Ok(()) };
        let has_types = columns.iter().any(|column| column.data_type.is_some());
        without("AS", &[("AT", at.is_some()), ("types", has_types)])
    }
}
