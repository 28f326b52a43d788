//! `POST /sluice/cache/shred`: destroys what a stage has, in memory and on disk, on the device.

use serde_json::{Value, json};

use super::caches;
use super::wish::{BadField, Scope};
use crate::observe::admin::{AdminRequest, AdminResponse};
use crate::server::gateway::Gateway;
use crate::storage::NotShredded;

/// Answered once the device has it.
pub(super) fn shred(gateway: &Gateway, request: &AdminRequest) -> AdminResponse {
    stage(&request.body).map_or_else(AdminResponse::from, |(api, stage)| carry_out(gateway, api, stage))
}

/// Both have to be named: nobody means to shred everything by leaving something out.
fn stage(body: &[u8]) -> Result<(String, String), BadField> {
    let value: Value = serde_json::from_slice(body).map_err(|e| BadField::new("body", format!("not JSON: {e}")))?;
    let map = value.as_object().ok_or_else(|| BadField::new("body", "a JSON object is needed"))?;
    if let Some(unknown) = map.keys().find(|name| !["api", "stage"].contains(&name.as_str())) {
        return Err(BadField::new(unknown, "unknown; known are api, stage"));
    }
    let text = |name: &str| {
        let text = map.get(name).and_then(Value::as_str).filter(|text| is_name(text));
        text.map(str::to_owned).ok_or_else(|| BadField::new(name, "a name is needed"))
    };
    Ok((text("api")?, text("stage")?))
}

/// What an API or a stage can be called; nothing that leads out of the cache's directory.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_$.".contains(&byte))
        && !text.contains("..")
        && !text.is_empty()
}

fn carry_out(gateway: &Gateway, api: String, stage: String) -> AdminResponse {
    let Some(disks) = &gateway.storage.disks else {
        return AdminResponse::error(404, "there is no [cache.disk]");
    };
    let name = format!("{api}/{stage}");
    let shredded = disks.shred(&name);
    // After the disk: nothing comes up from there any more.
    let plan = gateway.plan.load();
    let scope = Scope { api: Some(api.clone()), stage: Some(stage.clone()) };
    let flushed = caches::meant(&plan, &scope).into_iter().flatten();
    let flushed = flushed.map(|cached| caches::flush_cache(gateway, cached.cache)).fold(Ok(()), Result::and);
    match (shredded, flushed) {
        (Ok(()), Ok(())) => {
            tracing::info!(stage = name, "its disk cache is destroyed");
            AdminResponse::json(200, &json!({ "api": api, "stage": stage, "sealed": gateway.storage.is_sealed() }))
        }
        (Err(NotShredded::Nothing), _) => AdminResponse::error(404, "there is nothing of that stage on disk"),
        (Err(error), _) => AdminResponse::error(500, &error.to_string()),
        (Ok(()), Err(error)) => AdminResponse::error(500, &error.to_string()),
    }
}

/// Destroys what a stage has left on disk that has no cache any more, if it has.
pub(super) fn leftover(gateway: &Gateway, api: &str, stage: &str) -> Result<(), NotShredded> {
    let Some(disks) = &gateway.storage.disks else { return Ok(()) };
    match disks.shred(&format!("{api}/{stage}")) {
        Err(NotShredded::Nothing) => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stage_is_named_and_nothing_else() {
        assert_eq!(stage(br#"{"api":"shop","stage":"prod"}"#), Ok(("shop".into(), "prod".into())));
        let refused = [
            (r#"{"api":"shop"}"#, "stage"),
            (r#"{"stage":"prod"}"#, "api"),
            (r#"{"api":"..","stage":"prod"}"#, "api"),
            (r#"{"api":"shop","stage":"a/b"}"#, "stage"),
            (r#"{"api":"shop","stage":"prod","all":true}"#, "all"),
            ("[]", "body"),
        ];
        for (body, field) in refused {
            assert_eq!(stage(body.as_bytes()).unwrap_err().field, field, "{body}");
        }
    }
}
