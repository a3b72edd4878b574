use crate::support::TestApp;

#[tokio::test]
async fn assets_may_be_kept_under_the_address_that_pages_name() {
    let app = TestApp::new();
    let page = app.get("/signin").send().await;
    let mut links = Vec::new();
    for part in page
        .body
        .split('"')
        .filter(|part| part.starts_with("/assets/"))
    {
        let asset = app.get(part).send().await;
        assert_eq!(asset.status, 200, "{part}");
        let cache = "public, max-age=31536000, immutable";
        assert_eq!(asset.headers["cache-control"], cache);
        let content_type = asset.headers["content-type"].to_str().expect("ASCII");
        let (path, _) = part.split_once('?').expect("a version");
        links.push(format!("{path} {content_type}"));
        let other = app.get(&format!("{path}?v=0")).send().await;
        assert_eq!(other.headers["cache-control"], "no-cache");
    }
    links.sort();
    links.dedup();
    insta::assert_snapshot!(links.join("\n"), @r"
    /assets/keygate.css text/css; charset=utf-8
    /assets/mark.svg image/svg+xml
    /assets/once.js text/javascript; charset=utf-8
    /assets/password.js text/javascript; charset=utf-8
    /assets/time.js text/javascript; charset=utf-8
    ");
}

#[tokio::test]
async fn there_are_no_others() {
    let app = TestApp::new();
    for path in [
        "/assets/other.css",
        "/assets/..%2Fsrc%2Flib.rs",
        "/assets/",
        "/assets/%ff",
    ] {
        assert_eq!(app.get(path).send().await.status, 404, "{path}");
    }
}
