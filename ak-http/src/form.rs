//! What an HTML form sends.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart};
use axum::http::{HeaderMap, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The fields of a form, in the order in which they were sent: `application/x-www-form-urlencoded`, or `multipart/form-data` (RFC 7578)
/// where the form has files. A file becomes a `data:` URL (RFC 2397), as programs send it; none chosen, it is an empty text.
///
/// # Errors
/// The status for a body that cannot be read.
pub(crate) async fn fields(headers: &HeaderMap, body: Bytes) -> Result<Vec<(String, String)>, StatusCode> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data") {
        return serde_urlencoded::from_bytes(&body).map_err(|_| StatusCode::BAD_REQUEST);
    }
    let request = Request::builder().method("POST").header(header::CONTENT_TYPE, kind).body(Body::from(body));
    let request = request.map_err(|_| StatusCode::BAD_REQUEST)?;
    let mut parts = Multipart::from_request(request, &()).await.map_err(|_| StatusCode::BAD_REQUEST)?;
    let mut fields = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|_| StatusCode::BAD_REQUEST)? {
        let name = part.name().unwrap_or_default().to_owned();
        let is_file = part.file_name().is_some();
        let kind = part.content_type().unwrap_or("application/octet-stream").to_owned();
        let bytes = part.bytes().await.map_err(|_| StatusCode::BAD_REQUEST)?;
        let value = match (is_file, bytes.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!("data:{kind};base64,{}", STANDARD.encode(&bytes)),
            (false, _) => String::from_utf8(bytes.to_vec()).map_err(|_| StatusCode::BAD_REQUEST)?,
        };
        fields.push((name, value));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(kind: &str, body: &'static str) -> Result<Vec<(String, String)>, StatusCode> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        fields(&headers, Bytes::from_static(body.as_bytes())).await
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[tokio::test]
    async fn both_sorts_of_forms_are_read() {
        let plain = read("application/x-www-form-urlencoded", "a=1&b=%C3%BC+x").await.unwrap();
        assert_eq!(plain, pairs(&[("a", "1"), ("b", "ü x")]));
        let body = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nü\r\n\
            --x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\nxyz\r\n\
            --x\r\nContent-Disposition: form-data; name=\"n\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--x--\r\n";
        let parts = read("multipart/form-data; boundary=x", body).await.unwrap();
        assert_eq!(parts, pairs(&[("a", "ü"), ("f", "data:image/png;base64,eHl6"), ("n", "")]));
    }

    #[tokio::test]
    async fn what_is_no_form_is_refused() {
        for (kind, body) in [
            ("multipart/form-data", "--x--"),
            ("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\ncut"),
            ("multipart/form-data; boundary=x", "nothing"),
        ] {
            assert_eq!(read(kind, body).await, Err(StatusCode::BAD_REQUEST), "{kind} {body}");
        }
    }
}
