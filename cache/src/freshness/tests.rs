use super::*;

const SECOND: u64 = NS_PER_SECOND;
const LIMIT: u64 = 1_048_576;

fn candidate(status: u16) -> Candidate {
    Candidate {
        status,
        set_cookie: false,
        cache_control: CacheControl::default(),
        unkeyed_authorization: false,
        unkeyed_vary: false,
        length: None,
    }
}

fn storable(profile: Profile, answer: &Candidate, object_limit: u64) -> Result<Ttl, NotStored> {
    StoreRule { profile, object_limit, ..StoreRule::default() }.judge(answer)
}

#[test]
fn a_ttl_ends_at_an_hour() {
    assert_eq!(Ttl::new(3600), Ok(Ttl::MAX));
    assert_eq!(Ttl::new(3601), Err(TtlTooLong(3601)));
    assert_eq!(Ttl::new(u64::MAX), Err(TtlTooLong(u64::MAX)));
    assert_eq!(Ttl::new(3601).unwrap_err().to_string(), "a cache TTL is at most 3600 seconds, not 3601");
    assert!(Ttl::new(0).unwrap().is_off());
    assert_eq!(Ttl::default().seconds(), 300);
}

#[test]
fn an_entry_is_fresh_until_the_very_nanosecond() {
    let lifetime = Ttl::new(2).unwrap().from(10 * SECOND);
    assert_eq!(Freshness::at(lifetime, 12 * SECOND - 1), Freshness::Fresh { age_seconds: 1 });
    assert_eq!(Freshness::at(lifetime, 12 * SECOND), Freshness::Expired { age_seconds: 2 });
    assert_eq!(Freshness::at(lifetime, 0), Freshness::Fresh { age_seconds: 0 });
}

#[test]
fn aws_stores_every_status_whatever_the_origin_says() {
    let answer = Candidate {
        set_cookie: true,
        unkeyed_authorization: true,
        cache_control: CacheControl { no_store: true, private: true, ..CacheControl::default() },
        ..candidate(500)
    };
    assert_eq!(storable(Profile::Aws, &answer, LIMIT), Ok(Ttl::DEFAULT));
    for status in [200, 302, 404, 429, 503] {
        assert_eq!(storable(Profile::Aws, &candidate(status), LIMIT), Ok(Ttl::DEFAULT));
    }
}

#[test]
fn the_edge_stores_few_statuses() {
    let stored: Vec<u16> =
        (100..600).filter(|status| storable(Profile::Edge, &candidate(*status), LIMIT).is_ok()).collect();
    assert_eq!(stored, [200, 203, 204, 301, 308]);
}

#[test]
fn partial_and_conditional_answers_are_never_stored() {
    for profile in [Profile::Aws, Profile::Edge] {
        for status in [101, 206, 304] {
            assert_eq!(storable(profile, &candidate(status), LIMIT), Err(NotStored::Status));
        }
    }
}

#[test]
fn the_edge_names_what_makes_an_answer_private() {
    let reason = |answer| storable(Profile::Edge, &answer, LIMIT).unwrap_err().as_str();
    let ok = candidate(200);
    let control = |no_store, private| CacheControl { no_store, private, ..CacheControl::default() };
    assert_eq!(reason(Candidate { set_cookie: true, ..ok }), "set-cookie");
    assert_eq!(reason(Candidate { unkeyed_authorization: true, ..ok }), "authorization");
    assert_eq!(reason(Candidate { unkeyed_vary: true, ..ok }), "vary");
    assert_eq!(reason(Candidate { cache_control: control(true, false), ..ok }), "no-store");
    assert_eq!(reason(Candidate { cache_control: control(false, true), ..ok }), "private");
}

#[test]
fn the_object_limit_is_inclusive() {
    let sized = |length| storable(Profile::Aws, &Candidate { length: Some(length), ..candidate(200) }, LIMIT);
    assert_eq!(sized(LIMIT), Ok(Ttl::DEFAULT));
    assert_eq!(sized(LIMIT + 1), Err(NotStored::TooLarge));
}

#[test]
fn every_reason_has_its_own_name() {
    let names: std::collections::HashSet<_> = NotStored::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(names.len(), NotStored::ALL.len());
}

fn rules(rules: &[(u16, u16, u64)]) -> StatusRules {
    let rule = |(from, to, seconds): &(u16, u16, u64)| {
        let ttl = Ttl::new(*seconds).unwrap();
        StatusRule { statuses: *from..=*to, ttl }
    };
    StatusRules::new(rules.iter().map(rule))
}

#[test]
fn the_narrowest_status_rule_decides() {
    let rule = StoreRule {
        statuses: rules(&[(500, 599, 1), (404, 404, 10), (400, 499, 2), (503, 503, 0), (200, 200, 60)]),
        object_limit: LIMIT,
        ..StoreRule::default()
    };
    let seconds = |status| rule.judge(&candidate(status)).map(Ttl::seconds);
    assert_eq!([200, 204, 400, 404, 500].map(seconds), [Ok(60), Ok(300), Ok(2), Ok(10), Ok(1)]);
    assert_eq!([302, 503, 206, 304].map(seconds), [Err(NotStored::Status); 4]);
}

#[test]
fn a_status_rule_makes_nothing_public() {
    let rule = StoreRule { statuses: rules(&[(200, 599, 5)]), object_limit: LIMIT, ..StoreRule::default() };
    assert_eq!(rule.judge(&Candidate { set_cookie: true, ..candidate(404) }), Err(NotStored::SetCookie));
    assert_eq!(rule.judge(&Candidate { length: Some(LIMIT + 1), ..candidate(404) }), Err(NotStored::TooLarge));
}
