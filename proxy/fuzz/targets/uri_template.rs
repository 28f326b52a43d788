//! URIs of origins: what compiles writes a target.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use sluice::config::UriTemplate as Text;
use sluice::message::head::Span;
use sluice::plan::{UriTemplate, UriValue};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let parsed = Text::parse(text);
    let _ = (parsed.path_variables().count(), parsed.stage_variables().count());
    let variables = BTreeMap::from([("stage".to_owned(), "value".to_owned())]);
    let place = |name: &str| match name {
        "id" => Some(UriValue::Capture(0)),
        "mapped" => Some(UriValue::Mapped(0)),
        _ => None,
    };
    let Ok(template) = UriTemplate::compile(text, &variables, place) else { return };
    let (head, mut out) = (b"/pets/7", Vec::new());
    template.write_path(&mut out, head, &[Span::within(head, &head[6..])], &[b"8".to_vec()]);
    assert!(out.starts_with(b"/"), "{out:?}");
    assert!(out.iter().all(u8::is_ascii_graphic), "{out:?}");
    assert_eq!(template.query_mark() == b'&', out.contains(&b'?'));
});
