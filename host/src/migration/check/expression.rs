//! Expressions: values, columns, known functions, and subqueries that are walked like any query.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Array, BinaryOperator, CaseWhen, CastKind, CeilFloorKind, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Interval,
    ObjectName, ObjectNamePart, TypedString, Value, WildcardAdditionalOptions, WindowFrame,
    WindowFrameBound, WindowSpec, WindowType, visit_expressions,
};

use super::functions::FUNCTIONS;
use super::{Checked, Checker, Reason, World, without};

/// How much of an expression is shown.
const TEXT_CHARS_MAX: usize = 80;

impl Checker<'_> {
    pub(super) fn expressions(&mut self, all: &[Expr]) -> Checked {
        all.iter().try_for_each(|expression| self.expression(expression))
    }

    /// The parts of an expression that are expressions, each looked at in turn.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not on the list is refused")]
    pub(super) fn expression(&mut self, expression: &Expr) -> Checked {
        match expression {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => Ok(()),
            Expr::Value(value) => value_is_plain(&value.value),
            Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::Nested(inner)
            | Expr::UnaryOp { op: _, expr: inner } => self.expression(inner),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.both(left, right)
            }
            Expr::BinaryOp { left, op, right } => {
                operator_is_plain(op)?;
                self.both(left, right)
            }
            Expr::AnyOp { left, compare_op, right, is_some: _ }
            | Expr::AllOp { left, compare_op, right } => {
                operator_is_plain(compare_op)?;
                self.both(left, right)
            }
            Expr::AtTimeZone { timestamp, time_zone } => self.both(timestamp, time_zone),
            Expr::Position { expr, r#in } => self.both(expr, r#in),
            Expr::InList { expr, list, negated: _ } => {
                self.expression(expr)?;
                self.expressions(list)
            }
            Expr::InSubquery { expr, subquery, negated: _ } => {
                self.expression(expr)?;
                self.query(subquery)
            }
            Expr::Exists { subquery, negated: _ } | Expr::Subquery(subquery) => {
                self.query(subquery)
            }
            Expr::Between { expr, negated: _, low, high } => {
                self.expression(expr)?;
                self.both(low, high)
            }
            Expr::Like { negated: _, any: _, expr, pattern, escape_char }
            | Expr::ILike { negated: _, any: _, expr, pattern, escape_char }
            | Expr::SimilarTo { negated: _, expr, pattern, escape_char } => {
                self.both(expr, pattern)?;
                self.optional(escape_char.as_deref())
            }
            Expr::Tuple(all) => self.expressions(all),
            Expr::Array(Array { elem, named: _ }) => self.expressions(elem),
            Expr::Collate { expr, collation } => {
                self.expression(expr)?;
                self.collation(collation)
            }
            _syntax => self.syntax(expression),
        }
    }

    /// What looks like a function and is grammar.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not on the list is refused")]
    fn syntax(&mut self, expression: &Expr) -> Checked {
        match expression {
            Expr::Function(function) => self.function(function),
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type,
                format,
            } => {
                without("CAST", &[("FORMAT", format.is_some())])?;
                self.data_type(data_type)?;
                self.expression(expr)
            }
            Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax }) => {
                without("a literal", &[("{}", *uses_odbc_syntax)])?;
                self.data_type(data_type)?;
                value_is_plain(&value.value)
            }
            Expr::Interval(Interval { value, .. }) => self.expression(value),
            Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                self.optional(operand.as_deref())?;
                for CaseWhen { condition, result } in conditions {
                    self.both(condition, result)?;
                }
                self.optional(else_result.as_deref())
            }
            Expr::Extract { field: _, syntax: _, expr } => self.expression(expr),
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(_) }
            | Expr::Floor { expr, field: CeilFloorKind::DateTimeField(_) } => self.expression(expr),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                self.expression(expr)?;
                self.optional(substring_from.as_deref())?;
                self.optional(substring_for.as_deref())
            }
            Expr::Trim { trim_where: _, trim_what, expr, trim_characters } => {
                self.expression(expr)?;
                self.optional(trim_what.as_deref())?;
                self.expressions(trim_characters.as_deref().unwrap_or_default())
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                self.both(expr, overlay_what)?;
                self.expression(overlay_from)?;
                self.optional(overlay_for.as_deref())
            }
            other => Err(Reason::Expression { text: shortened(&other.to_string()) }),
        }
    }

    fn both(&mut self, left: &Expr, right: &Expr) -> Checked {
        self.expression(left)?;
        self.expression(right)
    }

    fn optional(&mut self, expression: Option<&Expr>) -> Checked {
        expression.map_or(Ok(()), |expression| self.expression(expression))
    }

    fn function(&mut self, function: &Function) -> Checked {
        let Function {
            name,
            uses_odbc_syntax,
            parameters,
            args,
            within_group,
            filter,
            null_treatment: _,
            over,
        } = function;
        self.known_function(name)?;
        let has_parameters = *parameters != FunctionArguments::None;
        without("a call", &[("{}", *uses_odbc_syntax), ("parameters", has_parameters)])?;
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => self.query(query)?,
            FunctionArguments::List(list) => self.arguments(list)?,
        }
        within_group.iter().try_for_each(|ordering| self.ordering(ordering))?;
        self.optional(filter.as_deref())?;
        match over {
            None | Some(WindowType::NamedWindow(_)) => Ok(()),
            Some(WindowType::WindowSpec(window)) => self.window(window),
        }
    }

    fn known_function(&self, name: &ObjectName) -> Checked {
        if let [ObjectNamePart::Identifier(ident)] = &*name.0
            && FUNCTIONS.contains(&&*self.world.fold(ident))
        {
            return Ok(());
        }
        Err(Reason::Function { name: shortened(&name.to_string()) })
    }

    fn arguments(&mut self, list: &FunctionArgumentList) -> Checked {
        let FunctionArgumentList { duplicate_treatment: _, args, clauses } = list;
        for arg in args {
            let (FunctionArg::Named { arg, .. } | FunctionArg::Unnamed(arg)) = arg else {
                return Err(Reason::Expression { text: shortened(&arg.to_string()) });
            };
            match arg {
                FunctionArgExpr::Expr(value) => self.expression(value)?,
                FunctionArgExpr::Wildcard => {}
                FunctionArgExpr::WildcardWithOptions(options)
                    if *options == WildcardAdditionalOptions::default() => {}
                FunctionArgExpr::QualifiedWildcard(_) | FunctionArgExpr::WildcardWithOptions(_) => {
                    return Err(Reason::Expression { text: shortened(&arg.to_string()) });
                }
            }
        }
        for clause in clauses {
            let FunctionArgumentClause::OrderBy(all) = clause else {
                return Err(Reason::Expression { text: shortened(&clause.to_string()) });
            };
            all.iter().try_for_each(|ordering| self.ordering(ordering))?;
        }
        Ok(())
    }

    pub(super) fn window(&mut self, window: &WindowSpec) -> Checked {
        let WindowSpec { window_name: _, partition_by, order_by, window_frame } = window;
        self.expressions(partition_by)?;
        order_by.iter().try_for_each(|ordering| self.ordering(ordering))?;
        let Some(WindowFrame { units: _, start_bound, end_bound }) = window_frame else {
            return Ok(());
        };
        [Some(start_bound), end_bound.as_ref()].into_iter().flatten().try_for_each(|bound| {
            match bound {
                WindowFrameBound::CurrentRow => Ok(()),
                WindowFrameBound::Preceding(n) | WindowFrameBound::Following(n) => {
                    self.optional(n.as_deref())
                }
            }
        })
    }

    /// Collations are the database's own; a name with a schema could be anybody's.
    #[expect(clippy::unused_self, reason = "reads as the other checks do")]
    pub(super) fn collation(&self, collation: &ObjectName) -> Checked {
        match &*collation.0 {
            [ObjectNamePart::Identifier(_)] => Ok(()),
            _qualified => Err(Reason::Unresolvable { name: collation.to_string() }),
        }
    }
}

/// The column that an expression is, if it is nothing but one.
#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is no column")]
pub(super) fn column_of(world: &World, expression: &Expr) -> Option<String> {
    match expression {
        Expr::Identifier(name) => Some(world.fold(name)),
        Expr::CompoundIdentifier(parts) => parts.last().map(|name| world.fold(name)),
        _other => None,
    }
}

/// Every column that an expression names.
pub(super) fn columns_in(world: &World, expression: &Expr) -> BTreeSet<String> {
    let mut columns = BTreeSet::new();
    let walked = visit_expressions(expression, |inner| {
        columns.extend(column_of(world, inner));
        ControlFlow::<()>::Continue(())
    });
    debug_assert_eq!(walked, ControlFlow::Continue(()), "nothing breaks the walk off");
    columns
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is not on the list is refused")]
fn value_is_plain(value: &Value) -> Checked {
    match value {
        Value::Number(..)
        | Value::SingleQuotedString(_)
        | Value::DollarQuotedString(_)
        | Value::EscapedStringLiteral(_)
        | Value::HexStringLiteral(_)
        | Value::Boolean(_)
        | Value::Null => Ok(()),
        other => Err(Reason::Expression { text: shortened(&other.to_string()) }),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the list is of what may be anything at all")]
fn operator_is_plain(operator: &BinaryOperator) -> Checked {
    match operator {
        BinaryOperator::Custom(_)
        | BinaryOperator::PGCustomBinaryOperator(_)
        | BinaryOperator::Assignment => {
            Err(Reason::Expression { text: shortened(&operator.to_string()) })
        }
        _built_in => Ok(()),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
