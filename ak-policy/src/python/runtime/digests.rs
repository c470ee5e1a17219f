//! `hashlib`, `hmac`-free, and `base64`.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use rhai::Dynamic;
use sha2::Digest as _;

use super::arguments::Args;
use super::errors::{Res, raise, type_error, unsupported};
use super::value::{Py, text, type_name, view, wrap};

/// A digest in the making.
#[derive(Clone)]
pub(crate) struct Digest {
    kind: Kind,
    data: Arc<Mutex<Vec<u8>>>,
}

#[derive(Clone, Copy)]
enum Kind {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

fn bytes_of(value: &Dynamic) -> Res<Vec<u8>> {
    match view(value) {
        Py::Bytes(bytes) => Ok(bytes.to_vec()),
        Py::Str(_) => Err(type_error("Strings must be encoded before hashing")),
        _ => Err(type_error(format!("object supporting the buffer API required, not '{}'", type_name(value)))),
    }
}

fn made(bytes: Vec<u8>) -> Dynamic {
    wrap(Py::Bytes(bytes.into()))
}

/// A function of the modules. `None`: there is none of that name.
pub(crate) fn function(path: &str, args: &mut Args) -> Option<Res> {
    let kind = match path {
        "hashlib.md5" => Some(Kind::Md5),
        "hashlib.sha1" => Some(Kind::Sha1),
        "hashlib.sha224" => Some(Kind::Sha224),
        "hashlib.sha256" => Some(Kind::Sha256),
        "hashlib.sha384" => Some(Kind::Sha384),
        "hashlib.sha512" => Some(Kind::Sha512),
        _ => None,
    };
    if let Some(kind) = kind {
        let _ = args.keyword("usedforsecurity");
        let data = args.optional(0, "string").map_or_else(|| Ok(Vec::new()), |data| bytes_of(&data));
        return Some(data.map(|data| wrap(Py::Digest(Digest { kind, data: Arc::new(Mutex::new(data)) }))));
    }
    let engine = if path.contains("urlsafe") { &URL_SAFE } else { &STANDARD };
    Some(match path {
        "base64.b64encode" | "base64.urlsafe_b64encode" => {
            args.required(0, "s").and_then(|value| bytes_of(&value)).map(|bytes| made(engine.encode(bytes).into_bytes()))
        }
        "base64.b64decode" | "base64.urlsafe_b64decode" => args
            .required(0, "s")
            .and_then(|value| match view(&value) {
                Py::Str(content) => Ok(content.as_bytes().to_vec()),
                _ => bytes_of(&value),
            })
            .and_then(|bytes| decode(engine, &bytes)),
        _ => return None,
    })
}

/// Python skips what is not of the alphabet; here that is refused.
fn decode(engine: &impl base64::Engine, bytes: &[u8]) -> Res {
    match engine.decode(bytes) {
        Ok(bytes) => Ok(made(bytes)),
        Err(base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding) => {
            Err(raise("binascii.Error", "Incorrect padding"))
        }
        Err(_) => Err(unsupported("base64 with other characters")),
    }
}

impl Digest {
    pub(crate) fn method(&self, name: &str, args: &mut Args) -> Res<Option<Dynamic>> {
        let digest = || {
            let data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
            match self.kind {
                Kind::Md5 => md5::Md5::digest(&*data).to_vec(),
                Kind::Sha1 => sha1::Sha1::digest(&*data).to_vec(),
                Kind::Sha224 => sha2::Sha224::digest(&*data).to_vec(),
                Kind::Sha256 => sha2::Sha256::digest(&*data).to_vec(),
                Kind::Sha384 => sha2::Sha384::digest(&*data).to_vec(),
                Kind::Sha512 => sha2::Sha512::digest(&*data).to_vec(),
            }
        };
        Ok(Some(match name {
            "hexdigest" => text(hex::encode(digest())),
            "digest" => made(digest()),
            "update" => {
                let more = bytes_of(&args.required(0, "obj")?)?;
                let mut data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
                super::limits::bytes(data.len() + more.len())?;
                data.extend(more);
                Dynamic::UNIT
            }
            _ => return Ok(None),
        }))
    }
}
