//! Limits, and owners that fail.

use crate::{
    bench::{Bench, MIB, MINUTE, body, has, said},
    support::until,
};

#[tokio::test]
async fn an_owner_that_breaks_off_or_is_gone_is_an_error_to_all_who_wait_and_not_for_long() {
    let bench = Bench::new(MIB, |_, n| match n {
        0 => b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 100\r\n\r\nhalf"
            .to_vec(),
        1 => said("503 Service Unavailable", &["Retry-After: 7"], b"no picture yet\n"),
        _ => said("200 OK", &[MINUTE], b"whole"),
    })
    .await;
    bench.gate.send_replace(false);
    let all = bench.many(30, "/a/pic");
    until("all are there", || bench.front.counts().open == 30).await;
    until("the owner was asked", || bench.asked() == 1).await;
    bench.gate.send_replace(true);
    let mut errors = 0;
    for one in all {
        let answer = one.await.unwrap();
        // Who came a moment too late to wait asked once more.
        errors += usize::from(answer.starts_with("HTTP/1.1 503"));
        assert!(!answer.contains("half"), "{answer}");
    }
    assert!(errors >= 1 && bench.front.counts().forward_failures >= 1, "{errors}");
    let answer = bench.get("/b/pic", &[]).await;
    assert!(bench.asked() == 2 || body(&answer) == "whole", "{answer}");
    if bench.asked() == 2 {
        assert!(answer.starts_with("HTTP/1.1 503") && body(&answer) == "no picture yet\n", "{answer}");
        has(&answer, "Retry-After: 7");
    }
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "whole");
    until("nothing is held", || bench.figures().bytes < 2000).await;
}

#[tokio::test]
async fn the_limit_holds_however_much_is_asked_for_and_none_is_no_cache() {
    let bench = Bench::new(MIB, |_, _| said("200 OK", &[MINUTE], &vec![b'x'; 50_000])).await;
    for n in 0..60 {
        assert_eq!(body(&bench.get(&format!("/{n}/pic"), &[]).await).len(), 50_000);
        assert!(bench.figures().bytes <= MIB, "{:?}", bench.figures());
    }
    assert!(bench.figures().evictions > 40 && bench.figures().entries > 5, "{:?}", bench.figures());
    // One that is larger than an eighth is passed on.
    bench.site.cache.set_limit(300_000);
    assert!(bench.figures().bytes <= 300_000, "{:?}", bench.figures());
    let before = bench.asked();
    for _ in 0..3 {
        assert_eq!(body(&bench.get("/large/pic", &[]).await).len(), 50_000);
    }
    assert_eq!(bench.asked(), before + 3);
    bench.site.cache.set_limit(0);
    until("nothing is kept", || bench.figures().bytes == 0 && bench.figures().entries == 0).await;
    for n in 1..4 {
        let answer = bench.get("/off/pic", &[]).await;
        assert!(body(&answer).len() == 50_000 && !answer.to_ascii_lowercase().contains("cache-status"));
        assert_eq!(bench.asked(), before + 3 + n);
    }
    bench.site.cache.set_limit(MIB);
    bench.get("/on/pic", &[]).await;
    assert!(bench.get("/on/pic", &[]).await.contains("; hit"));
}

#[tokio::test]
async fn no_answer_of_an_owner_breaks_it() {
    let bench = Bench::new(MIB, |_, n| {
        let odd: [&[u8]; 8] = [
            b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\n\r\nwithout a length",
            b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 99999999999999\r\n\r\nx",
            b"HTTP/1.1 304 Not Modified\r\nCache-Control: public, max-age=60\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=\"\r\nContent-Length: 1\r\n\r\nx",
            b"HTTP/1.1 206 Partial\r\nCache-Control: public, max-age=60\r\nContent-Range: bytes 0-0/9\r\nContent-Length: 1\r\n\r\nx",
            b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 0\r\n\r\n",
            b"rubbish\r\n\r\n",
        ];
        odd[n % odd.len()].to_vec()
    })
    .await;
    for n in 0..8 {
        let answer = bench.get(&format!("/{n}/pic"), &[]).await;
        assert!(answer.starts_with("HTTP/1.1 "), "{n}: {answer}");
    }
    assert_eq!(bench.asked(), 8, "each was asked for once");
    assert!(bench.get("/6/pic", &[]).await.contains("; hit"), "nothing is something, too");
}
