//! Every header in which a key may stand, alone and beside others: who is let in, and that nothing of it reaches the
//! API.

use http::{HeaderMap, HeaderName};
use reqwest::Client;

use crate::{
    scenario::World,
    support::{Account, Upstream},
};

const HEADERS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
const FOREIGN: &str = "sk-ant-somebody-elses";

/// What stands in a header, and beside it in another one.
struct Case {
    name: &'static str,
    here: Vec<String>,
    there: Option<String>,
    is_let_in: bool,
}

fn cases(key: &str, another: &str) -> [Case; 9] {
    let case = |name, here: &[&str], there: Option<&str>, is_let_in| Case {
        name,
        here: here.iter().map(ToString::to_string).collect(),
        there: there.map(ToOwned::to_owned),
        is_let_in,
    };
    [
        case("alone", &[key], None, true),
        case("empty", &[""], None, false),
        case("empty beside a key", &[""], Some(key), true),
        case("twice", &[key, key], None, false),
        case("twice, two keys", &[key, another], None, false),
        case("the same key in both", &[key], Some(key), true),
        case("two keys", &[key], Some(another), false),
        case("foreign", &[FOREIGN], None, false),
        case("foreign beside a key", &[FOREIGN], Some(key), true),
    ]
}

/// A header with a credential in it, as clients write it there.
fn written(header: &str, credential: &str) -> String {
    if header == "authorization" && !credential.is_empty() {
        return format!("Bearer {credential}");
    }
    credential.to_owned()
}

fn headers(header: &str, beside: &str, case: &Case) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, credential: &str| {
        let value = written(name, credential).parse().expect("plain");
        let name: HeaderName = name.parse().expect("a name");
        headers.append(name, value);
    };
    for credential in &case.here {
        add(header, credential);
    }
    if let Some(credential) = &case.there {
        add(beside, credential);
    }
    headers
}

#[tokio::test]
async fn credentials_are_taken_and_kept_at_the_gateway() {
    World::new().await.credentials_hold_at_the_gateway().await;
}

/// Calls in every way that there is, with what else `more` says, at a front of the API that is `upstream`.
pub async fn are_taken_and_kept(
    url: &str,
    client: &Client,
    more: Option<(&'static str, &'static str)>,
    account: &Account,
    upstream: &Upstream,
) {
    let (id, key) = account.key(&["read"]).await;
    let (other_id, another) = account.key(&["read"]).await;
    let mut wrong = Vec::new();
    for header in HEADERS {
        for beside in HEADERS.into_iter().filter(|beside| *beside != header) {
            for case in &cases(&key, &another) {
                let before = upstream.seen().len();
                let call = client.get(format!("{url}/v1/models"));
                let mut call = call.headers(headers(header, beside, case));
                if let Some((name, value)) = more {
                    call = call.header(name, value);
                }
                let status = call.send().await.expect("an answer").status();
                let reached = &upstream.seen()[before..];
                let is_right = if case.is_let_in {
                    status == 200 && reached.len() == 1
                } else {
                    // Some proxies refuse a header that is there twice before they ask.
                    [400, 401].contains(&status.as_u16()) && reached.is_empty()
                };
                let holds = |value: &str| {
                    [&*key, &*another, FOREIGN]
                        .iter()
                        .any(|one| value.contains(one))
                };
                let leaks = reached.iter().any(|seen| {
                    let mut values = seen
                        .headers
                        .values()
                        .filter_map(|value| value.to_str().ok());
                    values.any(holds) || HEADERS.iter().any(|name| seen.headers.contains_key(*name))
                });
                if !is_right || leaks {
                    wrong.push(format!(
                        "{header}, beside {beside}, {}: {status}, leaks: {leaks}",
                        case.name
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "at {url}:\n{}", wrong.join("\n"));
    for id in [id, other_id] {
        assert_eq!(account.delete(&id).await.status(), 200);
    }
}
