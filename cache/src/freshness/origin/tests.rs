use super::*;

const SECOND: u64 = NS_PER_SECOND;
/// Thu, 02 Jan 2020 00:00:00 GMT, on both clocks.
const NOW: u64 = 1_577_923_200;
const TODAY: &str = "Date: Thu, 02 Jan 2020 00:00:00 GMT";
const RECEIVED: Received = Received { asked_at_ns: NOW * SECOND, came_at_ns: NOW * SECOND, came_at: NOW };

fn judged(status: u16, lines: &[&str]) -> Result<Terms, NotStored> {
    let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let answer = Answer { status, fields: Fields::of(text.as_bytes()), unkeyed_authorization: false };
    judge(&answer, RECEIVED, Grace::default())
}

/// Seconds for which it is fresh from now on.
fn fresh_for(lines: &[&str]) -> Option<u64> {
    let terms = judged(200, lines).ok()?;
    Some(terms.lifetime.fresh_until_ns.saturating_sub(NOW * SECOND) / SECOND)
}

#[test]
fn a_shared_cache_goes_by_s_maxage_then_max_age_then_expires() {
    let expires = "Expires: Thu, 02 Jan 2020 00:01:00 GMT";
    assert_eq!(fresh_for(&["Cache-Control: max-age=9, s-maxage=5", expires]), Some(5));
    assert_eq!(fresh_for(&["Cache-Control: max-age=9", expires]), Some(9));
    assert_eq!(fresh_for(&[expires]), Some(60));
    assert_eq!(fresh_for(&["Date: Wed, 01 Jan 2020 23:59:50 GMT", expires]), Some(60), "70 seconds, 10 of them over");
    assert_eq!(fresh_for(&["Date: never", expires]), Some(60));
}

#[test]
fn an_answer_whose_time_is_over_and_that_cannot_be_asked_about_is_not_kept() {
    for line in ["Cache-Control: max-age=0", "Expires: 0", "Expires: Wed, 01 Jan 2020 00:00:00 GMT", "X: y"] {
        assert_eq!(judged(200, &[line]), Err(NotStored::NoLifetime), "{line}");
        assert_eq!(fresh_for(&[line, "ETag: \"a\""]), Some(0), "{line}");
    }
}

#[test]
fn an_answer_that_may_be_served_stale_is_kept() {
    for grace in ["stale-while-revalidate=9", "stale-if-error=9"] {
        assert_eq!(fresh_for(&[&format!("Cache-Control: max-age=0, {grace}")]), Some(0), "{grace}");
    }
}

#[test]
fn age_counts_against_the_lifetime() {
    let of = |age: &str| fresh_for(&["Cache-Control: max-age=100", age, "ETag: \"a\""]);
    assert_eq!(of("Age: 30"), Some(70));
    assert_eq!(of("Age: 300"), Some(0));
    for wrong in ["Age: abc", "Age: -1", "Age: 1.5", "Age: 0, 0", "Age: 0;a=b", "Age: 0\r\nAge: 0"] {
        assert_eq!(of(wrong), Some(0), "{wrong}");
    }
}

#[test]
fn an_old_date_counts_as_age_and_so_does_a_slow_call() {
    assert_eq!(fresh_for(&["Cache-Control: max-age=100", "Date: Wed, 01 Jan 2020 23:59:00 GMT"]), Some(40));
    let text = b"Cache-Control: max-age=100\r\nAge: 10\r\n";
    let answer = Answer { status: 200, fields: Fields::of(text), unkeyed_authorization: false };
    let slow = Received { asked_at_ns: (NOW - 5) * SECOND, ..RECEIVED };
    let terms = judge(&answer, slow, Grace::default()).unwrap();
    assert_eq!(terms.lifetime.fresh_until_ns, (NOW + 85) * SECOND);
}

#[test]
fn a_tenth_of_its_rest_for_statuses_that_last() {
    let modified = "Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT";
    let heuristic = |status, more: &str| {
        let lifetime = judged(status, &[TODAY, modified, more]).ok()?.lifetime;
        Some((lifetime.fresh_until_ns - NOW * SECOND) / SECOND)
    };
    for status in [200, 203, 204, 404, 405, 410, 414, 501] {
        assert_eq!(heuristic(status, "X: y"), Some(8640), "{status}");
    }
    for status in [201, 202, 302, 403, 500, 502, 503, 504, 599] {
        assert_eq!(heuristic(status, "X: y"), None, "{status}");
    }
    assert_eq!(heuristic(599, "Cache-Control: public"), Some(8640));
    assert_eq!(heuristic(200, "Expires: 0"), Some(0));
}

#[test]
fn any_final_status_is_kept_if_the_origin_gives_a_lifetime() {
    for status in [200, 299, 302, 307, 400, 404, 499, 500, 503, 599] {
        assert!(judged(status, &["Cache-Control: max-age=9"]).is_ok(), "{status}");
    }
    for status in [100, 206, 304] {
        assert_eq!(judged(status, &["Cache-Control: max-age=9"]), Err(NotStored::Status), "{status}");
    }
    assert_eq!(judged(599, &["Cache-Control: max-age=9, must-understand"]), Err(NotStored::Status));
    assert!(judged(404, &["Cache-Control: max-age=9, must-understand, no-store"]).is_ok());
}

#[test]
fn the_origin_may_forbid() {
    assert_eq!(judged(200, &["Cache-Control: no-store, max-age=9"]), Err(NotStored::NoStore));
    assert_eq!(judged(200, &["Cache-Control: max-age=9", "Cache-Control: private"]), Err(NotStored::Private));
}

#[test]
fn an_answer_for_one_caller_needs_leave() {
    let with = |control: &str| {
        let text = format!("Cache-Control: max-age=9{control}\r\n");
        let answer = Answer { status: 200, fields: Fields::of(text.as_bytes()), unkeyed_authorization: true };
        judge(&answer, RECEIVED, Grace::default()).map(|_| ())
    };
    assert_eq!(with(""), Err(NotStored::Authorization));
    for leave in [", public", ", must-revalidate", ", s-maxage=9"] {
        assert_eq!(with(leave), Ok(()), "{leave}");
    }
}

#[test]
fn no_cache_is_kept_but_never_fresh() {
    let terms = judged(200, &["Cache-Control: no-cache, max-age=9", "ETag: \"a\""]).unwrap();
    assert!(terms.always_validate);
    assert!(terms.lifetime.error_until_ns <= RECEIVED.came_at_ns);
    assert!(terms.kept_until_ns > RECEIVED.came_at_ns);
}

#[test]
fn stale_times_are_the_origins_or_else_granted_and_never_against_its_word() {
    let grace = Grace { stale_while_revalidate: 7, stale_if_error: 8 };
    let windows = |control: &str| {
        let text = format!("Cache-Control: max-age=10{control}\r\n");
        let answer = Answer { status: 200, fields: Fields::of(text.as_bytes()), unkeyed_authorization: false };
        let lifetime = judge(&answer, RECEIVED, grace).unwrap().lifetime;
        let after = |until: u64| (until - lifetime.fresh_until_ns) / SECOND;
        (after(lifetime.revalidate_until_ns), after(lifetime.error_until_ns))
    };
    assert_eq!(windows(""), (7, 8));
    assert_eq!(windows(", stale-while-revalidate=1, stale-if-error=2"), (1, 2));
    for word in [", must-revalidate", ", proxy-revalidate", ", s-maxage=10"] {
        assert_eq!(windows(word), (0, 0), "{word}");
    }
}

#[test]
fn a_request_may_want_more_or_be_content_with_less() {
    let stored = Lifetime::until(NOW * SECOND, (NOW + 100) * SECOND);
    let at = |control: &str, seconds: u64| {
        let control = CacheControl::parse([control.as_bytes()]);
        Wish { control, pragma_no_cache: false }.allows(stored, false, (NOW + seconds) * SECOND)
    };
    assert_eq!(at("", 99), Allowed::Serve);
    assert_eq!(at("", 100), Allowed::Validate);
    assert_eq!(at("no-cache", 0), Allowed::Validate);
    assert_eq!(at("max-age=0", 0), Allowed::Validate);
    assert_eq!(at("max-age=20", 19), Allowed::Serve);
    assert_eq!(at("max-age=20", 20), Allowed::Validate);
    assert_eq!(at("min-fresh=50", 50), Allowed::Serve);
    assert_eq!(at("min-fresh=50", 51), Allowed::Validate);
    assert_eq!(at("max-stale=5", 105), Allowed::ServeStale);
    assert_eq!(at("max-stale=5", 106), Allowed::Validate);
    assert_eq!(at("max-stale", 100_000), Allowed::ServeStale);
}

#[test]
fn nobodys_wish_makes_a_stale_answer_good_that_must_not_be_served() {
    let stored = Lifetime::until(NOW * SECOND, NOW * SECOND);
    let wish = Wish { control: CacheControl::parse([&b"max-stale"[..]]), pragma_no_cache: false };
    assert_eq!(wish.allows(stored, true, (NOW + 1) * SECOND), Allowed::Validate);
}

#[test]
fn pragma_counts_where_nothing_else_is_said() {
    let stored = Lifetime::until(NOW * SECOND, (NOW + 100) * SECOND);
    let wish = |control: &str| Wish { control: CacheControl::parse([control.as_bytes()]), pragma_no_cache: true };
    assert_eq!(wish("").allows(stored, false, NOW * SECOND), Allowed::Validate);
    assert_eq!(wish("max-age=9").allows(stored, false, NOW * SECOND), Allowed::Serve);
}
