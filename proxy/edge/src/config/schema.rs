//! Writes the catalogue down for editors: `config/schema.json`, a JSON Schema of the TOML file.

use serde_json::{Map, Value, json};

use super::keys::{self, Absent, Form, Key, Kind, Section};

const SIZE: &str = r"^[0-9]+(\.[0-9]+)? ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$";
const DURATION: &str = r"^[0-9]+(\.[0-9]+)? ?(us|ms|s|m|h)$";

/// The whole schema (draft 7, which editors for TOML understand).
pub fn json() -> Value {
    let mut schema = section(keys::root());
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
        object.insert("title".into(), json!("Sluice"));
    }
    schema
}

fn section(section: &'static Section) -> Value {
    let properties: Map<String, Value> = section.keys.iter().map(|key| (key.name.into(), property(key))).collect();
    let required: Vec<&str> =
        section.keys.iter().filter(|key| matches!(key.default, Absent::Required)).map(|key| key.name).collect();
    json!({
        "type": "object",
        "description": section.doc,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn property(key: &'static Key) -> Value {
    let mut value = kind(&key.kind);
    if let Some(object) = value.as_object_mut() {
        object.insert("description".into(), json!(description(key)));
        match key.default {
            Absent::Text(text) => drop(object.insert("default".into(), json!(text))),
            Absent::Integer(n) => drop(object.insert("default".into(), json!(n))),
            Absent::Flag(flag) => drop(object.insert("default".into(), json!(flag))),
            Absent::Required | Absent::Unset(_) | Absent::Empty => {}
        }
    }
    value
}

fn description(key: &Key) -> String {
    let unset = match key.default {
        Absent::Unset(what) => format!(" Not written: {what}."),
        _ => String::new(),
    };
    let aws = key.aws.map_or(String::new(), |name| format!(" AWS: {name}."));
    format!("{}{unset}{aws}", key.doc)
}

fn kind(kind: &'static Kind) -> Value {
    match kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Number(least, most) => json!({ "type": "number", "minimum": least, "maximum": most }),
        Kind::Size(..) => json!({ "type": "string", "pattern": SIZE }),
        Kind::Duration(..) => json!({ "type": "string", "pattern": DURATION }),
        Kind::Text(form) => text(form),
        Kind::Choice(names) => json!({ "enum": names }),
        Kind::List(form) => json!({ "type": "array", "items": text(form) }),
        Kind::Table(inner) => section(inner),
        Kind::Tables(inner) => json!({ "type": "array", "items": section(inner) }),
        Kind::Named(name, inner) => named(name, section(inner)),
        Kind::Texts(name, value) => named(name, text(value)),
    }
}

fn text(form: &Form) -> Value {
    match form.pattern {
        "" => json!({ "type": "string" }),
        pattern => json!({ "type": "string", "pattern": pattern }),
    }
}

fn named(name: &Form, value: Value) -> Value {
    match name.pattern {
        "" => json!({ "type": "object", "additionalProperties": value }),
        pattern => {
            json!({ "type": "object", "patternProperties": { pattern: value }, "additionalProperties": false })
        }
    }
}
