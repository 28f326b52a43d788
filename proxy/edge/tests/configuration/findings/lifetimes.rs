//! Who says for how long answers live, and what becomes of them afterwards.

use sluice::config::Severity::Error;

use super::{Case, check, error, only_aws, strict};

/// A stage with a cache, and what it says.
macro_rules! stage {
    ($rest:literal) => {
        concat!(
            "[[api]]\nid = \"a\"\n[[api.resource]]\npath = \"/\"\n",
            "method.GET.integration = { type = \"HTTP_PROXY\", uri = \"http://127.0.0.1/\" }\n",
            "[api.stage.p]\ncache_cluster_enabled = true\n",
            "method.\"GET /\".cache_key_parameters = []\n",
            $rest
        )
    };
}

pub(super) const LIFETIMES: &[Case] = &[
    error("bad-value", stage!("cache_mode = \"rfc9112\" # <-")),
    error("wrong-type", stage!("cache_mode = 9111 # <-")),
    only_aws("bad-value", Error, stage!("cache_mode = \"rfc9111\" # <-")),
    only_aws("bad-value", Error, stage!("method.\"GET /\".cache_mode = \"rfc9111\" # <-")),
    error("wrong-unit", stage!("cache_stale_while_revalidate = 5 # <-")),
    error("wrong-unit", stage!("cache_stale_if_error = \"5 parsecs\" # <-")),
    error("out-of-range", stage!("cache_stale_while_revalidate = \"25h\" # <-")),
    error("out-of-range", stage!("cache_stale_if_error = \"1441m\" # <-")),
    error("out-of-range", stage!("cache_early_refresh = \"3601s\" # <-")),
    error("out-of-range", stage!("cache_stale_while_revalidate = \"500ms\" # <-")),
    error("out-of-range", stage!("method.\"GET /\".cache_stale_if_error = \"1500ms\" # <-")),
    error("wrong-type", stage!("cache_derived_answers = \"yes\" # <-")),
    strict(
        "no-effect",
        "[[api]]\nid = \"a\"\n[[api.resource]]\npath = \"/\"\nmethod.GET.integration.type = \"MOCK\"\n\
         [api.stage.p]\ncache_stale_if_error = \"5s\" # <-",
    ),
    strict(
        "no-effect",
        mock!(
            "[api.stage.p]\ncache_cluster_enabled = true\nmethod.\"GET /\".caching_enabled = false\n\
             method.\"GET /\".cache_early_refresh = \"5s\" # <-"
        ),
    ),
];

/// Under `aws` the mode itself is refused.
const AT_ODDS_WITH_THE_MODE: [&Case; 3] = [
    &error("bad-value", stage!("cache_mode = \"rfc9111\"\ncache_derived_answers = false # <-")),
    &error("bad-value", stage!("cache_derived_answers = false\nmethod.\"GET /\".cache_mode = \"rfc9111\" # <-")),
    &error("no-effect", stage!("cache_mode = \"rfc9111\"\ncache_statuses = { \"404\" = \"5s\" } # <-")),
];

#[test]
fn what_is_at_odds_with_the_mode_is_refused() {
    AT_ODDS_WITH_THE_MODE.iter().for_each(|case| check(case, "edge", case.edge));
}
