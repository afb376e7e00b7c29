//! How an `async fn` of an author's becomes an endpoint.

use crate::caught::BoxFuture;
use crate::request::{FromRequest, FromRequestParts, Request};
use crate::response::{IntoResponse, Response};

/// An `async fn` whose arguments are extractors and whose result is an answer.
///
/// Up to eight arguments; the last one may take the body. Its future must be `Send`. Not implemented by
/// hand; `Args` is how the compiler tells functions of different shapes apart.
#[diagnostic::on_unimplemented(
    message = "this function cannot answer requests to a `{P}`",
    note = "it must be an `async fn`, every argument an extractor (`State<{P}>`, `Path<_>`, …), only the last one may take the body, and its result an `IntoResponse`"
)]
pub trait Handler<P, Args>: Clone + Send + Sync + 'static {
    /// Begins to answer.
    #[doc(hidden)]
    fn call(&self, request: Request<P>) -> BoxFuture<Response>;
}

/// An endpoint of any shape.
pub(crate) type Endpoint<P> = Box<dyn Fn(Request<P>) -> BoxFuture<Response> + Send + Sync>;

/// Forgets the shape of a handler.
pub(crate) fn endpoint<P: 'static, Args: 'static>(handler: impl Handler<P, Args>) -> Endpoint<P> {
    Box::new(move |request| handler.call(request))
}

impl<P, F, Answering> Handler<P, ()> for F
where
    P: Send + Sync + 'static,
    F: Fn() -> Answering + Clone + Send + Sync + 'static,
    Answering: Future<Output: IntoResponse> + Send,
{
    fn call(&self, _request: Request<P>) -> BoxFuture<Response> {
        let handler = self.clone();
        Box::pin(async move { handler().await.into_response() })
    }
}

macro_rules! handler_of {
    ($($part:ident)*; $last:ident) => {
        impl<P, F, Answering, Via, $($part,)* $last> Handler<P, (Via, $($part,)* $last,)> for F
        where
            P: Send + Sync + 'static,
            F: Fn($($part,)* $last) -> Answering + Clone + Send + Sync + 'static,
            Answering: Future<Output: IntoResponse> + Send,
            $($part: FromRequestParts<P> + Send,)*
            $last: FromRequest<P, Via> + Send,
        {
            #[expect(non_snake_case, reason = "the arguments are named after their types")]
            fn call(&self, request: Request<P>) -> BoxFuture<Response> {
                let handler = self.clone();
                Box::pin(async move {
                    $(
                        let $part = match $part::from_request_parts(&request) {
                            Ok(part) => part,
                            Err(problem) => return problem.into_response(),
                        };
                    )*
                    match $last::from_request(request).await {
                        Ok($last) => handler($($part,)* $last).await.into_response(),
                        Err(problem) => problem.into_response(),
                    }
                })
            }
        }
    };
}

handler_of!(; A1);
handler_of!(A1; A2);
handler_of!(A1 A2; A3);
handler_of!(A1 A2 A3; A4);
handler_of!(A1 A2 A3 A4; A5);
handler_of!(A1 A2 A3 A4 A5; A6);
handler_of!(A1 A2 A3 A4 A5 A6; A7);
handler_of!(A1 A2 A3 A4 A5 A6 A7; A8);
