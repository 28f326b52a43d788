//! What is asked for stays when the disk is full.

use super::{Rig, file, get_at_ease, is_hit, settle};

#[test]
fn an_object_that_is_asked_for_stays_when_the_disk_has_been_filled_anew() {
    let rig = Rig::of_files();
    let gateway = rig.start_small();
    let (hot, cold) = ("/hot-4000000", "/cold-4000000");
    get_at_ease(&gateway, hot);
    get_at_ease(&gateway, cold);
    settle(&gateway, 2.0);
    for number in 0..15 {
        get_at_ease(&gateway, &format!("/film-{number}-8000000"));
        settle(&gateway, 3.0 + f64::from(number));
        if number % 4 == 0 {
            let part = gateway.get_with(hot, "Range: bytes=100-199\r\n");
            assert!(is_hit(&part) && part.body == file(hot)[100..200], "{number}: {:?}", part.head);
        }
    }
    let again = gateway.get(hot);
    assert!(is_hit(&again) && again.body == file(hot), "{:?}", again.head);
    assert!(!is_hit(&gateway.get(cold)));
}
