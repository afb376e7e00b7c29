//! The layout of a request's parcel: a head that is read in place, and the body when it is whole.
//!
//! The host writes a [`RequestHead`]; the plugin keeps the parcel and a [`RequestLayout`] of offsets into
//! it, so that a handler which looks at nothing pays for nothing. Values are as they came: path and query
//! still percent-encoded, header values any bytes.
//!
//! The numbers come first, then how long each text is, then the texts in one run, which is checked in one go; then
//! the header fields, then the body.

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

/// Route, deadline, kind of the body, its length in two, how many parameters, how many header fields.
const N_NUMBERS: usize = 7;

/// The texts in the order in which they are written. Those of the parameters follow.
#[derive(Debug, Clone, Copy)]
enum Text {
    Method,
    Path,
    Query,
    Principal,
    Project,
    RequestId,
    Traceparent,
}

const N_TEXTS: usize = 7;

/// The length of a text that there is not.
const ABSENT: u32 = u32::MAX;

/// What most heads fit into.
const USUAL_BYTES: usize = 512;

impl<'a, H> RequestHead<'a, H>
where
    H: ExactSizeIterator<Item = (&'a str, &'a [u8])>,
{
    /// The parcel: this head and then `whole_body`, which is empty for a pulled one.
    ///
    /// # Panics
    /// When a part is 4 GiB or longer; every caller has a far lower limit of its own.
    #[must_use]
    pub fn encode(self, whole_body: &[u8]) -> Vec<u8> {
        let (kind, n_bytes) = match self.body {
            BodyKind::Whole => (0, 0),
            BodyKind::Pulled(None) => (1, 0),
            BodyKind::Pulled(Some(n_bytes)) => (2, n_bytes),
        };
        let (low, high) = halves(n_bytes);
        let (n_params, n_headers) = (length(self.params.len()), length(self.headers.len()));
        let texts: [Option<&str>; N_TEXTS] = [
            Some(self.method),
            Some(self.path),
            self.query,
            Some(self.identity.principal),
            self.identity.project,
            Some(self.request_id),
            self.traceparent,
        ];
        let mut writer = Writer::with_capacity(USUAL_BYTES + whole_body.len());
        writer.words([self.route, self.deadline_ms, kind, low, high, n_params, n_headers]);
        writer.words(texts.map(|text| text.map_or(ABSENT, |text| length(text.len()))));
        self.params.iter().for_each(|param| writer.u32(length(param.len())));
        texts.into_iter().flatten().for_each(|text| writer.raw(text.as_bytes()));
        self.params.iter().for_each(|param| writer.raw(param.as_bytes()));
        for (name, value) in self.headers {
            writer.str(name);
            writer.bytes(value);
        }
        writer.raw(whole_body);
        writer.finish()
    }
}

fn length(n: usize) -> u32 {
    u32::try_from(n).expect("no part of a request is 4 GiB long")
}

#[expect(clippy::cast_possible_truncation, reason = "each half is half of it")]
fn halves(number: u64) -> (u32, u32) {
    (number as u32, (number >> 32) as u32)
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
    /// Where each text lies, if there is one.
    texts: [Option<Place>; N_TEXTS],
    /// Where the lengths of the parameters lie, and where the first parameter begins.
    param_lengths: Range<usize>,
    params_start: usize,
    n_headers: u32,
    headers: Range<usize>,
}

/// A part of a parcel.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: u32,
    end: u32,
}

impl RequestLayout {
    /// Walks the parcel once and notes where everything is.
    ///
    /// # Errors
    /// When it is not a request of this revision.
    pub fn parse(parcel: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(parcel);
        let numbers = reader.words::<N_NUMBERS>("numbers")?;
        let [route, deadline_ms, kind, low, high, n_params, n_headers] = numbers;
        let body_kind = match kind {
            0 => BodyKind::Whole,
            1 => BodyKind::Pulled(None),
            2 => BodyKind::Pulled(Some(u64::from(low) | u64::from(high) << 32)),
            _unknown => return Err(reader.malformed("body kind")),
        };
        let text_lengths = reader.words::<N_TEXTS>("lengths")?;
        let param_lengths = reader.run((n_params as usize).saturating_mul(4), "parameters")?;
        let params = words_in(&parcel[param_lengths.clone()]);
        let all_lengths = text_lengths.into_iter().filter(|n| *n != ABSENT).chain(params.clone());
        let n_bytes = all_lengths.fold(0, |sum: usize, n| sum.saturating_add(n as usize));
        let malformed = reader.malformed("texts");
        let mut cut = Cut::new(parcel, reader.run(n_bytes, "texts")?).ok_or(malformed)?;
        let mut texts = [None; N_TEXTS];
        for (place, n) in texts.iter_mut().zip(text_lengths).filter(|(_place, n)| *n != ABSENT) {
            *place = Some(cut.next(n).ok_or(malformed)?);
        }
        let params_start = cut.offset;
        for n in params {
            cut.next(n).ok_or(malformed)?;
        }
        let headers_start = reader.offset();
        for _idx in 0..n_headers {
            reader.str("header name")?;
            reader.range("header value")?;
        }
        Ok(Self {
            route,
            deadline_ms,
            body_kind,
            texts,
            param_lengths,
            params_start,
            n_headers,
            headers: headers_start..reader.offset(),
        })
    }

    /// See [`RequestHead::method`].
    #[must_use]
    pub fn method<'p>(&self, parcel: &'p [u8]) -> &'p str {
        self.text(parcel, Text::Method).unwrap_or_default()
    }

    /// See [`RequestHead::path`].
    #[must_use]
    pub fn path<'p>(&self, parcel: &'p [u8]) -> &'p str {
        self.text(parcel, Text::Path).unwrap_or_default()
    }

    /// See [`RequestHead::query`].
    #[must_use]
    pub fn query<'p>(&self, parcel: &'p [u8]) -> Option<&'p str> {
        self.text(parcel, Text::Query)
    }

    /// See [`RequestHead::identity`].
    #[must_use]
    pub fn identity<'p>(&self, parcel: &'p [u8]) -> Identity<'p> {
        Identity {
            principal: self.text(parcel, Text::Principal).unwrap_or_default(),
            project: self.text(parcel, Text::Project),
        }
    }

    /// See [`RequestHead::request_id`].
    #[must_use]
    pub fn request_id<'p>(&self, parcel: &'p [u8]) -> &'p str {
        self.text(parcel, Text::RequestId).unwrap_or_default()
    }

    /// See [`RequestHead::traceparent`].
    #[must_use]
    pub fn traceparent<'p>(&self, parcel: &'p [u8]) -> Option<&'p str> {
        self.text(parcel, Text::Traceparent)
    }

    /// See [`RequestHead::params`].
    pub fn params<'p>(&self, parcel: &'p [u8]) -> impl Iterator<Item = &'p str> + use<'p> {
        let mut start = self.params_start;
        words_in(&parcel[self.param_lengths.clone()]).map(move |n| {
            let range = start..start + n as usize;
            start = range.end;
            checked(parcel, range)
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

    fn text<'p>(&self, parcel: &'p [u8], text: Text) -> Option<&'p str> {
        let Place { start, end } = self.texts[text as usize]?;
        Some(checked(parcel, start as usize..end as usize))
    }

    /// The whole body; empty for a pulled one.
    #[must_use]
    pub fn whole_body<'p>(&self, parcel: &'p [u8]) -> &'p [u8] {
        &parcel[self.headers.end..]
    }
}

/// Cuts a run of texts into its parts.
struct Cut<'p> {
    run: &'p str,
    /// Where the run begins, and where the next part does, in the parcel.
    start: usize,
    offset: usize,
}

impl<'p> Cut<'p> {
    /// `None` when the run is no text, or too far behind.
    fn new(parcel: &'p [u8], run: Range<usize>) -> Option<Self> {
        let start = run.start;
        u32::try_from(run.end).ok()?;
        Some(Self { run: str::from_utf8(&parcel[run]).ok()?, start, offset: start })
    }

    /// The next part, `None` when it would end within a character.
    fn next(&mut self, n_bytes: u32) -> Option<Place> {
        let end = self.offset + n_bytes as usize;
        let is_whole = self.run.is_char_boundary(end - self.start);
        let place = |start: usize| {
            Some(Place { start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()? })
        };
        let place = is_whole.then(|| place(self.offset)).flatten();
        self.offset = end;
        place
    }
}

/// The little-endian words in `bytes`.
fn words_in(bytes: &[u8]) -> impl Iterator<Item = u32> + Clone + use<'_> {
    let (words, _none) = bytes.as_chunks::<4>();
    words.iter().map(|word| u32::from_le_bytes(*word))
}

const CHECKED: &str = "the layout was parsed from this parcel";

fn checked(parcel: &[u8], range: Range<usize>) -> &str {
    str::from_utf8(&parcel[range]).expect(CHECKED)
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
            params: &["a%20b", ""],
            identity: Identity { principal: "user:ädmin", project: None },
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
        assert_eq!(layout.params(&parcel).collect::<Vec<_>>(), ["a%20b", ""]);
        assert_eq!(layout.identity(&parcel).principal, "user:ädmin");
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
    fn a_text_that_ends_within_a_character_is_refused() {
        let mut parcel = parcel(BodyKind::Whole, b"");
        let principal_length = 4 * (N_NUMBERS + Text::Principal as usize);
        // "user:ädmin" up to the middle of the umlaut; what is cut off is the next text's.
        parcel[principal_length] -= 5;
        parcel[principal_length + 8] += 5;
        let error = RequestLayout::parse(&parcel).unwrap_err();
        assert_eq!(error.what, "texts");
    }

    #[test]
    fn every_truncated_head_is_refused() {
        let parcel = parcel(BodyKind::Whole, b"");
        for n_bytes in 0..parcel.len() {
            assert!(RequestLayout::parse(&parcel[..n_bytes]).is_err(), "{n_bytes} bytes passed");
        }
    }
}
