//! Which pages are given, and which tokens are refused.

use http_body_util::BodyExt;
use serde_json::Value;

use super::*;

const KEY: Key = Key([7; KEY_BYTES]);

/// The numbers from 1 to 7, as a list that is paged.
async fn ask(uri: &str) -> Result<(Response<()>, Value), Problem> {
    let uri: Uri = uri.parse().unwrap();
    let query = Query::of(&uri);
    let paging = Paging::of(&uri, &query, &KEY)?;
    let after: u64 = paging.after()?.unwrap_or_default();
    let last = after.saturating_add(paging.size()).min(7);
    let items: Vec<_> = (after + 1..=last).collect();
    let more_after = (last < 7).then(|| last.to_string());
    let (head, body) = paging.answer(&items, more_after.as_deref()).into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Ok((Response::from_parts(head, ()), serde_json::from_slice(&body).unwrap()))
}

/// The code and the sentence of the refusal.
async fn refusal(uri: &str) -> String {
    let problem = ask(uri).await.unwrap_err().value("/v1/x", None);
    format!("{} {}", problem["code"].as_str().unwrap(), problem["detail"].as_str().unwrap())
}

fn header<'a>(head: &'a Response<()>, name: &str) -> Option<&'a str> {
    head.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn links_and_tokens_lead_through_the_same_pages() {
    let mut uri = "/v1/x?page_size=3&state=a%20b".to_owned();
    let mut pages = Vec::new();
    loop {
        let (head, body) = ask(&uri).await.unwrap();
        pages.push(body["items"].to_string());
        let Some(link) = header(&head, "link") else {
            assert_eq!(body["next_page_token"], Value::Null);
            break;
        };
        let (next, rel) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
        assert_eq!(rel, "; rel=\"next\"");
        let token = body["next_page_token"].as_str().unwrap();
        assert!(next.ends_with(&format!("page_token={token}")), "{next} {token}");
        assert_eq!(header(&head, "x-pagination-limit"), None);
        uri = next.to_owned();
    }
    assert_eq!(pages, ["[1,2,3]", "[4,5,6]", "[7]"]);
}

#[tokio::test]
async fn the_older_way_leads_through_them_too() {
    let mut marker = String::new();
    let mut pages = Vec::new();
    loop {
        let uri = format!("/v1/x?page_limit=3&page_marker={marker}");
        let (head, body) = ask(&uri).await.unwrap();
        pages.push(body["items"].to_string());
        assert_eq!(header(&head, "x-pagination-limit"), Some("3"));
        let Some(next) = header(&head, "x-pagination-marker") else { break };
        marker = next.to_owned();
    }
    assert_eq!(pages, ["[1,2,3]", "[4,5,6]", "[7]"]);
    let refused = refusal("/v1/x?page_limit=3&page_marker=x").await;
    assert!(refused.starts_with("BAD_REQUEST Parameter page_marker is \"x\""), "{refused}");
}

#[tokio::test]
async fn a_list_with_several_keys_has_tokens_and_markers_that_differ() {
    let uri: Uri = "/v1/x?page_limit=1&order_by=name".parse().unwrap();
    let query = Query::of(&uri);
    let paging = Paging::of(&uri, &query, &KEY).unwrap();
    assert_eq!(paging.behind(), None);
    let last = Last { keys: r#"["é",null]"#, marker: "0199" };
    let (head, body) = paging.answer_page(&[1], Some(last), Some(7)).into_parts();
    assert_eq!(header(&Response::from_parts(head, ()), "x-pagination-marker"), Some("0199"));
    let body = body.collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["total_size"], 7);
    let token = body["next_page_token"].as_str().unwrap();
    for (next, behind) in [
        (format!("/v1/x?order_by=name&page_token={token}"), Behind::Keys(last.keys)),
        ("/v1/x?order_by=name&page_marker=0199".to_owned(), Behind::Marker("0199")),
    ] {
        let uri: Uri = next.parse().unwrap();
        let query = Query::of(&uri);
        assert_eq!(Paging::of(&uri, &query, &KEY).unwrap().behind(), Some(behind));
    }
}

#[tokio::test]
async fn a_token_belongs_to_its_list() {
    let (_, body) = ask("/v1/x?page_size=3&state=a&order_by=b").await.unwrap();
    let token = body["next_page_token"].as_str().unwrap();
    let same = [
        format!("/v1/x/?order_by=b&state=a&page_token={token}"),
        format!("/v1/x?page_size=1&state=a&order_by=b&page_token={token}"),
    ];
    for uri in same {
        let (_, body) = ask(&uri).await.unwrap();
        assert_eq!(body["items"][0], 4, "{uri}");
    }
    let mut tampered = URL_SAFE_NO_PAD.decode(token).unwrap();
    *tampered.last_mut().unwrap() += 1;
    let others = [
        format!("/v1/y?state=a&order_by=b&page_token={token}"),
        format!("/v1/x?state=b&order_by=b&page_token={token}"),
        format!("/v1/x?state=a&page_token={token}"),
        format!("/v1/x?state=ao&rder_by=b&page_token={token}"),
        format!("/v1/x?state=a&order_by=b&page_token={}", URL_SAFE_NO_PAD.encode(tampered)),
        "/v1/x?state=a&order_by=b&page_token=3".to_owned(),
        "/v1/x?state=a&order_by=b&page_token=%25".to_owned(),
    ];
    for uri in others {
        let refused = refusal(&uri).await;
        assert!(refused.starts_with("PAGE_TOKEN_MISMATCH The page token"), "{uri}: {refused}");
    }
}

#[tokio::test]
async fn sizes_are_bounded() {
    let cases = [("", 7), ("page_size=0", 7), ("page_size=2", 2), ("page_limit=2", 2)];
    for (query, n_items) in cases {
        let (_, body) = ask(&format!("/v1/x?{query}")).await.unwrap();
        assert_eq!(body["items"].as_array().unwrap().len(), n_items, "{query}");
    }
    for (text, wanted) in [("0", 50), ("1000", 1000), ("1001", 1000), (&"9".repeat(30), 1000)] {
        assert_eq!(size(SIZE, text).unwrap(), wanted, "{text}");
    }
    for text in ["-1", "", "x", "1.5", "%2B1"] {
        let refused = refusal(&format!("/v1/x?page_size={text}")).await;
        assert!(refused.contains("it must be a number that is not negative"), "{refused}");
    }
}

#[test]
fn the_key_is_made_once_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let first = Key::open(&data).unwrap();
    assert_eq!(Key::open(&data).unwrap().0, first.0);
    assert_eq!(format!("{first:?}"), "Key");
    fs::write(data.join(KEY_FILE), b"short").unwrap();
    let refused = Key::open(&data).unwrap_err().to_string();
    assert!(refused.contains("paging.key` is not a key of 32 bytes"), "{refused}");
}
