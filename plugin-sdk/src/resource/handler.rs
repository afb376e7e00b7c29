//! How an `async fn` of an author's becomes a hook.
//!
//! Its first argument is what the hook is about, the others are extractors. What comes in and goes out are
//! the documents of [`plugin_abi::resource`]; a problem is the hook's failure.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::stored::mistake;
use crate::caught::BoxFuture;
use crate::extract::Json;
use crate::handler::Endpoint;
use crate::problem::Problem;
use crate::request::{FromRequest, FromRequestParts, Request};
use crate::response::{IntoResponse, Response};

/// What the first argument of a hook is.
#[doc(hidden)]
#[derive(Debug)]
pub struct About<A>(pub A);

/// What the first two arguments of a hook are.
#[doc(hidden)]
#[derive(Debug)]
pub struct AboutTwo<A, B>(pub A, pub B);

/// An `async fn` whose first argument is what a hook is about, and whose others are extractors.
///
/// Up to six extractors, none of which takes the body. Its future must be `Send`. Not implemented by hand; `Args`
/// is how the compiler tells functions of different shapes apart.
#[diagnostic::on_unimplemented(
    message = "this function is no such hook of a `{P}`: `{A}`",
    note = "it must be an `async fn` whose first argument is what stands in `About<…>`, and whose others are extractors (`State<{P}>`, `Context`, `Database`, `Identity`)"
)]
pub trait HookHandler<P, A, Args>: Clone + Send + Sync + 'static {
    /// What it gives.
    type Answer;

    #[doc(hidden)]
    fn call(&self, about: A, request: &Request<P>) -> Result<BoxFuture<Self::Answer>, Problem>;
}

macro_rules! handler_of {
    ($about:ident($($first:ident)*); $($part:ident)*) => {
        impl<P, F, Answering, $($first,)* $($part,)*>
            HookHandler<P, $about<$($first),*>, ($($part,)*)> for F
        where
            F: Fn($($first,)* $($part),*) -> Answering + Clone + Send + Sync + 'static,
            Answering: Future + Send + 'static,
            $($part: FromRequestParts<P>,)*
        {
            type Answer = Answering::Output;

            #[expect(non_snake_case, reason = "the arguments are named after their types")]
            fn call(
                &self,
                $about($($first),*): $about<$($first),*>,
                _request: &Request<P>,
            ) -> Result<BoxFuture<Self::Answer>, Problem> {
                Ok(Box::pin(self($($first,)* $($part::from_request_parts(_request)?),*)))
            }
        }
    };
}

handler_of!(About(A););
handler_of!(About(A); A1);
handler_of!(About(A); A1 A2);
handler_of!(About(A); A1 A2 A3);
handler_of!(About(A); A1 A2 A3 A4);
handler_of!(About(A); A1 A2 A3 A4 A5);
handler_of!(About(A); A1 A2 A3 A4 A5 A6);
handler_of!(AboutTwo(A B););
handler_of!(AboutTwo(A B); A1);
handler_of!(AboutTwo(A B); A1 A2);
handler_of!(AboutTwo(A B); A1 A2 A3);
handler_of!(AboutTwo(A B); A1 A2 A3 A4);
handler_of!(AboutTwo(A B); A1 A2 A3 A4 A5);
handler_of!(AboutTwo(A B); A1 A2 A3 A4 A5 A6);

/// The endpoint of a hook: `about` makes of the question what the handler takes, `answer` a document of what
/// it gives.
pub(super) fn endpoint<P, Question, A, Args, H, Answer>(
    handler: H,
    about: fn(Question) -> Result<A, Problem>,
    answer: fn(H::Answer) -> Result<Answer, Problem>,
) -> Endpoint<P>
where
    P: Send + Sync + 'static,
    Question: DeserializeOwned + Send + 'static,
    A: Send + 'static,
    Args: 'static,
    H: HookHandler<P, A, Args>,
    H::Answer: 'static,
    Answer: Serialize + 'static,
{
    Box::new(move |request| {
        let handler = handler.clone();
        Box::pin(async move {
            let answering = match asked(&request).await {
                Ok(question) => about(question).and_then(|about| handler.call(about, &request)),
                Err(problem) => Err(problem),
            };
            match answering {
                Ok(answering) => finished(answer(answering.await)),
                Err(problem) => problem.into_response(),
            }
        })
    })
}

/// The question of a hook.
async fn asked<P: Send + Sync, Question: DeserializeOwned>(
    request: &Request<P>,
) -> Result<Question, Problem> {
    let (head, plugin) = (Arc::clone(&request.head), Arc::clone(&request.plugin));
    let body = Bytes::from_request(Request { head, plugin }).await?;
    serde_json::from_slice(&body).map_err(|error| {
        mistake(format!("hook `{}` was asked what this SDK cannot read: {error}", request.path()))
    })
}

fn finished(answer: Result<impl Serialize, Problem>) -> Response {
    answer.map(Json).into_response()
}
