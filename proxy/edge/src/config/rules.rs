//! Every kind of finding, defined once. `docs/configuration.md` lists them; a test asks for a case of each.

/// A kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Kebab-case; tools and people refer to it.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
}

macro_rules! rules {
    ($($id:ident $name:literal $doc:literal;)+) => {
        $(#[doc = $doc] pub(super) static $id: Rule = Rule { name: $name, doc: $doc };)+
        /// Every kind of finding, in the order of the reference.
        pub static RULES: &[&Rule] = &[$(&$id),+];
    };
}

rules! {
    UNREADABLE "unreadable" "The file cannot be read.";
    SYNTAX "syntax" "The file is not TOML.";
    UNKNOWN_KEY "unknown-key" "No such key in this table; the nearest known one is named.";
    MISSING_KEY "missing-key" "A key without a default is not there.";
    WRONG_TYPE "wrong-type" "A value of another type is needed.";
    WRONG_UNIT "wrong-unit" "A size or a duration without a unit, or with a strange one.";
    OUT_OF_RANGE "out-of-range" "Less or more than the key allows.";
    BAD_VALUE "bad-value" "The text does not have the form that the key asks for.";
    DUPLICATE "duplicate" "An id, path, address, domain, base path or header stands there twice.";
    UNKNOWN_API "unknown-api" "No `[[api]]` has this id.";
    UNKNOWN_STAGE "unknown-stage" "The API has no such stage.";
    UNKNOWN_METHOD "unknown-method" "A stage's method key names a resource or a verb that the API does not have.";
    UNKNOWN_VARIABLE "unknown-variable" "A path variable that the resource's path does not have.";
    VARIABLE_SIBLINGS "variable-siblings" "Two variable parts under one parent; a request could match both, so AWS allows one.";
    CHILD_OF_GREEDY "child-of-greedy" "Nothing can follow a greedy part.";
    SHADOWED "shadowed" "No request reaches it: something else always comes first.";
    NO_METHODS "no-methods" "An API with a stage, or a resource, has no methods: it can only answer 403.";
    UNREACHABLE_API "unreachable-api" "An API without a stage, or a domain without a mapping: no request can be served.";
    NO_LISTENER "no-listener" "The gateway would listen nowhere.";
    NO_CERTIFICATE "no-certificate" "A TLS listener for which no certificate is configured.";
    INCOMPLETE_PAIR "incomplete-pair" "Two keys that only make sense together, and one is missing.";
    UNMAPPED_VARIABLE "unmapped-variable" "The URI has a `{name}` that is neither a path variable nor mapped.";
    UNDEFINED_STAGE_VARIABLE "undefined-stage-variable" "A stage does not define a variable that an integration uses: error under `edge`, warning under `aws`.";
    UNUSED_STAGE_VARIABLE "unused-stage-variable" "A stage defines a variable that nothing uses (a warning).";
    BAD_MAPPING "bad-mapping" "A parameter mapping that cannot be understood, or is not served.";
    BAD_URI "bad-uri" "The URI of an integration is none for `http` or `https`, or is none with a stage's variables in it. A `${…}` that nothing is put in for is a warning.";
    UNKEYED_PARAMETER "unkeyed-parameter" "A cached method passes on what is not in its cache key, so callers could get each other's answers: error under `edge`, warning under `aws`. `cache_key_parameters = []`, written out, says that it is meant.";
    INVALID_KEY_PARAMETER "invalid-cache-key-parameter" "A cache key parameter that is not declared: AWS's `Invalid cache key parameter specified`.";
    UNSEALED "unsealed" "`cache_data_encrypted` without `[cache.encryption]`: an error where there is a disk, a warning where entries are in memory alone.";
    NO_EFFECT "no-effect" "The setting changes nothing here: error under `edge`, warning under `aws`.";
    AROUND_CLIENT_CA "around-client-ca" "A domain asks for client certificates, and the API behind it can be called in ways that do not (a warning).";
    OPEN_ADMIN "open-admin" "The admin listener could be reached from elsewhere without a token.";
    MISSING_FILE "missing-file" "A file that does not exist, cannot be read, or is empty.";
    BAD_PEM "bad-pem" "A PEM file without the certificates or the private key that it should hold, or a key that is not the certificate's.";
    FOREIGN_CERTIFICATE "foreign-certificate" "A domain's certificate is for other names (a warning).";
    EXPIRY "expiry" "A certificate, or an authority for those of clients, that has ended, has not begun, or ends within 14 days or the last quarter of its time (a warning).";
    BAD_LOG_FORMAT "bad-log-format" "An access log format with an unknown `$context` variable, more than one line, or, under `aws`, without a request id.";
    BAD_HEADER "bad-header" "A header name or value that HTTP forbids, or a field that the gateway sets itself.";
    CACHE_BUDGET "cache-budget" "The stages' caches are larger than `[cache] memory` or `[cache.disk] size` together.";
    INDEX_MEMORY "index-memory" "The index of a disk takes memory beside that of the caches.";
    BEYOND_AWS "beyond-aws" "Under `profile = \"aws\"`: AWS's own limit is lower (a warning).";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_kebab_case() {
        let mut names: Vec<_> = RULES.iter().map(|r| r.name).collect();
        assert!(names.iter().all(|n| n.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }
}
