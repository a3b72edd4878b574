//! `multipart/form-data` (RFC 7578). Servers differ in how they read what is not as browsers write it, so such a form is
//! refused.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_DISPOSITION;
use keygate_core::Problem;
use memchr::memmem::find_iter;
use multer::{Field, Multipart};

use super::unclear;

/// The boundary of a form with this `Content-Type`; `None` if it is no form.
pub(super) fn boundary_of(content_type: &str) -> Result<Option<String>, Problem> {
    let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !media_type
        .trim()
        .eq_ignore_ascii_case("multipart/form-data")
    {
        return Ok(None);
    }
    let names_one = parameters.to_ascii_lowercase().matches("boundary").count() == 1;
    let boundary = multer::parse_boundary(content_type).ok();
    let boundary = boundary.filter(|_| names_one && !parameters.contains('*'));
    boundary.map(Some).ok_or_else(malformed)
}

/// The model that a form names.
pub(super) async fn model(body: Bytes, boundary: String) -> Result<Option<String>, Problem> {
    if has_other_line_ends(&body, &boundary) {
        return Err(malformed());
    }
    let whole = stream::iter([Ok::<_, Infallible>(body)]);
    let mut parts = Multipart::new(whole, boundary);
    let mut model = None;
    while let Some(part) = parts.next_field().await.map_err(|_| malformed())? {
        if !is_plain(&part) {
            return Err(malformed());
        }
        let is_model = |name: &str| name.eq_ignore_ascii_case("model");
        if part.name().is_some_and(is_model) {
            let value = part.text().await.map_err(|_| malformed())?;
            if model.replace(value).is_some() {
                return Err(unclear("its body names two"));
            }
        }
    }
    Ok(model)
}

fn malformed() -> Problem {
    unclear("its body is no multipart/form-data as browsers write it")
}

/// Whether there is a delimiter after a line that does not end as it has to (RFC 2046 section 5.1.1).
fn has_other_line_ends(body: &[u8], boundary: &str) -> bool {
    let delimiter = format!("--{boundary}");
    find_iter(body, &delimiter).any(|place| {
        let before = &body[..place];
        matches!(before.last(), Some(b'\r' | b'\n')) && !before.ends_with(b"\r\n")
    })
}

/// Whether what a part is called is said once, and in one way.
fn is_plain(part: &Field<'_>) -> bool {
    let mut dispositions = part.headers().get_all(CONTENT_DISPOSITION).iter();
    let disposition = dispositions.next().and_then(|value| value.to_str().ok());
    let (Some(disposition), None) = (disposition, dispositions.next()) else {
        // A name that is no ASCII stands in it as browsers write it.
        return part.name().is_some_and(|name| !name.is_ascii());
    };
    let mut is_quoted = false;
    let parameters = disposition.split(|one| {
        is_quoted ^= one == '"';
        one == ';' && !is_quoted
    });
    let names = parameters.skip(1).map(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        name.trim().to_owned()
    });
    let mut names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    let is_known = |name: &String| ["name", "filename", "filename*"].contains(&name.as_str());
    let is_twice = names.windows(2).any(|pair| pair[0] == pair[1]);
    names.iter().all(is_known) && !is_twice && names.contains(&"name".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(disposition: &str, value: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n")
    }

    #[tokio::test]
    async fn the_model_of_a_form_is_found_after_its_file() {
        let file = part("name=\"file\"; filename=\"a;name=model.wav\"", "--b");
        let model_part = part("name=\"model\"", "whisper-1");
        for (parts, expected) in [
            (file.clone() + &model_part, Some(Some("whisper-1"))),
            (part("name=model", "whisper-1"), Some(Some("whisper-1"))),
            (
                part("name=\"größe\"", "1") + &model_part,
                Some(Some("whisper-1")),
            ),
            (file, Some(None)),
            (model_part.clone() + &model_part, None),
            (part("name=\"Model\"", "a") + &model_part, None),
            (part("name*=UTF-8''model", "a") + &model_part, None),
            (
                part("name*0=\"mod\"; name*1=\"el\"", "a") + &model_part,
                None,
            ),
            (part("name=\"x\"; name=\"model\"", "a"), None),
            (part("NAME=\"model\"", "a"), None),
            (
                part(
                    "name=\"x\"",
                    "y\n--b\nContent-Disposition: form-data; name=\"model\"\n\na",
                ),
                None,
            ),
            (part("name=\"x\"", "y\r--b\r"), None),
        ] {
            let body = Bytes::from(parts.clone() + "--b--\r\n");
            let found = model(body, "b".to_owned()).await.ok();
            let found = found.as_ref().map(Option::as_deref);
            assert_eq!(found, expected, "{parts}");
        }
        let cut_off = Bytes::from(model_part);
        assert!(model(cut_off, "b".to_owned()).await.is_err());
    }

    #[test]
    fn a_form_has_one_boundary() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=b", Ok(Some("b"))),
            ("Multipart/Form-Data;boundary=\"b\"", Ok(Some("b"))),
            ("application/json", Ok(None)),
            ("", Ok(None)),
            ("multipart/form-data", Err(())),
            ("multipart/form-data; boundary=b; boundary=c", Err(())),
            ("multipart/form-data; boundary=b; BOUNDARY=c", Err(())),
            ("multipart/form-data; boundary*=UTF-8''b", Err(())),
        ] {
            let boundary = boundary_of(content_type).map_err(|_| ());
            assert_eq!(
                boundary.as_ref().map(Option::as_deref),
                expected.as_ref().copied(),
                "{content_type}"
            );
        }
    }
}
