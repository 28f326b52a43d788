//! How configurations of tests begin, and what most of them have.

/// `top`, an admin listener, and a listener that leads to the stage `prod` of the API `shop`, whose resources and stages
/// `rest` has.
pub fn shop(top: &str, rest: &str) -> String {
    format!(
        r#"{top}
[admin]
address = "unix:@DIR@/admin.sock"
[[listener]]
address = "@LISTEN@"
default_api = "shop"
default_stage = "prod"
[[api]]
id = "shop"
{rest}"#
    )
}

/// A resource whose method of this verb is passed on to `@ORIGIN@` under the same path; `more` settings of the
/// integration begin with a comma.
pub fn proxied(verb: &str, path: &str, more: &str) -> String {
    let origin = path.replace("+}", "}");
    format!(
        r#"[[api.resource]]
path = "{path}"
method.{verb}.integration = {{ type = "HTTP_PROXY", uri = "http://@ORIGIN@{origin}"{more} }}
"#
    )
}
