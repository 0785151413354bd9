//! How long an answer is one, and what part of it is asked for.

use crate::{
    bench::{Bench, MIB, MINUTE, body, has, said},
    support::curl,
};

#[tokio::test]
async fn conditions_and_ranges_are_answered_from_what_is_kept() {
    let bench =
        Bench::new(MIB, |_, _| said("200 OK", &[MINUTE, "ETag: \"x\"", "Vary: Accept"], b"0123456789")).await;
    let part = bench.get("/a/pic", &["Range: bytes=2-3"]).await;
    assert!(part.starts_with("HTTP/1.1 200") && part.contains("fwd=uri-miss"), "the owner answers: {part}");
    assert_eq!(body(&bench.get("/a/pic", &["If-None-Match: \"y\""]).await), "0123456789");
    assert!(!bench.last().contains("if-none-match"), "{}", bench.last());
    let same = bench.get("/a/pic", &["If-None-Match: \"z\", W/\"x\""]).await;
    assert!(same.starts_with("HTTP/1.1 304") && body(&same).is_empty(), "{same}");
    for other in ["content-length: 0", "transfer-encoding"] {
        assert!(!same.to_ascii_lowercase().contains(other), "{same}");
    }
    has(&same, "ETag: \"x\"");
    let part = bench.get("/a/pic", &["Range: bytes=2-3"]).await;
    assert!(part.starts_with("HTTP/1.1 206") && body(&part) == "23", "{part}");
    has(&part, "Content-Range: bytes 2-3/10");
    let head = bench.ask("HEAD", "/a/pic", &[]).await;
    assert!(head.starts_with("HTTP/1.1 200") && body(&head).is_empty(), "{head}");
    has(&head, "Content-Length: 10");
    assert_eq!(bench.asked(), 2);
    assert!(bench.get("/a/pic", &["Accept: image/png"]).await.contains("fwd=vary-miss"));
    let url = format!("http://{}/a/pic", bench.http());
    let h2 = curl(&["--http2-prior-knowledge", "-i", "-H", "If-None-Match: \"x\"", "-H", "Accept:", &url]);
    let h2 = String::from_utf8(h2.await.unwrap().stdout).unwrap();
    assert!(h2.starts_with("HTTP/2 304") && h2.contains("hit"), "{h2}");
    assert_eq!(bench.asked(), 3);
}

#[tokio::test]
async fn what_is_stale_is_fetched_by_its_tag_and_is_new_again_where_it_did_not_change() {
    let bench = Bench::new(MIB, |head, n| {
        if n < 3 && head.to_ascii_lowercase().contains("if-none-match: \"x\"") {
            return said("304 Not Modified", &["Cache-Control: public, max-age=1", "X-New: 1"], b"");
        }
        said("200 OK", &["Cache-Control: public, max-age=1", "ETag: \"x\""], format!("{n}").as_bytes())
    })
    .await;
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "0");
    let mut answers = Vec::new();
    let began = std::time::Instant::now();
    while bench.asked() < 4 {
        assert!(began.elapsed().as_secs() < 20);
        answers.push(bench.get("/a/pic", &[]).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let again: Vec<&String> = answers.iter().filter(|answer| answer.contains("fwd-status=304")).collect();
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|answer| body(answer) == "0" && answer.to_ascii_lowercase().contains("x-new")));
    assert_eq!(body(answers.last().unwrap()), "3");
    assert_eq!(bench.figures().requests[3], 2);
    assert!(bench.figures().requests[0] > 10, "{:?}", bench.figures());
}

#[tokio::test]
async fn another_owner_has_other_pictures() {
    let bench = Bench::new(MIB, |_, n| said("200 OK", &[MINUTE], format!("{n}").as_bytes())).await;
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "0");
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "0");
    *bench.site.owner.lock().unwrap() = "two".into();
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "1");
    *bench.site.owner.lock().unwrap() = "one".into();
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "2", "what the first one said before is gone");
}

#[tokio::test]
async fn other_methods_are_passed_on_and_what_changes_something_is_the_end_of_what_is_kept() {
    let bench = Bench::new(MIB, |_, n| said("200 OK", &[MINUTE], format!("{n}").as_bytes())).await;
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "0");
    assert_eq!(body(&bench.ask("OPTIONS", "/a/pic", &[]).await), "1");
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "0");
    assert_eq!(body(&bench.ask("DELETE", "/a/pic", &[]).await), "2");
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "3");
}
