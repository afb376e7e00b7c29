//! What the daemon is measured against: the same handler linked statically, in bare hyper and in axum.
//!
//! `baseline hyper|axum` prints `listening on http://…` and serves `/v1/types/swap/hello/{name}` until it is
//! killed: the same JSON document, made in the same way, as the plugin `swap` gives. hyper has the connection
//! settings of the daemon, axum those that `axum::serve` gives. Both run one worker per core.

#![expect(
    clippy::print_stdout,
    reason = "the address is said on standard output, as the daemon does"
)]

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::extract::Path;
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const PREFIX: &str = "/v1/types/swap/hello/";
const VERSION: &str = "0.1.0";
/// As in the daemon.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// As in the daemon.
const HEADER_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, Serialize)]
struct Hello<N> {
    hello: N,
    version: &'static str,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let which = std::env::args().nth(1).context("say `hyper` or `axum`")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    match which.as_str() {
        "hyper" => serve_hyper(listener).await,
        "axum" => serve_axum(listener).await,
        _ => bail!("`{which}` is not a baseline: say `hyper` or `axum`"),
    }
}

async fn serve_hyper(listener: TcpListener) -> anyhow::Result<()> {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_header_size(HEADER_BYTES_MAX)
        .max_buf_size(HEADER_BYTES_MAX);
    let mut connections = JoinSet::new();
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        connections.spawn(serve_connection(stream, protocol.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_connection(stream: TcpStream, protocol: http1::Builder) {
    let service = service_fn(async |request| Ok::<_, Infallible>(answer(&request)));
    let connection = protocol.serve_connection(TokioIo::new(stream), service).with_upgrades();
    // A client that goes away is the usual end.
    let _ = connection.await;
}

fn answer(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let Some(name) = request.uri().path().strip_prefix(PREFIX) else {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    let hello = Hello { hello: name, version: VERSION };
    let json = serde_json::to_vec(&hello).expect("two strings are always JSON");
    *response.body_mut() = Full::from(json);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn serve_axum(listener: TcpListener) -> anyhow::Result<()> {
    let hello = async |Path(name): Path<String>| Json(Hello { hello: name, version: VERSION });
    let router: Router = Router::new().route(&format!("{PREFIX}{{name}}"), get(hello));
    let listener = listener.tap_io(|stream| {
        // A connection that refuses the option is closing.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}
