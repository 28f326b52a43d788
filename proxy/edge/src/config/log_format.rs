//! Access log formats: AWS's presets, or a line with `$context` variables.
//!
//! Which variables there are is in `context`.

use sluice_api::Profile;

use super::context;
use super::model::LogFormat;
use super::nearest::nearest;

const PREFIX: &str = "$context.";

/// What is wrong with a format, and a way out.
pub(super) type FormatError = (String, String);

/// Checks a format.
pub(super) fn parse(text: &str, profile: Profile) -> Result<LogFormat, FormatError> {
    match text {
        "json" => return Ok(LogFormat::Json),
        "clf" => return Ok(LogFormat::Clf),
        _ => {}
    }
    if text.contains(['\n', '\r']) {
        return Err(("an access log format is one line".into(), "remove the line breaks".into()));
    }
    let variables = variables(text);
    if variables.is_empty() {
        let help = "write \"json\", \"clf\", or a line such as \"$context.requestId $context.status\"";
        return Err((format!("the format \"{text}\" has no $context variable"), help.into()));
    }
    variables.iter().try_for_each(|name| known(name))?;
    if profile == Profile::Aws && !variables.iter().any(|v| ["requestId", "extendedRequestId"].contains(v)) {
        let message = "the format has neither $context.requestId nor $context.extendedRequestId";
        return Err((message.into(), "add one of them; AWS asks for it".into()));
    }
    Ok(LogFormat::Context(text.into()))
}

/// The names after `$context.` in a format.
fn variables(text: &str) -> Vec<&str> {
    let name = |(at, _): (usize, &str)| {
        let rest = text.get(at + PREFIX.len()..).unwrap_or("");
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_').unwrap_or(rest.len());
        rest.get(..end).unwrap_or("").trim_end_matches('.')
    };
    text.match_indices(PREFIX).map(name).collect()
}

fn known(name: &str) -> Result<(), FormatError> {
    let property = name.strip_prefix("authorizer.").is_some_and(|property| !property.is_empty());
    if property || context::LOGGED.contains(&name) {
        return Ok(());
    }
    let help = match nearest(name, &context::LOGGED) {
        Some(near) => format!("did you mean $context.{near}?"),
        None => "docs/configuration.md lists them".into(),
    };
    Err((format!("$context.{name} is not known"), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let parse = |t| parse(t, Profile::Edge);
        assert_eq!(parse("json"), Ok(LogFormat::Json));
        assert_eq!(parse("clf"), Ok(LogFormat::Clf));
        let own = "[$context.requestTime] \"$context.httpMethod\" $context.authorizer.tier, $context.status.";
        assert_eq!(parse(own), Ok(LogFormat::Context(own.into())));
        assert_eq!(parse("$context.sttus").unwrap_err().1, "did you mean $context.status?");
        assert!(parse("xml").is_err());
        assert!(parse("$context.status\n").is_err());
    }

    #[test]
    fn aws_asks_for_a_request_id() {
        assert!(parse("$context.status", Profile::Edge).is_ok());
        assert!(parse("$context.status", Profile::Aws).is_err());
        assert!(parse("$context.extendedRequestId", Profile::Aws).is_ok());
    }
}
