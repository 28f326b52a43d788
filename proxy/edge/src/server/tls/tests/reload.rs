//! A new store beside connections and sessions of the old one.

use super::*;

#[tokio::test]
async fn the_new_certificate_is_for_new_connections() {
    let ca = Authority::new();
    let sessions = Sessions::new().unwrap();
    let domains = [ca.domain("api.example.com")];
    let old = TlsStore::load(&domains, None, &sessions).unwrap();
    let mut before = Connection::open(&old, &ca.client(), "api.example.com").await;

    let files = ca.issue("api.example.com");
    let new = TlsStore::load(&domains, None, &sessions).unwrap();
    drop(old);
    let mut after = Connection::open(&new, &ca.client(), "api.example.com").await;
    assert_eq!(after.shown(), der(&files));
    assert_ne!(before.shown(), after.shown());
    before.talk().await;
    after.talk().await;
}

#[tokio::test]
async fn sessions_live_on() {
    let ca = Authority::new();
    let sessions = Sessions::new().unwrap();
    let domains = [ca.domain("api.example.com")];
    for version in [&TLS12, &TLS13] {
        let client = ca.client_with(version, None);
        let old = TlsStore::load(&domains, None, &sessions).unwrap();
        let mut first = Connection::open(&old, &client, "api.example.com").await;
        assert!(!first.is_resumed());
        first.talk().await;
        ca.issue("api.example.com");
        let new = TlsStore::load(&domains, None, &sessions).unwrap();
        let mut second = Connection::open(&new, &client, "api.example.com").await;
        assert!(second.is_resumed());
        second.talk().await;
    }
}

#[tokio::test]
async fn sessions_of_another_process_are_not_resumed() {
    let ca = Authority::new();
    let domains = [ca.domain("api.example.com")];
    let client = ca.client();
    Connection::open(&store(&domains, None), &client, "api.example.com").await.talk().await;
    assert!(!Connection::open(&store(&domains, None), &client, "api.example.com").await.is_resumed());
}
