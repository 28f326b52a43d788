use super::*;

fn field(body: &str) -> String {
    Wish::read(body.as_bytes()).map_or_else(|bad| bad.field, |wish| panic!("{wish:?}"))
}

fn what(body: &str) -> What {
    Wish::read(body.as_bytes()).unwrap().what
}

#[test]
fn each_target_has_its_field() {
    let covered = |target| What::Covered(vec![target]);
    assert_eq!(what(r#"{"tag":"a"}"#), covered(Target::Tag(b"a".as_slice().into())));
    assert_eq!(what(r#"{"prefix":"/%70/"}"#), covered(Target::Prefix(b"/p/".as_slice().into())));
    assert_eq!(what(r#"{"method":"ANY /a/{b}"}"#), covered(Target::Method(b"ANY /a/{b}".as_slice().into())));
    assert_eq!(what(r#"{"everything":true}"#), covered(Target::Everything));
    assert!(matches!(what(r#"{"tags":["a","b"]}"#), What::Covered(tags) if tags.len() == 2));
    assert!(
        matches!(what(r#"{"url":"http://a/b","headers":{"X-A":"1"}}"#), What::Url(asked) if asked.headers.len() == 1)
    );
}

#[test]
fn parameters_make_a_request() {
    let wish = r#"{"method":"GET /a/{b}/{c+}","api":"x","stage":"y","host":"h",
        "parameters":{"path.b":"1","path.c":"2/3","query.q":"a b","header.X-A":"v"}}"#;
    let expected = Asked {
        url: "/a/1/2/3?q=a%20b".into(),
        verb: Some(Verb::Get),
        host: Some("h".into()),
        headers: vec![("X-A".into(), "v".into())],
        peer: None,
    };
    assert_eq!(what(wish), What::Url(expected));
}

#[test]
fn every_complaint_names_the_field() {
    for (body, expected) in [
        ("", "body"),
        ("[]", "body"),
        ("{}", "url"),
        (r#"{"tga":"a"}"#, "tga"),
        (r#"{"tag":5}"#, "tag"),
        (r#"{"tag":""}"#, "tag"),
        (r#"{"tag":" a"}"#, "tag"),
        (r#"{"tags":[]}"#, "tags"),
        (r#"{"tags":["a",1]}"#, "tags"),
        (r#"{"tag":"a","prefix":"/"}"#, "tag"),
        (r#"{"prefix":"a"}"#, "prefix"),
        (r#"{"method":"/a"}"#, "method"),
        (r#"{"method":"FETCH /a"}"#, "method"),
        (r#"{"everything":false}"#, "everything"),
        (r#"{"everything":1}"#, "everything"),
        (r#"{"url":"ftp://a"}"#, "url"),
        (r#"{"url":"/a b","api":"a","stage":"b"}"#, "url"),
        (r#"{"url":"/a"}"#, "stage"),
        (r#"{"url":"http://a/","host":"b"}"#, "host"),
        (r#"{"url":"http://a/","verb":"ANY"}"#, "verb"),
        (r#"{"url":"http://a/","headers":{"a":1}}"#, "headers"),
        (r#"{"url":"http://a/","headers":{"a":"\r\n"}}"#, "headers"),
        (r#"{"tag":"a","verb":"GET"}"#, "verb"),
        (r#"{"method":"GET /a","host":"b"}"#, "host"),
        (r#"{"method":"GET /a","verb":"GET"}"#, "method"),
        (r#"{"tag":"a","parameters":{}}"#, "parameters"),
        (r#"{"method":"GET /{a}","parameters":{}}"#, "stage"),
        (r##"{"method":"GET /a#{a}","parameters":{"path.a":"b"},"api":"a","stage":"b"}"##, "method"),
        (r#"{"method":"GET /a b","parameters":{},"api":"a","stage":"b"}"#, "method"),
        (r#"{"method":"GET /{a}","parameters":{},"api":"a","stage":"b"}"#, "parameters"),
        (r#"{"method":"GET /{a}","parameters":{"path.a":"b/c"},"api":"a","stage":"b"}"#, "parameters"),
        (r#"{"method":"GET /{a}","parameters":{"path.b":"c"},"api":"a","stage":"b"}"#, "parameters"),
        (r#"{"method":"GET /{a}","parameters":{"body.a":"c"},"api":"a","stage":"b"}"#, "parameters"),
        (r#"{"tag":"a","stage":"b"}"#, "stage"),
        (r#"{"tag":"a","soft":"yes"}"#, "soft"),
        (r#"{"tag":"a","limit":10001}"#, "limit"),
        (r#"{"tag":"a","limit":-1}"#, "limit"),
        (r#"{"tag":"a","from":1.5}"#, "from"),
    ] {
        assert_eq!(field(body), expected, "{body}");
    }
}
