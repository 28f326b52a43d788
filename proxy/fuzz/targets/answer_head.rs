//! The head of an origin's answer: whole once, and its fields are lines that can be read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::integration::http::{BodyEnd, parse_head};
use sluice::message::encode::fields_of;
use sluice_api::Verb;

fuzz_target!(|bytes: &[u8]| {
    for verb in [Verb::Get, Verb::Head] {
        let Ok(Some((head, length))) = parse_head(bytes, verb) else { continue };
        assert!(length <= bytes.len() && (100..600).contains(&head.status));
        assert!(head.fields.is_empty() || head.fields.ends_with(b"\n"));
        let _ = fields_of(&head.fields).count();
        if verb == Verb::Head {
            assert_eq!(head.end, BodyEnd::Bodiless);
        }
        let again = parse_head(&bytes[..length], verb);
        assert_eq!(again, Ok(Some((head, length))));
        assert!(matches!(parse_head(&bytes[..length - 1], verb), Ok(None)));
    }
});
