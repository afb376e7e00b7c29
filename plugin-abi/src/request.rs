//! The layout of a request's parcel: a head that is read in place, and the body when it is whole.
//!
//! The host writes a [`RequestHead`]; the plugin keeps the parcel and a [`RequestLayout`] of offsets into
//! it, so that a handler which looks at nothing pays for nothing. Values are as they came: path and query
//! still percent-encoded, header values any bytes.

use std::ops::Range;

use crate::wire::{Reader, WireError, Writer};

/// The largest body that travels inside the request's parcel. Larger ones are pulled.
pub const WHOLE_BODY_BYTES_MAX: u64 = 1024 * 1024;

/// The route of a request that is a hook: the host calls the plugin by a name, which is the path. The body
/// and the answer are JSON documents. No client can make one.
pub const HOOK_ROUTE: u32 = u32::MAX;

/// How the body of a request reaches the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// All of it is in the parcel.
    Whole,
    /// It is asked for with `BodyRead`; its length, when the client told it.
    Pulled(Option<u64>),
}

/// Who makes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Their name, `user:…`, `service-account:…` or `anonymous`.
    pub principal: &'a str,
    /// The tenant project the request acts in, if it acts in one.
    pub project: Option<&'a str>,
}

/// A request, as the host writes it.
#[derive(Debug)]
pub struct RequestHead<'a, H> {
    /// The position of its route in the descriptor.
    pub route: u32,
    /// How long the host will wait for the head of the answer.
    pub deadline_ms: u32,
    /// Where the body is.
    pub body: BodyKind,
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The whole path, percent-encoded.
    pub path: &'a str,
    /// What follows the `?`.
    pub query: Option<&'a str>,
    /// The values of the route's parameters in order, as they stand in the path.
    pub params: &'a [&'a str],
    /// Who asks.
    pub identity: Identity<'a>,
    /// The id that log lines, answers and errors of this request carry.
    pub request_id: &'a str,
    /// The W3C `traceparent`, if the client sent one.
    pub traceparent: Option<&'a str>,
    /// The header fields in the order they came.
    pub headers: H,
}

impl<'a, H> RequestHead<'a, H>
where
    H: ExactSizeIterator<Item = (&'a str, &'a [u8])>,
{
    /// The parcel: this head and then `whole_body`, which is empty for a pulled one.
    #[must_use]
    pub fn encode(self, whole_body: &[u8]) -> Vec<u8> {
        let mut writer = Writer::with_capacity(512 + whole_body.len());
        writer.u32(self.route);
        writer.u32(self.deadline_ms);
        match self.body {
            BodyKind::Whole => writer.u8(0),
            BodyKind::Pulled(None) => writer.u8(1),
            BodyKind::Pulled(Some(n_bytes)) => {
                writer.u8(2);
                writer.u64(n_bytes);
            }
        }
        writer.str(self.method);
        writer.str(self.path);
        writer.opt_str(self.query);
        writer.str(self.identity.principal);
        writer.opt_str(self.identity.project);
        writer.str(self.request_id);
        writer.opt_str(self.traceparent);
        writer.u16(count(self.params.len()));
        for param in self.params {
            writer.str(param);
        }
        writer.u16(count(self.headers.len()));
        for (name, value) in self.headers {
            writer.str(name);
            writer.bytes(value);
        }
        writer.raw(whole_body);
        writer.finish()
    }
}

fn count(n: usize) -> u16 {
    u16::try_from(n).expect("the server limits parameters and header fields far below 65 536")
}

/// Where in a parcel each part of a request lies. It was checked once; reading through it cannot fail.
#[derive(Debug, Clone)]
pub struct RequestLayout {
    /// See [`RequestHead::route`].
    pub route: u32,
    /// See [`RequestHead::deadline_ms`].
    pub deadline_ms: u32,
    /// See [`RequestHead::body`].
    pub body_kind: BodyKind,
    method: Range<usize>,
    path: Range<usize>,
    query: Option<Range<usize>>,
    principal: Range<usize>,
    project: Option<Range<usize>>,
    request_id: Range<usize>,
    traceparent: Option<Range<usize>>,
    params: Range<usize>,
    n_headers: u16,
    headers: Range<usize>,
}

impl RequestLayout {
    /// Walks the parcel once and notes where everything is.
    ///
    /// # Errors
    /// When it is not a request of this revision.
    pub fn parse(parcel: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(parcel);
        let route = reader.u32("route")?;
        let deadline_ms = reader.u32("deadline")?;
        let body_kind = match reader.u8("body kind")? {
            0 => BodyKind::Whole,
            1 => BodyKind::Pulled(None),
            2 => BodyKind::Pulled(Some(reader.u64("body length")?)),
            _unknown => return Err(reader.malformed("body kind")),
        };
        let method = text(&mut reader, parcel, "method")?;
        let path = text(&mut reader, parcel, "path")?;
        let query = opt_text(&mut reader, parcel, "query")?;
        let principal = text(&mut reader, parcel, "principal")?;
        let project = opt_text(&mut reader, parcel, "project")?;
        let request_id = text(&mut reader, parcel, "request id")?;
        let traceparent = opt_text(&mut reader, parcel, "traceparent")?;
        let n_params = reader.u16("parameters")?;
        let params_start = reader.offset();
        for _idx in 0..n_params {
            text(&mut reader, parcel, "parameter")?;
        }
        let params = params_start..reader.offset();
        let n_headers = reader.u16("headers")?;
        let headers_start = reader.offset();
        for _idx in 0..n_headers {
            text(&mut reader, parcel, "header name")?;
            reader.range("header value")?;
        }
        let headers = headers_start..reader.offset();
        Ok(Self {
            route,
            deadline_ms,
            body_kind,
            method,
            path,
            query,
            principal,
            project,
            request_id,
            traceparent,
            params,
            n_headers,
            headers,
        })
    }

    /// See [`RequestHead::method`].
    #[must_use]
    pub fn method<'p>(&self, parcel: &'p [u8]) -> &'p str {
        checked(parcel, &self.method)
    }

    /// See [`RequestHead::path`].
    #[must_use]
    pub fn path<'p>(&self, parcel: &'p [u8]) -> &'p str {
        checked(parcel, &self.path)
    }

    /// See [`RequestHead::query`].
    #[must_use]
    pub fn query<'p>(&self, parcel: &'p [u8]) -> Option<&'p str> {
        self.query.as_ref().map(|range| checked(parcel, range))
    }

    /// See [`RequestHead::identity`].
    #[must_use]
    pub fn identity<'p>(&self, parcel: &'p [u8]) -> Identity<'p> {
        Identity {
            principal: checked(parcel, &self.principal),
            project: self.project.as_ref().map(|range| checked(parcel, range)),
        }
    }

    /// See [`RequestHead::request_id`].
    #[must_use]
    pub fn request_id<'p>(&self, parcel: &'p [u8]) -> &'p str {
        checked(parcel, &self.request_id)
    }

    /// See [`RequestHead::traceparent`].
    #[must_use]
    pub fn traceparent<'p>(&self, parcel: &'p [u8]) -> Option<&'p str> {
        self.traceparent.as_ref().map(|range| checked(parcel, range))
    }

    /// See [`RequestHead::params`].
    pub fn params<'p>(&self, parcel: &'p [u8]) -> impl Iterator<Item = &'p str> + use<'p> {
        let mut reader = Reader::new(&parcel[self.params.clone()]);
        std::iter::from_fn(move || {
            (!reader.rest().is_empty()).then(|| reader.str("parameter").expect(CHECKED))
        })
    }

    /// See [`RequestHead::headers`].
    pub fn headers<'p>(
        &self,
        parcel: &'p [u8],
    ) -> impl ExactSizeIterator<Item = (&'p str, &'p [u8])> + use<'p> {
        let mut reader = Reader::new(&parcel[self.headers.clone()]);
        (0..self.n_headers).map(move |_idx| {
            let name = reader.str("header name").expect(CHECKED);
            (name, reader.bytes("header value").expect(CHECKED))
        })
    }

    /// The whole body; empty for a pulled one.
    #[must_use]
    pub fn whole_body<'p>(&self, parcel: &'p [u8]) -> &'p [u8] {
        &parcel[self.headers.end..]
    }
}

const CHECKED: &str = "the layout was parsed from this parcel";

fn text(
    reader: &mut Reader<'_>,
    parcel: &[u8],
    what: &'static str,
) -> Result<Range<usize>, WireError> {
    let error = reader.malformed(what);
    let range = reader.range(what)?;
    str::from_utf8(&parcel[range.clone()]).map(|_text| range).map_err(|_not_utf8| error)
}

fn opt_text(
    reader: &mut Reader<'_>,
    parcel: &[u8],
    what: &'static str,
) -> Result<Option<Range<usize>>, WireError> {
    match reader.u8(what)? {
        0 => Ok(None),
        _some => text(reader, parcel, what).map(Some),
    }
}

fn checked<'p>(parcel: &'p [u8], range: &Range<usize>) -> &'p str {
    str::from_utf8(&parcel[range.clone()]).expect(CHECKED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(body: BodyKind, whole_body: &[u8]) -> Vec<u8> {
        let headers = [("accept", &b"*/*"[..]), ("x-bytes", &[0xff, 0x00])];
        let head = RequestHead {
            route: 3,
            deadline_ms: 30_000,
            body,
            method: "POST",
            path: "/v1/types/demo/notes/a%20b",
            query: Some("q=1"),
            params: &["a%20b"],
            identity: Identity { principal: "user:admin", project: None },
            request_id: "0199",
            traceparent: None,
            headers: headers.into_iter(),
        };
        head.encode(whole_body)
    }

    #[test]
    fn a_request_is_read_in_place_as_it_was_written() {
        let parcel = parcel(BodyKind::Whole, b"body");
        let layout = RequestLayout::parse(&parcel).unwrap();
        assert_eq!((layout.route, layout.deadline_ms), (3, 30_000));
        assert_eq!(layout.method(&parcel), "POST");
        assert_eq!(layout.path(&parcel), "/v1/types/demo/notes/a%20b");
        assert_eq!(layout.query(&parcel), Some("q=1"));
        assert_eq!(layout.params(&parcel).collect::<Vec<_>>(), ["a%20b"]);
        assert_eq!(layout.identity(&parcel).principal, "user:admin");
        assert_eq!(layout.request_id(&parcel), "0199");
        assert_eq!(layout.traceparent(&parcel), None);
        let headers: Vec<_> = layout.headers(&parcel).collect();
        assert_eq!(headers, [("accept", &b"*/*"[..]), ("x-bytes", &[0xff, 0x00][..])]);
        assert_eq!(layout.whole_body(&parcel), b"body");
    }

    #[test]
    fn a_pulled_body_tells_its_length_when_it_is_known() {
        for kind in [BodyKind::Pulled(None), BodyKind::Pulled(Some(5_000_000))] {
            let parcel = parcel(kind, b"");
            let layout = RequestLayout::parse(&parcel).unwrap();
            assert_eq!(layout.body_kind, kind);
            assert!(layout.whole_body(&parcel).is_empty());
        }
    }

    #[test]
    fn every_truncated_head_is_refused() {
        let parcel = parcel(BodyKind::Whole, b"");
        for n_bytes in 0..parcel.len() {
            assert!(RequestLayout::parse(&parcel[..n_bytes]).is_err(), "{n_bytes} bytes passed");
        }
    }
}
