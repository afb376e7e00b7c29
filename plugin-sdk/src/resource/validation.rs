//! What `validate` and `plan` are asked, and what they give.

use plugin_abi::resource::{FieldFault, PlannedStep, ValidateAnswer, ValidateQuestion};

use super::declared::Resource;
use super::stored::{Said, Stored};
use crate::db::DbError;
use crate::problem::Problem;

/// A change that somebody wants to make.
#[derive(Debug)]
pub struct Change<R> {
    /// What there is; none: it is to be created.
    pub old: Option<Stored<R>>,
    /// What shall be. What the plugin says of it in `validate` is written with it.
    pub new: Stored<R>,
}

impl<R: Resource> Change<R> {
    pub(super) fn of_question(question: ValidateQuestion) -> Result<Self, Problem> {
        let ValidateQuestion { old, new } = question;
        let old = old.map(Stored::of_document).transpose()?;
        Ok(Self { old, new: Stored::of_document(new)? })
    }
}

/// Why a change is not to be written.
#[derive(Debug)]
pub struct Invalid(Why);

#[derive(Debug)]
enum Why {
    Fields(Vec<FieldFault>),
    Problem(Problem),
}

impl Invalid {
    /// What is wrong with a field: an UPPER_SNAKE code for programs and a sentence for people.
    #[must_use]
    pub fn field(field: &str, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::at(format!("/{field}"), code.into(), message.into())
    }

    /// What is wrong with the resource as a whole.
    #[must_use]
    pub fn resource(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::at(String::new(), code.into(), message.into())
    }

    /// What is wrong besides.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Why::Fields(mut faults), Why::Fields(more)) => {
                faults.extend(more);
                Self(Why::Fields(faults))
            }
            (Why::Problem(problem), _) | (Why::Fields(_), Why::Problem(problem)) => {
                Self(Why::Problem(problem))
            }
        }
    }

    fn at(pointer: String, code: String, message: String) -> Self {
        Self(Why::Fields(vec![FieldFault { pointer, code, message }]))
    }
}

impl From<Problem> for Invalid {
    fn from(problem: Problem) -> Self {
        Self(Why::Problem(problem))
    }
}

impl From<DbError> for Invalid {
    fn from(error: DbError) -> Self {
        Self(Why::Problem(error.into()))
    }
}

/// What `validate` may give: nothing, or the new resource with what the plugin says of it, or why not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what `validate` gives",
    note = "give `Ok(())` or `Ok(change.new)`, or `Err(Invalid::field(\"…\", \"…\", \"…\"))`"
)]
pub trait IntoValidation<R> {
    #[doc(hidden)]
    fn into_answer(self) -> Result<ValidateAnswer, Problem>;
}

impl<R> IntoValidation<R> for () {
    fn into_answer(self) -> Result<ValidateAnswer, Problem> {
        Ok(ValidateAnswer::default())
    }
}

impl<R: Resource> IntoValidation<R> for Stored<R> {
    fn into_answer(self) -> Result<ValidateAnswer, Problem> {
        let Said { fields, conditions: _ } = self.said()?;
        Ok(ValidateAnswer { errors: Vec::new(), fields })
    }
}

impl<R, T: IntoValidation<R>> IntoValidation<R> for Result<T, Invalid> {
    fn into_answer(self) -> Result<ValidateAnswer, Problem> {
        match self {
            Ok(valid) => valid.into_answer(),
            Err(Invalid(Why::Fields(errors))) => {
                Ok(ValidateAnswer { errors, ..ValidateAnswer::default() })
            }
            Err(Invalid(Why::Problem(problem))) => Err(problem),
        }
    }
}

/// What `plan` may give: the steps that a write would lead to, in order.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what `plan` gives",
    note = "give a `Vec<PlannedStep>`, or a `Result<Vec<PlannedStep>, Problem>`"
)]
pub trait IntoPlan {
    #[doc(hidden)]
    fn into_plan(self) -> Result<Vec<PlannedStep>, Problem>;
}

impl IntoPlan for Vec<PlannedStep> {
    fn into_plan(self) -> Result<Vec<PlannedStep>, Problem> {
        Ok(self)
    }
}

impl<E: Into<Problem>> IntoPlan for Result<Vec<PlannedStep>, E> {
    fn into_plan(self) -> Result<Vec<PlannedStep>, Problem> {
        self.map_err(Into::into)
    }
}
