//! Actions: what can be done to a resource, beyond changing its fields.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use http::StatusCode;
use plugin_abi::descriptor::Action as Declared;
use plugin_abi::resource::{ActionAnswer, ActionQuestion};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::declared::Resource;
use super::handler::{About, AboutTwo, HookHandler, endpoint};
use super::schema;
use super::stored::{Said, Stored, mistake};
use crate::extract::Json;
use crate::handler::Endpoint;
use crate::problem::Problem;

/// Something that can be done to a resource `R` of plugin `P`: `POST …/actions/<verb>`.
///
/// ```
/// # use plugin_sdk::prelude::*;
/// # #[derive(Resource)] struct Door { #[field(ro)] is_open: Option<bool> }
/// #[json(schema)]
/// struct Push {
///     /// How hard, in newtons.
///     force: u32,
/// }
///
/// async fn push(mut door: Stored<Door>, Input(push): Input<Push>) -> Acted<Door, Json<bool>> {
///     door.is_open = Some(push.force > 10);
///     door.acted(Json(push.force > 10))
/// }
/// # fn action<P: Send + Sync + 'static>() -> Action<P, Door> {
/// Action::new("push", push).describe("Pushes it.")
/// # }
/// ```
///
/// The handler is an `async fn`: the resource first, then [`Input`] if it takes any, then extractors. It gives
/// `()`, [`Json`], or [`Acted`] with what it has changed in the resource, or a `Result` of those.
pub struct Action<P, R> {
    verb: String,
    description: String,
    is_safe: bool,
    deadline: Option<Duration>,
    input: Result<Value, String>,
    output: Result<Value, String>,
    endpoint: Endpoint<P>,
    /// What it is done to.
    _of: PhantomData<fn(R)>,
}

impl<P: Send + Sync + 'static, R: Resource> Action<P, R> {
    /// An action that changes something: the client gets an operation.
    #[must_use]
    pub fn new<Args: 'static, H>(verb: impl Into<String>, handler: H) -> Self
    where
        H: ActionHandler<P, R, Args>,
    {
        Self {
            verb: verb.into(),
            description: String::new(),
            is_safe: false,
            deadline: None,
            input: H::input(),
            output: <H::Output as IntoActed<R>>::schema(),
            endpoint: handler.endpoint(),
            _of: PhantomData,
        }
    }

    /// An action that changes nothing: the client gets its result.
    #[must_use]
    pub fn safe<Args: 'static, H>(verb: impl Into<String>, handler: H) -> Self
    where
        H: ActionHandler<P, R, Args>,
    {
        Self { is_safe: true, ..Self::new(verb, handler) }
    }

    /// What it does, for people.
    #[must_use]
    pub fn describe(self, description: impl Into<String>) -> Self {
        Self { description: description.into(), ..self }
    }

    /// How long it may take; else the host's default.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }
}

impl<P, R> Action<P, R> {
    /// What the descriptor has of it, and what answers it; else what is wrong, to go after its name.
    pub(super) fn into_parts(self) -> (String, Result<(Declared, Endpoint<P>), String>) {
        let Self { verb, description, is_safe, deadline, input, output, endpoint, _of } = self;
        let name = verb.clone();
        let declared = move || {
            Ok(Declared {
                verb,
                description,
                safe: is_safe,
                input: input.map_err(|fault| format!("its input: {fault}"))?,
                output: output.map_err(|fault| format!("its output: {fault}"))?,
                deadline_ms: deadline
                    .map(|deadline| u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX)),
            })
        };
        (name, declared().map(|declared| (declared, endpoint)))
    }
}

impl<P, R> fmt::Debug for Action<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.verb)
    }
}

/// What is sent with an action: the second argument of its handler. The host has checked it against its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input<I>(pub I);

/// What an action came to, with what it has changed in its resource.
#[derive(Debug)]
pub struct Acted<R, O> {
    resource: Stored<R>,
    output: O,
}

impl<R> Stored<R> {
    /// An action is done: the resource with what was changed in it, and the result for the caller.
    #[must_use]
    pub fn acted<O>(self, output: O) -> Acted<R, O> {
        Acted { resource: self, output }
    }
}

/// A handler of an action. Not implemented by hand.
#[diagnostic::on_unimplemented(
    message = "this function is no action on a `{R}` of plugin `{P}`",
    note = "it must be an `async fn`: first a `Stored<{R}>`, then an `Input<_>` if it takes any, then extractors; it gives `()`, `Json<_>`, `Acted<{R}, _>` or a `Result` of those"
)]
pub trait ActionHandler<P, R, Args>: Clone + Send + Sync + 'static {
    /// What it gives.
    type Output: IntoActed<R>;

    #[doc(hidden)]
    fn input() -> Result<Value, String>;

    #[doc(hidden)]
    fn endpoint(self) -> Endpoint<P>;
}

/// How the compiler tells handlers without an input from those with one.
#[doc(hidden)]
#[derive(Debug)]
pub enum NoInput {}

impl<P, R, Args, H> ActionHandler<P, R, (NoInput, Args)> for H
where
    P: Send + Sync + 'static,
    R: Resource,
    Args: 'static,
    H: HookHandler<P, About<Stored<R>>, Args, Answer: IntoActed<R> + 'static>,
{
    type Output = H::Answer;

    fn input() -> Result<Value, String> {
        Ok(Value::Null)
    }

    fn endpoint(self) -> Endpoint<P> {
        let about =
            |ActionQuestion { resource, input: _ }| Stored::of_document(resource).map(About);
        endpoint(self, about, IntoActed::into_answer)
    }
}

impl<P, R, I, Args, H> ActionHandler<P, R, (Input<I>, Args)> for H
where
    P: Send + Sync + 'static,
    R: Resource,
    I: DeserializeOwned + JsonSchema + Send + 'static,
    Args: 'static,
    H: HookHandler<P, AboutTwo<Stored<R>, Input<I>>, Args, Answer: IntoActed<R> + 'static>,
{
    type Output = H::Answer;

    fn input() -> Result<Value, String> {
        schema::of_input::<I>()
    }

    fn endpoint(self) -> Endpoint<P> {
        let about = |ActionQuestion { resource, input }| {
            Ok(AboutTwo(Stored::of_document(resource)?, Input(read_input(input)?)))
        };
        endpoint(self, about, IntoActed::into_answer)
    }
}

/// Nothing is as good as an object without members.
fn read_input<I: DeserializeOwned>(input: Value) -> Result<I, Problem> {
    let input = if input.is_null() { Value::Object(Map::new()) } else { input };
    serde_path_to_error::deserialize(input).map_err(|error| {
        let (member, fault) = (error.path().to_string(), error.inner());
        let detail = match member.as_str() {
            "." | "?" => format!("the input does not fit: {fault}"),
            member => format!("`{member}` of the input does not fit: {fault}"),
        };
        Problem::new(StatusCode::BAD_REQUEST, "INVALID_JSON", detail)
    })
}

/// What an action may give.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what an action on a `{R}` gives",
    note = "give `()`, `Json(_)`, `resource.acted(_)`, or a `Result<_, Problem>` of those; what is in `Json` has a schema by `#[json(schema)]`"
)]
pub trait IntoActed<R> {
    #[doc(hidden)]
    fn schema() -> Result<Value, String>;

    #[doc(hidden)]
    fn into_answer(self) -> Result<ActionAnswer, Problem>;
}

impl<R> IntoActed<R> for () {
    fn schema() -> Result<Value, String> {
        Ok(Value::Null)
    }

    fn into_answer(self) -> Result<ActionAnswer, Problem> {
        Ok(ActionAnswer::default())
    }
}

impl<R, O: Serialize + JsonSchema> IntoActed<R> for Json<O> {
    fn schema() -> Result<Value, String> {
        schema::of_output::<O>()
    }

    fn into_answer(self) -> Result<ActionAnswer, Problem> {
        let output = serde_json::to_value(self.0)
            .map_err(|error| mistake(format!("an action gave what is no JSON: {error}")))?;
        Ok(ActionAnswer { output, ..ActionAnswer::default() })
    }
}

impl<R: Resource, O: IntoActed<R>> IntoActed<R> for Acted<R, O> {
    fn schema() -> Result<Value, String> {
        O::schema()
    }

    fn into_answer(self) -> Result<ActionAnswer, Problem> {
        let Self { resource, output } = self;
        let Said { fields, conditions } = resource.said()?;
        Ok(ActionAnswer { fields, conditions, ..output.into_answer()? })
    }
}

impl<R, T: IntoActed<R>, E: Into<Problem>> IntoActed<R> for Result<T, E> {
    fn schema() -> Result<Value, String> {
        T::schema()
    }

    fn into_answer(self) -> Result<ActionAnswer, Problem> {
        self.map_err(Into::into).and_then(T::into_answer)
    }
}
